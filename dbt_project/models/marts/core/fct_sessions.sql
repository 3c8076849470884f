with sessions as (

    select * from {{ ref('stg_sessions') }}

),

courses as (

    select * from {{ ref('stg_courses') }}

)

select
    -- keys
    sessions.session_key,
    sessions.patient_key,
    sessions.course_key,
    sessions.site_key,
    sessions.organisation_key,
    sessions.clinic_id,

    -- attributes
    courses.protocol,
    courses.trial_arm,
    sessions.sequence_number,
    -- Beyond the twelfth together: few courses come so far.
    case when sessions.sequence_number > 12 then '13_or_more' else cast(sessions.sequence_number as varchar) end
        as session_of_course,
    sessions.drug,
    sessions.dose_mg,
    sessions.dose_mg_per_kg,
    case
        when sessions.drug <> 'ketamine' then null
        when sessions.dose_mg_per_kg is null then 'not_recorded'
        when sessions.dose_mg_per_kg < 0.4 then 'under_0_4'
        when sessions.dose_mg_per_kg < 0.6 then 'from_0_4'
        when sessions.dose_mg_per_kg <= 1 then 'from_0_6'
        else 'over_1_0'
    end as dose_band,
    sessions.route,
    sessions.monitored,

    -- blood pressure
    sessions.systolic_before_mmhg,
    sessions.diastolic_before_mmhg,
    sessions.systolic_peak_mmhg,
    sessions.diastolic_peak_mmhg,
    sessions.systolic_discharge_mmhg,
    sessions.diastolic_discharge_mmhg,

    -- time
    sessions.session_day,
    sessions.infusion_minutes,
    sessions.recovery_minutes,
    cast(
        case
            when
                sessions.infusion_minutes is not null
                or sessions.route not in ('intravenous', 'subcutaneous', 'other', 'unmapped')
                then sessions.recovery_minutes + coalesce(sessions.infusion_minutes, 0)
        end as decimal(9, 2)
    ) as discharge_minutes,
    sessions.service_period
from sessions
left join courses on sessions.course_key = courses.course_key
