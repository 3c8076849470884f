{{ config(materialized='table') }}

-- Sessions of each course in their order, numbered from 1 whatever number they were delivered with.
select
    clinic_id,
    patient_key,
    course_key,
    session_key,
    session_day,
    coalesce(protocol, 'not_recorded') as protocol,
    trial_arm,
    cast(
        row_number() over (
            partition by course_key order by session_day, sequence_number nulls last, session_key
        ) as integer
    ) as session_number,
    lead(session_day) over (
        partition by course_key order by session_day, sequence_number nulls last, session_key
    ) as next_session_day
from {{ ref('fct_sessions') }}
