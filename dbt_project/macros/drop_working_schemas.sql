{#-
    Staging and intermediate read the inputs of one build, which are gone when it ends. What stays in the warehouse
    is what can still be read: the marts and the reference tables.
-#}
{% macro drop_working_schemas() -%}
    {%- if flags.WHICH == 'build' -%}
        drop schema if exists staging cascade;
        drop schema if exists intermediate cascade;
    {%- endif -%}
{%- endmacro %}
