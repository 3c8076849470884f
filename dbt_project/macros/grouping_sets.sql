{#- The sets of columns of a GROUP BY, each a list of names. -#}
{% macro grouping_sets(sets) -%}
    grouping sets (
        {%- for columns in sets %}({{ columns | join(', ') }}){% if not loop.last %}, {% endif %}{% endfor -%}
    )
{%- endmacro %}
