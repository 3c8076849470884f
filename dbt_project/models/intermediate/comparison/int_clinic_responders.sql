-- Responders of each clinic as they are, and as the risk model expects them.
with observed as (

    select
        clinic_id,
        count(*) as people,
        cast(sum(response) as bigint) as responders
    from {{ ref('int_risk_design') }}
    group by clinic_id

),

expected as (

    select
        clinic_id,
        sum(expected) as expected,
        sum(cast(expected * (1 - expected) as decimal(18, 12))) as variance
    from {{ ref('int_expected_responses') }}
    group by clinic_id

)

select
    observed.clinic_id,
    observed.people,
    observed.responders,
    expected.expected,
    expected.variance
from observed
left join expected on observed.clinic_id = expected.clinic_id
