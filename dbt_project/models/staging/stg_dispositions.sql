with source as (

    select * from {{ source('inputs', 'disposition') }}

),

renamed as (

    select
        -- keys
        clinic_id || '/' || course_id as course_key,
        clinic_id || '/' || patient_id as patient_key,
        clinic_id,
        course_id,
        patient_id,

        -- attributes
        disposition,
        censoring_reason,

        -- time
        disposition_day,
        censoring_day,

        -- codes as delivered
        disposition_source_code,
        censoring_reason_source_code,

        -- lineage
        delivery_id,
        source_file,
        source_line
    from source

)

select * from renamed
