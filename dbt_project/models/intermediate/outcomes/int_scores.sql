{{ config(materialized='table') }}

-- Scored questionnaires in time. A moment is twice the day, and one more where the questionnaire was begun after the
-- start of a session of that day: a session of day d lies between the moments 2d and 2d + 1.
with assessments as (

    select * from {{ ref('fct_assessments') }}
    where total_score is not null

),

instruments as (

    select * from {{ ref('stg_instruments') }}
    where is_outcome

),

recall_windows as (

    select * from {{ ref('stg_recall_windows') }}

)

select
    assessments.clinic_id,
    assessments.patient_key,
    assessments.assessment_key,
    assessments.instrument,
    assessments.recall_window,
    recall_windows.days as recall_days,
    coalesce(recall_windows.allows_same_day, false) as allows_same_day,
    assessments.total_score,
    assessments.assessed_day,
    assessments.minutes_from_session_start,
    cast(2 * assessments.assessed_day as integer)
    + case when assessments.minutes_from_session_start > 0 then 1 else 0 end as moment
from assessments
inner join instruments on assessments.instrument = instruments.instrument
left join recall_windows on assessments.recall_window = recall_windows.recall_window
