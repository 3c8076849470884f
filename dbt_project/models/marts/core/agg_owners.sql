-- What each owner gave. Sessions and people at their first session add up to the clinic's; a person treated under two
-- owners is among the patients of both.
select
    sessions.clinic_id,
    sessions.organisation_key,
    sessions.organisation,
    owners.first_service_period,
    owners.last_service_period,
    count(*) as sessions,
    count(distinct sessions.patient_key) as patients,
    count(case when sessions.is_first then 1 end) as patients_at_first_session,
    count(distinct case when sessions.is_last_before_closure then sessions.patient_key end)
        as patients_mid_course_at_closure
from {{ ref('int_owner_sessions') }} as sessions
left join {{ ref('int_owners') }} as owners on sessions.organisation_key = owners.organisation_key
group by
    sessions.clinic_id, sessions.organisation_key, sessions.organisation, owners.first_service_period,
    owners.last_service_period
