{{ config(materialized='table') }}
{#- Step, the one before it, days between the two, its own day, whether it can be inferred, a measure that needs it. -#}
{%- set steps = [
    ['contacted', none, 'days_to_contact', 'contacted_day', true, none],
    ['consulted', 'contacted', 'days_contact_to_consult', 'consulted_day', true, none],
    ['decided', 'consulted', 'days_consult_to_decision', 'decided_day', true, none],
    ['treated', 'decided', 'days_decision_to_first_session', 'first_session_day', false, 'referred_treated_share'],
    ['completed', 'treated', 'days_first_session_to_completion', 'completed_day', true, 'referred_completed_share'],
    ['maintained', 'completed', 'days_completion_to_maintenance', 'maintenance_day', false, 'referred_maintenance_share'],
] %}

-- Each person referred, with each step of the way: taken or not, and the days to it. A clinic that does not deliver
-- what a step is seen in is not in it.
with people as (

    select
        *,
        {{ days_between('received_day', 'observed_through_day') }} as watched_days,
        coalesce(source_type, 'not_recorded') as referral_source
    from {{ ref('fct_referral_flow') }}

)

{%- for step, before, days, day, can_be_inferred, measure in steps %}

select
    clinic_id,
    patient_key,
    referral_source,
    '{{ step }}' as step,
    {{ loop.index }} as step_number,
    {% if before %}is_{{ before }}{% else %}true{% endif %} as is_before,
    is_{{ step }} as is_taken,
    {% if can_be_inferred %}is_{{ step }}_inferred{% else %}false{% endif %} as is_inferred,
    not is_{{ step }} and status = 'open' as is_censored,
    {{ days }} as days_from_step_before,
    {{ days_between('received_day', day) }} as days_from_referral,
    watched_days
from people
{%- if measure %}
where
    people.clinic_id in (
        select delivering.clinic_id from {{ ref('int_measure_clinics') }} as delivering
        where delivering.measure = '{{ measure }}'
    )
{%- endif %}
{%- if not loop.last %}
union all
{%- endif %}
{%- endfor %}
