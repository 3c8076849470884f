-- What a session's records say of its safety. A judgement is empty where what it needs was not recorded: it is then in
-- no numerator and no denominator. What was not recorded is never taken as safe.
with sessions as (

    select * from {{ ref('fct_sessions') }}

),

bands as (

    select * from {{ ref('protocol_dose_bands') }}

),

prepared as (

    select
        *,
        {{ reaches_hypertension('systolic_before_mmhg', 'diastolic_before_mmhg') }} as is_hypertensive_before,
        {{ reaches_hypertension('systolic_peak_mmhg', 'diastolic_peak_mmhg') }} as is_hypertensive_at_peak,
        {{ reaches_hypertension('systolic_discharge_mmhg', 'diastolic_discharge_mmhg') }}
            as is_hypertensive_at_discharge,
        systolic_before_mmhg + diastolic_before_mmhg + systolic_peak_mmhg + diastolic_peak_mmhg is not null
            as is_pressure_recorded,
        coalesce(
            systolic_before_mmhg, diastolic_before_mmhg, systolic_peak_mmhg, diastolic_peak_mmhg,
            systolic_discharge_mmhg, diastolic_discharge_mmhg
        ) is not null as has_any_pressure,
        {{ ctcae_pressure_grade('systolic_before_mmhg', 'diastolic_before_mmhg') }} as pressure_grade_before,
        {{ ctcae_pressure_grade('systolic_peak_mmhg', 'diastolic_peak_mmhg') }} as pressure_grade_peak,
        -- A route that is not known is taken to be that of the protocol.
        nullif(route, 'unmapped') as known_route
    from sessions

),

judged as (

    select
        *,
        case when is_pressure_recorded then systolic_peak_mmhg - systolic_before_mmhg end as systolic_rise_mmhg,
        case when is_pressure_recorded then diastolic_peak_mmhg - diastolic_before_mmhg end as diastolic_rise_mmhg,
        case when is_pressure_recorded then is_hypertensive_at_peak and not is_hypertensive_before end
            as is_hypertension_165_100,
        case when is_pressure_recorded then pressure_grade_peak > pressure_grade_before end as is_hypertension_grade,
        case
            when
                drug in {{ quoted(var('infusion_target_drugs')) }}
                and coalesce(known_route, 'intravenous') = 'intravenous'
                then
                    abs(infusion_minutes - {{ var('infusion_target_minutes') }})
                    <= {{ var('infusion_tolerance_minutes') }}
        end as is_infusion_on_target,
        recovery_minutes < {{ var('recovery_target_minutes') }} as is_recovery_short,
        is_hypertensive_at_discharge and not is_hypertensive_before as is_hypertension_at_discharge
    from prepared

),

doses as (

    select
        prepared.session_key,
        case when bands.unit = 'mg' then prepared.dose_mg else prepared.dose_mg_per_kg end
        not between bands.lowest and bands.highest as is_dose_outside_band
    from prepared
    inner join bands
        on
            prepared.protocol = bands.protocol
            and prepared.drug = bands.drug
            and coalesce(prepared.known_route, bands.route, '') = coalesce(bands.route, prepared.known_route, '')

)

select
    -- keys
    judged.session_key,
    judged.patient_key,
    judged.course_key,
    judged.clinic_id,

    -- attributes
    judged.protocol,
    judged.trial_arm,
    judged.drug,
    judged.session_of_course,

    -- blood pressure
    judged.is_pressure_recorded,
    judged.systolic_rise_mmhg,
    judged.diastolic_rise_mmhg,
    case when judged.is_pressure_recorded then judged.systolic_peak_mmhg end as systolic_peak_mmhg,
    judged.pressure_grade_before,
    judged.pressure_grade_peak,
    judged.is_hypertension_165_100,
    judged.systolic_rise_mmhg >= {{ var('hypertension_rise_systolic_mmhg') }}
    or judged.diastolic_rise_mmhg >= {{ var('hypertension_rise_diastolic_mmhg') }} as is_hypertension_rise,
    judged.is_hypertension_grade,

    -- infusion, dose and discharge
    judged.is_infusion_on_target,
    doses.is_dose_outside_band,
    judged.is_recovery_short,
    judged.is_hypertension_at_discharge,
    coalesce(events.events_at_discharge, 0) as events_at_discharge,
    case
        when judged.recovery_minutes is not null
            then
                judged.is_recovery_short
                or judged.is_hypertension_at_discharge
                or coalesce(events.events_at_discharge, 0) > 0
    end as is_discharged_before_ready,

    -- dissociation
    dissociation.cadss_before,
    dissociation.cadss_40_minutes,
    dissociation.cadss_120_minutes,
    dissociation.cadss_6_before,
    dissociation.cadss_6_40_minutes,
    dissociation.cadss_6_120_minutes,
    -- Both scores are of one form: the two have different totals.
    coalesce(
        dissociation.cadss_120_minutes <= dissociation.cadss_before,
        dissociation.cadss_6_120_minutes <= dissociation.cadss_6_before
    ) as is_dissociation_passed,

    -- records
    not judged.has_any_pressure
    and judged.recovery_minutes is null
    and coalesce(judged.monitored not in ('yes', 'no'), true)
    and events.session_key is null
    and dissociation.session_key is null as is_without_safety_record
from judged
left join doses on judged.session_key = doses.session_key
left join {{ ref('int_session_events') }} as events on judged.session_key = events.session_key
left join {{ ref('int_session_dissociation') }} as dissociation on judged.session_key = dissociation.session_key
