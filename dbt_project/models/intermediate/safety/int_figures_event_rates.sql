-- Events for every 100 sessions or patient-years (of 365.25 days). The people behind a rate are those treated, in its
-- numerator those with an event: events themselves are counted by another measure. Without exposure there is no figure.
with rates as (

    select
        *,
        cast(events * case exposure_unit when 'days' then 36525 else 100 end as decimal(18, 4)) as scaled_events
    from {{ ref('int_event_rates') }}

)

select
    measure,
    clinic_id,
    dimension,
    category,
    cast(people_with_event as decimal(18, 4)) as numerator,
    people as denominator,
    {{ exact_ratio('scaled_events', 'exposure') }} as value,
    people as patients,
    clinics,
    people_with_event as numerator_patients,
    clinics_with_event as numerator_clinics
from rates
where exposure > 0
