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

{{ figures('reach', [['reached_session_share', 'has_reached', 'is_known']]) }}
union all
{{ figures('courses', [
    ['course_completed_share', 'has_completed', 'has_ended'],
    ['four_sessions_within_28_days_share', 'has_four', 'is_due_four'],
    ['six_sessions_within_28_days_share', 'has_six', 'is_due_six'],
]) }}
union all
{{ figures('assessments', [
    ['weekly_assessment_share', 'weeks_assessed', 'weeks_due'],
    ['assessment_gap_over_10_days_share', 'has_gap', 'could_have_gap'],
]) }}
