-- Referral funnel: of the people referred, how many were reached, consulted, found to be candidates, and treated.
-- People are counted, not referrals: one step in any of a person's referrals counts.
with people as (

    select
        referrals.clinic_id,
        referrals.patient_key,
        '' as dimension,
        '' as category,
        1 as received,
        max(case when referrals.is_contacted then 1 else 0 end) as contacted,
        max(case when referrals.is_consulted then 1 else 0 end) as consulted,
        max(case when referrals.is_candidate then 1 else 0 end) as candidate,
        max(case when treated.patient_key is not null then 1 else 0 end) as treated
    from {{ ref('fct_referrals') }} as referrals
    left join {{ ref('int_treated_patients') }} as treated
        on referrals.patient_key = treated.patient_key and treated.dimension = ''
    group by referrals.clinic_id, referrals.patient_key

)

{{ figure('patients_referred', 'people', numerator='received') }}
union all
{{ figure('patients_contacted', 'people', numerator='contacted') }}
union all
{{ figure('contacted_share', 'people', numerator='contacted', denominator='received') }}
union all
{{ figure('patients_consulted', 'people', numerator='consulted') }}
union all
{{ figure('consulted_share', 'people', numerator='consulted', denominator='received') }}
union all
{{ figure('patients_candidate', 'people', numerator='candidate') }}
union all
{{ figure('candidate_share', 'people', numerator='candidate', denominator='received') }}
union all
{{ figure('patients_referred_treated', 'people', numerator='treated') }}
union all
{{ figure('referred_treated_share', 'people', numerator='treated', denominator='received') }}
