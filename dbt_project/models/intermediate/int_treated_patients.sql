{{ config(materialized='table') }}
{%- set dimensions = ['protocol', 'trial_arm', 'drug'] %}

-- Treated is to have had a session. A person counts once for everything, and once for each protocol, arm and drug.
with treated as (

    select
        clinic_id,
        patient_key,
        {{ dimension_and_category(dimensions) }},
        min(session_day) as first_session_day,
        cast(count(*) as integer) as sessions
    from {{ ref('fct_sessions') }}
    group by {{ grouping_by(['clinic_id', 'patient_key'], dimensions) }}

)

select * from treated
where category is not null
