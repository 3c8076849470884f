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
    coalesce(assessments.recall_window, versions.recall_window) as recall_window,
    recall_windows.days as recall_days,

    -- score
    scores.total_score,
    scores.score_status,
    scores.items_answered,
    assessments.delivered_total,
    bands.band,
    cases.is_provisional_case,
    risk_levels.risk_level,

    -- time
    assessments.assessed_day,
    assessments.minutes_from_session_start
from assessments
inner join scores on assessments.assessment_key = scores.assessment_key
left join {{ ref('stg_instrument_versions') }} as versions
    on assessments.instrument = versions.instrument and assessments.instrument_version = versions.instrument_version
left join {{ ref('stg_recall_windows') }} as recall_windows
    on coalesce(assessments.recall_window, versions.recall_window) = recall_windows.recall_window
left join {{ ref('stg_instrument_bands') }} as bands
    on assessments.instrument = bands.instrument and scores.total_score between bands.minimum and bands.maximum
left join {{ ref('int_provisional_cases') }} as cases on assessments.assessment_key = cases.assessment_key
left join {{ ref('int_risk_levels') }} as risk_levels on assessments.assessment_key = risk_levels.assessment_key
