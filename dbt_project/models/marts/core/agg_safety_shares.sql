-- Shares of people, sessions and events in the sections of safety with their exact interval; where none was seen, the
-- one-sided upper bound of what may have been missed.
with shares as (

    select
        figures.figure_id,
        figures.measure,
        measures.section,
        figures.clinic_id,
        figures.dimension,
        figures.category,
        cast(figures.numerator as bigint) as numerator,
        figures.denominator
    from {{ ref('agg_figures') }} as figures
    inner join {{ ref('dim_measures') }} as measures on figures.measure = measures.measure
    where figures.figure_type = 'rate' and measures.section in ('safety', 'session_safety', 'suicidality')

)

select
    *,
    cast(numerator as double) / nullif(denominator, 0) as observed_share,
    {{ clopper_pearson_lower('numerator', 'denominator') }} as lower_end,
    {{ clopper_pearson_upper('numerator', 'denominator') }} as upper_end,
    case when numerator = 0 then {{ upper_bound_of_none('denominator') }} end as upper_95
from shares
