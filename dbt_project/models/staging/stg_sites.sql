with source as (

    select * from {{ source('inputs', 'site') }}

),

renamed as (

    select
        -- keys
        clinic_id || '/' || site_id as site_key,
        clinic_id || '/' || organisation_id as organisation_key,
        clinic_id,
        site_id,
        organisation_id,

        -- attributes
        site_status,

        -- codes as delivered
        site_status_source_code,

        -- lineage
        delivery_id,
        source_file,
        source_line
    from source

)

select * from renamed
