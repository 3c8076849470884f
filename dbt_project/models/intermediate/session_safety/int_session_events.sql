-- An event was still there at discharge when it began before then and no record says that it had ended by then: without
-- an end it had not. Discharge is at the end of the recovery time after the infusion. Where the length of an infusion
-- is not recorded, that is the earliest it can have been, and an event with a recorded end is not judged.
with sessions as (

    select
        session_key,
        session_day,
        discharge_minutes,
        recovery_minutes + coalesce(infusion_minutes, 0) as earliest_discharge_minutes
    from {{ ref('fct_sessions') }}

),

events as (

    select * from {{ ref('fct_adverse_events') }}
    where session_key is not null

)

select
    sessions.session_key,
    cast(count(*) as integer) as events,
    cast(count(
        case
            when events.onset_minutes is null or events.onset_minutes >= sessions.earliest_discharge_minutes then null
            when events.end_minutes is not null
                then case when events.end_minutes > sessions.discharge_minutes then 1 end
            when events.end_day is not null then case when events.end_day > sessions.session_day then 1 end
            when sessions.earliest_discharge_minutes is not null then 1
        end
    ) as integer) as events_at_discharge
from events
inner join sessions on events.session_key = sessions.session_key
group by sessions.session_key
