{{ config(materialized='table') }}

-- Of each clinic and the network, by protocol and trial arm: how many lose response and how many stop being watched on
-- each day after the score of response. Day 0 is always there, with everybody at risk. Losses of a day come before ends
-- of watching.
with people as (

    select
        durability.clinic_id,
        durability.instrument,
        strata.dimension,
        strata.category,
        'observed_through' as censoring_rule,
        durability.days_observed_through as days_since_response,
        durability.is_lost
    from {{ ref('fct_durability') }} as durability
    inner join {{ ref('int_strata') }} as strata on durability.course_key = strata.course_key
    where strata.dimension in ('protocol', 'trial_arm')
    union all
    select
        durability.clinic_id,
        durability.instrument,
        strata.dimension,
        strata.category,
        'last_score' as censoring_rule,
        durability.days_to_last_score as days_since_response,
        durability.is_lost
    from {{ ref('fct_durability') }} as durability
    inner join {{ ref('int_strata') }} as strata on durability.course_key = strata.course_key
    where strata.dimension in ('protocol', 'trial_arm')

),

origins as (

    select distinct
        clinic_id,
        instrument,
        dimension,
        category,
        censoring_rule,
        0 as days_since_response,
        cast(null as boolean) as is_lost
    from people

),

counted as (

    select
        case when grouping(clinic_id) = 1 then 'network' else clinic_id end as clinic_id,
        instrument,
        dimension,
        category,
        censoring_rule,
        days_since_response,
        count(case when is_lost then 1 end) as events,
        count(case when not is_lost then 1 end) as censored
    from (
        select * from people
        union all
        select * from origins
    ) as with_origins
    group by {{ grouping_sets([
        ['clinic_id', 'instrument', 'dimension', 'category', 'censoring_rule', 'days_since_response'],
        ['instrument', 'dimension', 'category', 'censoring_rule', 'days_since_response'],
    ]) }}

)

select
    *,
    dense_rank() over (order by clinic_id, instrument, dimension, category, censoring_rule) as curve,
    cast(
        sum(events + censored) over (
            partition by clinic_id, instrument, dimension, category, censoring_rule
            order by days_since_response desc rows unbounded preceding
        ) as bigint
    ) as at_risk,
    -- How many days with a loss there were up to this one.
    count(case when events > 0 then 1 end) over (
        partition by clinic_id, instrument, dimension, category, censoring_rule
        order by days_since_response rows unbounded preceding
    ) as step
from counted
