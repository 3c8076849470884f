{{ config(materialized='table') }}

-- The total of a questionnaire. It is the sum of its items when all of them are answered within their range; the
-- delivered total stands only where no item was answered. With an item missing there is no total, unless the instrument's
-- file lets some be missing: then the answered ones are prorated and the status says so. Where a delivered total
-- contradicts the items there is none: it is not known which is wrong. In an instrument scored by domains, each counts by
-- its highest item.
with assessments as (

    select
        stg_assessments.assessment_key,
        stg_assessments.instrument,
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

    select * from {{ ref('stg_instrument_items') }}

),

sizes as (

    select
        instrument,
        count(case when is_scored then 1 end) as scored_items,
        count(distinct case when is_scored then domain end) as domains
    from items
    group by instrument

),

answers as (

    select
        assessments.assessment_key,
        assessments.scoring,
        items.domain,
        items.is_scored,
        answers.item_value,
        items.is_scored and answers.item_value between items.item_minimum and items.item_maximum as counts
    from assessments
    inner join {{ ref('stg_assessment_items') }} as answers on assessments.assessment_key = answers.assessment_key
    left join items on assessments.instrument = items.instrument and answers.item_number = items.item_number

),

answered as (

    select
        assessment_key,
        count(item_value) as items_answered,
        count(case when counts then 1 end) as items_scored,
        sum(case when counts then item_value end) as items_total
    from answers
    group by assessment_key

),

domains as (

    select
        assessment_key,
        count(*) as domains_scored,
        sum(domain_value) as domains_total
    from (
        select
            assessment_key,
            domain,
            max(item_value) as domain_value
        from answers
        where counts and scoring = 'domain_maximum'
        group by assessment_key, domain
    ) as highest
    group by assessment_key

),

judged as (

    select
        assessments.*,
        coalesce(answered.items_answered, 0) as items_answered,
        case
            when assessments.scoring = 'domain_maximum' then domains.domains_total
            when answered.items_scored < sizes.scored_items
                then round(cast(answered.items_total as decimal(18, 4)) * sizes.scored_items / answered.items_scored)
            else answered.items_total
        end as items_total,
        case
            when assessments.scoring = 'domain_maximum' then domains.domains_scored = sizes.domains
            else answered.items_scored = sizes.scored_items
        end as is_complete,
        assessments.scoring <> 'domain_maximum'
        and sizes.scored_items - answered.items_scored <= assessments.most_missing_items as is_prorated
    from assessments
    left join sizes on assessments.instrument = sizes.instrument
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
            when items_answered > 0 and is_prorated then 'prorated'
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
