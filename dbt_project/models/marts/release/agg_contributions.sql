-- What each clinic has of what is told of the network alone: nobody is told of it, and each clinic knows its own.
with figures as (

    select figures.*
    from {{ ref('int_figures') }} as figures
    inner join {{ ref('dimensions') }} as dimensions on figures.dimension = dimensions.dimension
    where dimensions.scope = 'network' and figures.clinic_id <> 'network'

),

parts as (

    select
        counts.network_count_id as count_id,
        figures.clinic_id,
        figures.dimension,
        figures.category,
        case counts.role
            when 'numerator' then figures.numerator
            when 'denominator' then figures.denominator
            else figures.denominator - figures.numerator
        end as value
    from figures
    inner join {{ ref('dim_counts') }} as counts on figures.measure = counts.measure
    where counts.is_count and counts.role in ('numerator', 'denominator', 'remainder')

)

select
    count_id,
    clinic_id,
    dimension,
    category,
    cast(max(value) as decimal(18, 4)) as value
from parts
where value > 0
group by count_id, clinic_id, dimension, category
