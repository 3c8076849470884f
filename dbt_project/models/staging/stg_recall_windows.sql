with source as (

    select * from {{ source('inputs', 'recall_window') }}

),

renamed as (

    select
        -- keys
        recall_window,

        -- attributes
        label,
        days,
        allows_same_day
    from source

)

select * from renamed
