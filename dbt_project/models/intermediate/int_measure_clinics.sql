{{ config(materialized='table') }}

-- A clinic has a part in a measure when it delivers every table that the measure is built on, every questionnaire, and
-- an answer to any item of those that make it, and says of its adverse events what the measure tells of; in one of a
-- questionnaire, when it delivers that (with its items, where they make the measure), and sessions where the time point
-- counts from them.
with written as (

    {{ clinics_delivering('measure', ref('measures'), ref('measure_tables')) }}

),

instruments as (

    select distinct
        clinic_id,
        instrument
    from {{ ref('fct_assessments') }}

),

with_items as (

    select distinct
        clinic_id,
        instrument
    from {{ ref('fct_assessment_clusters') }}

),

lacking as (

    select
        needed.measure,
        clinics.clinic_id
    from {{ ref('measure_thresholds') }} as needed
    cross join {{ ref('stg_clinics') }} as clinics
    left join instruments on needed.instrument = instruments.instrument and clinics.clinic_id = instruments.clinic_id
    where instruments.clinic_id is null

),

answered as (

    select distinct
        assessments.clinic_id,
        items.instrument,
        items.item_number
    from {{ ref('int_item_answers') }} as items
    inner join {{ ref('fct_assessments') }} as assessments on items.assessment_key = assessments.assessment_key
    where
        items.item_value is not null
        and items.instrument in (select needed.instrument from {{ ref('measure_items') }} as needed)
    union
    -- A total, where any item will do.
    select distinct
        clinic_id,
        instrument,
        0 as item_number
    from {{ ref('fct_assessments') }}
    where total_score is not null

),

unanswered as (

    select
        needed.measure,
        clinics.clinic_id
    from {{ ref('measure_items') }} as needed
    cross join {{ ref('stg_clinics') }} as clinics
    left join answered
        on
            clinics.clinic_id = answered.clinic_id
            and needed.instrument = answered.instrument
            and coalesce(needed.item_number, answered.item_number) = answered.item_number
    group by needed.measure, clinics.clinic_id
    having count(answered.clinic_id) = 0

),

-- What a clinic that has adverse events says of none of them.
unsaid as (

    {%- for attribute, is_said in [
        ['seriousness', 'is_seriousness_recorded'], ['severity', 'is_severe is not null'],
        ['relatedness', 'is_related is not null'], ['session', 'session_key is not null'],
    ] %}
    select
        clinic_id,
        '{{ attribute }}' as event_attribute
    from {{ ref('fct_adverse_events') }}
    where is_treatment_emergent
    group by clinic_id
    having not bool_or({{ is_said }})
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}

),

unaware as (

    select distinct
        needed.measure,
        unsaid.clinic_id
    from {{ ref('measure_event_attributes') }} as needed
    inner join unsaid on needed.event_attribute = unsaid.event_attribute

),

treating as (

    select clinic_id
    from {{ ref('int_delivered_tables') }}
    where table_name = 'session'

),

of_questionnaires as (

    select
        measures.measure,
        instruments.clinic_id
    from {{ ref('int_measures') }} as measures
    inner join instruments on measures.instrument = instruments.instrument
    left join treating on instruments.clinic_id = treating.clinic_id
    left join {{ ref('int_item_measures') }} as of_items on measures.measure = of_items.measure
    left join with_items
        on instruments.clinic_id = with_items.clinic_id and instruments.instrument = with_items.instrument
    where
        (treating.clinic_id is not null or measures.time_point = 'first_to_last')
        and (of_items.measure is null or with_items.clinic_id is not null)

)

select written.*
from written
left join lacking on written.measure = lacking.measure and written.clinic_id = lacking.clinic_id
left join unanswered on written.measure = unanswered.measure and written.clinic_id = unanswered.clinic_id
left join unaware on written.measure = unaware.measure and written.clinic_id = unaware.clinic_id
where lacking.measure is null and unanswered.measure is null and unaware.measure is null
union all
select * from of_questionnaires
