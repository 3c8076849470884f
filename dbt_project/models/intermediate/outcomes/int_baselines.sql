{{ config(materialized='table') }}

-- The last score of each outcome instrument on or before the day of a course's first session; on that day, not one
-- begun after the session's start.
with candidates as (

    select
        courses.course_key,
        scores.instrument,
        scores.assessment_key,
        scores.total_score,
        scores.recall_window,
        scores.assessed_day,
        row_number() over (
            partition by courses.course_key, scores.instrument
            order by
                scores.assessed_day desc, scores.minutes_from_session_start desc nulls last, scores.assessment_key desc
        ) as recency
    from {{ ref('fct_index_courses') }} as courses
    inner join {{ ref('int_scores') }} as scores
        on courses.patient_key = scores.patient_key and scores.moment <= 2 * courses.first_session_day

)

select
    course_key,
    instrument,
    assessment_key,
    total_score,
    recall_window,
    assessed_day
from candidates
where recency = 1
