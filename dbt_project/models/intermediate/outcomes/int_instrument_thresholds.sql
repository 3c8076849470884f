-- The thresholds in use, one column each; empty where an instrument has none. Those that are computed rather than cited
-- come from int_reliable_change.
with used as (

    select
        thresholds.instrument,
        thresholds.quantity,
        case thresholds.threshold_set
            when 'jacobson_truax_sample' then computed.sample_reliable_change_points
            when 'jacobson_truax_published' then computed.published_reliable_change_points
            when 'cut_off_c' then computed.end_state_maximum
            else thresholds.value
        end as threshold
    from {{ ref('stg_instrument_thresholds') }} as thresholds
    left join {{ ref('int_reliable_change') }} as computed on thresholds.instrument = computed.instrument
    where thresholds.is_used

)

select
    instrument,
    max(case when quantity = 'response_percent' then threshold end) as response_percent,
    max(case when quantity = 'partial_response_percent' then threshold end) as partial_response_percent,
    max(case when quantity = 'remission_maximum' then threshold end) as remission_maximum,
    max(case when quantity = 'reliable_change_points' then threshold end) as reliable_change_points,
    max(case when quantity = 'meaningful_change_points' then threshold end) as meaningful_change_points,
    max(case when quantity = 'end_state_maximum' then threshold end) as end_state_maximum,
    max(case when quantity = 'caseness_minimum' then threshold end) as caseness_minimum
from used
group by instrument
