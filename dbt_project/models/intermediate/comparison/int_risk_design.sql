{{ config(materialized='table') }}

-- The people whom clinics are compared by: index course under the study protocol, with a baseline and a last score of
-- the primary instrument that can be judged; and what they came with, as the columns of the risk model. What a clinic
-- does not deliver has a column of its own, so that its people are compared with each other and not taken for healthy.
with judged as (

    select
        outcomes.clinic_id,
        outcomes.patient_key,
        outcomes.baseline_total,
        outcomes.is_response
    from {{ ref('fct_outcomes') }} as outcomes
    inner join {{ ref('fct_index_courses') }} as courses on outcomes.course_key = courses.course_key
    where
        courses.protocol = '{{ var("study_protocol") }}'
        and outcomes.instrument = '{{ var("primary_instrument") }}'
        and outcomes.time_point = 'last'
        and outcomes.is_response is not null

),

histories as (

    select
        patient_key,
        max(case when dimension = 'comorbid_depression' then category end) as comorbid_depression,
        max(case when dimension = 'comorbid_anxiety' then category end) as comorbid_anxiety,
        max(case when dimension = 'prior_failures' then category end) as prior_failures
    from {{ ref('int_strata') }}
    group by patient_key

)

select
    judged.clinic_id,
    judged.patient_key,
    cast(judged.is_response as integer) as response,
    1 as intercept,
    -- Tens of points from 50, a severe baseline: the intercept is then about such a person.
    cast((judged.baseline_total - 50) / 10.0 as decimal(9, 1)) as baseline_tens,
    cast(coalesce(histories.comorbid_depression = 'yes', false) as integer) as comorbid_depression,
    cast(coalesce(histories.comorbid_anxiety = 'yes', false) as integer) as comorbid_anxiety,
    cast(histories.comorbid_depression is null as integer) as conditions_not_delivered,
    cast(coalesce(histories.prior_failures = 'one', false) as integer) as one_prior_failure,
    cast(coalesce(histories.prior_failures = 'two_or_more', false) as integer) as more_prior_failures,
    cast(histories.prior_failures is null as integer) as prior_treatments_not_delivered
from judged
left join histories on judged.patient_key = histories.patient_key
