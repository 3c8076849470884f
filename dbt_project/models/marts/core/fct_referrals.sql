select
    -- keys
    referral_key,
    patient_key,
    clinic_id,
    referring_clinic_id,

    -- attributes
    source_type,
    candidacy,
    candidacy_reason,
    closing_reason,

    -- steps
    contacted_day is not null as is_contacted,
    consulted_day is not null as is_consulted,
    decided_day is not null or candidacy is not null as is_decided,
    coalesce(candidacy = 'candidate', false) as is_candidate,

    -- time
    received_day,
    contacted_day,
    consulted_day,
    decided_day,
    service_period
from {{ ref('stg_referrals') }}
