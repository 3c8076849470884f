-- How far courses got, how fast, and how regularly people were assessed in them. By session number, of the study
-- population; otherwise by protocol.
with reach as (

    select
        clinic_id,
        patient_key,
        'session_number' as dimension,
        case when session_number = 7 then '7_or_more' else cast(session_number as varchar) end as category,
        case when is_reached or is_over then 1 else 0 end as is_known,
        case when is_reached then 1 else 0 end as has_reached
    from {{ ref('int_session_reach') }}
    where protocol = '{{ var("study_protocol") }}' and session_number <= 7

),

courses as (

    select
        clinic_id,
        patient_key,
        'protocol' as dimension,
        protocol as category,
        case when is_over then 1 else 0 end as has_ended,
        case when is_completed then 1 else 0 end as has_completed,
        case when is_due_four then 1 else 0 end as is_due_four,
        case when is_due_four and days_to_fourth_session <= 28 then 1 else 0 end as has_four,
        case when is_due_six then 1 else 0 end as is_due_six,
        case when is_due_six and days_to_sixth_session <= 28 then 1 else 0 end as has_six
    from {{ ref('int_course_progress') }}

),

assessments as (

    select
        *,
        'protocol' as dimension,
        protocol as category
    from {{ ref('int_course_assessments') }}

)

{{ figure('reached_session_share', 'reach', numerator='has_reached', denominator='is_known') }}
union all
{{ figure('course_completed_share', 'courses', numerator='has_completed', denominator='has_ended') }}
union all
{{ figure('four_sessions_within_28_days_share', 'courses', numerator='has_four', denominator='is_due_four') }}
union all
{{ figure('six_sessions_within_28_days_share', 'courses', numerator='has_six', denominator='is_due_six') }}
union all
{{ figure('weekly_assessment_share', 'assessments', numerator='weeks_assessed', denominator='weeks_due') }}
union all
{{ figure('assessment_gap_over_10_days_share', 'assessments', numerator='has_gap', denominator='could_have_gap') }}
