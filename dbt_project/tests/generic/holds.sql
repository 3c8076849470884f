{#- An invariant of every row; a null counts as broken. -#}
{% test holds(model, expression) %}

    select 1 as broken
    from {{ model }}
    where ({{ expression }}) is not true

{% endtest %}
