{{ config(materialized='table') }}

-- Of each session, the moments at which it is the person's last begun: after from_moment, up to to_moment. A moment is
-- that of int_scores. The span of a person's first session reaches back to all that came before it: their baseline.
with ordered as (

    select
        patient_key,
        session_key,
        protocol,
        session_day,
        lag(session_day) over (
            partition by patient_key order by session_day, sequence_number nulls last, session_key
        ) as previous_session_day,
        lead(session_day) over (
            partition by patient_key order by session_day, sequence_number nulls last, session_key
        ) as next_session_day
    from {{ ref('fct_sessions') }}

)

select
    patient_key,
    session_key,
    protocol,
    case when previous_session_day is null then -1 else 2 * session_day end as from_moment,
    -- Days of the contract end at 36,500.
    2 * coalesce(next_session_day, 99999) as to_moment
from ordered
