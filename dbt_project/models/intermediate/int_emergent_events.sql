{{ config(materialized='table') }}
{%- set populations = ['protocol', 'trial_arm'] %}
{%- set kinds = ['system_class', 'term', 'severity'] %}

-- Treatment-emergent adverse events of each treated person, zero where there were none. Under a protocol or a trial
-- arm the people are those treated under it; for a kind of event they are all treated people.
with events as (

    select * from {{ ref('fct_adverse_events') }}
    where is_treatment_emergent

),

counts as (

    select
        patient_key,
        {{ dimension_and_category(populations + kinds) }},
        count(*) as events,
        count(case when is_serious then 1 end) as serious_events
    from events
    group by {{ grouping_by(['patient_key'], populations + kinds) }}

),

occurring as (

    select distinct
        dimension,
        category
    from counts
    where dimension in {{ quoted(kinds) }}

),

treated as (

    select * from {{ ref('int_treated_patients') }}

),

people as (

    select
        clinic_id,
        patient_key,
        dimension,
        category,
        sessions
    from treated
    where dimension in {{ quoted([''] + populations) }}
    union all
    select
        treated.clinic_id,
        treated.patient_key,
        occurring.dimension,
        occurring.category,
        treated.sessions
    from treated
    cross join occurring
    where treated.dimension = ''

)

select
    people.clinic_id,
    people.patient_key,
    people.dimension,
    people.category,
    people.sessions,
    cast(coalesce(counts.events, 0) as integer) as events,
    cast(coalesce(counts.serious_events, 0) as integer) as serious_events
from people
left join counts
    on
        people.patient_key = counts.patient_key
        and people.dimension = counts.dimension
        and people.category = counts.category
