with source as (

    select * from {{ source('inputs', 'patient') }}

),

renamed as (

    select
        -- keys
        clinic_id || '/' || patient_id as patient_key,
        clinic_id,
        patient_id,

        -- attributes
        network_token,
        age_years,
        sex,
        veteran,
        trauma_types,
        symptom_duration_band,

        -- time
        intake_day,
        observed_through_day,
        off_label_consent_day,

        -- codes as delivered
        sex_source_code,
        veteran_source_code,
        trauma_types_source_code,
        symptom_duration_band_source_code,

        -- lineage
        delivery_id,
        source_file,
        source_line
    from source

)

select * from renamed
