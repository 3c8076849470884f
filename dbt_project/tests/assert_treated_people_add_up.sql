-- Everybody treated is in the funnel, was treated before the first referral alone, or had no referral.
select clinic_id
from {{ ref('agg_figures') }}
where
    dimension = ''
    and measure in (
        'patients_treated', 'patients_referred_treated', 'treated_without_referral', 'treated_before_referral'
    )
    and clinic_id in (
        select figures.clinic_id from {{ ref('agg_figures') }} as figures
        where figures.measure = 'treated_without_referral' and figures.clinic_id <> 'network'
    )
group by clinic_id
having
    sum(case when measure = 'patients_treated' then numerator else 0 end)
    <> sum(case when measure = 'patients_treated' then 0 else numerator end)
