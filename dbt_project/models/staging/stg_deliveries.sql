with source as (

    select * from {{ source('inputs', 'delivery') }}

),

renamed as (

    select
        -- keys
        clinic_id,
        delivery_id,

        -- attributes
        export_sequence,
        export_kind,
        reporting_period
    from source

)

select * from renamed
