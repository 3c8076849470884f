-- A clinic is in a dimension when it delivers every table that the dimension needs.
select
    dimensions.dimension,
    clinics.clinic_id
from {{ ref('dimensions') }} as dimensions
cross join {{ ref('stg_clinics') }} as clinics
left join {{ ref('dimension_tables') }} as needed on dimensions.dimension = needed.dimension
left join {{ ref('int_delivered_tables') }} as delivered
    on needed.table_name = delivered.table_name and clinics.clinic_id = delivered.clinic_id
group by dimensions.dimension, clinics.clinic_id
having count(needed.table_name) = count(delivered.table_name)
