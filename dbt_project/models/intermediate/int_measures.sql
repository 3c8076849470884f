{{ config(materialized='table') }}

-- Every measure with its words. Those of questionnaires are made for each instrument and time point; one that needs a
-- threshold exists only where the instrument has it, and names the set in use.
with written as (

    select
        measures.measure,
        measures.section,
        measures.sort_order,
        measures.label,
        measures.figure_type,
        measures.unit,
        measures.contributors,
        {{ with_settings('measures.definition') }} as definition,
        '' as instrument,
        '' as time_point,
        '' as time_point_label,
        cast(null as integer) as interval_number,
        measures.measure as quantity,
        coalesce(measures.completeness_measure, '') as completeness_measure,
        {{ with_settings('measures.numerator_definition') }} as numerator_definition,
        coalesce({{ with_settings('measures.denominator_definition') }}, '') as denominator_definition,
        measures.time_window,
        coalesce(thresholds.threshold_set, '') as threshold_set,
        coalesce(measures.source, thresholds.source, '') as source,
        measures.is_pooled,
        coalesce(measures.count_measure, '') as count_measure,
        measures.numerator_count,
        measures.denominator_count,
        measures.remainder_count,
        measures.exposure_count,
        coalesce(measures.is_whole_denominator, false) as is_whole_denominator
    from {{ ref('measures') }} as measures
    left join {{ ref('int_measure_thresholds') }} as thresholds on measures.measure = thresholds.measure

),

instruments as (

    select * from {{ ref('stg_instruments') }}
    where is_outcome

),

thresholds as (

    select * from {{ ref('stg_instrument_thresholds') }}
    where is_used

),

combined as (

    select
        quantities.*,
        instruments.instrument,
        instruments.label as instrument_label,
        instruments.sort_order as instrument_order,
        time_points.time_point,
        time_points.label as time_point_label,
        time_points.time_window,
        time_points.label_in_text,
        time_points.sort_order as time_point_order,
        time_points.interval_number,
        time_points.is_of_life_table,
        thresholds.threshold_set,
        thresholds.citation,
        -- One that is computed from the scores has no number before they are in.
        coalesce(cast(cast(thresholds.value as double) as varchar), '(computed)') as threshold_text
    from {{ ref('outcome_quantities') }} as quantities
    cross join instruments
    cross join {{ ref('int_time_points') }} as time_points
    left join thresholds
        on instruments.instrument = thresholds.instrument and quantities.threshold_quantity = thresholds.quantity
    where
        (quantities.threshold_quantity is null or thresholds.threshold_set is not null)
        and (quantities.given = 'life_table') = time_points.is_of_life_table
        and (
            quantities.given in ('always', 'life_table')
            or (
                quantities.given in ('course', 'course_or_within_hours')
                and time_points.time_point in ('course_end', 'last', 'first_to_last')
            )
            or (quantities.given = 'completer' and time_points.time_point in ('course_end', 'last'))
            or (quantities.given in ('within_hours', 'course_or_within_hours') and time_points.needs_same_day_recall)
        )

),

of_questionnaires as (

    select
        instrument || '_' || time_point || '_' || quantity as measure,
        'outcomes' as section,
        cast(100000 * instrument_order + 100 * time_point_order + sort_order as integer) as sort_order,
        {{ filled_in('label') }} as label,
        figure_type,
        unit,
        'patient' as contributors,
        {{ filled_in('definition') }} as definition,
        instrument,
        time_point,
        time_point_label,
        interval_number,
        quantity,
        -- A life table begins with the responses at the end of the course.
        coalesce(
            instrument || '_' || case when is_of_life_table then 'course_end' else time_point end
            || '_' || completeness_quantity, ''
        ) as completeness_measure,
        coalesce({{ filled_in('numerator_definition') }}, '') as numerator_definition,
        coalesce({{ filled_in('denominator_definition') }}, '') as denominator_definition,
        time_window,
        coalesce(threshold_set, '') as threshold_set,
        coalesce(citation, '') as source,
        time_point = 'first_to_last' as is_pooled,
        '' as count_measure,
        {{ count_named('numerator_count') }} as numerator_count,
        {{ count_named('denominator_count') }} as denominator_count,
        {{ count_named('remainder_count') }} as remainder_count,
        cast(null as varchar) as exposure_count,
        false as is_whole_denominator
    from combined

)

select * from written
union all
select * from of_questionnaires
union all
select
    measure,
    section,
    sort_order,
    label,
    figure_type,
    unit,
    contributors,
    definition,
    instrument,
    time_point,
    time_point_label,
    interval_number,
    quantity,
    completeness_measure,
    numerator_definition,
    denominator_definition,
    time_window,
    threshold_set,
    source,
    is_pooled,
    '' as count_measure,
    numerator_count,
    denominator_count,
    remainder_count,
    cast(null as varchar) as exposure_count,
    false as is_whole_denominator
from {{ ref('int_item_measures') }}
