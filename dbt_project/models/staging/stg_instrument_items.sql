with source as (

    select * from {{ source('inputs', 'instrument_item') }}

),

renamed as (

    select
        -- keys
        instrument,
        item_number,

        -- attributes
        item_minimum,
        item_maximum,
        cluster,
        domain,
        symptom_from,
        is_scored,
        asked_if_item,
        asked_if_value_from,
        alternative
    from source

)

select * from renamed
