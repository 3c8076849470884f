with clinics as (

    select * from {{ ref('stg_clinics') }}

),

deliveries as (

    select
        clinic_id,
        max(reporting_period) as reporting_period
    from {{ ref('stg_deliveries') }}
    group by clinic_id

)

select
    clinics.clinic_id,
    clinics.clinic_title as title,
    clinics.system_title,
    deliveries.reporting_period,
    clinics.is_stale
from clinics
left join deliveries on clinics.clinic_id = deliveries.clinic_id
