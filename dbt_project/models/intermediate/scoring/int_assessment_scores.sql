{{ config(materialized='table') }}

-- The total of a questionnaire. It is the sum of its items when none is missing; the delivered total stands only where
-- no item was answered. With an item missing there is no total, unless the instrument's file lets some be missing: then
-- the answered ones are prorated and the status says so. Where a delivered total contradicts the items there is none:
-- it is not known which is wrong. In an instrument scored by domains, each counts by its highest item.
with assessments as (

    select
        stg_assessments.assessment_key,
        stg_assessments.delivered_total,
        instruments.has_total,
        instruments.scoring,
        instruments.total_minimum,
        instruments.total_maximum,
        instruments.most_missing_items
    from {{ ref('stg_assessments') }} as stg_assessments
    left join {{ ref('stg_instruments') }} as instruments on stg_assessments.instrument = instruments.instrument

),

items as (

    select * from {{ ref('int_item_answers') }}

),

answered as (

    select
        assessment_key,
        count(item_value) as items_answered,
        count(case when is_scored then 1 end) as scored_items,
        count(case when is_scored then item_value end) as scored_answers,
        count(case when is_scored and answer_status = 'missing' then 1 end) as items_missing,
        sum(case when is_scored then item_value end) as items_sum
    from items
    group by assessment_key

),

domains as (

    select
        assessment_key,
        sum(domain_value) as domains_sum
    from (
        select
            items.assessment_key,
            items.domain,
            max(items.item_value) as domain_value
        from items
        inner join {{ ref('stg_instruments') }} as instruments on items.instrument = instruments.instrument
        where instruments.scoring = 'domain_maximum' and items.is_scored
        group by items.assessment_key, items.domain
    ) as highest
    group by assessment_key

),

judged as (

    select
        assessments.*,
        coalesce(answered.items_answered, 0) as items_answered,
        case
            when assessments.scoring = 'domain_maximum' then domains.domains_sum
            when answered.items_missing > 0
                then round(cast(answered.items_sum as decimal(18, 4)) * answered.scored_items / answered.scored_answers)
            else answered.items_sum
        end as items_total,
        answered.scored_answers > 0 and answered.items_missing = 0 as is_complete,
        assessments.scoring <> 'domain_maximum'
        and answered.scored_answers > 0
        and answered.items_missing <= assessments.most_missing_items as is_prorated
    from assessments
    left join answered on assessments.assessment_key = answered.assessment_key
    left join domains on assessments.assessment_key = domains.assessment_key

),

statuses as (

    select
        *,
        case
            when has_total is not true then 'no_total'
            when is_complete and delivered_total <> items_total then 'contradicted'
            when is_complete then 'from_items'
            when is_prorated then 'prorated'
            when items_answered > 0 then 'missing_item'
            when delivered_total is null then 'no_score'
            when delivered_total not between total_minimum and total_maximum then 'total_out_of_range'
            else 'delivered_total'
        end as score_status
    from judged

)

select
    assessment_key,
    score_status,
    cast(items_answered as integer) as items_answered,
    cast(
        case
            when score_status in ('from_items', 'prorated') then items_total
            when score_status = 'delivered_total' then delivered_total
        end as integer
    ) as total_score
from statuses
