with source as (

    select * from {{ source('inputs', 'clinic') }}

),

renamed as (

    select
        -- keys
        clinic_id,

        -- attributes
        clinic_title,
        system_title,
        is_stale
    from source

)

select * from renamed
