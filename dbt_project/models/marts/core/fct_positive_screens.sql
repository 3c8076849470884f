with answers as (

    select
        screen_key,
        count(*) as escalations,
        max(case when is_action_taken then 1 else 0 end) as actions,
        min(case when is_action_taken then action_minutes end) as action_minutes,
        count(case when escalation_status = 'open' then 1 end) as open_escalations,
        count(case when escalation_status = 'closed' then 1 end) as closed_escalations
    from {{ ref('int_escalations') }}
    where screen_key is not null
    group by screen_key

)

select
    -- keys
    screens.assessment_key,
    screens.patient_key,
    screens.clinic_id,

    -- attributes
    screens.escalation_trigger,
    screens.protocol,
    screens.item_9_value,
    screens.risk_level,

    -- what was done
    case when delivered.clinic_id is not null then answers.screen_key is not null end as is_escalated,
    case when delivered.clinic_id is not null then coalesce(answers.actions, 0) > 0 end as is_action_taken,
    case
        when answers.open_escalations > 0 then 'open'
        when answers.closed_escalations > 0 then 'closed'
    end as escalation_status,

    -- time
    screens.assessed_day,
    screens.minutes_from_session_start,
    answers.action_minutes
from {{ ref('int_screens') }} as screens
left join answers on screens.assessment_key = answers.screen_key
left join {{ ref('int_delivered_tables') }} as delivered
    on screens.clinic_id = delivered.clinic_id and delivered.table_name = 'escalation'
where screens.is_positive
