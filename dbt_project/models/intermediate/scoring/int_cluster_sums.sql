-- Exact sums of each cluster's change over the people of whom it is known before and after, by clinic and group.
select
    people.clinic_id,
    people.instrument,
    people.time_point,
    people.dimension,
    people.category,
    befores.cluster,
    count(*) as paired,
    sum(afters.cluster_total - befores.cluster_total) as change_sum
from {{ ref('int_outcome_people') }} as people
inner join {{ ref('int_cluster_scores') }} as befores on people.baseline_assessment_key = befores.assessment_key
inner join {{ ref('int_cluster_scores') }} as afters
    on people.assessment_key = afters.assessment_key and befores.cluster = afters.cluster
where
    people.is_due
    and people.time_point in ('course_end', 'last')
    and befores.cluster_total is not null
    and afters.cluster_total is not null
group by
    people.clinic_id, people.instrument, people.time_point, people.dimension, people.category, befores.cluster
