-- The threshold sets in use, and their sources, of measures that are written out one by one.
select
    needed.measure,
    string_agg(distinct thresholds.threshold_set, '; ' order by thresholds.threshold_set) as threshold_set,
    string_agg(distinct thresholds.citation, '; ' order by thresholds.citation) as source
from {{ ref('measure_thresholds') }} as needed
inner join {{ ref('stg_instrument_thresholds') }} as thresholds
    on needed.instrument = thresholds.instrument and needed.quantity = thresholds.quantity and thresholds.is_used
group by needed.measure
