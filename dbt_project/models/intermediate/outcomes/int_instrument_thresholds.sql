{%- set quantities = [
    'response_percent', 'partial_response_percent', 'remission_maximum', 'reliable_change_points',
    'meaningful_change_points', 'end_state_maximum', 'caseness_minimum',
] -%}

-- The thresholds in use, one column each; empty where an instrument has none.
select
    instrument,
    {%- for quantity in quantities %}
    max(case when quantity = '{{ quantity }}' then value end) as {{ quantity }}{{ ',' if not loop.last }}
    {%- endfor %}
from {{ ref('stg_instrument_thresholds') }}
where is_used
group by instrument
