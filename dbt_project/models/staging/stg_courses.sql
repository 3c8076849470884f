with source as (

    select * from {{ source('inputs', 'course') }}

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
        protocol,
        trial_arm,
        planned_sessions,
        phase,

        -- time
        start_day,
        service_period,

        -- codes as delivered
        protocol_source_code,
        trial_arm_source_code,
        phase_source_code,

        -- lineage
        delivery_id,
        source_file,
        source_line
    from source

)

select * from renamed
