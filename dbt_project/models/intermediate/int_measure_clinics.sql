{{ config(materialized='table') }}

-- A clinic has a part in a measure when it delivers every table that the measure is built on.
select
    measures.measure,
    clinics.clinic_id
from {{ ref('measures') }} as measures
cross join {{ ref('stg_clinics') }} as clinics
left join {{ ref('measure_tables') }} as needed on measures.measure = needed.measure
left join {{ ref('int_delivered_tables') }} as delivered
    on needed.table_name = delivered.table_name and clinics.clinic_id = delivered.clinic_id
group by measures.measure, clinics.clinic_id
having count(needed.table_name) = count(delivered.table_name)
