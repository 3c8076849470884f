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
    sessions.drug,
    sessions.dose_mg,
    sessions.dose_mg_per_kg,
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
    sessions.service_period
from sessions
left join courses on sessions.course_key = courses.course_key
