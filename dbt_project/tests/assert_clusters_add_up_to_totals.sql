-- Where every item of an instrument lies in a cluster, the clusters of a questionnaire add up to its total.
with clustered as (

    select instrument
    from {{ ref('stg_instrument_items') }}
    where is_scored
    group by instrument
    having count(*) = count(nullif(cluster, ''))

),

sums as (

    select
        assessment_key,
        sum(cluster_total) as clusters_total
    from {{ ref('fct_assessment_clusters') }}
    where instrument in (select clustered.instrument from clustered)
    group by assessment_key

)

select sums.assessment_key
from sums
inner join {{ ref('fct_assessments') }} as assessments on sums.assessment_key = assessments.assessment_key
where assessments.score_status = 'from_items' and sums.clusters_total is distinct from assessments.total_score
