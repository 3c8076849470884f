-- A site is one that the clinic lists, or one that a session names.
with listed as (

    select * from {{ ref('stg_sites') }}

),

named as (

    select distinct
        site_key,
        clinic_id,
        site_id
    from {{ ref('stg_sessions') }}
    where site_key is not null

),

organisations as (

    select * from {{ ref('stg_organisations') }}

)

select
    -- keys
    coalesce(listed.site_key, named.site_key) as site_key,
    coalesce(listed.clinic_id, named.clinic_id) as clinic_id,
    coalesce(listed.site_id, named.site_id) as site_id,
    listed.organisation_key,

    -- attributes
    listed.site_key is not null as is_listed,
    listed.site_status,
    organisations.organisation_status
from listed
full outer join named on listed.site_key = named.site_key
left join organisations on listed.organisation_key = organisations.organisation_key
