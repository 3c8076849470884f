-- The total of a questionnaire. It is the sum of its items when all of them are answered within their range; the
-- delivered total stands only where no item was answered. With an item missing there is no total: none is estimated.
with assessments as (

    select
        stg_assessments.assessment_key,
        stg_assessments.delivered_total,
        instruments.items,
        instruments.item_minimum,
        instruments.item_maximum
    from {{ ref('stg_assessments') }} as stg_assessments
    left join {{ ref('instruments') }} as instruments on stg_assessments.instrument = instruments.instrument

),

answers as (

    select
        assessments.assessment_key,
        count(answers.item_value) as items_answered,
        count(
            case
                when
                    answers.item_number <= assessments.items
                    and answers.item_value between assessments.item_minimum and assessments.item_maximum
                    then 1
            end
        ) as items_scored,
        sum(case when answers.item_number <= assessments.items then answers.item_value end) as items_total
    from assessments
    inner join {{ ref('stg_assessment_items') }} as answers on assessments.assessment_key = answers.assessment_key
    group by assessments.assessment_key

),

judged as (

    select
        assessments.assessment_key,
        assessments.delivered_total,
        answers.items_total,
        coalesce(answers.items_answered, 0) as items_answered,
        case
            when coalesce(answers.items_answered, 0) > 0 and assessments.items is null then 'no_scoring_rule'
            when answers.items_scored = assessments.items then 'from_items'
            when answers.items_answered > 0 then 'missing_item'
            when assessments.delivered_total is null then 'no_score'
            when assessments.delivered_total > assessments.items * assessments.item_maximum then 'total_out_of_range'
            else 'delivered_total'
        end as score_status
    from assessments
    left join answers on assessments.assessment_key = answers.assessment_key

)

select
    assessment_key,
    score_status,
    cast(items_answered as integer) as items_answered,
    cast(
        case score_status
            when 'from_items' then items_total
            when 'delivered_total' then delivered_total
        end as integer
    ) as total_score
from judged
