select
    dimension,
    sort_order,
    label,
    scope
from {{ ref('dimensions') }}
