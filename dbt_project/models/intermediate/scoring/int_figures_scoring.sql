{%- set of_diagnoses = [
    ['diagnosis_lost_share', 'lost', 'judged_lost'],
    ['provisional_diagnosis_share', 'provisional_cases', 'with_items'],
    ['baseline_items_share', 'with_items', 'treated'],
] -%}

-- Figures of items: changes of clusters and provisional diagnoses, by group; and the questionnaires without a total.
with of_clinics as (

    select
        clinic_id,
        instrument,
        time_point,
        'cluster_' || cluster || '_change' as quantity,
        dimension,
        category,
        change_sum as numerator,
        paired as denominator,
        paired as numerator_patients
    from {{ ref('int_cluster_sums') }}
    {%- for quantity, numerator, denominator in of_diagnoses %}
    union all
    select
        clinic_id,
        instrument,
        time_point,
        '{{ quantity }}' as quantity,
        dimension,
        category,
        {{ numerator }} as numerator,
        {{ denominator }} as denominator,
        {{ numerator }} as numerator_patients
    from {{ ref('int_diagnosis_sums') }}
    where {{ denominator }} is not null
    {%- endfor %}

),

measured as (

    select
        measures.measure,
        of_clinics.*
    from of_clinics
    inner join {{ ref('int_item_measures') }} as measures
        on
            of_clinics.instrument = measures.instrument
            and of_clinics.time_point = measures.time_point
            and of_clinics.quantity = measures.quantity
    inner join {{ ref('int_measure_clinics') }} as delivering
        on measures.measure = delivering.measure and of_clinics.clinic_id = delivering.clinic_id

),

-- Questionnaires that should have a total and have none.
without_total as (

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

select
    measure,
    case when grouping(clinic_id) = 1 then 'network' else clinic_id end as clinic_id,
    dimension,
    category,
    cast(coalesce(sum(numerator), 0) as decimal(18, 4)) as numerator,
    cast(sum(denominator) as bigint) as denominator,
    cast(null as decimal(18, 6)) as value,
    cast(sum(denominator) as bigint) as patients,
    count(case when denominator > 0 then 1 end) as clinics,
    cast(sum(numerator_patients) as bigint) as numerator_patients,
    count(case when numerator_patients > 0 then 1 end) as numerator_clinics
from measured
group by {{ grouping_sets([['measure', 'clinic_id', 'dimension', 'category'], ['measure', 'dimension', 'category']]) }}
union all
{{ figures('counted', [['scores_without_total', 'questionnaires', none]]) }}
