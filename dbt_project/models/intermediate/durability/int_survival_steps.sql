{{ config(materialized='table') }}

-- The product-limit estimate after each day with a loss, day by day in their order, so that the same people give the
-- same digits. Beside it Greenwood's sum, and the area under the curve up to that day, or to the horizon of 12 weeks.
with recursive losses as (

    select
        curve,
        step,
        days_since_response,
        cast(events as double) as events,
        cast(at_risk as double) as at_risk
    from {{ ref('int_survival_days') }}
    where events > 0

),

folded as (

    select distinct
        curve,
        cast(0 as bigint) as step,
        0 as days_since_response,
        cast(1 as double) as survival,
        cast(0 as double) as greenwood,
        cast(0 as double) as area
    from {{ ref('int_survival_days') }}
    union all
    select
        losses.curve,
        losses.step,
        losses.days_since_response,
        folded.survival * (losses.at_risk - losses.events) / losses.at_risk as survival,
        -- Infinite once everybody has lost response: no interval there.
        folded.greenwood + losses.events / nullif(losses.at_risk * (losses.at_risk - losses.events), 0) as greenwood,
        folded.area
        + folded.survival * (least(losses.days_since_response, 84) - least(folded.days_since_response, 84)) as area
    from folded
    inner join losses on folded.curve = losses.curve and folded.step + 1 = losses.step

)

select * from folded
