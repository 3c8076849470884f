{%- set within = [7, 30, 90] %}

-- Conversion and days at each step, of each clinic and the network, over all and by who referred. Exact, for engineers.
-- Means and quartiles are of those who took the step; the shares within so many days are of all who were watched as
-- long, so that people still on their way are neither left out nor counted as lost.
with people as (

    {{ along(ref('int_referral_steps'), ['referral_source']) }}

),

sums as (

    select
        case when grouping(clinic_id) = 1 then 'network' else clinic_id end as clinic_id,
        dimension,
        category,
        step,
        step_number,
        count(case when is_before then 1 end) as reached_before,
        count(case when is_taken then 1 end) as reached,
        count(case when is_inferred then 1 end) as inferred,
        count(case when is_censored then 1 end) as censored,
        {%- for name in ['days_from_step_before', 'days_from_referral'] %}
        count({{ name }}) as {{ name }}_known,
        cast(coalesce(sum({{ name }}), 0) as bigint) as {{ name }}_sum,
        cast(coalesce(sum(cast({{ name }} as bigint) * {{ name }}), 0) as bigint) as {{ name }}_squares,
        percentile_cont(0.25) within group (order by {{ name }}) as {{ name }}_first_quartile,
        percentile_cont(0.5) within group (order by {{ name }}) as {{ name }}_median,
        percentile_cont(0.75) within group (order by {{ name }}) as {{ name }}_third_quartile,
        {%- endfor %}
        {%- for days in within %}
        count(case when watched_days >= {{ days }} then 1 end) as watched_{{ days }}_days,
        count(case when watched_days >= {{ days }} and days_from_referral <= {{ days }} then 1 end)
            as reached_in_{{ days }}_days,
        {%- endfor %}
        count(*) as referred
    from people
    group by {{ grouping_sets([
        ['clinic_id', 'dimension', 'category', 'step', 'step_number'],
        ['dimension', 'category', 'step', 'step_number'],
    ]) }}

),

described as (

    select
        *,
        cast(reached as double) / nullif(reached_before, 0) as converted_share,
        cast(reached as double) / nullif(referred, 0) as share_of_referred,
        {%- for name in ['days_from_step_before', 'days_from_referral'] %}
        cast({{ name }}_sum as double) / nullif({{ name }}_known, 0) as {{ name }}_mean,
        {{ sample_sd(name ~ '_known', name ~ '_sum', name ~ '_squares') }} as {{ name }}_sd
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from sums

)

select
    *,
    {{ wilson_lower('reached', 'reached_before') }} as converted_share_lower,
    {{ wilson_upper('reached', 'reached_before') }} as converted_share_upper,
    {{ wilson_lower('reached', 'referred') }} as share_of_referred_lower,
    {{ wilson_upper('reached', 'referred') }} as share_of_referred_upper,
    {%- for name in ['days_from_step_before', 'days_from_referral'] %}
    {{ mean_lower(name ~ '_known', name ~ '_mean', name ~ '_sd') }} as {{ name }}_lower,
    {{ mean_upper(name ~ '_known', name ~ '_mean', name ~ '_sd') }} as {{ name }}_upper
    {%- if not loop.last %},{% endif %}
    {%- endfor %}
from described
