{{ config(materialized='table') }}

-- Sessions with the owner of their time, of clinics that name owners. Each session has one; one without a name is
-- not_recorded. Whether it is a person's first, and the last of a course that the closing of its site cut short.
with sessions as (

    select
        sessions.clinic_id,
        sessions.patient_key,
        sessions.session_key,
        sessions.organisation_key,
        coalesce(owners.owner_number, 'not_recorded') as organisation,
        coalesce(courses.is_ended_by_closure, false) as is_of_course_ended_by_closure,
        row_number() over (
            partition by sessions.patient_key
            order by sessions.session_day, sessions.sequence_number nulls last, sessions.session_key
        ) as number_of_person,
        row_number() over (
            partition by sessions.course_key
            order by sessions.session_day desc, sessions.sequence_number desc nulls last, sessions.session_key desc
        ) as number_from_last
    from {{ ref('fct_sessions') }} as sessions
    left join {{ ref('int_owners') }} as owners on sessions.organisation_key = owners.organisation_key
    left join {{ ref('int_referral_courses') }} as courses on sessions.course_key = courses.course_key

)

select
    clinic_id,
    patient_key,
    session_key,
    organisation_key,
    organisation,
    clinic_id in (select owners.clinic_id from {{ ref('int_owners') }} as owners) as has_owners,
    number_of_person = 1 as is_first,
    is_of_course_ended_by_closure and number_from_last = 1 as is_last_before_closure
from sessions
