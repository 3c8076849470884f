{%- set levels = ['none', 'low', 'moderate', 'high'] %}

-- Item 9 of the PHQ-9, levels of the C-SSRS screener, positive screens and what was done about them. People are those
-- treated, by protocol those treated under it. Screens and escalations are those of everybody; a protocol has those of
-- the treated.
with people as (

    select
        clinic_id,
        patient_key,
        case when protocol = '' then '' else 'protocol' end as dimension,
        protocol as category,
        1 as treated,
        case when is_assessed then 1 else 0 end as assessed,
        case when worst_risk_level is not null then 1 else 0 end as has_risk_level,
        case when has_baseline_ideation then 1 else 0 end as baseline_ideation,
        case when has_baseline_ideation is not null then 1 else 0 end as judged_baseline_ideation,
        case when is_emergent then 1 else 0 end as emergent,
        case when is_emergent is not null then 1 else 0 end as judged_emergent,
        case when is_worsened then 1 else 0 end as worsened,
        case when is_worsened is not null then 1 else 0 end as judged_worsened,
        case when is_resolved then 1 else 0 end as resolved,
        case when is_resolved is not null then 1 else 0 end as judged_resolved
    from {{ ref('fct_suicidality') }}

),

-- Everybody at every level, so that a level that nobody has is told as such.
people_by_level as (

    {%- for level in levels %}
    select
        clinic_id,
        patient_key,
        'risk_level' as dimension,
        '{{ level }}' as category,
        case when baseline_risk_level = '{{ level }}' then 1 else 0 end as at_baseline,
        case when baseline_risk_level is not null then 1 else 0 end as has_baseline_level,
        case when worst_risk_level = '{{ level }}' then 1 else 0 end as at_worst,
        case when worst_risk_level is not null then 1 else 0 end as has_worst_level
    from {{ ref('fct_suicidality') }}
    where protocol = ''
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}

),

positive_screens as (

    select
        clinic_id,
        patient_key,
        protocol,
        action_minutes,
        1 as positive,
        case when is_escalated then 1 else 0 end as escalated,
        case when action_minutes is not null then 1 else 0 end as has_action_minutes,
        case when action_minutes <= 60 then 1 else 0 end as has_prompt_action
    from {{ ref('fct_positive_screens') }}

),

screens as (

    {{ along('positive_screens', ['protocol']) }}

),

-- One that answers two screens of a day counts once.
single_escalations as (

    select
        clinic_id,
        patient_key,
        protocol,
        max(case when escalation_status = 'open' then 1 else 0 end) as is_open,
        max(case when screen_key is null then 1 else 0 end) as is_without_screen
    from {{ ref('int_escalations') }}
    group by clinic_id, patient_key, protocol, escalation_key

),

escalations as (

    {{ along('single_escalations', ['protocol']) }}

)

{{ figures('people', [
    ['ideation_assessed_share', 'assessed', 'treated'],
    ['ideation_baseline_share', 'baseline_ideation', 'judged_baseline_ideation'],
    ['ideation_emergent_share', 'emergent', 'judged_emergent'],
    ['ideation_worsened_share', 'worsened', 'judged_worsened'],
    ['ideation_resolved_share', 'resolved', 'judged_resolved'],
    ['risk_level_assessed_share', 'has_risk_level', 'treated'],
]) }}
union all
{{ figures('people_by_level', [
    ['risk_level_baseline_share', 'at_baseline', 'has_baseline_level'],
    ['risk_level_share', 'at_worst', 'has_worst_level'],
]) }}
union all
{{ figures('screens', [
    ['positive_screens', 'positive', none],
    ['escalated_share', 'escalated', 'positive'],
    ['action_minutes_mean', 'action_minutes', 'has_action_minutes', 'of_values'],
    ['action_within_60_minutes_share', 'has_prompt_action', 'positive'],
]) }}
union all
{{ figures('escalations', [
    ['escalations_open', 'is_open', none],
    ['escalations_without_screen', 'is_without_screen', none],
]) }}
