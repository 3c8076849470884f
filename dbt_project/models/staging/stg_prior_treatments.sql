with source as (

    select * from {{ source('inputs', 'prior_treatment') }}

),

renamed as (

    select
        -- keys
        clinic_id || '/' || prior_treatment_id as prior_treatment_key,
        clinic_id || '/' || patient_id as patient_key,
        clinic_id,
        prior_treatment_id,
        patient_id,

        -- attributes
        treatment_class,
        rxnorm_code,
        adequate_trial,
        treatment_outcome,

        -- time
        start_day,
        stop_day,

        -- codes as delivered
        treatment_class_source_code,
        adequate_trial_source_code,
        treatment_outcome_source_code,

        -- lineage
        delivery_id,
        source_file,
        source_line
    from source

)

select * from renamed
