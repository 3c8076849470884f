with source as (

    select * from {{ source('inputs', 'canonical_table') }}

),

renamed as (

    select
        -- keys
        table_name,

        -- attributes
        grain
    from source

)

select * from renamed
