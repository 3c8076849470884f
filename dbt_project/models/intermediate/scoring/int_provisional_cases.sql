-- Whether a questionnaire meets its instrument's provisional rule: enough symptoms in each cluster that the rule names.
-- Known only where every item of these clusters is.
select
    assessment_key,
    case when count(*) = count(symptoms_present) then bool_and(symptoms_present >= symptoms_needed) end
        as is_provisional_case
from {{ ref('int_cluster_scores') }}
where symptoms_needed is not null
group by assessment_key
