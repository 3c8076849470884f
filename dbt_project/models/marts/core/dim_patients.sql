with patients as (

    select * from {{ ref('stg_patients') }}

),

treated as (

    select * from {{ ref('int_treated_patients') }}
    where dimension = ''

)

select
    -- keys
    patients.patient_key,
    patients.clinic_id,
    patients.patient_id,
    patients.network_token,

    -- attributes
    patients.age_years,
    patients.sex,
    patients.veteran,
    patients.trauma_types,
    patients.symptom_duration_band,

    -- treatment
    treated.patient_key is not null as is_treated,
    coalesce(treated.sessions, 0) as sessions,

    -- time
    patients.intake_day,
    patients.off_label_consent_day,
    treated.first_session_day,
    patients.observed_through_day
from patients
left join treated on patients.patient_key = treated.patient_key
