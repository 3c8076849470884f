with source as (

    select * from {{ source('inputs', 'assessment_item') }}

),

renamed as (

    select
        -- keys
        clinic_id || '/' || assessment_id as assessment_key,
        clinic_id || '/' || patient_id as patient_key,
        clinic_id,
        assessment_id,
        patient_id,

        -- attributes
        item_number,
        item_value,

        -- lineage
        delivery_id,
        source_file,
        source_line
    from source

)

select * from renamed
