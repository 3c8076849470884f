{{ config(materialized='table') }}

-- A clinic has a part in a measure when it delivers every table that the measure is built on, and every questionnaire;
-- in one of a questionnaire, when it delivers that (with its items, where they make the measure), and sessions where
-- the time point counts from them.
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
where lacking.measure is null
union all
select * from of_questionnaires
