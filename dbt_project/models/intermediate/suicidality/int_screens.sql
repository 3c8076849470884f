{{ config(materialized='table') }}

-- Answers about suicide in time: item 9 of the PHQ-9, and the level of a C-SSRS screener, of which there is no total.
-- Positive is any answer above "not at all", and a level that calls for precautions or an evaluation: moderate or high.
-- A low level calls for a referral, and is told among the levels. The protocol is that of the last session begun
-- before; before all sessions, that of the first.
with answers as (

    select
        assessments.*,
        items.item_value as item_9_value
    from {{ ref('fct_assessments') }} as assessments
    inner join {{ ref('int_item_answers') }} as items on assessments.assessment_key = items.assessment_key
    where assessments.instrument = 'phq_9' and items.item_number = 9 and items.item_value is not null
    union all
    select
        *,
        null as item_9_value
    from {{ ref('fct_assessments') }}
    where instrument = 'c_ssrs_screener' and risk_level is not null

),

moments as (

    select
        *,
        2 * assessed_day + case when minutes_from_session_start > 0 then 1 else 0 end as moment
    from answers

)

select
    moments.assessment_key,
    moments.patient_key,
    moments.clinic_id,
    moments.instrument,
    case when moments.instrument = 'phq_9' then 'phq_9_item_9' else moments.instrument end as escalation_trigger,
    spans.protocol,
    cast(moments.item_9_value as integer) as item_9_value,
    moments.risk_level,
    case moments.risk_level when 'high' then 3 when 'moderate' then 2 when 'low' then 1 when 'none' then 0 end
        as risk_height,
    coalesce(moments.item_9_value > 0, moments.risk_level in ('moderate', 'high')) as is_positive,
    moments.assessed_day,
    moments.minutes_from_session_start,
    cast(moments.moment as integer) as moment
from moments
left join {{ ref('int_session_spans') }} as spans
    on
        moments.patient_key = spans.patient_key
        and moments.moment > spans.from_moment
        and moments.moment <= spans.to_moment
