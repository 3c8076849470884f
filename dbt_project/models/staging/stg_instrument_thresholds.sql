with source as (

    select * from {{ source('inputs', 'instrument_threshold') }}

),

renamed as (

    select
        -- keys
        instrument,
        quantity,
        threshold_set,

        -- attributes
        value,
        unit,
        citation,
        verification,
        is_used
    from source

)

select * from renamed
