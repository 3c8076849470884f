-- How long a response at the end of an index course is known to have lasted. Time zero is the day of that score.
-- Response is lost with the first later score that is no response against the same baseline, on whatever form. Watching
-- ends with the last day the export has watched the person, the day the clinic ended observation, or the first
-- session under another protocol; later sessions under the same protocol, as in maintenance, do not end it. Somebody
-- watched for long after the last score is not known to be in response: so two times are given, to the last day watched
-- and to the last score.
with responders as (

    select
        outcomes.clinic_id,
        outcomes.patient_key,
        outcomes.course_key,
        outcomes.instrument,
        outcomes.baseline_total,
        outcomes.score_total,
        outcomes.assessed_day as responded_day,
        scores.moment as responded_moment,
        thresholds.response_percent
    from {{ ref('fct_outcomes') }} as outcomes
    inner join {{ ref('int_scores') }} as scores on outcomes.assessment_key = scores.assessment_key
    inner join {{ ref('int_instrument_thresholds') }} as thresholds on outcomes.instrument = thresholds.instrument
    where outcomes.time_point = 'course_end' and outcomes.is_due and outcomes.is_response

),

courses as (

    select * from {{ ref('fct_index_courses') }}

),

watch_ends as (

    select * from {{ ref('int_watch_ends') }}

),

later as (

    select
        responders.course_key,
        responders.instrument,
        max(scores.assessed_day) as last_score_day,
        min(
            case
                when
                    100 * (responders.baseline_total - scores.total_score)
                    < responders.response_percent * responders.baseline_total
                    then scores.assessed_day
            end
        ) as loss_day
    from responders
    inner join {{ ref('int_scores') }} as scores
        on
            responders.patient_key = scores.patient_key
            and responders.instrument = scores.instrument
            and responders.responded_moment < scores.moment
    left join watch_ends on responders.course_key = watch_ends.course_key
    where coalesce(scores.moment <= watch_ends.last_moment, true)
    group by responders.course_key, responders.instrument

),

-- A last day watched before the score itself contradicts it: then the person is watched for no day.
followed as (

    select
        responders.*,
        later.loss_day,
        coalesce(later.last_score_day, responders.responded_day) as last_score_day,
        greatest(
            responders.responded_day,
            coalesce(watch_ends.last_day, later.last_score_day, responders.responded_day)
        ) as watched_through_day,
        coalesce(watch_ends.reason, 'last_score') as watch_end_reason
    from responders
    left join later
        on responders.course_key = later.course_key and responders.instrument = later.instrument
    left join watch_ends on responders.course_key = watch_ends.course_key

)

select
    -- keys
    followed.clinic_id,
    followed.patient_key,
    followed.course_key,
    followed.instrument,

    -- attributes
    courses.protocol,
    courses.trial_arm,

    -- scores
    followed.baseline_total,
    followed.score_total,

    -- durability
    followed.loss_day is not null as is_lost,
    case when followed.loss_day is null then followed.watch_end_reason end as censoring_reason,
    cast(coalesce(followed.loss_day, followed.watched_through_day) - followed.responded_day as integer)
        as days_observed_through,
    cast(coalesce(followed.loss_day, followed.last_score_day) - followed.responded_day as integer)
        as days_to_last_score,

    -- time
    followed.responded_day,
    cast(followed.loss_day as integer) as loss_day,
    cast(followed.last_score_day as integer) as last_score_day,
    cast(followed.watched_through_day as integer) as watched_through_day
from followed
inner join courses on followed.course_key = courses.course_key
