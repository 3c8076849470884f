-- Figures of items: changes of clusters and provisional diagnoses, by group; and the questionnaires without a total.
with without_total as (

    select
        clinic_id,
        patient_key,
        score_status
    from {{ ref('fct_assessments') }}
    where total_score is null and score_status <> 'no_total'

),

by_reason as (
    {{ along('without_total', ['score_status']) }}
),

counted as (

    select
        *,
        1 as questionnaires
    from by_reason

)

{{ figures_of_instruments(ref('int_cluster_sums'), [
    ["'cluster_' || cluster || '_change'", 'change_sum', 'paired', 'of_values'],
]) }}
union all
{{ figures_of_instruments(ref('int_diagnosis_sums'), [
    ["'diagnosis_lost_share'", 'lost', 'judged_lost'],
    ["'provisional_diagnosis_share'", 'provisional_cases', 'with_items'],
    ["'baseline_items_share'", 'with_items', 'treated'],
]) }}
union all
{{ figures('counted', [['scores_without_total', 'questionnaires', none]]) }}
