{{ config(materialized='table') }}
{#- Quantity: numerator and denominator among the sums. Everybody is behind the numerator of a sum of values. -#}
{%- set quantities = [
    ['paired', 'paired', none],
    ['paired_share', 'paired', 'due'],
    ['baseline', 'baseline_sum', 'paired'],
    ['score', 'score_sum', 'paired'],
    ['change', 'change_sum', 'paired'],
    ['response_share', 'response', 'judged_response'],
    ['response_worst_case_share', 'response', 'due'],
    ['response_best_case_share', 'best_case_response', 'due'],
    ['completer_response_share', 'completer_response', 'judged_completer_response'],
    ['partial_response_share', 'partial_response', 'judged_partial_response'],
    ['remission_share', 'remission', 'judged_remission'],
    ['meaningful_improvement_share', 'meaningful_improvement', 'judged_meaningful_improvement'],
    ['worse_share', 'worse', 'judged_worse'],
    ['reliable_improvement_share', 'reliable_improvement', 'judged_reliable_improvement'],
    ['reliable_deterioration_share', 'reliable_deterioration', 'judged_reliable_deterioration'],
    ['clinically_significant_share', 'clinically_significant', 'judged_clinically_significant'],
    ['not_assessable', 'not_assessable', none],
    ['same_recall_share', 'same_recall', 'paired'],
    ['recall_before_treatment_share', 'recall_before_treatment', 'paired'],
] %}
{%- set of_values = ['baseline', 'score', 'change'] %}

-- The sums as figures: of each clinic where the dimension is told of clinics, and of the network. People are told
-- apart by clinic, so that the network's numbers are the sums of its clinics'.
with of_clinics as (

    {%- for quantity, numerator, denominator in quantities %}
    select
        clinic_id,
        instrument,
        time_point,
        '{{ quantity }}' as quantity,
        dimension,
        category,
        {{ numerator }} as numerator,
        {{ denominator or 'null' }} as denominator,
        {{ denominator or numerator }} as patients,
        {{ denominator if quantity in of_values else numerator }} as numerator_patients
    from {{ ref('int_outcome_sums') }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}

),

measured as (

    select
        measures.measure,
        of_clinics.*
    from of_clinics
    inner join {{ ref('int_measures') }} as measures
        on
            of_clinics.instrument = measures.instrument
            and of_clinics.time_point = measures.time_point
            and of_clinics.quantity = measures.quantity
    inner join {{ ref('int_measure_clinics') }} as delivering
        on measures.measure = delivering.measure and of_clinics.clinic_id = delivering.clinic_id

),

summed as (

    select
        measure,
        case when grouping(clinic_id) = 1 then 'network' else clinic_id end as clinic_id,
        dimension,
        category,
        cast(coalesce(sum(numerator), 0) as decimal(18, 4)) as numerator,
        cast(sum(denominator) as bigint) as denominator,
        cast(null as decimal(18, 6)) as value,
        cast(sum(patients) as bigint) as patients,
        count(case when patients > 0 then 1 end) as clinics,
        cast(sum(numerator_patients) as bigint) as numerator_patients,
        count(case when numerator_patients > 0 then 1 end) as numerator_clinics
    from measured
    group by {{ grouping_sets([
        ['measure', 'clinic_id', 'dimension', 'category'], ['measure', 'dimension', 'category'],
    ]) }}

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
