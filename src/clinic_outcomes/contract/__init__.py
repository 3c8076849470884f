"""The canonical tables, loaded from Open Data Contract Standard YAML.

``tables/<table>.odcs.yaml`` is the single source: mappings are checked against it, and dbt sources, base
expectations, the data dictionary and empty mappings are generated from it.
"""

from clinic_outcomes.contract.loader import (
    CONTRACT_FOLDER,
    LINEAGE_COLUMNS,
    LOCAL_CODES,
    UNMAPPED,
    Column,
    Contract,
    Table,
    load_contract,
)

__all__ = [
    "CONTRACT_FOLDER",
    "LINEAGE_COLUMNS",
    "LOCAL_CODES",
    "UNMAPPED",
    "Column",
    "Contract",
    "Table",
    "load_contract",
]
