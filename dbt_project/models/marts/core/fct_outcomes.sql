-- Response, remission and the like of each pair of scores, by the thresholds in use. Fewer points are better in
-- every outcome instrument. A judgement is empty where a score is missing, the instrument has no such
-- threshold, or it could not come true: response from a baseline of zero, remission of a person in remission.
with pairs as (

    select
        *,
        score_total - baseline_total as change
    from {{ ref('int_outcome_pairs') }}

),

thresholds as (

    select * from {{ ref('int_instrument_thresholds') }}

),

judged as (

    select
        pairs.*,
        case
            when pairs.baseline_total > 0
                then -100 * pairs.change >= thresholds.response_percent * pairs.baseline_total
        end as is_response,
        case
            when pairs.baseline_total > 0
                then
                    -100 * pairs.change >= thresholds.partial_response_percent * pairs.baseline_total
                    and -100 * pairs.change < thresholds.response_percent * pairs.baseline_total
        end as is_partial_response,
        case
            when pairs.change is not null and pairs.baseline_total > thresholds.remission_maximum
                then pairs.score_total <= thresholds.remission_maximum
        end as is_remission,
        -pairs.change >= thresholds.meaningful_change_points as is_meaningful_improvement,
        pairs.change >= thresholds.meaningful_change_points as is_worse,
        -pairs.change >= thresholds.reliable_change_points as is_reliable_improvement,
        pairs.change >= thresholds.reliable_change_points as is_reliable_deterioration,
        case
            when pairs.change is not null and pairs.baseline_total > thresholds.end_state_maximum
                then
                    -pairs.change >= thresholds.reliable_change_points
                    and pairs.score_total <= thresholds.end_state_maximum
        end as is_clinically_significant
    from pairs
    left join thresholds on pairs.instrument = thresholds.instrument

)

select
    -- keys
    clinic_id,
    patient_key,
    course_key,
    instrument,
    time_point,
    baseline_assessment_key,
    assessment_key,

    -- scores
    cast(baseline_total as integer) as baseline_total,
    cast(score_total as integer) as score_total,
    cast(change as integer) as change,
    baseline_recall_window,
    recall_window,

    -- judgements
    is_due,
    change is not null as is_paired,
    is_response,
    is_partial_response,
    is_remission,
    is_meaningful_improvement,
    is_worse,
    is_reliable_improvement,
    is_reliable_deterioration,
    is_clinically_significant,
    recall_reaches_before_treatment,
    has_unassessable_score,

    -- time
    assessed_day,
    cast(days_since_start as integer) as days_since_start
from judged
