{#-
    Each `name` of the relation `things` with each clinic that delivers every table that the relation `needed` (name,
    table_name) lists for it; one for which none is listed, with every clinic.
-#}
{% macro clinics_delivering(name, things, needed) -%}
    select
        things.{{ name }},
        clinics.clinic_id
    from {{ things }} as things
    cross join {{ ref('stg_clinics') }} as clinics
    left join {{ needed }} as needed on things.{{ name }} = needed.{{ name }}
    left join {{ ref('int_delivered_tables') }} as delivered
        on needed.table_name = delivered.table_name and clinics.clinic_id = delivered.clinic_id
    group by things.{{ name }}, clinics.clinic_id
    having count(needed.table_name) = count(delivered.table_name)
{%- endmacro %}
