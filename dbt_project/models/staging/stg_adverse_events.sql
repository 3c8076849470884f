with source as (

    select * from {{ source('inputs', 'adverse_event') }}

),

renamed as (

    select
        -- keys
        clinic_id || '/' || adverse_event_id as adverse_event_key,
        clinic_id || '/' || patient_id as patient_key,
        clinic_id || '/' || course_id as course_key,
        clinic_id || '/' || session_id as session_key,
        clinic_id,
        adverse_event_id,
        patient_id,
        course_id,
        session_id,

        -- attributes
        reported_term,
        term,
        system_class,
        severity,
        grade,
        serious,
        seriousness_criteria,
        outcome,
        relatedness,
        action_taken,

        -- time
        onset_day,
        onset_minutes,
        end_day,
        end_minutes,
        service_period,

        -- codes as delivered
        reported_term_source_code,
        term_source_code,
        system_class_source_code,
        severity_source_code,
        serious_source_code,
        seriousness_criteria_source_code,
        outcome_source_code,
        relatedness_source_code,
        action_taken_source_code,

        -- lineage
        delivery_id,
        source_file,
        source_line
    from source

)

select * from renamed
