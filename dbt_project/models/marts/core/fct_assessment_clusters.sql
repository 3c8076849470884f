select
    -- keys
    clusters.assessment_key,
    assessments.patient_key,
    assessments.clinic_id,
    clusters.instrument,
    clusters.cluster,

    -- score
    clusters.items,
    clusters.items_answered,
    clusters.cluster_total,
    clusters.symptoms_present,
    clusters.symptoms_needed
from {{ ref('int_cluster_scores') }} as clusters
inner join {{ ref('stg_assessments') }} as assessments on clusters.assessment_key = assessments.assessment_key
