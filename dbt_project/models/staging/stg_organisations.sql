with source as (

    select * from {{ source('inputs', 'organisation') }}

),

renamed as (

    select
        -- keys
        clinic_id || '/' || organisation_id as organisation_key,
        clinic_id,
        organisation_id,

        -- attributes
        organisation_status,

        -- codes as delivered
        organisation_status_source_code,

        -- lineage
        delivery_id,
        source_file,
        source_line
    from source

)

select * from renamed
