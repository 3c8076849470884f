"""Canonical tables as one system can deliver them: what it does not map is gone, and units fit its own."""

from __future__ import annotations

import math

import numpy as np

from clinic_outcomes.contract import LOCAL_CODES, Column
from clinic_outcomes.mapping import ColumnMapping, System
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.synthetic.columns import MISSING, NO_KEY, Integers, Mask, Rows, code_positions, length
from clinic_outcomes.synthetic.plan import TableSource, of_source, route, table_sources
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
    take it. ``ClinicOutcomesError`` where no source can say what the programme asks for.
    """
    by_table = table_sources(system)
    for table in list(world.tables):
        if table not in by_table:
            del world.tables[table]
            continue
        rows, sources = world.tables[table], by_table[table]
        route(table, rows, sources, system, world.tables)
        watched = next((own.mapped[WATCHED] for own in sources if WATCHED in own.mapped), None)
        if table == "patient" and watched and grid_step(watched) != 1:
            raise ClinicOutcomesError(f"system {system.name}: {WATCHED} must be in days to be generated")
        mapped = {name for own in sources for name in own.mapped}
        for name in [name for name in rows if not name.startswith("_") and name not in mapped]:
            del rows[name]
        if any(len(mapping.source_columns) > 1 for own in sources for mapping in own.mapped.values()):
            raise ClinicOutcomesError(
                f"system {system.name}: a key of {table} is made of several columns; such a system cannot be generated"
            )
        for place, own in enumerate(sources):
            _shape_source(rows, own, of_source(rows, sources, place), len(sources) > 1, system)


def _shape_source(rows: Rows, source: TableSource, chosen: Mask, is_one_of_several: bool, system: System) -> None:
    """Bring the rows that a source says into what it can say."""
    if is_one_of_several:
        for name in [name for name in rows if not name.startswith("_") and name not in source.mapped]:
            nothing = NO_KEY if rows[name].dtype == np.uint64 else MISSING
            rows[name] = np.where(chosen, nothing, rows[name]).astype(rows[name].dtype)
    for name, mapping in source.mapped.items():
        if mapping.target and mapping.constant is not None:
            constant = _constant(mapping, mapping.target)
            before = rows.get(name, np.full(length(rows), MISSING, dtype=np.int32))
            rows[name] = np.where(chosen, constant, before).astype(np.int32)
        elif mapping.target and name in rows:
            fitted = _fit(rows, mapping, mapping.target, system)
            rows[name] = np.where(chosen, fitted, rows[name]) if is_one_of_several else fitted


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


def _constant(mapping: ColumnMapping, column: Column) -> int:
    if column.code_list in (None, LOCAL_CODES) or column.multiple:
        raise ClinicOutcomesError(
            f"constant of {column.table}.{column.name} is no code; such a system cannot be generated"
        )
    return code_positions(column.table, column.name)[mapping.constant or ""]
