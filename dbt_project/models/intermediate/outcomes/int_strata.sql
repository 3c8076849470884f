{{ config(materialized='table') }}
{%- set flat = [
    'comorbid_depression', 'comorbid_anxiety', 'prior_failures', 'first_antidepressant', 'veteran',
    'symptom_duration_band', 'baseline_third', 'medication_change', 'sessions_received', 'course_end',
] %}

-- Groups that an index course belongs to, one row each: protocol and trial arm of every course, and of the study
-- population's courses the other dimensions. A clinic that does not deliver what a dimension needs is not in it.
with courses as (

    select * from {{ ref('fct_index_courses') }}

),

conditions as (

    select
        patient_key,
        max(case when diagnosis = 'mdd' then 1 else 0 end) as has_depression,
        max(case when diagnosis in ('gad', 'panic_disorder') then 1 else 0 end) as has_anxiety
    from {{ ref('stg_conditions') }}
    group by patient_key

),

described as (

    select
        courses.clinic_id,
        courses.patient_key,
        courses.course_key,
        case when conditions.has_depression = 1 then 'yes' else 'no' end as comorbid_depression,
        case when conditions.has_anxiety = 1 then 'yes' else 'no' end as comorbid_anxiety,
        case
            when coalesce(failures.adequate_failures, 0) >= 2 then 'two_or_more'
            when failures.adequate_failures = 1 then 'one'
            else 'none'
        end as prior_failures,
        coalesce(failures.first_antidepressant, 'none_tried') as first_antidepressant,
        coalesce(patients.veteran, 'unknown') as veteran,
        coalesce(patients.symptom_duration_band, 'unknown') as symptom_duration_band,
        thirds.baseline_third,
        medication_changes.medication_change,
        case when courses.sessions_given >= 6 then 'six_or_more' else cast(courses.sessions_given as varchar) end
            as sessions_received,
        case when courses.is_completed then 'completed' else coalesce(courses.disposition, 'not_recorded') end
            as course_end,
        patients.trauma_types
    from courses
    left join {{ ref('stg_patients') }} as patients on courses.patient_key = patients.patient_key
    left join conditions on courses.patient_key = conditions.patient_key
    left join {{ ref('int_prior_failures') }} as failures on courses.patient_key = failures.patient_key
    left join {{ ref('int_baseline_thirds') }} as thirds on courses.course_key = thirds.course_key
    left join {{ ref('int_medication_changes') }} as medication_changes
        on courses.course_key = medication_changes.course_key
    where courses.protocol = '{{ var("study_protocol") }}'

),

grouped as (

    select
        clinic_id,
        patient_key,
        course_key,
        'protocol' as dimension,
        protocol as category
    from courses
    union all
    select
        clinic_id,
        patient_key,
        course_key,
        'trial_arm' as dimension,
        trial_arm as category
    from courses
    where trial_arm is not null
    {%- for dimension in flat %}
    union all
    select
        clinic_id,
        patient_key,
        course_key,
        '{{ dimension }}' as dimension,
        {{ dimension }} as category
    from described
    where {{ dimension }} is not null
    {%- endfor %}
    union all
    select
        clinic_id,
        patient_key,
        course_key,
        'trauma_type' as dimension,
        {{ each_of('trauma_types') }} as category
    from described

),

-- One person has one course in a group, be it the first of two.
ranked as (

    select
        *,
        row_number() over (partition by patient_key, dimension, category order by course_key) as place
    from grouped
    where category is not null

)

select
    ranked.clinic_id,
    ranked.patient_key,
    ranked.course_key,
    ranked.dimension,
    ranked.category
from ranked
inner join {{ ref('int_dimension_clinics') }} as delivering
    on ranked.dimension = delivering.dimension and ranked.clinic_id = delivering.clinic_id
where ranked.place = 1
