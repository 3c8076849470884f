-- A person's first course under each protocol: the unit of outcomes. A person counts once a protocol. What happens
-- from the first session under another protocol on is no longer put down to this one.
with courses as (

    select
        clinic_id,
        patient_key,
        course_key,
        protocol,
        min(trial_arm) as trial_arm,
        cast(count(*) as integer) as sessions_given,
        min(session_day) as first_session_day,
        max(session_day) as last_session_day
    from {{ ref('int_course_sessions') }}
    group by clinic_id, patient_key, course_key, protocol

),

ranked as (

    select
        *,
        row_number() over (partition by patient_key, protocol order by first_session_day, course_key) as course_number
    from courses

),

first_courses as (

    select * from ranked
    where course_number = 1

),

next_protocols as (

    select
        first_courses.course_key,
        min(other_sessions.session_day) as next_protocol_day
    from first_courses
    inner join {{ ref('int_course_sessions') }} as other_sessions
        on
            first_courses.patient_key = other_sessions.patient_key
            and first_courses.protocol <> other_sessions.protocol
            and first_courses.first_session_day < other_sessions.session_day
    group by first_courses.course_key

),

planned as (

    select * from {{ ref('fct_courses') }}

),

patients as (

    select * from {{ ref('stg_patients') }}

)

select
    -- keys
    first_courses.course_key,
    first_courses.patient_key,
    first_courses.clinic_id,

    -- attributes
    first_courses.protocol,
    first_courses.trial_arm,
    planned.phase,
    planned.disposition,
    planned.censoring_reason,
    coalesce(planned.disposition = 'completed', false)
    or coalesce(first_courses.sessions_given >= planned.planned_sessions, false) as is_completed,

    -- sessions
    planned.planned_sessions,
    first_courses.sessions_given,

    -- time
    first_courses.first_session_day,
    first_courses.last_session_day,
    next_protocols.next_protocol_day,
    planned.disposition_day,
    planned.censoring_day,
    patients.observed_through_day
from first_courses
left join next_protocols on first_courses.course_key = next_protocols.course_key
left join planned on first_courses.course_key = planned.course_key
left join patients on first_courses.patient_key = patients.patient_key
