-- The provisional diagnosis of the people of each clinic and group: before treatment of all treated, whenever they were
-- last watched (no time point), and afterwards of those who are due.
with people as (

    select
        outcomes.*,
        befores.is_provisional_case as was_provisional_case,
        afters.is_provisional_case
    from {{ ref('int_outcome_people') }} as outcomes
    left join {{ ref('int_provisional_cases') }} as befores
        on outcomes.baseline_assessment_key = befores.assessment_key
    left join {{ ref('int_provisional_cases') }} as afters on outcomes.assessment_key = afters.assessment_key
    where outcomes.time_point in ('course_end', 'last')

)

select
    clinic_id,
    instrument,
    '' as time_point,
    dimension,
    category,
    count(*) as treated,
    count(was_provisional_case) as with_items,
    count(case when was_provisional_case then 1 end) as provisional_cases,
    cast(null as bigint) as judged_lost,
    cast(null as bigint) as lost
from people
where time_point = 'last'
group by clinic_id, instrument, dimension, category
union all
select
    clinic_id,
    instrument,
    time_point,
    dimension,
    category,
    cast(null as bigint) as treated,
    cast(null as bigint) as with_items,
    cast(null as bigint) as provisional_cases,
    count(case when was_provisional_case then is_provisional_case end) as judged_lost,
    count(case when was_provisional_case and not is_provisional_case then 1 end) as lost
from people
where is_due
group by clinic_id, instrument, time_point, dimension, category
