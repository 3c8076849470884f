-- A table counts as delivered when any delivery in use had a file for it, be it of zero rows.
select distinct
    clinic_id,
    table_name
from {{ ref('stg_row_accounts') }}
