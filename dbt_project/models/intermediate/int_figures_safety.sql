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

{{ figures('people', [
    ['adverse_events', 'events', none],
    ['patients_with_any_event', 'has_event', none],
    ['any_event_share', 'has_event', 'treated'],
    ['serious_adverse_events', 'serious_events', none],
    ['patients_with_serious_event', 'has_serious_event', none],
]) }}
union all
{{ figures('exposed_people', [
    ['events_per_patient', 'events', 'treated'],
    ['events_per_session', 'events', 'sessions'],
]) }}
