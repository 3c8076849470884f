-- Coefficients of the risk model, for engineers; a release tells only what it adjusts for.
select
    cast(term as varchar) as term,
    coefficient,
    standard_error
from {{ ref('int_risk_model') }}
