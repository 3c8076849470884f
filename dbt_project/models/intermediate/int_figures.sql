{{ config(materialized='table') }}
{%- set sections = [
    'referral', 'flows', 'owners', 'treatment', 'outcome', 'scoring', 'recovery', 'durability', 'completeness', 'comparison',
    'safety', 'event_rates', 'event_times', 'session_safety', 'suicidality', 'quality',
] -%}

{% for section in sections %}
select * from {{ ref('int_figures_' ~ section) }}
{%- if not loop.last %}
union all
{%- endif %}
{%- endfor %}
