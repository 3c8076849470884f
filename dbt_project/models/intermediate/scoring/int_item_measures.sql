-- Measures made of items, with their words: changes of clusters, and the provisional diagnosis, for instruments that
-- have clusters or a rule. Columns are those of int_measures.
with instruments as (

    select * from {{ ref('stg_instruments') }}
    where is_outcome

),

clusters as (

    select
        instrument,
        cluster,
        label as cluster_label,
        symptoms_needed,
        row_number() over (partition by instrument order by cluster) as place
    from {{ ref('stg_instrument_clusters') }}

),

time_points as (

    select * from {{ ref('int_time_points') }}
    where time_point in ('course_end', 'last')

),

combined as (

    select
        quantities.*,
        instruments.instrument,
        instruments.label as instrument_label,
        instruments.sort_order as instrument_order,
        clusters.cluster,
        clusters.cluster_label,
        clusters.place,
        coalesce(time_points.time_point, '') as time_point,
        coalesce(time_points.label, 'Before treatment') as time_point_label,
        coalesce(time_points.time_window, '') as time_window,
        coalesce(time_points.label_in_text, 'before treatment') as label_in_text,
        coalesce(time_points.sort_order, 0) as time_point_order,
        quantities.sort_order + case when quantities.given = 'cluster' then clusters.place else 0 end as quantity_order,
        '' as threshold_text
    from {{ ref('item_quantities') }} as quantities
    cross join instruments
    inner join clusters on instruments.instrument = clusters.instrument
    left join time_points on quantities.given in ('cluster', 'diagnosis')
    where
        quantities.given = 'cluster'
        or (clusters.place = 1 and instruments.instrument in (
            select ruled.instrument from clusters as ruled
            where ruled.symptoms_needed is not null
        ))

),

named as (

    select
        *,
        replace(quantity, '{cluster}', cluster) as quantity_name,
        instrument || case when time_point <> '' then '_' || time_point else '' end || '_' as stem
    from combined

)

select
    stem || quantity_name as measure,
    'outcomes' as section,
    cast(100000 * instrument_order + 100 * time_point_order + quantity_order as integer) as sort_order,
    {{ filled_in(cluster_named('label')) }} as label,
    figure_type,
    unit,
    'patient' as contributors,
    {{ filled_in(cluster_named('definition')) }} as definition,
    instrument,
    time_point,
    time_point_label,
    cast(null as integer) as interval_number,
    quantity_name as quantity,
    coalesce(stem || completeness_quantity, '') as completeness_measure,
    {{ filled_in(cluster_named('numerator_definition')) }} as numerator_definition,
    {{ filled_in(cluster_named('denominator_definition')) }} as denominator_definition,
    time_window,
    '' as threshold_set,
    '' as source,
    false as is_pooled,
    {{ count_named('numerator_count') }} as numerator_count,
    {{ count_named('denominator_count') }} as denominator_count,
    {{ count_named('remainder_count') }} as remainder_count
from named
