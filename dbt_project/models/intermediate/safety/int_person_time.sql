{%- set populations = ['protocol', 'trial_arm'] %}

-- Days in which a treated person was watched, the day of the first session and the last day among them: from each day
-- with a session to the day before the next such day, or to the last day observed. Under a protocol or a trial arm
-- those that begin with a session under it. Events are those that began in these days (where their own day is not
-- recorded, that of their session); of days until the first event its day is the last. Who has no last day has no days.
with sessions as (

    select
        sessions.clinic_id,
        sessions.patient_key,
        sessions.protocol,
        sessions.trial_arm,
        sessions.session_day as from_day,
        least(
            patients.observed_through_day + 1,
            min(sessions.session_day) over (
                partition by sessions.patient_key
                order by sessions.session_day
                range between 1 following and unbounded following
            )
        ) as until_day
    from {{ ref('fct_sessions') }} as sessions
    inner join {{ ref('stg_patients') }} as patients on sessions.patient_key = patients.patient_key
    where sessions.session_day <= patients.observed_through_day

),

stretches as (

    select
        clinic_id,
        patient_key,
        from_day,
        until_day,
        {{ dimension_and_category(populations) }}
    from sessions
    group by {{ grouping_by(['clinic_id', 'patient_key', 'from_day', 'until_day'], populations) }}

),

emergent as (

    select * from {{ ref('fct_adverse_events') }}
    where is_treatment_emergent

),

events as (

    {{ along('emergent', populations) }}

),

placed as (

    select
        stretches.patient_key,
        stretches.dimension,
        stretches.category,
        count(*) as events,
        min(events.event_day) as first_event_day
    from events
    inner join stretches
        on
            events.patient_key = stretches.patient_key
            and events.dimension = stretches.dimension
            and events.category = stretches.category
            and events.event_day >= stretches.from_day
            and events.event_day < stretches.until_day
    group by stretches.patient_key, stretches.dimension, stretches.category

)

select
    stretches.clinic_id,
    stretches.patient_key,
    stretches.dimension,
    stretches.category,
    sum(stretches.until_day - stretches.from_day) as days_watched,
    sum(
        greatest(0, least(stretches.until_day, coalesce(placed.first_event_day + 1, 99999)) - stretches.from_day)
    ) as days_until_first_event,
    coalesce(max(placed.events), 0) as events
from stretches
left join placed
    on
        stretches.patient_key = placed.patient_key
        and stretches.dimension = placed.dimension
        and stretches.category = placed.category
where stretches.category is not null
group by stretches.clinic_id, stretches.patient_key, stretches.dimension, stretches.category
