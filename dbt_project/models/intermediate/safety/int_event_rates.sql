{{ config(materialized='table') }}
{#- measure, events, people with an event, exposure, its unit, dimensions -#}
{%- set measures = [
    ['event_rate_per_100_sessions', 'events', 'people_with_event', 'sessions', 'sessions',
        ['', 'protocol', 'trial_arm', 'term']],
    ['serious_event_rate_per_100_sessions', 'serious_events', 'people_with_serious_event', 'sessions', 'sessions',
        ['', 'protocol']],
    ['event_rate_per_100_patient_years', 'events_in_time', 'people_with_event_in_time', 'days_watched', 'days',
        ['', 'protocol', 'trial_arm']],
    ['first_event_rate_per_100_patient_years', 'people_with_event_in_time', 'people_with_event_in_time',
        'days_until_first_event', 'days', ['', 'protocol', 'trial_arm']],
] %}

-- Treatment-emergent adverse events over the sessions given, and over the time that people were watched, of each clinic
-- and of the network. Without exposure there is no rate: the numbers stand here, the rate is empty.
with watched as (

    select
        clinic_id,
        dimension,
        category,
        sum(days_watched) as days_watched,
        sum(days_until_first_event) as days_until_first_event,
        sum(events) as events_in_time,
        count(case when events > 0 then 1 end) as people_with_event_in_time
    from {{ ref('int_person_time') }}
    group by clinic_id, dimension, category

),

sums as (

    select
        sums.*,
        coalesce(watched.days_watched, 0) as days_watched,
        coalesce(watched.days_until_first_event, 0) as days_until_first_event,
        coalesce(watched.events_in_time, 0) as events_in_time,
        coalesce(watched.people_with_event_in_time, 0) as people_with_event_in_time
    from {{ ref('int_event_sums') }} as sums
    left join watched
        on
            sums.clinic_id = watched.clinic_id
            and sums.dimension = watched.dimension
            and sums.category = watched.category

),

measured as (

    {%- for measure in measures %}
    select
        '{{ measure[0] }}' as measure,
        clinic_id,
        dimension,
        category,
        {{ measure[1] }} as events,
        {{ measure[3] }} as exposure,
        '{{ measure[4] }}' as exposure_unit,
        treated as people,
        {{ measure[2] }} as people_with_event
    from sums
    where dimension in {{ quoted(measure[5]) }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}

)

select
    measured.measure,
    case when grouping(measured.clinic_id) = 1 then 'network' else measured.clinic_id end as clinic_id,
    measured.dimension,
    measured.category,
    measured.exposure_unit,
    cast(sum(measured.events) as bigint) as events,
    cast(sum(measured.exposure) as bigint) as exposure,
    cast(sum(measured.people) as bigint) as people,
    cast(sum(measured.people_with_event) as bigint) as people_with_event,
    count(*) as clinics,
    count(case when measured.people_with_event > 0 then 1 end) as clinics_with_event
from measured
inner join {{ ref('int_measure_clinics') }} as delivering
    on measured.measure = delivering.measure and measured.clinic_id = delivering.clinic_id
group by {{ grouping_sets([
    ['measured.measure', 'measured.clinic_id', 'measured.dimension', 'measured.category', 'measured.exposure_unit'],
    ['measured.measure', 'measured.dimension', 'measured.category', 'measured.exposure_unit'],
]) }}
