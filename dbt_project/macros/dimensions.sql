{#-
    Grouping by nothing and then by each of several dimensions in one pass. A row of the result names its
    `dimension` and `category`, both empty for the row over everything.
-#}
{% macro grouping_by(keys, dimensions) -%}
    {%- set sets = [keys] -%}
    {%- for dimension in dimensions -%}
        {%- do sets.append(keys + [dimension]) -%}
    {%- endfor -%}
    {{ grouping_sets(sets) }}
{%- endmacro %}


{#- The two columns that go with `grouping_by`. -#}
{% macro dimension_and_category(dimensions) -%}
    case
        {%- for dimension in dimensions %}
        when grouping({{ dimension }}) = 0 then '{{ dimension }}'
        {%- endfor %}
        else ''
    end as dimension,
    case
        {%- for dimension in dimensions %}
        when grouping({{ dimension }}) = 0 then {{ dimension }}
        {%- endfor %}
        else ''
    end as category
{%- endmacro %}


{#- Every row of `relation` once for everything and once for each dimension in which it has a category. -#}
{% macro along(relation, dimensions) -%}
    select *, '' as dimension, '' as category
    from {{ relation }}
    {%- for dimension in dimensions %}
    union all
    select *, '{{ dimension }}' as dimension, {{ dimension }} as category
    from {{ relation }}
    where {{ dimension }} is not null
    {%- endfor %}
{%- endmacro %}


{#- Names as an SQL list of texts. -#}
{% macro quoted(names) -%}
    ('{{ names | join("', '") }}')
{%- endmacro %}
