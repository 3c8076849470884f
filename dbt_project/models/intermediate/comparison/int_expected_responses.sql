{%- set terms = [
    'intercept', 'baseline_tens', 'comorbid_depression', 'comorbid_anxiety', 'conditions_not_delivered',
    'one_prior_failure', 'more_prior_failures', 'prior_treatments_not_delivered',
] -%}

-- The probability of response that the risk model gives each person. A term that the model left out counts nothing.
-- Where there is no model there is no row.
with coefficients as (

    select
        count(*) as fitted_terms,
        {%- for term in terms %}
        coalesce(max(case when term = '{{ term }}' then coefficient end), 0) as {{ term }}
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from {{ ref('int_risk_model') }}

)

select
    design.clinic_id,
    design.patient_key,
    design.response,
    cast(
        1 / (
            1 + exp(
                -(
                    {%- for term in terms %}
                    {% if not loop.first %}+ {% endif %}coefficients.{{ term }} * design.{{ term }}
                    {%- endfor %}
                )
            )
        ) as decimal(18, 12)
    ) as expected
from {{ ref('int_risk_design') }} as design
cross join coefficients
where coefficients.fitted_terms > 0
