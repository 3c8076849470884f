with source as (

    select * from {{ source('inputs', 'instrument_version') }}

),

renamed as (

    select
        -- keys
        instrument,
        instrument_version,

        -- attributes
        recall_window
    from source

)

select * from renamed
