{#- Invariants of every row; a null counts as broken. -#}
{% test holds(model, expressions) %}

    select 1 as broken
    from {{ model }}
    where
        {%- for expression in expressions %}
        ({{ expression }}) is not true{{ ' or' if not loop.last }}
        {%- endfor %}

{% endtest %}
