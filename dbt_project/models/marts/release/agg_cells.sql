{#- Role, and what a figure says of it. -#}
{%- set roles = [
    ['numerator', 'figures.numerator', 'figures.numerator'],
    ['denominator', 'figures.denominator', 'figures.denominator'],
    ['remainder', 'figures.denominator - figures.numerator', 'figures.remainder'],
] -%}

-- Every cell once, whichever figures it is in. A model value's numbers are of people, whatever it is the value of.
with cells as (

    select * from {{ ref('agg_figure_cells') }}

),

counts as (

    select distinct
        counts.network_count_id,
        counts.count_id,
        counts.is_count,
        case when measures.figure_type = 'model_value' then 'patient' else measures.contributors end as contributors
    from {{ ref('dim_counts') }} as counts
    inner join {{ ref('int_measures') }} as measures on split_part(counts.count_id, '/', 1) = measures.measure

),

told as (

    {%- for role, value, stem in roles %}
    select
        cells.count_id,
        cells.clinic_id,
        cells.dimension,
        cells.category,
        {{ value }} as value,
        {{ stem }}_largest as largest,
        {{ stem }}_two_largest as two_largest
    from cells
    inner join {{ ref('agg_figures') }} as figures on cells.figure_id = figures.figure_id
    where cells.role = '{{ role }}'
    union all
    {%- endfor %}
    select
        cells.count_id,
        cells.clinic_id,
        cells.dimension,
        cells.category,
        rates.exposure as value,
        null as largest,
        null as two_largest
    from cells
    inner join {{ ref('int_event_rates') }} as rates
        on cells.figure_id = rates.measure || '/' || rates.clinic_id || '/' || rates.dimension || '/' || rates.category
    where cells.role = 'exposure'

)

select
    told.count_id,
    told.clinic_id,
    told.dimension,
    told.category,
    cast(max(told.value) as decimal(18, 4)) as value,
    counts.is_count,
    counts.contributors,
    cast(max(told.largest) as decimal(18, 4)) as largest,
    cast(max(told.two_largest) as decimal(18, 4)) as two_largest
from told
inner join counts
    on told.count_id = case when told.clinic_id = 'network' then counts.network_count_id else counts.count_id end
group by told.count_id, told.clinic_id, told.dimension, told.category, counts.is_count, counts.contributors
