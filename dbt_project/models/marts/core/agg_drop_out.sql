{%- set reasons = [
    'completed', 'dropped_out', 'stopped_adverse_event', 'stopped_no_benefit', 'stopped_physician', 'site_closed',
    'transferred', 'other', 'not_recorded',
] -%}

-- Drop-out by session, of those whose plan has the session: how many had the one before it, had it, stopped before it
-- and for which recorded reason, or may still come to it.
with reach as (

    select
        *,
        case
            when is_reached or not is_over then null
            when disposition in {{ quoted(reasons) }} then disposition
            else 'other'
        end as dropped_for
    from {{ ref('int_session_reach') }}
    where is_at_risk

)

select
    case when grouping(clinic_id) = 1 then 'network' else clinic_id end as clinic_id,
    protocol,
    session_number,
    count(*) as at_risk,
    count(case when is_reached then 1 end) as reached,
    count(case when not is_reached and not is_over then 1 end) as still_going,
    {%- for reason in reasons %}
    count(case when dropped_for = '{{ reason }}' then 1 end) as reason_{{ reason }},
    {%- endfor %}
    count(dropped_for) as dropped
from reach
group by {{ grouping_sets([['clinic_id', 'protocol', 'session_number'], ['protocol', 'session_number']]) }}
