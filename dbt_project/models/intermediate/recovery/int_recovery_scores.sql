-- First and last score of each finished course, of the two questionnaires that NHS Talking Therapies pairs for PTSD. A
-- course is finished when it has ended, however, after two sessions or more. The first score is the baseline; the last
-- is the latest after the first session until two weeks after the last, or until another protocol began.
with finished as (

    select * from {{ ref('fct_index_courses') }}
    where
        disposition is not null
        and disposition not in ('ongoing', 'unmapped')
        and sessions_given >= 2
        and clinic_id in (
            select delivering.clinic_id from {{ ref('int_measure_clinics') }} as delivering
            where delivering.measure = 'nhs_finished_courses'
        )

),

thresholds as (

    select
        instrument,
        max(case when quantity = 'nhs_caseness_minimum' then value end) as caseness_minimum,
        max(case when quantity = 'nhs_reliable_change_points' then value end) as reliable_change_points
    from {{ ref('stg_instrument_thresholds') }}
    where is_used and instrument in ('{{ var("nhs_depression") }}', '{{ var("nhs_disorder") }}')
    group by instrument

),

last_scores as (

    select
        windows.course_key,
        scores.instrument,
        scores.total_score,
        row_number() over (
            partition by windows.course_key, scores.instrument
            order by
                scores.moment desc, scores.minutes_from_session_start desc nulls last, scores.assessment_key desc
        ) as preference
    from {{ ref('int_outcome_windows') }} as windows
    inner join {{ ref('int_scores') }} as scores
        on
            windows.patient_key = scores.patient_key
            and windows.first_session_day * 2 < scores.moment
            and windows.to_moment >= scores.moment
    where windows.time_point = 'course_end'

)

select
    finished.course_key,
    thresholds.instrument,
    thresholds.caseness_minimum,
    thresholds.reliable_change_points,
    baselines.total_score as first_total,
    last_scores.total_score as last_total
from finished
cross join thresholds
left join {{ ref('int_baselines') }} as baselines
    on finished.course_key = baselines.course_key and thresholds.instrument = baselines.instrument
left join last_scores
    on
        finished.course_key = last_scores.course_key
        and thresholds.instrument = last_scores.instrument
        and last_scores.preference = 1
