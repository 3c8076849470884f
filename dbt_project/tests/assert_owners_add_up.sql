-- Through a sale and a closure every session and every person treated is at one owner, no more and no less.
with owners as (

    select
        clinic_id,
        sum(sessions) as sessions,
        sum(patients_at_first_session) as patients
    from {{ ref('agg_owners') }}
    group by clinic_id

),

clinics as (

    select
        clinic_id,
        count(*) as sessions,
        count(distinct patient_key) as patients
    from {{ ref('fct_sessions') }}
    group by clinic_id

)

select clinics.clinic_id
from clinics
full outer join owners on clinics.clinic_id = owners.clinic_id
where clinics.sessions is distinct from owners.sessions or clinics.patients is distinct from owners.patients
