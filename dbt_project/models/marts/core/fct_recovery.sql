-- Recovery as NHS Talking Therapies defines it: at caseness on either questionnaire at first, on neither at last;
-- reliable where one improved by its threshold or more and neither got worse by as much. A course of which both first
-- scores are below caseness is not in the denominator of recovery; one with scores missing is, and has not recovered.
with judged as (

    select
        course_key,
        coalesce(bool_or(first_total >= caseness_minimum), false) as was_at_caseness,
        count(first_total) = 2 and bool_and(first_total < caseness_minimum) as was_not_at_caseness,
        count(last_total) = 2 and bool_and(last_total < caseness_minimum) as is_below_caseness,
        count(first_total) = 2 and count(last_total) = 2 as is_paired,
        coalesce(bool_or(first_total - last_total >= reliable_change_points), false) as has_improved,
        coalesce(bool_or(last_total - first_total >= reliable_change_points), false) as has_worsened,
        max(case when instrument = '{{ var("nhs_depression") }}' then first_total end) as first_depression_total,
        max(case when instrument = '{{ var("nhs_depression") }}' then last_total end) as last_depression_total,
        max(case when instrument = '{{ var("nhs_disorder") }}' then first_total end) as first_disorder_total,
        max(case when instrument = '{{ var("nhs_disorder") }}' then last_total end) as last_disorder_total
    from {{ ref('int_recovery_scores') }}
    group by course_key

)

select
    -- keys
    judged.course_key,
    courses.patient_key,
    courses.clinic_id,

    -- attributes
    courses.protocol,

    -- scores
    cast(judged.first_depression_total as integer) as first_depression_total,
    cast(judged.last_depression_total as integer) as last_depression_total,
    cast(judged.first_disorder_total as integer) as first_disorder_total,
    cast(judged.last_disorder_total as integer) as last_disorder_total,

    -- judgements
    judged.is_paired,
    judged.was_at_caseness,
    judged.was_not_at_caseness,
    judged.was_at_caseness and judged.is_below_caseness as is_recovered,
    judged.has_improved and not judged.has_worsened as is_reliably_improved,
    judged.has_worsened and not judged.has_improved as is_reliably_deteriorated,
    judged.was_at_caseness and judged.is_below_caseness and judged.has_improved and not judged.has_worsened
        as is_reliably_recovered
from judged
inner join {{ ref('fct_index_courses') }} as courses on judged.course_key = courses.course_key
