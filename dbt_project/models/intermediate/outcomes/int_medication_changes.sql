-- What became of SSRIs and SNRIs between the first and the last session of an index course.
with courses as (

    select * from {{ ref('fct_index_courses') }}

),

taken as (

    select * from {{ ref('stg_medications') }}
    where medication_class in ('ssri', 'snri')

),

changes as (

    select
        courses.course_key,
        bool_or(taken.start_day > courses.first_session_day and taken.start_day <= courses.last_session_day) as started,
        bool_or(taken.stop_day >= courses.first_session_day and taken.stop_day <= courses.last_session_day) as stopped,
        bool_or(
            coalesce(taken.start_day <= courses.first_session_day, true)
            and coalesce(taken.stop_day >= courses.first_session_day, true)
        ) as taken_at_start
    from courses
    inner join taken on courses.patient_key = taken.patient_key
    group by courses.course_key

)

select
    courses.course_key,
    case
        when changes.started and changes.stopped then 'switched'
        when changes.started then 'started'
        when changes.stopped then 'stopped'
        when changes.taken_at_start then 'unchanged'
        else 'none'
    end as medication_change
from courses
left join changes on courses.course_key = changes.course_key
