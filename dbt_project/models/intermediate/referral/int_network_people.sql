{{ config(materialized='table') }}

-- Patients of all clinics as people of the network: those with the same token are one person. Without a token nobody
-- can be recognised in another clinic.
with flow as (

    select
        patient_key,
        is_referred_by_network,
        is_treated
    from {{ ref('fct_referral_flow') }}

)

select
    patients.clinic_id,
    patients.patient_key,
    coalesce(patients.network_token, patients.patient_key) as person_key,
    patients.network_token is not null as has_token,
    treated.patient_key is not null as is_treated,
    coalesce(flow.is_referred_by_network, false) as is_referred_by_network,
    coalesce(flow.is_treated, false) as is_referred_and_treated
from {{ ref('stg_patients') }} as patients
left join {{ ref('int_treated_patients') }} as treated
    on patients.patient_key = treated.patient_key and treated.dimension = ''
left join flow on patients.patient_key = flow.patient_key
