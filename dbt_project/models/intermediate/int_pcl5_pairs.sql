{{ config(materialized='table') }}

-- PCL-5 before and after. Baseline: the last total on or before the day of the first session; on that day, where the
-- minutes are given, not after the session's start. Last: the latest total on a later day. For a protocol the first
-- session is the first under that protocol.
with treated as (

    select * from {{ ref('int_treated_patients') }}
    where dimension in ('', 'protocol')

),

scores as (

    select * from {{ ref('fct_assessments') }}
    where instrument = 'pcl_5' and total_score is not null

),

sided as (

    select
        treated.patient_key,
        treated.dimension,
        treated.category,
        scores.assessment_key,
        scores.assessed_day,
        scores.minutes_from_session_start,
        scores.total_score,
        scores.assessed_day > treated.first_session_day as is_later
    from treated
    inner join scores on treated.patient_key = scores.patient_key
    where
        scores.assessed_day <> treated.first_session_day
        or coalesce(scores.minutes_from_session_start, 0) <= 0

),

ranked as (

    select
        *,
        row_number() over (
            partition by patient_key, dimension, category, is_later
            order by assessed_day desc, minutes_from_session_start desc nulls last, assessment_key desc
        ) as recency
    from sided

),

chosen as (

    select
        patient_key,
        dimension,
        category,
        max(case when not is_later then total_score end) as baseline_total,
        max(case when is_later then total_score end) as last_total
    from ranked
    where recency = 1
    group by patient_key, dimension, category

)

select
    treated.clinic_id,
    treated.patient_key,
    treated.dimension,
    treated.category,
    chosen.baseline_total,
    chosen.last_total,
    chosen.last_total - chosen.baseline_total as change_in_total
from treated
left join chosen
    on
        treated.patient_key = chosen.patient_key
        and treated.dimension = chosen.dimension
        and treated.category = chosen.category
