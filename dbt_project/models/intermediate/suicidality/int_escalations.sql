-- Escalations with the positive screen that each answers: the questionnaire it names; where it names none, each of the
-- same person, trigger and day. One that answers none has no screen. The protocol is that of the last session on or
-- before its day.
with escalations as (

    select * from {{ ref('stg_escalations') }}

),

positive_screens as (

    select * from {{ ref('int_screens') }}
    where is_positive

),

answers as (

    select
        escalations.escalation_key,
        positive_screens.assessment_key as screen_key
    from escalations
    inner join positive_screens on escalations.assessment_key = positive_screens.assessment_key
    union all
    select
        escalations.escalation_key,
        positive_screens.assessment_key as screen_key
    from escalations
    inner join positive_screens
        on
            escalations.patient_key = positive_screens.patient_key
            and escalations.escalation_trigger = positive_screens.escalation_trigger
            and escalations.escalation_day = positive_screens.assessed_day
    where escalations.assessment_key is null

)

select
    escalations.escalation_key,
    escalations.patient_key,
    escalations.clinic_id,
    answers.screen_key,
    spans.protocol,
    escalations.escalation_status,
    -- An action of an unknown code may be none.
    escalations.escalation_action is not null and escalations.escalation_action not in ('none', 'unmapped')
        as is_action_taken,
    escalations.action_minutes
from escalations
left join answers on escalations.escalation_key = answers.escalation_key
left join {{ ref('int_session_spans') }} as spans
    on
        escalations.patient_key = spans.patient_key
        and 2 * escalations.escalation_day + 1 > spans.from_moment
        and 2 * escalations.escalation_day + 1 <= spans.to_moment
