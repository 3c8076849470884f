-- Treatment-emergent: of a treated person, and begun on or after the day of the first session or at an unknown time.
--
-- Severe: CTCAE grade 3 or above; by the reported severity where no grade was given. Serious is another thing, and
-- neither is made from the other.
--
-- Resolved: an end was recorded, and nothing less. How soon is told by minutes; where days alone are known, the same
-- day is within 24 hours and two days later is not. What neither decides is empty. By discharge is told of events tied
-- to a session that had not begun after it; without an end an event had not ended by then.
--
-- Led to discontinuation: the clinic says that the course was stopped for the event; or the course ended as stopped for
-- an adverse event, it says so of none, and this is its last emergent event that had begun by the day it ended.
with events as (

    select * from {{ ref('stg_adverse_events') }}

),

event_courses as (

    select * from {{ ref('int_event_courses') }}

),

courses as (

    select * from {{ ref('stg_courses') }}

),

stopped_courses as (

    select
        course_key,
        disposition_day
    from {{ ref('stg_dispositions') }}
    where disposition = 'stopped_adverse_event'

),

sessions as (

    select * from {{ ref('fct_sessions') }}

),

treated as (

    select * from {{ ref('int_treated_patients') }}
    where dimension = ''

),

terms as (

    select * from {{ ref('adverse_event_terms') }}

),

joined as (

    select
        events.*,
        event_courses.course_key as found_course_key,
        courses.protocol,
        courses.trial_arm,
        sessions.sequence_number as session_number,
        sessions.session_of_course,
        sessions.drug,
        sessions.dose_band,
        sessions.organisation_key,
        sessions.session_day,
        sessions.discharge_minutes,
        coalesce(nullif(events.system_class, 'unmapped'), terms.system_class, events.system_class, 'not_recorded')
            as known_system_class,
        coalesce(events.onset_day, sessions.session_day) as event_day,
        events.end_day is not null or events.end_minutes is not null as is_resolved,
        cast(events.end_minutes - events.onset_minutes as decimal(9, 2)) as resolution_minutes,
        events.end_day - events.onset_day as resolution_days,
        treated.patient_key is not null as is_in_treated_patient,
        treated.patient_key is not null and coalesce(events.onset_day >= treated.first_session_day, true)
            as is_treatment_emergent,
        stopped_courses.course_key is not null as is_course_stopped,
        stopped_courses.disposition_day
    from events
    left join event_courses on events.adverse_event_key = event_courses.adverse_event_key
    left join courses on event_courses.course_key = courses.course_key
    left join stopped_courses on event_courses.course_key = stopped_courses.course_key
    left join sessions on events.session_key = sessions.session_key
    left join treated on events.patient_key = treated.patient_key
    left join terms on events.term = terms.term

),

judged as (

    select
        *,
        is_course_stopped and is_treatment_emergent and coalesce(event_day <= disposition_day, true) as may_have_stopped
    from joined

),

ranked as (

    select
        *,
        count(case when action_taken = 'course_stopped' then 1 end) over (partition by found_course_key) as named,
        row_number() over (
            partition by found_course_key, may_have_stopped
            order by event_day desc nulls last, onset_minutes desc nulls last, adverse_event_key desc
        ) as number_from_last
    from judged

)

select
    -- keys
    adverse_event_key,
    patient_key,
    found_course_key as course_key,
    session_key,
    organisation_key,
    clinic_id,

    -- attributes
    protocol,
    trial_arm,
    session_number,
    session_of_course,
    drug,
    dose_band,
    term,
    reported_term,
    known_system_class as system_class,
    coalesce(severity, 'not_recorded') as severity,
    grade,
    seriousness_criteria,
    outcome,
    relatedness,
    action_taken,

    -- judgements
    term <> 'unmapped' as is_mapped,
    coalesce(serious = 'yes', false) as is_serious,
    coalesce(serious in ('yes', 'no'), false) as is_seriousness_recorded,
    case
        when grade is not null then grade >= 3
        when severity in ('mild', 'moderate') then false
        when severity in ('severe', 'life_threatening', 'fatal') then true
    end as is_severe,
    case
        when relatedness in ('possible', 'probable', 'definite') then true
        when relatedness in ('not_related', 'unlikely') then false
    end as is_related,
    coalesce(action_taken = 'course_stopped', false)
    or (may_have_stopped and named = 0 and number_from_last = 1) as led_to_discontinuation,
    is_in_treated_patient,
    is_treatment_emergent,

    -- resolution
    is_resolved,
    resolution_minutes,
    case
        when session_day is null or onset_minutes > discharge_minutes or onset_day > session_day then null
        when not is_resolved then false
        when end_minutes is not null and discharge_minutes is not null then end_minutes <= discharge_minutes
        when end_day > session_day then false
    end as is_resolved_by_discharge,
    case
        when not is_resolved then false
        when resolution_minutes is not null then resolution_minutes <= 120
        when resolution_days > 1 then false
    end as is_resolved_within_2_hours,
    case
        when not is_resolved then false
        when resolution_minutes is not null then resolution_minutes <= 1440
        when resolution_days = 0 then true
        when resolution_days > 1 then false
    end as is_resolved_within_24_hours,

    -- time
    event_day,
    onset_day,
    onset_minutes,
    end_day,
    end_minutes,
    service_period
from ranked
