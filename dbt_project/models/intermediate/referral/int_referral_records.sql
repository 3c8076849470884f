{{ config(materialized='table') }}

-- What a person's referrals say together. The first is the index referral, whose day is the origin; steps are those of
-- any referral, on the first day they were taken. A day before the referral's own is not known.
with referrals as (

    select
        *,
        case when contacted_day >= received_day then contacted_day end as valid_contacted_day,
        case when consulted_day >= received_day then consulted_day end as valid_consulted_day,
        case when decided_day >= received_day then decided_day end as valid_decided_day,
        row_number() over (
            partition by patient_key
            order by
                received_day, contacted_day nulls last, consulted_day nulls last, decided_day nulls last,
                source_type nulls last, closing_reason nulls last, referral_key
        ) as referral_number,
        count(*) over (partition by patient_key) as referrals,
        row_number() over (
            partition by patient_key
            order by
                coalesce(candidacy = 'candidate', false) desc, is_decided desc, decided_day desc nulls last,
                received_day desc, candidacy asc nulls last, candidacy_reason asc nulls last, referral_key asc
        ) as decision_rank
    from {{ ref('fct_referrals') }}

)

select
    clinic_id,
    patient_key,
    cast(count(*) as integer) as referrals,
    min(case when referral_number = 1 then referral_key end) as referral_key,
    min(case when referral_number = 1 then source_type end) as source_type,
    min(case when referral_number = referrals then closing_reason end) as closing_reason,
    min(case when decision_rank = 1 then candidacy end) as candidacy,
    min(case when decision_rank = 1 and is_decided then candidacy_reason end) as candidacy_reason,
    bool_or(is_contacted) as is_contacted,
    bool_or(is_consulted) as is_consulted,
    bool_or(is_decided) as is_decided,
    bool_or(is_candidate) as is_candidate,
    bool_or(coalesce(source_type = 'network_clinic', false) or referring_clinic_id is not null)
        as is_referred_by_network,
    min(received_day) as received_day,
    max(received_day) as last_received_day,
    min(valid_contacted_day) as contacted_day,
    min(valid_consulted_day) as consulted_day,
    min(valid_decided_day) as decided_day
from referrals
group by clinic_id, patient_key
