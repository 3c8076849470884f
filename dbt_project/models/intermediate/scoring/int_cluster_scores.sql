{{ config(materialized='table') }}

-- Clusters of a questionnaire's items. A cluster with an item missing has neither a total nor a number of symptoms; nor
-- has any of a questionnaire whose delivered total contradicts its items.
with clusters as (

    select
        assessment_key,
        instrument,
        cluster,
        count(*) as items,
        count(item_value) as items_answered,
        count(case when answer_status = 'missing' then 1 end) as items_missing,
        sum(item_value) as items_sum,
        count(case when item_value >= symptom_from then 1 end) as symptoms
    from {{ ref('int_item_answers') }}
    where cluster <> ''
    group by assessment_key, instrument, cluster

),

judged as (

    select
        clusters.*,
        described.symptoms_needed,
        clusters.items_missing = 0 and scores.score_status <> 'contradicted' as is_known
    from clusters
    inner join {{ ref('int_assessment_scores') }} as scores on clusters.assessment_key = scores.assessment_key
    inner join {{ ref('stg_instrument_clusters') }} as described
        on clusters.instrument = described.instrument and clusters.cluster = described.cluster

)

select
    assessment_key,
    instrument,
    cluster,
    symptoms_needed,
    cast(items as integer) as items,
    cast(items_answered as integer) as items_answered,
    cast(case when is_known then items_sum end as integer) as cluster_total,
    cast(case when is_known and symptoms_needed is not null then symptoms end as integer) as symptoms_present
from judged
