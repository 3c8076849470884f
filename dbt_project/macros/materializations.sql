{#-
    Tables and views are made where they belong at once. dbt's own way is beside what is there, which is then renamed, and
    dropped: each build writes a file of its own, in which nothing is there, and a build that fails is thrown away.
-#}
{% materialization table, adapter='duckdb', supported_languages=['sql', 'python'] %}
    {%- set relation = this.incorporate(type='table') -%}
    {%- do start_in_place() -%}
    {%- call statement('main', language=model['language']) -%}
        {{- create_table_as(false, relation, compiled_code, model['language']) }}
    {%- endcall -%}
    {%- do finish_in_place() -%}
    {{ return({'relations': [relation]}) }}
{% endmaterialization %}


{% materialization view, adapter='duckdb' %}
    {%- set relation = this.incorporate(type='view') -%}
    {%- do start_in_place() -%}
    {%- call statement('main') -%}
        {{ get_create_view_as_sql(relation, sql) }}
    {%- endcall -%}
    {%- do finish_in_place() -%}
    {{ return({'relations': [relation]}) }}
{% endmaterialization %}


{#- Whoever runs dbt by hand may have built the same file before. -#}
{% macro start_in_place() -%}
    {%- do drop_relation_if_exists(load_cached_relation(this)) -%}
    {{- run_hooks(pre_hooks, inside_transaction=True) }}
{%- endmacro %}


{% macro finish_in_place() -%}
    {{- run_hooks(post_hooks, inside_transaction=True) }}
    {%- do adapter.commit() -%}
{%- endmacro %}
