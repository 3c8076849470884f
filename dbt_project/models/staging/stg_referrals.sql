with source as (

    select * from {{ source('inputs', 'referral') }}

),

renamed as (

    select
        -- keys
        clinic_id || '/' || referral_id as referral_key,
        clinic_id || '/' || patient_id as patient_key,
        clinic_id,
        referral_id,
        patient_id,

        -- attributes
        source_type,
        referring_clinic_id,
        candidacy,
        candidacy_reason,
        closing_reason,

        -- time
        received_day,
        contacted_day,
        consulted_day,
        decided_day,
        service_period,

        -- codes as delivered
        source_type_source_code,
        candidacy_source_code,
        candidacy_reason_source_code,
        closing_reason_source_code,

        -- lineage
        delivery_id,
        source_file,
        source_line
    from source

)

select * from renamed
