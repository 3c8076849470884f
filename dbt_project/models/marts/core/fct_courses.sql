with courses as (

    select * from {{ ref('stg_courses') }}

),

dispositions as (

    select * from {{ ref('stg_dispositions') }}

),

sessions as (

    select
        course_key,
        cast(count(*) as integer) as sessions_given,
        min(session_day) as first_session_day,
        max(session_day) as last_session_day
    from {{ ref('stg_sessions') }}
    group by course_key

)

select
    -- keys
    courses.course_key,
    courses.patient_key,
    courses.clinic_id,

    -- attributes
    courses.protocol,
    courses.trial_arm,
    courses.phase,
    dispositions.disposition,
    dispositions.censoring_reason,

    -- sessions
    courses.planned_sessions,
    coalesce(sessions.sessions_given, 0) as sessions_given,

    -- time
    courses.start_day,
    sessions.first_session_day,
    sessions.last_session_day,
    dispositions.disposition_day,
    dispositions.censoring_day,
    courses.service_period
from courses
left join sessions on courses.course_key = sessions.course_key
left join dispositions on courses.course_key = dispositions.course_key
