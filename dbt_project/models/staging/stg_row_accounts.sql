with source as (

    select * from {{ source('inputs', 'row_account') }}

),

renamed as (

    select
        -- keys
        clinic_id,
        delivery_id,
        file as source_file,
        "table" as table_name,

        -- attributes
        delivered as rows_delivered,
        "current" as rows_current,
        quarantined as rows_quarantined,
        superseded as rows_superseded,
        deleted as rows_deleted,
        duplicate as rows_duplicate,
        tombstone as rows_tombstone
    from source

)

select * from renamed
