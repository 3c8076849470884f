with assessments as (

    select * from {{ ref('stg_assessments') }}

),

scores as (

    select * from {{ ref('int_assessment_scores') }}

)

select
    -- keys
    assessments.assessment_key,
    assessments.patient_key,
    assessments.course_key,
    assessments.session_key,
    assessments.clinic_id,

    -- attributes
    assessments.instrument,
    assessments.instrument_version,
    assessments.recall_window,

    -- score
    scores.total_score,
    scores.score_status,
    scores.items_answered,
    assessments.delivered_total,

    -- time
    assessments.assessed_day,
    assessments.minutes_from_session_start
from assessments
inner join scores on assessments.assessment_key = scores.assessment_key
