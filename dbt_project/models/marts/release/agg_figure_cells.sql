-- A denominator of people or sessions that a dimension does not divide is the cell of the whole.
select
    figures.figure_id,
    counts.role,
    case when figures.clinic_id = 'network' then counts.network_count_id else counts.count_id end as count_id,
    figures.clinic_id,
    case when whole.dimension is null then figures.dimension else '' end as dimension,
    case when whole.dimension is null then figures.category else '' end as category
from {{ ref('agg_figures') }} as figures
inner join {{ ref('dim_counts') }} as counts on figures.measure = counts.measure
inner join {{ ref('int_measures') }} as measures on figures.measure = measures.measure
left join {{ ref('dimensions') }} as whole
    on
        figures.dimension = whole.dimension
        and whole.is_of_numerators
        and measures.is_whole_denominator
        and counts.role in ('denominator', 'exposure')
where
    counts.role <> 'numerator'
    or figures.numerator is not null
