{{ config(materialized='table') }}
{%- set sections = [
    'referral', 'flows', 'owners', 'treatment', 'outcome', 'scoring', 'recovery', 'durability', 'completeness', 'comparison',
    'safety', 'event_rates', 'event_times', 'session_safety', 'suicidality', 'quality',
] -%}

{% for section in sections %}
select
    measure,
    clinic_id,
    dimension,
    category,
    numerator,
    denominator,
    value,
    patients,
    clinics,
    numerator_patients,
    numerator_clinics
from {{ ref('int_figures_' ~ section) }}
{%- if not loop.last %}
union all
{%- endif %}
{%- endfor %}
