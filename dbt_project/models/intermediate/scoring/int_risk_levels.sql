-- Level of risk of a screener that has levels instead of a total: the highest that an answer gives. With an item
-- missing it is known only where it is high, than which there is nothing higher. An item blank by design is not
-- missing.
with levels as (

    select
        *,
        case risk_level when 'high' then 3 when 'moderate' then 2 else 1 end as height
    from {{ ref('stg_instrument_risk_levels') }}

),

screened as (

    select
        items.assessment_key,
        bool_or(items.answer_status = 'missing') as has_missing_item,
        coalesce(max(case when items.item_value > 0 then levels.height end), 0) as height
    from {{ ref('int_item_answers') }} as items
    inner join levels on items.instrument = levels.instrument and items.item_number = levels.item_number
    group by items.assessment_key

)

select
    assessment_key,
    case
        when height = 3 then 'high'
        when has_missing_item then null
        when height = 2 then 'moderate'
        when height = 1 then 'low'
        else 'none'
    end as risk_level
from screened
