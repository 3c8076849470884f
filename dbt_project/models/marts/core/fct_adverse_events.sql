-- Treatment-emergent: of a treated person, and begun on or after the day of the first session or at an unknown time.
-- Resolved: an end was recorded, and nothing less.
with events as (

    select * from {{ ref('stg_adverse_events') }}

),

event_courses as (

    select * from {{ ref('int_event_courses') }}

),

courses as (

    select * from {{ ref('stg_courses') }}

),

treated as (

    select * from {{ ref('int_treated_patients') }}
    where dimension = ''

),

terms as (

    select * from {{ ref('adverse_event_terms') }}

)

select
    -- keys
    events.adverse_event_key,
    events.patient_key,
    event_courses.course_key,
    events.session_key,
    events.clinic_id,

    -- attributes
    courses.protocol,
    courses.trial_arm,
    events.term,
    events.reported_term,
    coalesce(nullif(events.system_class, 'unmapped'), terms.system_class, events.system_class, 'not_recorded')
        as system_class,
    coalesce(events.severity, 'not_recorded') as severity,
    events.grade,
    events.seriousness_criteria,
    events.outcome,
    events.relatedness,
    events.action_taken,

    -- judgements
    coalesce(events.serious = 'yes', false) as is_serious,
    treated.patient_key is not null as is_in_treated_patient,
    treated.patient_key is not null and coalesce(events.onset_day >= treated.first_session_day, true)
        as is_treatment_emergent,
    events.end_day is not null or events.end_minutes is not null as is_resolved,

    -- time
    events.onset_day,
    events.onset_minutes,
    events.end_day,
    events.end_minutes,
    events.service_period
from events
left join event_courses on events.adverse_event_key = event_courses.adverse_event_key
left join courses on event_courses.course_key = courses.course_key
left join treated on events.patient_key = treated.patient_key
left join terms on events.term = terms.term
