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

{{ figure('patients_treated', 'people', numerator='treated') }}
union all
{{ figure('sessions_given', 'sessions', numerator='given') }}
union all
{{ figure('infusion_minutes_mean', 'sessions', numerator='infusion_minutes', denominator='has_infusion_minutes',
    of_values=true) }}
union all
{{ figure('recovery_minutes_mean', 'sessions', numerator='recovery_minutes', denominator='has_recovery_minutes',
    of_values=true) }}
union all
{{ figure('recovery_30_minutes_share', 'sessions',
    numerator='has_recovery_of_30_minutes', denominator='has_recovery_minutes') }}
union all
{{ figure('monitored_share', 'sessions', numerator='was_monitored', denominator='has_monitoring_answer') }}
