"""Canonical tables as one system can deliver them: what it does not map is gone, and units fit its own."""

from __future__ import annotations

import math

import numpy as np

from clinic_outcomes.contract import Column
from clinic_outcomes.mapping import ColumnMapping, System
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.synthetic.columns import MISSING, Integers, Rows, code_positions, length
from clinic_outcomes.synthetic.world import World

DELIVERED_DECIMALS = 2
"""Decimals that a number in a larger unit is delivered with, or as many as the contract's column has, if more."""
TOP_AGE = 90
WATCHED = "observed_through_day"
"""Set for each delivery, after a clinic's tables have been brought into the system's units."""


def decimals(column: Column) -> int:
    """Decimal places of a column: 0 unless its type is DECIMAL(p,s)."""
    return int(column.sql_type.rstrip(")").partition(",")[2] or 0) if column.sql_type.startswith("DECIMAL") else 0


def shape(world: World, system: System) -> None:
    """Reduce a clinic's tables to what its system delivers, so that the truth is what a reader can know.

    Numbers in another unit move to the nearest one that the delivered unit writes exactly. Columns of a constant
    take it. ``ClinicOutcomesError`` where a table comes from several sources or shares one.
    """
    by_table: dict[str, dict[str, ColumnMapping]] = {}
    for mapping in system.columns:
        if mapping.table:
            if len(mapping.source_columns) > 1 or len(system.tables(mapping.source)) > 1:
                raise ClinicOutcomesError(
                    f"system {system.name}: source {mapping.source} feeds several tables or joins keys; "
                    "such a system cannot be generated"
                )
            by_table.setdefault(mapping.table, {}).setdefault(mapping.target.name if mapping.target else "", mapping)
    for table in list(world.tables):
        if table not in by_table:
            del world.tables[table]
            continue
        rows, mapped = world.tables[table], by_table[table]
        if table == "patient" and grid_step(mapped.get(WATCHED) or mapped["patient_id"]) != 1:
            raise ClinicOutcomesError(f"system {system.name}: {WATCHED} must be in days to be generated")
        for name in [name for name in rows if not name.startswith("_") and name not in mapped]:
            del rows[name]
        for name, mapping in mapped.items():
            if mapping.target and name in rows:
                rows[name] = _fit(rows, mapping, mapping.target, system)
        _fill_constants(rows, table, mapped)


def _fit(rows: Rows, mapping: ColumnMapping, column: Column, system: System) -> Integers:
    values = rows[column.name]
    if mapping.conversion:
        step = grid_step(mapping)
        moved = np.rint(values / step) * step
        return np.where(values == MISSING, MISSING, moved).astype(np.int32)
    if (column.table, column.name) == ("patient", "age_years"):
        top_coded = str(TOP_AGE) in system.codes.get(mapping.codes or "", {}).values()
        return np.minimum(values, TOP_AGE if top_coded else TOP_AGE - 1)
    return values


def grid_step(mapping: ColumnMapping) -> int:
    """Smallest step of a converted column, in units of its last place, that the delivered unit writes exactly."""
    if mapping.conversion is None:
        return 1
    numerator, denominator = mapping.conversion.numerator, mapping.conversion.denominator
    return numerator // math.gcd(numerator, denominator * 10 ** more_decimals(mapping))


def more_decimals(mapping: ColumnMapping) -> int:
    """Decimals that the delivered number has beyond those of the contract's column."""
    if mapping.conversion is None or mapping.target is None or mapping.conversion.numerator == 1:
        return 0
    return max(DELIVERED_DECIMALS - decimals(mapping.target), 0)


def _fill_constants(rows: Rows, table: str, mapped: dict[str, ColumnMapping]) -> None:
    for name, mapping in mapped.items():
        if mapping.constant is None or mapping.target is None:
            continue
        if not mapping.target.code_list or mapping.target.multiple:
            raise ClinicOutcomesError(f"constant of {table}.{name} is no code; such a system cannot be generated")
        rows[name] = np.full(length(rows), code_positions(table, name)[mapping.constant], dtype=np.int32)
