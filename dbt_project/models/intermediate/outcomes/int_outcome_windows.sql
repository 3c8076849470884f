{{ config(materialized='table') }}

-- When a score of each time point may be taken, a course: from one moment to another, both included. A session that was
-- never given leaves its time points out. A person is due where the export watched them until the window opens.
with courses as (

    select * from {{ ref('fct_index_courses') }}

),

time_points as (

    select * from {{ ref('time_points') }}

),

sessions as (

    select * from {{ ref('int_course_sessions') }}

),

anchored as (

    select
        courses.clinic_id,
        courses.patient_key,
        courses.course_key,
        courses.protocol,
        courses.first_session_day,
        courses.next_protocol_day,
        courses.observed_through_day,
        time_points.time_point,
        time_points.taken,
        time_points.needs_same_day_recall,
        case time_points.anchor
            when 'start' then courses.first_session_day
            when 'last_session' then courses.last_session_day
            else sessions.session_day
        end as anchor_day,
        time_points.anchor <> 'start' as follows_session,
        time_points.from_day,
        time_points.to_day,
        time_points.target_day,
        sessions.next_session_day
    from courses
    inner join time_points on time_points.anchor in ('start', 'last_session', 'session')
    left join sessions
        on
            courses.course_key = sessions.course_key
            and time_points.anchor_session = sessions.session_number
    where time_points.anchor <> 'session' or sessions.session_key is not null

)

select
    clinic_id,
    patient_key,
    course_key,
    protocol,
    time_point,
    taken,
    needs_same_day_recall,
    first_session_day,
    anchor_day + target_day as target_day,
    coalesce(observed_through_day >= anchor_day + from_day, true) as is_due,
    2 * (anchor_day + from_day) + case when follows_session and from_day = 0 then 1 else 0 end as from_moment,
    least(
        2 * (anchor_day + to_day) + 1,
        coalesce(2 * next_session_day, 2 * (anchor_day + to_day) + 1),
        coalesce(2 * next_protocol_day, 2 * (anchor_day + to_day) + 1)
    ) as to_moment
from anchored
