{#- Products of fractions miss one half by a rounding error at most. -#}
{%- set half = '0.5' -%}
{%- set tolerance = '1e-9' -%}

-- When half of those in response have lost it. Where the curve is level at one half, the median lies in the middle of
-- that stretch, as R and SAS have it; where it ends level at one half, the other end is not known, nor the median. Its
-- interval is where the band of the curve crosses one half (Brookmeyer and Crowley). The restricted mean is the area
-- under the curve to day 84; nobody knows it where watching ended earlier with people still in response.
with curve_days as (

    select * from {{ ref('agg_survival') }}

),

curves as (

    select
        clinic_id,
        instrument,
        dimension,
        category,
        censoring_rule,
        max(at_risk) as people,
        cast(sum(events) as bigint) as events,
        max(days_since_response) as last_day,
        min(survival) as last_survival,
        min(case when survival <= {{ half }} + {{ tolerance }} then days_since_response end) as first_at_half,
        min(case when survival < {{ half }} - {{ tolerance }} then days_since_response end) as first_under_half,
        min(case when survival_lower <= {{ half }} then days_since_response end) as lower_at_half,
        min(case when survival_upper <= {{ half }} then days_since_response end) as upper_at_half
    from curve_days
    group by clinic_id, instrument, dimension, category, censoring_rule

),

areas as (

    select
        curve_days.clinic_id,
        curve_days.instrument,
        curve_days.dimension,
        curve_days.category,
        curve_days.censoring_rule,
        steps.area + steps.survival * (84 - least(steps.days_since_response, 84)) as area_to_horizon
    from {{ ref('int_survival_days') }} as curve_days
    inner join {{ ref('int_survival_steps') }} as steps on curve_days.curve = steps.curve
    where curve_days.days_since_response = 0
    qualify row_number() over (partition by curve_days.curve order by steps.step desc) = 1

)

select
    curves.clinic_id,
    curves.instrument,
    curves.dimension,
    curves.category,
    curves.censoring_rule,
    curves.people,
    curves.events,
    curves.last_day,
    cast(curves.first_at_half + curves.first_under_half as double) / 2 as median_days,
    cast(curves.lower_at_half as double) as median_lower,
    cast(curves.upper_at_half as double) as median_upper,
    case when curves.last_day >= 84 or curves.last_survival = 0 then areas.area_to_horizon end
        as restricted_mean_days
from curves
inner join areas
    on
        curves.clinic_id = areas.clinic_id
        and curves.instrument = areas.instrument
        and curves.dimension = areas.dimension
        and curves.category = areas.category
        and curves.censoring_rule = areas.censoring_rule
