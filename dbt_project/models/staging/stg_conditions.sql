with source as (

    select * from {{ source('inputs', 'condition') }}

),

renamed as (

    select
        -- keys
        clinic_id || '/' || condition_id as condition_key,
        clinic_id || '/' || patient_id as patient_key,
        clinic_id,
        condition_id,
        patient_id,

        -- attributes
        diagnosis,

        -- time
        start_day,
        stop_day,

        -- codes as delivered
        diagnosis_source_code,

        -- lineage
        delivery_id,
        source_file,
        source_line
    from source

)

select * from renamed
