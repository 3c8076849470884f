-- The course an adverse event belongs to: the one delivered with it; else that of its session; else that of the
-- person's last session on or before its onset; else the person's only course. Where none of these decides, none.
with events as (

    select * from {{ ref('stg_adverse_events') }}

),

sessions as (

    select * from {{ ref('stg_sessions') }}

),

sessions_before_onset as (

    select
        events.adverse_event_key,
        sessions.course_key,
        row_number() over (
            partition by events.adverse_event_key order by sessions.session_day desc, sessions.session_key desc
        ) as recency
    from events
    inner join sessions on events.patient_key = sessions.patient_key and events.onset_day >= sessions.session_day

),

only_courses as (

    select
        patient_key,
        min(course_key) as course_key
    from {{ ref('stg_courses') }}
    group by patient_key
    having count(*) = 1

)

select
    events.adverse_event_key,
    coalesce(
        events.course_key, event_sessions.course_key, sessions_before_onset.course_key, only_courses.course_key
    ) as course_key
from events
left join sessions as event_sessions on events.session_key = event_sessions.session_key
left join sessions_before_onset
    on events.adverse_event_key = sessions_before_onset.adverse_event_key and sessions_before_onset.recency = 1
left join only_courses on events.patient_key = only_courses.patient_key
