{#- Each element of a list, one a row. -#}
{% macro each_of(list) -%}
    {{ return(adapter.dispatch('each_of')(list)) }}
{%- endmacro %}

{% macro default__each_of(list) -%}
    explode({{ list }})
{%- endmacro %}

{% macro duckdb__each_of(list) -%}
    unnest({{ list }})
{%- endmacro %}


{#- The sum of a group's largest numbers, of as many as it has and no more than `places`. -#}
{% macro sum_of_largest(number, places) -%}
    {{ return(adapter.dispatch('sum_of_largest')(number, places)) }}
{%- endmacro %}

{% macro default__sum_of_largest(number, places) -%}
    aggregate(slice(sort_array(collect_list({{ number }}), false), 1, {{ places }}), 0, (a, b) -> a + b)
{%- endmacro %}

{% macro duckdb__sum_of_largest(number, places) -%}
    list_sum(max({{ number }}, {{ places }}))
{%- endmacro %}
