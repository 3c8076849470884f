with source as (

    select * from {{ source('inputs', 'instrument') }}

),

renamed as (

    select
        -- keys
        instrument,

        -- attributes
        label,
        title,
        scoring,
        items,
        last_item,
        total_minimum,
        total_maximum,
        has_total,
        is_outcome,
        higher_is_worse,
        most_missing_items,
        sort_order,
        licence,
        refused_because
    from source

)

select * from renamed
