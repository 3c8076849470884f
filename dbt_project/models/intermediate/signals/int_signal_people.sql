-- Treated people of each clinic, protocol and drug that signals are looked for in: of clinics that deliver adverse
-- events, for where they are not delivered nobody knows that there was none. A protocol or drug that could not be
-- mapped is nothing to compare.
with delivering as (

    select clinic_id
    from {{ ref('int_delivered_tables') }}
    where table_name = 'adverse_event'

),

treated as (

    select
        case dimension when '' then 'clinic' else dimension end as axis,
        case dimension when '' then clinic_id else category end as category,
        clinic_id,
        patient_key
    from {{ ref('int_treated_patients') }}
    where dimension in ('', 'protocol', 'drug')

)

select treated.*
from treated
inner join delivering on treated.clinic_id = delivering.clinic_id
where treated.category not in ('unmapped', 'not_recorded')
