{{ config(materialized='table') }}

-- Each session that an index course was planned to have, reached or not; where the plan is not known, each that any
-- course of the network had. Of a clinic that does not deliver courses nothing is known of plans and ends.
with recursive numbers as (

    select 1 as session_number
    union all
    select session_number + 1
    from numbers
    where
        session_number < (
            select greatest(max(courses.sessions_given), coalesce(max(courses.planned_sessions), 0))
            from {{ ref('int_course_progress') }} as courses
        )

)

select
    progress.clinic_id,
    progress.patient_key,
    progress.course_key,
    progress.protocol,
    progress.disposition,
    progress.is_over,
    numbers.session_number,
    progress.sessions_given >= numbers.session_number - 1 as is_at_risk,
    progress.sessions_given >= numbers.session_number as is_reached
from {{ ref('int_course_progress') }} as progress
inner join numbers on coalesce(progress.planned_sessions >= numbers.session_number, true)
where progress.protocol <> 'not_recorded'
