-- When watching an index course for its outcome ends, and why: the earliest of the days that are known. Scores of the
-- last day count; on the day of the first session under another protocol only those before it.
with courses as (

    select
        *,
        case when disposition = 'site_closed' then coalesce(censoring_day, disposition_day) else censoring_day end
            as clinic_end_day
    from {{ ref('fct_index_courses') }}

),

ends as (

    select
        course_key,
        next_protocol_day as last_day,
        2 * next_protocol_day as last_moment,
        'other_protocol' as reason,
        1 as precedence
    from courses
    union all
    select
        course_key,
        clinic_end_day as last_day,
        2 * clinic_end_day + 1 as last_moment,
        coalesce(censoring_reason, case when disposition = 'site_closed' then 'site_closed' else 'not_recorded' end)
            as reason,
        2 as precedence
    from courses
    union all
    select
        course_key,
        observed_through_day as last_day,
        2 * observed_through_day + 1 as last_moment,
        'end_of_observation' as reason,
        3 as precedence
    from courses

),

ranked as (

    select
        *,
        row_number() over (partition by course_key order by last_moment, precedence) as place
    from ends
    where last_day is not null

)

select
    course_key,
    last_day,
    last_moment,
    reason
from ranked
where place = 1
