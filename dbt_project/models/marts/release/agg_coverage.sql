select
    clinics.clinic_id,
    canonical_tables.table_name,
    delivered_tables.table_name is not null as delivered
from {{ ref('stg_clinics') }} as clinics
cross join {{ ref('stg_canonical_tables') }} as canonical_tables
left join {{ ref('int_delivered_tables') }} as delivered_tables
    on clinics.clinic_id = delivered_tables.clinic_id and canonical_tables.table_name = delivered_tables.table_name
