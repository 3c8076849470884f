{%- set told_of_all_time_points = ['protocol', 'trial_arm'] -%}
{%- set told_of_strata = ['course_end', 'last'] -%}
{%- set columns = [
    'instrument', 'time_point', 'baseline_assessment_key', 'assessment_key', 'baseline_total', 'score_total', 'change',
    'baseline_recall_window', 'recall_window', 'is_due', 'is_paired', 'is_response', 'is_partial_response',
    'is_remission', 'is_meaningful_improvement', 'is_worse',
    'is_reliable_improvement', 'is_reliable_deterioration', 'is_clinically_significant',
    'recall_reaches_before_treatment',
] %}

-- Pairs of scores of the people of each group: by protocol and trial arm at every time point, by stratum at the end of
-- the course and at the last score. First to last is of everybody.
select
    outcomes.clinic_id,
    outcomes.patient_key,
    outcomes.course_key,
    {%- for column in columns %}
    outcomes.{{ column }},
    {%- endfor %}
    strata.dimension,
    strata.category,
    courses.is_completed,
    outcomes.has_unassessable_score and outcomes.score_total is null as is_not_assessable
from {{ ref('fct_outcomes') }} as outcomes
inner join {{ ref('int_strata') }} as strata on outcomes.course_key = strata.course_key
inner join {{ ref('fct_index_courses') }} as courses on outcomes.course_key = courses.course_key
where
    strata.dimension in {{ quoted(told_of_all_time_points) }}
    or outcomes.time_point in {{ quoted(told_of_strata) }}
union all
select
    outcomes.clinic_id,
    outcomes.patient_key,
    outcomes.course_key,
    {%- for column in columns %}
    outcomes.{{ column }},
    {%- endfor %}
    '' as dimension,
    '' as category,
    cast(null as boolean) as is_completed,
    false as is_not_assessable
from {{ ref('fct_outcomes') }} as outcomes
where outcomes.course_key is null
