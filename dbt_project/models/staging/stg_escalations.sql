with source as (

    select * from {{ source('inputs', 'escalation') }}

),

renamed as (

    select
        -- keys
        clinic_id || '/' || escalation_id as escalation_key,
        clinic_id || '/' || patient_id as patient_key,
        clinic_id || '/' || assessment_id as assessment_key,
        clinic_id,
        escalation_id,
        patient_id,
        assessment_id,

        -- attributes
        escalation_trigger,
        escalation_action,
        escalation_status,

        -- time
        escalation_day,
        action_minutes,

        -- codes as delivered
        escalation_trigger_source_code,
        escalation_action_source_code,
        escalation_status_source_code,

        -- lineage
        delivery_id,
        source_file,
        source_line
    from source

)

select * from renamed
