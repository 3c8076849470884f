with source as (

    select * from {{ source('inputs', 'medication') }}

),

renamed as (

    select
        -- keys
        clinic_id || '/' || medication_id as medication_key,
        clinic_id || '/' || patient_id as patient_key,
        clinic_id,
        medication_id,
        patient_id,

        -- attributes
        medication_class,
        rxnorm_code,

        -- time
        start_day,
        stop_day,

        -- codes as delivered
        medication_class_source_code,

        -- lineage
        delivery_id,
        source_file,
        source_line
    from source

)

select * from renamed
