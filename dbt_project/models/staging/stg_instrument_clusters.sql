with source as (

    select * from {{ source('inputs', 'instrument_cluster') }}

),

renamed as (

    select
        -- keys
        instrument,
        cluster,

        -- attributes
        label,
        symptoms_needed
    from source

)

select * from renamed
