select
    instrument,
    quantity,
    threshold_set,
    value,
    unit,
    citation,
    verification,
    is_used
from {{ ref('stg_instrument_thresholds') }}
