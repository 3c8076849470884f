{{ config(materialized='table') }}

-- The table of each axis: its categories by every term that anybody on it had, with those who had none of it as zero.
-- Elsewhere are the other categories of the axis; a person treated in two of them counts in each.
with treated as (

    select
        axis,
        category,
        count(*) as people_treated
    from {{ ref('int_signal_people') }}
    group by axis, category

),

counted as (

    select
        axis,
        category,
        term,
        count(*) as people_with_event
    from {{ ref('int_signal_events') }}
    group by axis, category, term

),

terms as (

    select distinct
        axis,
        term
    from counted

),

cells as (

    select
        treated.axis,
        treated.category,
        terms.term,
        coalesce(counted.people_with_event, 0) as people_with_event,
        treated.people_treated
    from treated
    inner join terms on treated.axis = terms.axis
    left join counted
        on treated.axis = counted.axis and treated.category = counted.category and terms.term = counted.term

)

select
    *,
    cast(sum(people_with_event) over (partition by axis, term) - people_with_event as bigint) as elsewhere_with_event,
    cast(sum(people_treated) over (partition by axis, term) - people_treated as bigint) as elsewhere_treated
from cells
