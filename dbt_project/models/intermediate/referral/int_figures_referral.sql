{#- Count, share of those referred and of those at the step before; the step; the step before. -#}
{%- set steps = [
    ['patients_contacted', 'contacted_share', none, 'contacted', none],
    ['patients_consulted', 'consulted_share', 'consulted_of_contacted_share', 'consulted', 'contacted'],
    ['patients_decided', 'decided_share', 'decided_of_consulted_share', 'decided', 'consulted'],
    ['patients_referred_treated', 'referred_treated_share', 'treated_of_decided_share', 'treated', 'decided'],
    ['patients_referred_completed', 'referred_completed_share', 'completed_of_treated_share', 'completed', 'treated'],
    ['patients_referred_maintenance', 'referred_maintenance_share', 'maintenance_of_completed_share', 'maintained',
        'completed'],
] %}
{%- set days = [
    'days_to_contact', 'days_contact_to_consult', 'days_consult_to_decision', 'days_decision_to_first_session',
    'days_first_session_to_completion', 'days_completion_to_maintenance', 'days_referral_to_first_session',
] %}
{%- set of_sources = [
    ['patients_referred', 'referred', none],
    ['patients_candidate', 'candidate', none],
    ['candidate_share', 'candidate', 'referred'],
    ['candidacy_rate', 'candidate', 'with_decision'],
    ['decisions_without_criteria', 'decided_without_criteria', none],
    ['decisions_without_criteria_share', 'decided_without_criteria', 'with_decision'],
    ['contacted_within_target_share', 'contacted_within_target', 'contact_judged'],
    ['lost_share', 'lost', 'referred'],
    ['patients_referred_again', 'referred_again', none],
] %}
{%- for measure, share, of_before, step, before in steps -%}
{%- if step != 'decided' %}{% do of_sources.append([measure, step, none]) %}{% endif -%}
{%- do of_sources.append([share, step, 'referred']) -%}
{%- if of_before %}{% do of_sources.append([of_before, step, before]) %}{% endif -%}
{%- endfor -%}
{%- for name in days -%}
{%- do of_sources.append([name, name, 'has_' ~ name, 'of_values']) -%}
{%- endfor %}

-- From referral to maintenance: people at each step, conversion, days, time to contact against its target, who was lost
-- and why, who waits. People are counted, not referrals.
with people as (

    select
        clinic_id,
        patient_key,
        1 as referred,
        coalesce(source_type, 'not_recorded') as referral_source,
        case when is_decided then coalesce(candidacy_reason, 'not_recorded') end as candidacy_reason,
        case when status = 'lost' then closing_reason end as closing_reason,
        case when status = 'lost' then furthest_step end as furthest_step,
        case
            when status <> 'open' then null
            when open_days is null then 'not_recorded'
            when open_days < 30 then 'under_30_days'
            when open_days < 90 then '30_to_89_days'
            when open_days < 180 then '90_to_179_days'
            else '180_days_or_more'
        end as open_age,
        {%- for step in ['contacted', 'consulted', 'decided', 'candidate', 'treated', 'completed', 'maintained'] %}
        case when is_{{ step }} then 1 else 0 end as {{ step }},
        {%- endfor %}
        case when has_decision then 1 else 0 end as with_decision,
        case
            when has_decision and coalesce(candidacy_reason, 'information_missing') = 'information_missing' then 1
            else 0
        end as decided_without_criteria,
        case when status = 'lost' then 1 else 0 end as lost,
        case when status = 'open' then 1 else 0 end as still_open,
        case when referrals > 1 then 1 else 0 end as referred_again,
        case when is_contact_judged then 1 else 0 end as contact_judged,
        {%- for name in days %}
        {{ name }},
        case when {{ name }} is not null then 1 else 0 end as has_{{ name }},
        {%- endfor %}
        case when is_contact_judged and is_contacted_within_target then 1 else 0 end as contacted_within_target
    from {{ ref('fct_referral_flow') }}

),

told as (

    {{ along('people', ['referral_source', 'candidacy_reason', 'closing_reason', 'furthest_step', 'open_age']) }}

),

sources as (

    select * from told
    where dimension in ('', 'referral_source')

),

decisions as (

    select * from told
    where dimension in ('', 'referral_source', 'candidacy_reason')

),

losses as (

    select * from told
    where dimension in ('', 'referral_source', 'closing_reason', 'furthest_step')

),

waiting as (

    select * from told
    where dimension in ('', 'referral_source', 'open_age')

),

steps as (

    select
        clinic_id,
        patient_key,
        step as inferred_step,
        case when is_inferred then 1 else 0 end as inferred
    from {{ ref('int_referral_steps') }}
    where step in ('contacted', 'consulted', 'decided', 'completed')

),

inferred_steps as (

    {{ along('steps', ['inferred_step']) }}

),

treated as (

    select
        treated.clinic_id,
        treated.patient_key,
        '' as dimension,
        '' as category,
        case when flow.patient_key is null then 1 else 0 end as without_referral,
        case when flow.status <> 'treated' then 1 else 0 end as only_before_referral
    from {{ ref('int_treated_patients') }} as treated
    left join {{ ref('fct_referral_flow') }} as flow on treated.patient_key = flow.patient_key
    where treated.dimension = ''

),

deviations as (

    {%- for name in days %}
    select
        '{{ name }}_sd' as measure,
        case when grouping(sources.clinic_id) = 1 then 'network' else sources.clinic_id end as clinic_id,
        sources.dimension,
        sources.category,
        sum(sources.has_{{ name }}) as known,
        {{ sample_sd(
            'sum(sources.has_' ~ name ~ ')', 'coalesce(sum(sources.' ~ name ~ '), 0)',
            'coalesce(sum(cast(sources.' ~ name ~ ' as bigint) * sources.' ~ name ~ '), 0)'
        ) }} as sd,
        count(distinct case when sources.has_{{ name }} = 1 then sources.clinic_id end) as clinics
    from sources
    inner join {{ ref('int_measure_clinics') }} as delivering
        on sources.clinic_id = delivering.clinic_id and delivering.measure = '{{ name }}_sd'
    group by {{ grouping_sets([
        ['sources.clinic_id', 'sources.dimension', 'sources.category'], ['sources.dimension', 'sources.category'],
    ]) }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}

)

{{ figures('sources', of_sources) }}
union all
{{ figures('decisions', [['patients_decided', 'decided', none]]) }}
union all
{{ figures('losses', [['patients_lost', 'lost', none]]) }}
union all
{{ figures('waiting', [['referrals_open', 'still_open', none]]) }}
union all
{{ figures('inferred_steps', [['referral_steps_inferred', 'inferred', none]]) }}
union all
{{ figures('treated', [
    ['treated_without_referral', 'without_referral', none],
    ['treated_before_referral', 'only_before_referral', none],
]) }}
union all
select
    measure,
    clinic_id,
    dimension,
    category,
    cast(null as decimal(18, 4)) as numerator,
    cast(known as bigint) as denominator,
    cast(sd as decimal(18, 6)) as value,
    cast(known as bigint) as patients,
    clinics,
    cast(known as bigint) as numerator_patients,
    clinics as numerator_clinics
from deviations
where sd is not null
