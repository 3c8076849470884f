-- Baseline and score of each index course, time point and outcome instrument that its clinic delivers, scored or not;
-- and of each person's first and last score of an instrument, whatever they were treated with and whether at all.
with instruments as (

    select distinct
        clinic_id,
        instrument
    from {{ ref('fct_assessments') }}

),

outcome_instruments as (

    select instruments.*
    from instruments
    inner join {{ ref('stg_instruments') }} as described on instruments.instrument = described.instrument
    where described.is_outcome

),

windows as (

    select * from {{ ref('int_outcome_windows') }}

),

baselines as (

    select * from {{ ref('int_baselines') }}

),

scores as (

    select * from {{ ref('int_time_point_scores') }}

),

of_courses as (

    select
        windows.clinic_id,
        windows.patient_key,
        windows.course_key,
        outcome_instruments.instrument,
        windows.time_point,
        windows.is_due,
        baselines.assessment_key as baseline_assessment_key,
        baselines.total_score as baseline_total,
        baselines.recall_window as baseline_recall_window,
        scores.assessment_key,
        scores.total_score as score_total,
        scores.recall_window,
        scores.assessed_day,
        scores.assessed_day - windows.first_session_day as days_since_start,
        scores.recall_reaches_before_treatment,
        coalesce(scores.has_unassessable_score, false) as has_unassessable_score
    from windows
    inner join outcome_instruments on windows.clinic_id = outcome_instruments.clinic_id
    left join baselines
        on windows.course_key = baselines.course_key and outcome_instruments.instrument = baselines.instrument
    left join scores
        on
            windows.course_key = scores.course_key
            and windows.time_point = scores.time_point
            and outcome_instruments.instrument = scores.instrument

),

ranked as (

    select
        *,
        row_number() over (
            partition by patient_key, instrument
            order by moment, minutes_from_session_start nulls first, assessment_key
        ) as from_first,
        row_number() over (
            partition by patient_key, instrument
            order by moment desc, minutes_from_session_start desc nulls last, assessment_key desc
        ) as from_last
    from {{ ref('int_scores') }}

),

of_people as (

    select
        first_scores.clinic_id,
        first_scores.patient_key,
        cast(null as varchar) as course_key,
        first_scores.instrument,
        'first_to_last' as time_point,
        true as is_due,
        first_scores.assessment_key as baseline_assessment_key,
        first_scores.total_score as baseline_total,
        first_scores.recall_window as baseline_recall_window,
        last_scores.assessment_key,
        last_scores.total_score as score_total,
        last_scores.recall_window,
        last_scores.assessed_day,
        last_scores.assessed_day - first_scores.assessed_day as days_since_start,
        false as recall_reaches_before_treatment,
        false as has_unassessable_score
    from ranked as first_scores
    left join ranked as last_scores
        on
            first_scores.patient_key = last_scores.patient_key
            and first_scores.instrument = last_scores.instrument
            and last_scores.from_last = 1
            and first_scores.assessed_day < last_scores.assessed_day
    where first_scores.from_first = 1

)

select * from of_courses
union all
select * from of_people
