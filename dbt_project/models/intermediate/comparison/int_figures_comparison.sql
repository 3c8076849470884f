-- Observed over expected responders of each clinic, as figures. Its numerator is the people who responded, for whom
-- it could be told from the expected.
select
    'response_observed_expected' as measure,
    clinic_id,
    'protocol' as dimension,
    '{{ var("study_protocol") }}' as category,
    cast(responders as decimal(18, 4)) as numerator,
    people as denominator,
    cast(observed_expected as decimal(18, 6)) as value,
    people as patients,
    cast(1 as bigint) as clinics,
    responders as numerator_patients,
    cast(case when responders > 0 then 1 else 0 end as bigint) as numerator_clinics
from {{ ref('agg_clinic_comparison') }}
where
    observed_expected is not null
    and clinic_id in (
        select measure_clinics.clinic_id
        from {{ ref('int_measure_clinics') }} as measure_clinics
        where measure_clinics.measure = 'response_observed_expected'
    )
