{{ config(materialized='table') }}

-- Every item of a questionnaire of which any was answered. An item is answered with a value in its range; it is blank
-- by design where the answer to another item says that it is not asked, or where people answer one of alternatives;
-- else it is missing.
with answers as (

    select * from {{ ref('stg_assessment_items') }}

),

begun as (

    select
        stg_assessments.assessment_key,
        stg_assessments.instrument
    from {{ ref('stg_assessments') }} as stg_assessments
    where stg_assessments.assessment_key in (select answers.assessment_key from answers)

),

-- Answers on which it depends whether another item is asked.
gates as (

    select
        answers.assessment_key,
        items.item_number,
        answers.item_value < items.asked_if_value_from as is_not_asked
    from begun
    inner join {{ ref('stg_instrument_items') }} as items
        on begun.instrument = items.instrument and items.asked_if_item is not null
    inner join answers on begun.assessment_key = answers.assessment_key and items.asked_if_item = answers.item_number

),

asked as (

    select
        begun.assessment_key,
        items.*,
        answers.item_value as delivered_value,
        gates.is_not_asked,
        coalesce(answers.item_value between items.item_minimum and items.item_maximum, false) as is_answered
    from begun
    inner join {{ ref('stg_instrument_items') }} as items on begun.instrument = items.instrument
    left join answers on begun.assessment_key = answers.assessment_key and items.item_number = answers.item_number
    left join gates on begun.assessment_key = gates.assessment_key and items.item_number = gates.item_number

),

alternatives as (

    select distinct
        assessment_key,
        alternative
    from asked
    where alternative <> '' and is_answered

)

select
    asked.assessment_key,
    asked.instrument,
    asked.item_number,
    asked.cluster,
    asked.domain,
    asked.is_scored,
    asked.symptom_from,
    case when asked.is_answered then asked.delivered_value end as item_value,
    case
        when asked.is_answered then 'answered'
        when asked.delivered_value is null and coalesce(asked.is_not_asked, false) then 'blank_by_design'
        when asked.delivered_value is null and alternatives.alternative is not null then 'blank_by_design'
        else 'missing'
    end as answer_status
from asked
left join alternatives
    on asked.assessment_key = alternatives.assessment_key and asked.alternative = alternatives.alternative
