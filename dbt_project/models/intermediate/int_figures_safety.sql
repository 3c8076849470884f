-- Treatment-emergent adverse events of treated people: events, people with any, serious ones; by kind of event, by
-- protocol and by trial arm. Events per person and per session are given for everyone, a protocol and an arm.
with people as (

    select
        *,
        1 as treated,
        case when events > 0 then 1 else 0 end as has_event,
        case when serious_events > 0 then 1 else 0 end as has_serious_event
    from {{ ref('int_emergent_events') }}

),

exposed_people as (

    select * from people
    where dimension in ('', 'protocol', 'trial_arm')

)

{{ figure('adverse_events', 'people', numerator='events') }}
union all
{{ figure('patients_with_any_event', 'people', numerator='has_event') }}
union all
{{ figure('any_event_share', 'people', numerator='has_event', denominator='treated') }}
union all
{{ figure('events_per_patient', 'exposed_people', numerator='events', denominator='treated') }}
union all
{{ figure('events_per_session', 'exposed_people', numerator='events', denominator='sessions') }}
union all
{{ figure('serious_adverse_events', 'people', numerator='serious_events') }}
union all
{{ figure('patients_with_serious_event', 'people', numerator='has_serious_event') }}
