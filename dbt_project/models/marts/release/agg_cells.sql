-- Every cell once, whichever figures it is in. A model value's numbers are of people, whatever it is the value of.
with cells as (

    select * from {{ ref('agg_figure_cells') }}

),

counts as (

    {%- for column in ['counts.count_id', 'counts.network_count_id as count_id'] %}
    select
        {{ column }},
        counts.is_count,
        case coalesce(owners.figure_type, measures.figure_type)
            when 'model_value' then 'patient'
            else coalesce(owners.contributors, measures.contributors)
        end as contributors
    from {{ ref('dim_counts') }} as counts
    inner join {{ ref('int_measures') }} as measures on counts.measure = measures.measure
    left join {{ ref('int_measures') }} as owners on split_part(counts.count_id, '/', 1) = owners.measure
    {%- if not loop.last %}
    union
    {%- endif %}
    {%- endfor %}

),

told as (

    select
        cells.count_id,
        cells.clinic_id,
        cells.dimension,
        {%- for column, of_numerator, of_denominator, of_remainder in [
            ['value', 'numerator', 'denominator', 'denominator - figures.numerator'],
            ['largest', 'numerator_largest', 'denominator_largest', 'remainder_largest'],
            ['two_largest', 'numerator_two_largest', 'denominator_two_largest', 'remainder_two_largest'],
        ] %}
        case cells.role
            when 'numerator' then figures.{{ of_numerator }}
            when 'denominator' then figures.{{ of_denominator }}
            when 'remainder' then figures.{{ of_remainder }}
            {%- if column == 'value' %}
            when 'exposure' then rates.exposure
            {%- endif %}
        end as {{ column }},
        {%- endfor %}
        cells.category
    from cells
    inner join {{ ref('agg_figures') }} as figures on cells.figure_id = figures.figure_id
    left join {{ ref('int_event_rates') }} as rates
        on
            figures.measure = rates.measure
            and figures.clinic_id = rates.clinic_id
            and figures.dimension = rates.dimension
            and figures.category = rates.category

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
inner join counts on told.count_id = counts.count_id
group by told.count_id, told.clinic_id, told.dimension, told.category, counts.is_count, counts.contributors
