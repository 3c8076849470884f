{%- set exposed = ['', 'protocol', 'trial_arm'] -%}
{%- set by_kind = exposed + ['system_class', 'term', 'severity'] -%}
{#- measure, numerator, people with a part in it, denominator, people behind that, dimensions -#}
{%- set measures = [
    ['adverse_events', 'events', 'people_with_event', none, none, by_kind],
    ['patients_with_any_event', 'people_with_event', 'people_with_event', none, none, by_kind],
    ['any_event_share', 'people_with_event', 'people_with_event', 'treated', 'treated',
        by_kind + ['worst_grade', 'relatedness', 'action_taken', 'seriousness_criterion']],
    ['events_per_patient', 'events', 'people_with_event', 'treated', 'treated', exposed],
    ['serious_adverse_events', 'serious_events', 'people_with_serious_event', none, none, by_kind],
    ['patients_with_serious_event', 'people_with_serious_event', 'people_with_serious_event', none, none, by_kind],
    ['serious_event_share', 'people_with_serious_event', 'people_with_serious_event', 'treated', 'treated',
        exposed + ['system_class', 'term', 'seriousness_criterion']],
    ['severe_event_share', 'people_with_severe_event', 'people_with_severe_event', 'treated', 'treated', exposed],
    ['related_event_share', 'people_with_related_event', 'people_with_related_event', 'treated', 'treated',
        ['', 'protocol', 'term']],
    ['discontinued_for_event_share', 'people_discontinued', 'people_discontinued', 'treated', 'treated',
        ['', 'protocol']],
    ['events_unmapped_share', 'unmapped_events', 'people_with_unmapped_event', 'events', 'people_with_event', ['']],
] -%}

-- Treatment-emergent adverse events of treated people: how many, how many people and sessions have them, and of what
-- kind. What is told of whom is in int_event_sums and int_event_sessions.
with sums as (

    {%- for measure in measures %}
    select
        '{{ measure[0] }}' as measure,
        clinic_id,
        dimension,
        category,
        {{ measure[1] }} as numerator,
        {{ measure[3] or 'null' }} as denominator,
        {{ measure[4] or measure[2] }} as patients,
        {{ measure[2] }} as numerator_patients
    from {{ ref('int_event_sums') }}
    where dimension in {{ quoted(measure[5]) }}
    union all
    {%- endfor %}
    select
        'sessions_with_event_share' as measure,
        clinic_id,
        dimension,
        category,
        sessions_with_event as numerator,
        sessions as denominator,
        people as patients,
        people_with_event as numerator_patients
    from {{ ref('int_event_sessions') }}

),

of_clinics as (

    select
        sums.*,
        sums.patients as behind,
        sums.numerator_patients as behind_numerator
    from sums
    inner join {{ ref('int_measure_clinics') }} as delivering
        on sums.measure = delivering.measure and sums.clinic_id = delivering.clinic_id

),

figures as (

    {{ figures_of_clinics('of_clinics') }}

)

-- An owner's number says nothing outside its clinic.
select * from figures
where clinic_id <> 'network' or dimension <> 'organisation'
