{{ config(materialized='table') }}

-- Where else in the network a person is known. Days of two clinics cannot be compared, so of a person known in two
-- clinics the referral alone says who sent whom; of one known in three, nothing does.
with pairs as (

    select distinct
        here.clinic_id,
        here.patient_key,
        there.clinic_id as other_clinic_id,
        bool_or(there.is_treated) over (partition by here.patient_key, there.clinic_id) as is_treated_there
    from {{ ref('int_network_people') }} as here
    inner join {{ ref('int_network_people') }} as there
        on here.person_key = there.person_key and here.clinic_id <> there.clinic_id
    where here.has_token and there.has_token

)

select
    *,
    count(*) over (partition by patient_key) as other_clinics
from pairs
