{#- Days without a session after which a course without a recorded end counts as over. -#}
{%- set quiet_days = 28 %}
{{ config(materialized='table') }}

-- How far each index course got. A plan that was not recorded is unknown, but a completed course was planned to be what
-- it was. A course that may still go on is not over: neither completed nor broken off.
with courses as (

    select * from {{ ref('fct_index_courses') }}

),

session_days as (

    select
        course_key,
        max(case when session_number = 4 then session_day end) as fourth_session_day,
        max(case when session_number = 6 then session_day end) as sixth_session_day
    from {{ ref('int_course_sessions') }}
    group by course_key

),

described as (

    select
        courses.clinic_id,
        courses.patient_key,
        courses.course_key,
        courses.protocol,
        coalesce(courses.disposition, 'not_recorded') as disposition,
        courses.sessions_given,
        coalesce(courses.planned_sessions, case when courses.is_completed then courses.sessions_given end)
            as planned_sessions,
        courses.is_completed,
        courses.is_completed
        or coalesce(
            courses.disposition <> 'ongoing',
            courses.next_protocol_day is not null
            or coalesce(courses.observed_through_day - courses.last_session_day >= {{ quiet_days }}, true)
        ) as is_over,
        session_days.fourth_session_day - courses.first_session_day as days_to_fourth_session,
        session_days.sixth_session_day - courses.first_session_day as days_to_sixth_session,
        coalesce(courses.observed_through_day - courses.first_session_day >= 28, true) as is_watched_28_days
    from courses
    inner join session_days on courses.course_key = session_days.course_key

)

select
    *,
    is_watched_28_days and coalesce(planned_sessions >= 4, true) as is_due_four,
    is_watched_28_days and coalesce(planned_sessions >= 6, true) as is_due_six
from described
