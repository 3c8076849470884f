{#- Weekly assessment has a gap when more days than this lie between one questionnaire and the next. -#}
{%- set longest_gap = 10 %}

-- How regularly the primary instrument was filled in during each index course. Weeks count from the first session;
-- those that began by the last session and were watched to their end are due. Gaps lie between the first session, the
-- questionnaires and the last session.
with clinics as (

    select distinct clinic_id
    from {{ ref('fct_assessments') }}
    where instrument = '{{ var("primary_instrument") }}'

),

courses as (

    select
        courses.clinic_id,
        courses.patient_key,
        courses.course_key,
        courses.protocol,
        courses.first_session_day,
        courses.last_session_day,
        greatest(
            0,
            least(
                floor((courses.last_session_day - courses.first_session_day) / 7.0) + 1,
                coalesce(
                    floor((courses.observed_through_day - courses.first_session_day + 1) / 7.0),
                    floor((courses.last_session_day - courses.first_session_day) / 7.0) + 1
                )
            )
        ) as weeks_due
    from {{ ref('fct_index_courses') }} as courses
    inner join clinics on courses.clinic_id = clinics.clinic_id

),

scores as (

    select distinct
        courses.course_key,
        scores.assessed_day,
        floor((scores.assessed_day - courses.first_session_day) / 7.0) as week_index
    from courses
    inner join {{ ref('int_scores') }} as scores
        on courses.patient_key = scores.patient_key and courses.first_session_day <= scores.assessed_day
    where scores.instrument = '{{ var("primary_instrument") }}'

),

assessed as (

    select
        courses.course_key,
        count(distinct case when scores.week_index < courses.weeks_due then scores.week_index end) as weeks_assessed
    from courses
    inner join scores on courses.course_key = scores.course_key
    group by courses.course_key

),

known_days as (

    select
        course_key,
        first_session_day as known_day
    from courses
    union
    select
        course_key,
        last_session_day as known_day
    from courses
    union
    select
        scores.course_key,
        scores.assessed_day as known_day
    from scores
    inner join courses on scores.course_key = courses.course_key and scores.assessed_day <= courses.last_session_day

),

gaps as (

    select
        course_key,
        max(days_since) as longest_gap
    from (
        select
            course_key,
            known_day - lag(known_day) over (partition by course_key order by known_day) as days_since
        from known_days
    ) as spaced
    group by course_key

)

select
    courses.clinic_id,
    courses.patient_key,
    courses.course_key,
    courses.protocol,
    cast(courses.weeks_due as integer) as weeks_due,
    cast(coalesce(assessed.weeks_assessed, 0) as integer) as weeks_assessed,
    case when courses.last_session_day - courses.first_session_day > {{ longest_gap }} then 1 else 0 end
        as could_have_gap,
    case when gaps.longest_gap > {{ longest_gap }} then 1 else 0 end as has_gap
from courses
left join assessed on courses.course_key = assessed.course_key
left join gaps on courses.course_key = gaps.course_key
