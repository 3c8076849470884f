{#-
    Every key is found in the mart it refers to, for clinics that deliver the table behind that mart: what a clinic
    does not deliver is absent and cannot be referred to.
-#}
{% test refers_to(model, column_name, to, field, table_name) %}

    select child.{{ column_name }}
    from {{ model }} as child
    inner join {{ ref('int_delivered_tables') }} as delivered
        on child.clinic_id = delivered.clinic_id and delivered.table_name = '{{ table_name }}'
    left join {{ to }} as parent on child.{{ column_name }} = parent.{{ field }}
    where child.{{ column_name }} is not null and parent.{{ field }} is null

{% endtest %}
