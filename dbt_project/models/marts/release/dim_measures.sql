-- Measures that somebody takes part in; of questionnaires, those that were delivered.
select
    measures.measure,
    measures.section,
    measures.sort_order,
    measures.label,
    measures.figure_type,
    measures.unit,
    measures.contributors,
    measures.definition,
    measures.instrument,
    measures.time_point,
    measures.time_point_label,
    measures.interval_number,
    measures.quantity,
    measures.completeness_measure,
    measures.numerator_definition,
    measures.denominator_definition,
    measures.time_window,
    measures.threshold_set,
    measures.source,
    measures.count_measure
from {{ ref('int_measures') }} as measures
where
    measures.instrument = ''
    or measures.measure in (select delivering.measure from {{ ref('int_measure_clinics') }} as delivering)
