{%- set judgements = [
    'is_pressure_recorded', 'is_hypertension_165_100', 'is_hypertension_rise', 'is_hypertension_grade',
    'is_infusion_on_target', 'is_discharged_before_ready', 'is_dose_outside_band', 'is_dissociation_passed',
    'is_without_safety_record',
] -%}
{%- set quantities = [
    'systolic_rise_mmhg', 'diastolic_rise_mmhg', 'systolic_peak_mmhg',
    'cadss_before', 'cadss_40_minutes', 'cadss_120_minutes',
    'cadss_6_before', 'cadss_6_40_minutes', 'cadss_6_120_minutes',
] -%}

-- Safety of sessions by protocol and drug; by the session of the course, too, what is known to change as a course goes
-- on. Of each judgement and quantity: itself, and whether there is one.
with rated as (

    select
        clinic_id,
        patient_key,
        protocol,
        drug,
        {%- for judgement in judgements %}
        case when {{ judgement }} then 1 else 0 end as {{ judgement }},
        case when {{ judgement }} is not null then 1 else 0 end as knows_{{ judgement }},
        {%- endfor %}
        {%- for quantity in quantities %}
        {{ quantity }},
        case when {{ quantity }} is not null then 1 else 0 end as has_{{ quantity }},
        {%- endfor %}
        session_of_course
    from {{ ref('fct_session_safety') }}

),

everywhere as (

    {{ along('rated', ['protocol', 'drug']) }}

),

by_session_of_course as (

    select
        *,
        'session_of_course' as dimension,
        session_of_course as category
    from rated
    where session_of_course is not null

),

people as (

    select
        clinic_id,
        patient_key,
        dimension,
        category,
        max(is_hypertension_165_100) as is_hypertensive,
        max(knows_is_hypertension_165_100) as has_pressure
    from everywhere
    group by clinic_id, patient_key, dimension, category

)

{{ figures('everywhere', [
    ['pressure_recorded_share', 'is_pressure_recorded', 'knows_is_pressure_recorded'],
    ['systolic_rise_mmhg', 'systolic_rise_mmhg', 'has_systolic_rise_mmhg', 'of_values'],
    ['diastolic_rise_mmhg', 'diastolic_rise_mmhg', 'has_diastolic_rise_mmhg', 'of_values'],
    ['systolic_peak_mmhg', 'systolic_peak_mmhg', 'has_systolic_peak_mmhg', 'of_values'],
    ['hypertension_165_100_share', 'is_hypertension_165_100', 'knows_is_hypertension_165_100'],
    ['hypertension_rise_share', 'is_hypertension_rise', 'knows_is_hypertension_rise'],
    ['hypertension_grade_share', 'is_hypertension_grade', 'knows_is_hypertension_grade'],
    ['infusion_on_target_share', 'is_infusion_on_target', 'knows_is_infusion_on_target'],
    ['discharged_before_ready_share', 'is_discharged_before_ready', 'knows_is_discharged_before_ready'],
    ['dose_outside_band_share', 'is_dose_outside_band', 'knows_is_dose_outside_band'],
    ['cadss_before', 'cadss_before', 'has_cadss_before', 'of_values'],
    ['cadss_40_minutes', 'cadss_40_minutes', 'has_cadss_40_minutes', 'of_values'],
    ['cadss_120_minutes', 'cadss_120_minutes', 'has_cadss_120_minutes', 'of_values'],
    ['cadss_6_before', 'cadss_6_before', 'has_cadss_6_before', 'of_values'],
    ['cadss_6_40_minutes', 'cadss_6_40_minutes', 'has_cadss_6_40_minutes', 'of_values'],
    ['cadss_6_120_minutes', 'cadss_6_120_minutes', 'has_cadss_6_120_minutes', 'of_values'],
    ['dissociation_passed_share', 'is_dissociation_passed', 'knows_is_dissociation_passed'],
    ['sessions_without_safety_record_share', 'is_without_safety_record', 'knows_is_without_safety_record'],
]) }}
union all
{{ figures('by_session_of_course', [
    ['pressure_recorded_share', 'is_pressure_recorded', 'knows_is_pressure_recorded'],
    ['hypertension_165_100_share', 'is_hypertension_165_100', 'knows_is_hypertension_165_100'],
    ['cadss_40_minutes', 'cadss_40_minutes', 'has_cadss_40_minutes', 'of_values'],
    ['cadss_6_40_minutes', 'cadss_6_40_minutes', 'has_cadss_6_40_minutes', 'of_values'],
]) }}
union all
{{ figures('people', [['patients_hypertension_165_100_share', 'is_hypertensive', 'has_pressure']]) }}
