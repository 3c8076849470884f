-- One person's way from the first referral to maintenance. A later step implies those before it: who was treated had
-- been reached, whether or not the day was written down. Treatment begun before the first referral is of an earlier
-- episode.
with people as (

    select * from {{ ref('int_referral_records') }}

),

treatment as (

    select
        courses.patient_key,
        min(courses.first_session_day) as first_session_day,
        min(case when not courses.is_maintenance then courses.completed_day end) as completed_day,
        min(case when courses.is_maintenance then courses.first_session_day end) as maintenance_day
    from {{ ref('int_referral_courses') }} as courses
    inner join people on courses.patient_key = people.patient_key
    where courses.first_session_day >= people.received_day
    group by courses.patient_key

),

steps as (

    select
        people.*,
        patients.observed_through_day,
        treatment.first_session_day,
        treatment.maintenance_day,
        treatment.completed_day as any_completed_day,
        treatment.first_session_day is not null as is_treated,
        treatment.completed_day is not null or treatment.maintenance_day is not null as is_completed,
        treatment.maintenance_day is not null as is_maintained
    from people
    left join treatment on people.patient_key = treatment.patient_key
    left join {{ ref('stg_patients') }} as patients on people.patient_key = patients.patient_key

),

-- A day after that of a later step was not the first, and the first is not known.
ordered as (

    select
        *,
        case when any_completed_day <= coalesce(maintenance_day, any_completed_day) then any_completed_day end
            as first_completed_day,
        case when decided_day <= coalesce(first_session_day, decided_day) then decided_day end as first_decided_day,
        case
            when consulted_day <= coalesce({{ earliest(['decided_day', 'first_session_day']) }}, consulted_day)
                then consulted_day
        end as first_consulted_day,
        case
            when
                contacted_day
                <= coalesce({{ earliest(['consulted_day', 'decided_day', 'first_session_day']) }}, contacted_day)
                then contacted_day
        end as first_contacted_day,
        {{ earliest(['contacted_day', 'consulted_day', 'decided_day', 'first_session_day']) }} as contacted_by_day
    from steps

),

judged as (

    select
        *,
        is_decided or is_treated as reached_decided,
        is_consulted or is_decided or is_treated as reached_consulted,
        is_contacted or is_consulted or is_decided or is_treated as reached_contacted
    from ordered

)

select
    -- keys
    patient_key,
    clinic_id,
    referral_key,

    -- attributes
    source_type,
    referrals,
    candidacy,
    candidacy_reason,
    closing_reason,
    case when is_treated then 'treated' when closing_reason is not null then 'lost' else 'open' end as status,
    case
        when is_maintained then 'maintained'
        when is_completed then 'completed'
        when is_treated then 'treated'
        when reached_decided then 'decided'
        when reached_consulted then 'consulted'
        when reached_contacted then 'contacted'
        else 'referred'
    end as furthest_step,
    is_referred_by_network,
    is_decided as has_decision,
    is_candidate,

    -- steps
    reached_contacted as is_contacted,
    reached_consulted as is_consulted,
    reached_decided as is_decided,
    is_treated,
    is_completed,
    is_maintained,
    reached_contacted and not is_contacted as is_contacted_inferred,
    reached_consulted and not is_consulted as is_consulted_inferred,
    reached_decided and not is_decided as is_decided_inferred,
    is_completed and any_completed_day is null as is_completed_inferred,

    -- time
    received_day,
    first_contacted_day as contacted_day,
    first_consulted_day as consulted_day,
    first_decided_day as decided_day,
    first_session_day,
    first_completed_day as completed_day,
    maintenance_day,
    last_received_day,
    observed_through_day,
    contacted_by_day,

    -- days
    {{ days_between('received_day', 'first_contacted_day') }} as days_to_contact,
    {{ days_between('first_contacted_day', 'first_consulted_day') }} as days_contact_to_consult,
    {{ days_between('first_consulted_day', 'first_decided_day') }} as days_consult_to_decision,
    {{ days_between('first_decided_day', 'first_session_day') }} as days_decision_to_first_session,
    {{ days_between('first_session_day', 'first_completed_day') }} as days_first_session_to_completion,
    {{ days_between('first_completed_day', 'maintenance_day') }} as days_completion_to_maintenance,
    {{ days_between('received_day', 'first_session_day') }} as days_referral_to_first_session,
    {{ days_between('last_received_day', 'observed_through_day') }} as open_days,
    coalesce(observed_through_day - received_day >= {{ var('contact_target_days') }}, false) as is_contact_judged,
    coalesce(contacted_by_day - received_day <= {{ var('contact_target_days') }}, false) as is_contacted_within_target
from judged
