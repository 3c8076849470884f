{{ config(materialized='table') }}

-- The score of each time point, one a course and instrument. A form whose recall window is too long for the time point
-- is not taken: whether one lay in the window is told apart.
with candidates as (

    select
        windows.course_key,
        windows.time_point,
        scores.instrument,
        scores.assessment_key,
        scores.total_score,
        scores.recall_window,
        scores.recall_days,
        scores.assessed_day,
        windows.first_session_day,
        scores.allows_same_day or not windows.needs_same_day_recall as is_assessable,
        row_number() over (
            partition by
                windows.course_key, windows.time_point, scores.instrument,
                scores.allows_same_day or not windows.needs_same_day_recall
            order by
                case windows.taken when 'nearest' then abs(scores.assessed_day - windows.target_day) end,
                case windows.taken when 'last' then -scores.moment else scores.moment end,
                case windows.taken
                    when 'last' then -scores.minutes_from_session_start else scores.minutes_from_session_start
                end,
                case windows.taken when 'last' then scores.assessment_key end desc,
                scores.assessment_key
        ) as preference
    from {{ ref('int_outcome_windows') }} as windows
    inner join {{ ref('int_scores') }} as scores
        on
            windows.patient_key = scores.patient_key
            and windows.from_moment <= scores.moment
            and windows.to_moment >= scores.moment

)

select
    course_key,
    time_point,
    instrument,
    max(case when is_assessable then assessment_key end) as assessment_key,
    max(case when is_assessable then total_score end) as total_score,
    max(case when is_assessable then recall_window end) as recall_window,
    max(case when is_assessable then assessed_day end) as assessed_day,
    -- Asks about days before the first session, too.
    coalesce(bool_or(is_assessable and recall_days > assessed_day - first_session_day), false)
        as recall_reaches_before_treatment,
    coalesce(bool_or(not is_assessable), false) as has_unassessable_score
from candidates
where preference = 1
group by course_key, time_point, instrument
