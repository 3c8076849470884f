-- Kaplan-Meier curves of response, with Greenwood's interval on the log-log scale at 95 percent. There is no interval
-- before the first loss, nor once nobody is left.
with estimated as (

    select
        curve_days.clinic_id,
        curve_days.instrument,
        curve_days.dimension,
        curve_days.category,
        curve_days.censoring_rule,
        curve_days.days_since_response,
        curve_days.at_risk,
        curve_days.events,
        curve_days.censored,
        steps.survival,
        case
            when steps.survival > 0 and steps.survival < 1
                then {{ normal_quantile(0.975) }} * sqrt(steps.greenwood) / -ln(steps.survival)
        end as log_log_half_width
    from {{ ref('int_survival_days') }} as curve_days
    inner join {{ ref('int_survival_steps') }} as steps
        on curve_days.curve = steps.curve and curve_days.step = steps.step

)

select
    clinic_id,
    instrument,
    dimension,
    category,
    censoring_rule,
    cast(days_since_response as integer) as days_since_response,
    at_risk,
    events,
    censored,
    survival,
    power(survival, exp(log_log_half_width)) as survival_lower,
    power(survival, exp(-log_log_half_width)) as survival_upper
from estimated
