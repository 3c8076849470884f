{#- The earliest of several days, of which any may be null; null where all are. Days of the contract end at 36,500. -#}
{% macro earliest(days) -%}
    nullif(least({% for day in days %}coalesce({{ day }}, 99999){% if not loop.last %}, {% endif %}{% endfor %}), 99999)
{%- endmacro %}


{#- Days from one day to another; null where either is not known. -#}
{% macro days_between(first, then) -%}
    cast({{ then }} - {{ first }} as integer)
{%- endmacro %}
