{{ config(materialized='table') }}
{#- Quantity: numerator and denominator among the sums. Everybody is behind the numerator of a sum of values. -#}
{%- set quantities = [
    ["'paired'", 'paired', none],
    ["'paired_share'", 'paired', 'due'],
    ["'baseline'", 'baseline_sum', 'paired', 'of_values'],
    ["'score'", 'score_sum', 'paired', 'of_values'],
    ["'change'", 'change_sum', 'paired', 'of_values'],
    ["'response_share'", 'response', 'judged_response'],
    ["'response_worst_case_share'", 'response', 'due'],
    ["'response_best_case_share'", 'best_case_response', 'due'],
    ["'completer_response_share'", 'completer_response', 'judged_completer_response'],
    ["'partial_response_share'", 'partial_response', 'judged_partial_response'],
    ["'remission_share'", 'remission', 'judged_remission'],
    ["'meaningful_improvement_share'", 'meaningful_improvement', 'judged_meaningful_improvement'],
    ["'worse_share'", 'worse', 'judged_worse'],
    ["'reliable_improvement_share'", 'reliable_improvement', 'judged_reliable_improvement'],
    ["'reliable_deterioration_share'", 'reliable_deterioration', 'judged_reliable_deterioration'],
    ["'clinically_significant_share'", 'clinically_significant', 'judged_clinically_significant'],
    ["'not_assessable'", 'not_assessable', none],
    ["'same_recall_share'", 'same_recall', 'paired'],
    ["'recall_before_treatment_share'", 'recall_before_treatment', 'paired'],
] %}

-- The sums as figures, and the SDs of change, which are no sums.
with summed as (

    {{ figures_of_instruments(ref('int_outcome_sums'), quantities) }}

),

deviations as (

    select
        measures.measure,
        outcomes.clinic_id,
        outcomes.dimension,
        outcomes.category,
        cast(null as decimal(18, 4)) as numerator,
        outcomes.paired as denominator,
        cast(outcomes.change_sd as decimal(18, 6)) as value,
        outcomes.paired as patients,
        outcomes.clinics,
        outcomes.paired as numerator_patients,
        outcomes.clinics as numerator_clinics
    from {{ ref('agg_outcomes') }} as outcomes
    inner join {{ ref('int_measures') }} as measures
        on
            measures.quantity = 'change_sd'
            and outcomes.instrument = measures.instrument
            and outcomes.time_point = measures.time_point
    where outcomes.change_sd is not null

)

select * from summed
union all
select * from deviations
