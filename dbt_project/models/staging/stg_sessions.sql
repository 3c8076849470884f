with source as (

    select * from {{ source('inputs', 'session') }}

),

renamed as (

    select
        -- keys
        clinic_id || '/' || session_id as session_key,
        clinic_id || '/' || patient_id as patient_key,
        clinic_id || '/' || course_id as course_key,
        clinic_id || '/' || site_id as site_key,
        clinic_id || '/' || organisation_id as organisation_key,
        clinic_id,
        session_id,
        patient_id,
        course_id,
        site_id,
        organisation_id,

        -- attributes
        sequence_number,
        drug,
        dose_mg,
        dose_mg_per_kg,
        route,
        infusion_minutes,
        recovery_minutes,
        monitored,
        systolic_before_mmhg,
        diastolic_before_mmhg,
        systolic_peak_mmhg,
        diastolic_peak_mmhg,
        systolic_discharge_mmhg,
        diastolic_discharge_mmhg,

        -- time
        session_day,
        service_period,

        -- codes as delivered
        drug_source_code,
        route_source_code,
        monitored_source_code,

        -- lineage
        delivery_id,
        source_file,
        source_line
    from source

)

select * from renamed
