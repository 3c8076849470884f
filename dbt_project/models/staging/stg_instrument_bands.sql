with source as (

    select * from {{ source('inputs', 'instrument_band') }}

),

renamed as (

    select
        -- keys
        instrument,
        band,

        -- attributes
        label,
        minimum,
        maximum,
        citation
    from source

)

select * from renamed
