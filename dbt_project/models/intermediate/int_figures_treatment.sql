-- Treatment given: people and sessions, infusion and recovery times, monitoring; by protocol and by drug.
-- A time or an answer that was not recorded is in no mean and no share.
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
        case when monitored = 'yes' then 1 else 0 end as was_monitored
    from {{ ref('fct_sessions') }}

),

sessions as (

    {{ along('recorded', ['protocol', 'drug']) }}

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
