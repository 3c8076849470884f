{%- set sums = [
    'due', 'with_baseline', 'paired', 'baseline_sum', 'baseline_squares', 'score_sum', 'score_squares', 'change_sum',
    'change_squares', 'judged_response', 'response', 'judged_partial_response', 'partial_response', 'judged_remission',
    'remission', 'judged_meaningful_improvement', 'meaningful_improvement', 'judged_worse', 'worse',
    'judged_reliable_improvement', 'reliable_improvement', 'judged_reliable_deterioration', 'reliable_deterioration',
    'judged_clinically_significant', 'clinically_significant', 'judged_completer_response', 'completer_response',
    'best_case_response', 'not_assessable', 'same_recall', 'recall_before_treatment',
] -%}

-- Exact sums of each clinic, group, instrument and time point, and of the network, with means, SDs and intervals.
with sums as (

    select
        case when grouping(clinic_id) = 1 then 'network' else clinic_id end as clinic_id,
        instrument,
        time_point,
        dimension,
        category,
        {%- for name in sums %}
        cast(coalesce(sum({{ name }}), 0) as bigint) as {{ name }},
        {%- endfor %}
        count(distinct case when paired > 0 then clinic_id end) as clinics
    from {{ ref('int_outcome_sums') }}
    group by {{ grouping_sets([
        ['clinic_id', 'instrument', 'time_point', 'dimension', 'category'],
        ['instrument', 'time_point', 'dimension', 'category'],
    ]) }}

),

described as (

    select
        *,
        cast(baseline_sum as double) / nullif(paired, 0) as baseline_mean,
        {{ sample_sd('paired', 'baseline_sum', 'baseline_squares') }} as baseline_sd,
        cast(score_sum as double) / nullif(paired, 0) as score_mean,
        {{ sample_sd('paired', 'score_sum', 'score_squares') }} as score_sd,
        cast(change_sum as double) / nullif(paired, 0) as change_mean,
        {{ sample_sd('paired', 'change_sum', 'change_squares') }} as change_sd,
        cast(response as double) / nullif(judged_response, 0) as response_share
    from sums

)

select
    *,
    {{ mean_lower('paired', 'change_mean', 'change_sd') }} as change_lower,
    {{ mean_upper('paired', 'change_mean', 'change_sd') }} as change_upper,
    {{ wilson_lower('response', 'judged_response') }} as response_lower,
    {{ wilson_upper('response', 'judged_response') }} as response_upper
from described
