-- Baseline is the last answer before the first session (under the protocol); later are those after it (while the last
-- session was under it). Emergent is a kind of worsened.
with treated as (

    select
        clinic_id,
        patient_key,
        category as protocol,
        2 * first_session_day as start_moment
    from {{ ref('int_treated_patients') }}
    where dimension in ('', 'protocol')

),

ranked as (

    select
        treated.patient_key,
        treated.protocol,
        screens.item_9_value,
        screens.risk_height,
        screens.moment > treated.start_moment as is_later,
        row_number() over (
            partition by
                treated.patient_key, treated.protocol, screens.instrument, screens.moment > treated.start_moment
            order by
                screens.moment desc, screens.minutes_from_session_start desc nulls last, screens.assessment_key desc
        ) as recency
    from treated
    inner join {{ ref('int_screens') }} as screens on treated.patient_key = screens.patient_key
    where
        screens.moment <= treated.start_moment
        or treated.protocol = ''
        or treated.protocol = screens.protocol

),

answers as (

    select
        patient_key,
        protocol,
        max(case when recency = 1 and not is_later then item_9_value end) as baseline_item_9,
        max(case when is_later then item_9_value end) as worst_item_9,
        max(case when recency = 1 and is_later then item_9_value end) as last_item_9,
        max(case when recency = 1 and not is_later then risk_height end) as baseline_height,
        max(case when is_later then risk_height end) as worst_height
    from ranked
    group by patient_key, protocol

)

select
    -- keys
    treated.patient_key,
    treated.clinic_id,

    -- attributes
    treated.protocol,

    -- answers
    answers.baseline_item_9,
    answers.worst_item_9,
    answers.last_item_9,
    case answers.baseline_height when 3 then 'high' when 2 then 'moderate' when 1 then 'low' when 0 then 'none' end
        as baseline_risk_level,
    case answers.worst_height when 3 then 'high' when 2 then 'moderate' when 1 then 'low' when 0 then 'none' end
        as worst_risk_level,

    -- judgements
    answers.baseline_item_9 is not null and answers.worst_item_9 is not null as is_assessed,
    answers.baseline_item_9 > 0 as has_baseline_ideation,
    case when answers.baseline_item_9 = 0 then answers.worst_item_9 > 0 end as is_emergent,
    answers.worst_item_9 > answers.baseline_item_9 as is_worsened,
    case when answers.baseline_item_9 > 0 then answers.last_item_9 = 0 end as is_resolved
from treated
left join answers on treated.patient_key = answers.patient_key and treated.protocol = answers.protocol
