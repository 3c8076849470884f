{{ config(materialized='table') }}
{%- set populations = ['protocol', 'trial_arm'] %}
{%- set kinds = ['system_class', 'term', 'severity', 'relatedness', 'action_taken'] %}
{%- set sums = [
    'events', 'people_with_event', 'serious_events', 'people_with_serious_event', 'people_with_severe_event',
    'people_with_related_event', 'unmapped_events', 'people_with_unmapped_event',
] %}

-- Treatment-emergent adverse events of a clinic's treated people, each person once however many events, zero where
-- there were none. Under a protocol or a trial arm the people are those treated under it; for a kind of event they are
-- all treated people. By worst grade a person with an event stands in one category alone. Discontinued is also who
-- ended a course as stopped for an adverse event of which there is no record.
with events as (

    select
        clinic_id,
        patient_key,
        protocol,
        trial_arm,
        system_class,
        term,
        severity,
        grade,
        seriousness_criteria,
        led_to_discontinuation,
        coalesce(relatedness, 'not_recorded') as relatedness,
        coalesce(action_taken, 'not_recorded') as action_taken,
        case when is_serious then 1 else 0 end as serious,
        case when is_severe then 1 else 0 end as severe,
        case when is_related then 1 else 0 end as related,
        case when is_mapped then 0 else 1 end as unmapped
    from {{ ref('fct_adverse_events') }}
    where is_treatment_emergent

),

treated as (

    select * from {{ ref('int_treated_patients') }}
    where dimension in {{ quoted([''] + populations) }}

),

counts as (

    select
        clinic_id,
        patient_key,
        {{ dimension_and_category(populations + kinds) }},
        count(*) as events,
        sum(serious) as serious,
        sum(severe) as severe,
        sum(related) as related,
        sum(unmapped) as unmapped,
        max(grade) as worst_grade
    from events
    group by {{ grouping_by(['clinic_id', 'patient_key'], populations + kinds) }}

),

criteria as (

    select
        clinic_id,
        patient_key,
        severe,
        related,
        unmapped,
        {{ each_of("case when len(seriousness_criteria) > 0 then seriousness_criteria else ['not_recorded'] end") }}
            as criterion
    from events
    where serious = 1

),

of_people as (

    -- Who was not treated under a protocol has no part in it.
    select counts.*
    from counts
    left join treated
        on
            counts.patient_key = treated.patient_key
            and counts.dimension = treated.dimension
            and counts.category = treated.category
    where counts.dimension in {{ quoted(kinds) }} or treated.patient_key is not null
    union all
    select
        clinic_id,
        patient_key,
        'worst_grade' as dimension,
        coalesce('grade_' || worst_grade, 'not_recorded') as category,
        events,
        serious,
        severe,
        related,
        unmapped,
        worst_grade
    from counts
    where dimension = ''
    union all
    select
        clinic_id,
        patient_key,
        'seriousness_criterion' as dimension,
        criterion as category,
        count(*) as events,
        count(*) as serious,
        sum(severe) as severe,
        sum(related) as related,
        sum(unmapped) as unmapped,
        null as worst_grade
    from criteria
    group by clinic_id, patient_key, criterion

),

of_clinics as (

    select
        clinic_id,
        dimension,
        category,
        sum(events) as events,
        count(*) as people_with_event,
        sum(serious) as serious_events,
        count(case when serious > 0 then 1 end) as people_with_serious_event,
        count(case when severe > 0 then 1 end) as people_with_severe_event,
        count(case when related > 0 then 1 end) as people_with_related_event,
        sum(unmapped) as unmapped_events,
        count(case when unmapped > 0 then 1 end) as people_with_unmapped_event
    from of_people
    group by clinic_id, dimension, category

),

stopped as (

    select
        clinic_id,
        patient_key,
        protocol
    from events
    where led_to_discontinuation
    union
    select
        clinic_id,
        patient_key,
        protocol
    from {{ ref('fct_courses') }}
    where disposition = 'stopped_adverse_event'

),

discontinued as (

    select
        stopped.clinic_id,
        treated.dimension,
        treated.category,
        count(distinct stopped.patient_key) as people_discontinued
    from stopped
    inner join treated
        on
            stopped.patient_key = treated.patient_key
            and (treated.dimension = '' or treated.dimension = 'protocol' and stopped.protocol = treated.category)
    group by stopped.clinic_id, treated.dimension, treated.category

),

given as (

    select
        clinic_id,
        dimension,
        category,
        count(*) as treated,
        sum(sessions) as sessions
    from treated
    group by clinic_id, dimension, category

),

occurring as (

    select distinct
        dimension,
        category
    from of_clinics
    where dimension not in {{ quoted([''] + populations) }}

),

cells as (

    select * from given
    union all
    select
        given.clinic_id,
        occurring.dimension,
        occurring.category,
        given.treated,
        given.sessions
    from given
    cross join occurring
    where given.dimension = ''

)

select
    cells.clinic_id,
    cells.dimension,
    cells.category,
    cast(cells.treated as bigint) as treated,
    cast(cells.sessions as bigint) as sessions,
    {%- for sum in sums %}
    cast(coalesce(of_clinics.{{ sum }}, 0) as bigint) as {{ sum }},
    {%- endfor %}
    coalesce(discontinued.people_discontinued, 0) as people_discontinued
from cells
left join of_clinics
    on
        cells.clinic_id = of_clinics.clinic_id
        and cells.dimension = of_clinics.dimension
        and cells.category = of_clinics.category
left join discontinued
    on
        cells.clinic_id = discontinued.clinic_id
        and cells.dimension = discontinued.dimension
        and cells.category = discontinued.category
