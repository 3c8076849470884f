{{ config(materialized='table') }}

-- The actuarial life table of response, a row a week. Who stops being watched in a week counts half in it. A row is
-- there for as long as somebody is at risk.
with recursive curve_days as (

    select * from {{ ref('int_survival_days') }}

),

curves as (

    select distinct
        curve,
        clinic_id,
        instrument,
        dimension,
        category,
        censoring_rule
    from curve_days

),

weeks as (

    select * from {{ ref('life_table_weeks') }}

),

-- Day 0 is of the first week.
counted as (

    select
        curve_days.curve,
        weeks.week_number,
        sum(curve_days.events) as events,
        sum(curve_days.censored) as censored
    from curve_days
    inner join weeks
        on
            curve_days.days_since_response <= weeks.to_day
            and (
                curve_days.days_since_response >= weeks.from_day
                or (curve_days.days_since_response = 0 and weeks.week_number = 1)
            )
    group by curve_days.curve, weeks.week_number

),

totals as (

    select
        curve,
        max(at_risk) as people
    from curve_days
    group by curve

),

rows_of_table as (

    select
        totals.curve,
        weeks.week_number,
        weeks.time_point,
        coalesce(counted.events, 0) as events,
        coalesce(counted.censored, 0) as censored,
        totals.people - coalesce(
            sum(counted.events + counted.censored) over (
                partition by totals.curve order by weeks.week_number rows between unbounded preceding and 1 preceding
            ), 0
        ) as at_risk,
        coalesce(
            sum(counted.events) over (partition by totals.curve order by weeks.week_number rows unbounded preceding), 0
        ) as events_so_far
    from totals
    cross join weeks
    left join counted on totals.curve = counted.curve and weeks.week_number = counted.week_number

),

-- Week by week in their order, so that the same people give the same digits.
folded as (

    select
        curve,
        0 as week_number,
        cast(1 as double) as survival
    from totals
    union all
    select
        rows_of_table.curve,
        rows_of_table.week_number,
        -- 1 - events / (at risk - censored / 2)
        folded.survival
        * cast(2 * (rows_of_table.at_risk - rows_of_table.events) - rows_of_table.censored as double)
        / (2 * rows_of_table.at_risk - rows_of_table.censored) as survival
    from folded
    inner join rows_of_table
        on folded.curve = rows_of_table.curve and folded.week_number + 1 = rows_of_table.week_number
    where rows_of_table.at_risk > 0

)

select
    curves.clinic_id,
    curves.instrument,
    curves.dimension,
    curves.category,
    curves.censoring_rule,
    rows_of_table.time_point,
    rows_of_table.week_number,
    cast(rows_of_table.at_risk as bigint) as at_risk,
    cast(rows_of_table.events as bigint) as events,
    cast(rows_of_table.censored as bigint) as censored,
    cast(rows_of_table.events_so_far as bigint) as events_so_far,
    folded.survival
from folded
inner join rows_of_table on folded.curve = rows_of_table.curve and folded.week_number = rows_of_table.week_number
inner join curves on folded.curve = curves.curve
