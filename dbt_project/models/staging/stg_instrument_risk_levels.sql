with source as (

    select * from {{ source('inputs', 'instrument_risk_level') }}

),

renamed as (

    select
        -- keys
        instrument,
        item_number,
        risk_level
    from source

)

select * from renamed
