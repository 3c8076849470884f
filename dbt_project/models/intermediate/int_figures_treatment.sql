-- Treatment given: people and sessions, infusion and recovery times, monitoring, dose and route; by protocol and drug.
-- What was not recorded is in no mean and no share. Consent is of people, before their first session under a protocol.
with people as (

    select
        *,
        1 as treated
    from {{ ref('int_treated_patients') }}
    where dimension in ('', 'protocol', 'drug')

),

recorded as (

    select
        clinic_id,
        patient_key,
        protocol,
        drug,
        infusion_minutes,
        recovery_minutes,
        1 as given,
        case when infusion_minutes is not null then 1 else 0 end as has_infusion_minutes,
        case when recovery_minutes is not null then 1 else 0 end as has_recovery_minutes,
        case when recovery_minutes >= 30 then 1 else 0 end as has_recovery_of_30_minutes,
        case when monitored in ('yes', 'no') then 1 else 0 end as has_monitoring_answer,
        case when monitored = 'yes' then 1 else 0 end as was_monitored,
        case when route <> 'unmapped' then 1 else 0 end as has_route,
        case when route = 'intravenous' then 1 else 0 end as was_intravenous,
        case when drug = 'ketamine' then dose_mg_per_kg end as ketamine_mg_per_kg,
        case when drug = 'ketamine' and dose_mg_per_kg is not null then 1 else 0 end as has_ketamine_mg_per_kg,
        case when drug = 'ketamine' and dose_mg_per_kg <= 0.5 then 1 else 0 end as has_low_ketamine_dose
    from {{ ref('fct_sessions') }}

),

sessions as (

    {{ along('recorded', ['protocol', 'drug']) }}

),

sessions_by_protocol as (

    select * from sessions
    where dimension = 'protocol'

),

consents as (

    select
        people.clinic_id,
        people.patient_key,
        people.dimension,
        people.category,
        people.treated,
        case when patients.off_label_consent_day <= people.first_session_day then 1 else 0 end as has_consented
    from people
    inner join {{ ref('stg_patients') }} as patients on people.patient_key = patients.patient_key
    where people.dimension = 'protocol'

)

{{ figures('people', [['patients_treated', 'treated', none]]) }}
union all
{{ figures('sessions', [
    ['sessions_given', 'given', none],
    ['infusion_minutes_mean', 'infusion_minutes', 'has_infusion_minutes', 'of_values'],
    ['recovery_minutes_mean', 'recovery_minutes', 'has_recovery_minutes', 'of_values'],
    ['recovery_30_minutes_share', 'has_recovery_of_30_minutes', 'has_recovery_minutes'],
    ['monitored_share', 'was_monitored', 'has_monitoring_answer'],
]) }}
union all
{{ figures('sessions_by_protocol', [
    ['intravenous_share', 'was_intravenous', 'has_route'],
    ['ketamine_dose_mean', 'ketamine_mg_per_kg', 'has_ketamine_mg_per_kg', 'of_values'],
    ['ketamine_low_dose_share', 'has_low_ketamine_dose', 'has_ketamine_mg_per_kg'],
]) }}
union all
{{ figures('consents', [['consent_before_first_session_share', 'has_consented', 'treated']]) }}
