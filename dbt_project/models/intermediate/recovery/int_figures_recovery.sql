with courses as (

    select
        clinic_id,
        patient_key,
        'protocol' as dimension,
        protocol as category,
        1 as finished,
        case when is_paired then 1 else 0 end as paired,
        case when was_not_at_caseness then 0 else 1 end as not_below_caseness,
        case when is_recovered then 1 else 0 end as recovered,
        case when is_reliably_recovered then 1 else 0 end as reliably_recovered,
        case when is_reliably_improved then 1 else 0 end as reliably_improved,
        case when is_reliably_deteriorated then 1 else 0 end as reliably_deteriorated
    from {{ ref('fct_recovery') }}

)

{{ figures('courses', [
    ['nhs_finished_courses', 'finished', none],
    ['nhs_paired_share', 'paired', 'finished'],
    ['nhs_recovery_share', 'recovered', 'not_below_caseness'],
    ['nhs_reliable_recovery_share', 'reliably_recovered', 'not_below_caseness'],
    ['nhs_reliable_improvement_share', 'reliably_improved', 'finished'],
    ['nhs_reliable_deterioration_share', 'reliably_deteriorated', 'finished'],
]) }}
