select
    measure,
    section,
    sort_order,
    label,
    figure_type,
    unit,
    contributors,
    definition
from {{ ref('measures') }}
