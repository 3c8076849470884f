with source as (

    select * from {{ source('inputs', 'assessment') }}

),

renamed as (

    select
        -- keys
        clinic_id || '/' || assessment_id as assessment_key,
        clinic_id || '/' || patient_id as patient_key,
        clinic_id || '/' || course_id as course_key,
        clinic_id || '/' || session_id as session_key,
        clinic_id,
        assessment_id,
        patient_id,
        course_id,
        session_id,

        -- attributes
        instrument,
        instrument_version,
        recall_window,
        delivered_total,

        -- time
        assessed_day,
        minutes_from_session_start,

        -- codes as delivered
        instrument_source_code,
        instrument_version_source_code,
        recall_window_source_code,

        -- lineage
        delivery_id,
        source_file,
        source_line
    from source

)

select * from renamed
