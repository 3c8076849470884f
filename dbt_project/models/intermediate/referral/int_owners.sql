{{ config(materialized='table') }}

-- The owners that a clinic's sessions name, numbered by the first period in which they gave one. Codes of owners are a
-- clinic's own: two clinics may use the same for owners that have nothing to do with each other.
with owners as (

    select
        clinic_id,
        organisation_key,
        min(service_period) as first_service_period,
        max(service_period) as last_service_period
    from {{ ref('fct_sessions') }}
    where organisation_key is not null
    group by clinic_id, organisation_key

)

select
    clinic_id,
    organisation_key,
    'owner_' || cast(
        row_number() over (
            partition by clinic_id order by first_service_period nulls last, organisation_key
        ) as varchar
    ) as owner_number,
    first_service_period,
    last_service_period
from owners
