{{ config(materialized='table') }}

-- Courses with a session, and the day each was complete: that of the last session planned, or the last given where the
-- clinic says it was completed with fewer.
with courses as (

    select
        sessions.clinic_id,
        sessions.patient_key,
        sessions.course_key,
        coalesce(courses.phase = 'maintenance', false) as is_maintenance,
        coalesce(courses.disposition = 'completed', false) as is_said_complete,
        coalesce(courses.disposition = 'site_closed', false) as is_ended_by_closure,
        min(sessions.session_day) as first_session_day,
        max(sessions.session_day) as last_session_day,
        min(case when sessions.session_number = courses.planned_sessions then sessions.session_day end)
            as last_planned_session_day
    from {{ ref('int_course_sessions') }} as sessions
    left join {{ ref('fct_courses') }} as courses on sessions.course_key = courses.course_key
    group by
        sessions.clinic_id, sessions.patient_key, sessions.course_key, courses.phase, courses.disposition

)

select
    clinic_id,
    patient_key,
    course_key,
    is_maintenance,
    is_ended_by_closure,
    first_session_day,
    coalesce(last_planned_session_day, case when is_said_complete then last_session_day end) as completed_day
from courses
