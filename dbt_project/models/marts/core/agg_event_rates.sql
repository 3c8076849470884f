-- Rates of treatment-emergent adverse events with exact (Garwood) and Byar's intervals, for every 100 sessions or
-- patient-years. Where no event was seen, the one-sided upper bound. Without exposure nothing is estimable.
with rates as (

    select
        *,
        case exposure_unit when 'days' then exposure / cast(36525 as double) else exposure / cast(100 as double) end
            as hundreds
    from {{ ref('int_event_rates') }}

)

select
    measure,
    clinic_id,
    dimension,
    category,
    people,
    people_with_event,
    events,
    exposure_unit,
    exposure,
    events / nullif(hundreds, 0) as rate,
    {{ garwood_lower('events', 'hundreds') }} as garwood_lower,
    {{ garwood_upper('events', 'hundreds') }} as garwood_upper,
    {{ byar_lower('events', 'hundreds') }} as byar_lower,
    {{ byar_upper('events', 'hundreds') }} as byar_upper,
    case when events = 0 then {{ garwood_upper('events', 'hundreds', 0.9) }} end as upper_95
from rates
