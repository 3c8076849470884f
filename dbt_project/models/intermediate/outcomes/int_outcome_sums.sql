{{ config(materialized='table') }}
{%- set judgements = [
    'is_response', 'is_partial_response', 'is_remission', 'is_meaningful_improvement', 'is_worse',
    'is_reliable_improvement', 'is_reliable_deterioration', 'is_clinically_significant',
] %}

-- Exact sums over the people of each clinic and group. `judged_<x>` counts the people for whom the judgement can be
-- made, `<x>` those of whom it is true.
select
    clinic_id,
    instrument,
    time_point,
    dimension,
    category,
    count(case when is_due then 1 end) as due,
    count(case when is_due and baseline_total is not null then 1 end) as with_baseline,
    count(case when is_due and is_paired then 1 end) as paired,
    sum(case when is_due and is_paired then baseline_total end) as baseline_sum,
    sum(case when is_due and is_paired then baseline_total * baseline_total end) as baseline_squares,
    sum(case when is_due and is_paired then score_total end) as score_sum,
    sum(case when is_due and is_paired then score_total * score_total end) as score_squares,
    sum(case when is_due and is_paired then change end) as change_sum,
    sum(case when is_due and is_paired then change * change end) as change_squares,
    {%- for judgement in judgements %}
    count(case when is_due then {{ judgement }} end) as judged_{{ judgement[3:] }},
    count(case when is_due and {{ judgement }} then 1 end) as {{ judgement[3:] }},
    {%- endfor %}
    -- People of whom response is not known count as responders in the best case, and in the worst as none.
    count(case when is_due and coalesce(is_response, true) then 1 end) as best_case_response,
    count(case when is_due and is_completed and is_response is not null then 1 end) as judged_completer_response,
    count(case when is_due and is_completed and is_response then 1 end) as completer_response,
    count(case when is_due and is_not_assessable then 1 end) as not_assessable,
    count(case when is_due and is_paired and recall_window = baseline_recall_window then 1 end) as same_recall,
    count(case when is_due and is_paired and recall_reaches_before_treatment then 1 end) as recall_before_treatment
from {{ ref('int_outcome_people') }}
group by clinic_id, instrument, time_point, dimension, category
