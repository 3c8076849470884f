{%- set dimensions = ['protocol', 'trial_arm', 'drug', 'session_of_course', 'dose_band', 'organisation'] %}

-- Sessions of a clinic, and those with a treatment-emergent event tied to them.
with events as (

    select * from {{ ref('fct_adverse_events') }}
    where is_treatment_emergent

),

tied as (

    select distinct session_key
    from events
    where session_key is not null

),

sessions as (

    select
        sessions.*,
        case when owners.has_owners then owners.organisation end as organisation,
        case when tied.session_key is not null then sessions.patient_key end as patient_with_event
    from {{ ref('fct_sessions') }} as sessions
    left join {{ ref('int_owner_sessions') }} as owners on sessions.session_key = owners.session_key
    left join tied on sessions.session_key = tied.session_key

),

sums as (

    select
        clinic_id,
        {{ dimension_and_category(dimensions) }},
        count(*) as sessions,
        count(distinct patient_key) as people,
        count(patient_with_event) as sessions_with_event,
        count(distinct patient_with_event) as people_with_event
    from sessions
    group by {{ grouping_by(['clinic_id'], dimensions) }}

),

terms as (

    select
        clinic_id,
        term,
        count(distinct session_key) as sessions_with_event,
        count(distinct patient_key) as people_with_event
    from events
    where session_key is not null
    group by clinic_id, term

),

occurring as (

    select distinct term
    from terms

)

select * from sums
where category is not null
union all
select
    sums.clinic_id,
    'term' as dimension,
    occurring.term as category,
    sums.sessions,
    sums.people,
    coalesce(terms.sessions_with_event, 0) as sessions_with_event,
    coalesce(terms.people_with_event, 0) as people_with_event
from sums
cross join occurring
left join terms on sums.clinic_id = terms.clinic_id and occurring.term = terms.term
where sums.dimension = ''
