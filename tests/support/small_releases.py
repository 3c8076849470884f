"""Releases of a few cells, written down by hand: what is exact, what is shown, and how the cells hang together.

A cell is named ``count@clinic`` or ``count[category]@clinic``; names of counts that end in ``/sum`` or
``/exposure`` are of sums, which need not be whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import duckdb

from clinic_outcomes.audit.system import System, number_cells, read_system

CELL = re.compile(r"(?P<count>[^@\[]+)(\[(?P<category>[^\]]+)\])?@(?P<clinic>.+)")
SMALLEST_SHOWN, BASE = 13, 5


@dataclass(frozen=True)
class Shown:
    """A figure of a type, made of cells by role; without a value it is withheld."""

    figure_type: str
    cells: Mapping[str, str]
    value: float | None = None
    step: float | None = None
    denominator: int | None = None
    upper: float | None = None
    unit: str = ""
    measure: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Small:
    """Cells with their exact values, figures, relations, and parts of network cells without clinics' cells.

    ``history`` is what earlier releases know of cells: since when one is not known, the least it can be for that, what
    was told of it last, and whether that is so still.
    """

    cells: Mapping[str, float]
    figures: Mapping[str, Shown]
    relations: Sequence[tuple[str, Mapping[str, int]]] = ()
    contributions: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    history: Mapping[str, tuple[int, float, float | None, bool]] = field(default_factory=dict)


def count(cell: str, value: float | None = None) -> Shown:
    """A count of one cell, shown as so many or withheld."""
    return Shown("count", {"numerator": cell}, value, None if value is None else BASE)


def rate(numerator: str, denominator: str, rest: str, value: float | None, step: float, of: int) -> Shown:
    """A share in percent, shown with its step and rounded denominator, or withheld."""
    cells = {"numerator": numerator, "denominator": denominator, "remainder": rest}
    if value is None:
        return Shown("rate", cells, unit="percent")
    return Shown("rate", cells, value, step, of, unit="percent")


def total(whole: str, *parts: str) -> tuple[str, dict[str, int]]:
    """The relation that parts add up to a whole."""
    return "=", {whole: -1, **dict.fromkeys(parts, 1)}


def key(cell: str) -> tuple[str, str, str, str]:
    """Count, clinic, dimension and category of a cell by its name."""
    found = CELL.fullmatch(cell)
    assert found, cell
    category = found["category"] or ""
    return found["count"], found["clinic"], "group" if category else "", category


def open_small(small: Small) -> duckdb.DuckDBPyConnection:
    """A database with the views that an audit reads."""
    connection = duckdb.connect(config={"threads": 1})
    for name, columns in VIEWS.items():
        connection.execute(f"CREATE TABLE {name} ({columns})")
    for name, rows in _rows(small).items():
        if rows:
            marks = ", ".join("?" for _ in rows[0])
            connection.executemany(f"INSERT INTO {name} VALUES ({marks})", rows)
    connection.execute("CREATE VIEW measures AS FROM dim_measures")
    connection.execute(f"CREATE VIEW policy AS SELECT {SMALLEST_SHOWN} AS smallest_shown, {BASE} AS rounding_base")
    return connection


def read_small(small: Small) -> System:
    """The system of a small release."""
    connection = open_small(small)
    number_cells(connection)
    return read_system(connection)


NUMBER = "DECIMAL(18, 4)"
KEY = "count_id VARCHAR, clinic_id VARCHAR, dimension VARCHAR, category VARCHAR"
VIEWS = {
    "agg_cells": f"{KEY}, value {NUMBER}, is_count BOOLEAN",
    "agg_contributions": f"count_id VARCHAR, dimension VARCHAR, category VARCHAR, clinic_id VARCHAR, value {NUMBER}",
    "agg_figures": "figure_id VARCHAR, measure VARCHAR, clinic_id VARCHAR, dimension VARCHAR, category VARCHAR",
    "agg_figure_cells": f"figure_id VARCHAR, role VARCHAR, {KEY}",
    "agg_relations": f"relation_id VARCHAR, comparison VARCHAR, {KEY}, coefficient INTEGER",
    "dim_counts": "measure VARCHAR, role VARCHAR, count_id VARCHAR, network_count_id VARCHAR",
    "dim_measures": "measure VARCHAR, figure_type VARCHAR, unit VARCHAR, instrument VARCHAR, quantity VARCHAR, "
    "interval_number INTEGER, count_measure VARCHAR",
    "figures": "figure_id VARCHAR, measure VARCHAR, figure_type VARCHAR, clinic_id VARCHAR, dimension VARCHAR, "
    f"category VARCHAR, status VARCHAR, shown_value {NUMBER}, shown_upper {NUMBER}, shown_step {NUMBER}, "
    "shown_denominator BIGINT, repeats INTEGER",
    "history": f"{KEY}, since INTEGER, least DOUBLE, told DOUBLE, is_known BOOLEAN",
}


def _rows(small: Small) -> dict[str, list[tuple[object, ...]]]:
    place = {name: key(next(iter(one.cells.values())))[1:] for name, one in small.figures.items()}
    return {
        "agg_cells": [
            (*key(cell), value, not key(cell)[0].endswith(("/sum", "/exposure"))) for cell, value in small.cells.items()
        ],
        "agg_contributions": [
            (key(cell)[0], *key(cell)[2:], clinic, value)
            for cell, clinics in small.contributions.items()
            for clinic, value in clinics.items()
        ],
        "agg_figures": [(name, name, *place[name]) for name in small.figures],
        "agg_figure_cells": [
            (name, role, *key(cell)) for name, one in small.figures.items() for role, cell in one.cells.items()
        ],
        "agg_relations": [
            (f"relation_{number:03}", comparison, *key(cell), coefficient)
            for number, (comparison, members) in enumerate(small.relations)
            for cell, coefficient in members.items()
        ],
        "dim_counts": [
            (name, role, key(cell)[0], key(cell)[0])
            for name, one in small.figures.items()
            for role, cell in one.cells.items()
        ],
        "dim_measures": [
            (
                *(name, one.figure_type, one.unit),
                *(one.measure.get("instrument", ""), one.measure.get("quantity", "")),
                *(one.measure.get("interval_number"), one.measure.get("count_measure", "")),
            )
            for name, one in small.figures.items()
        ],
        "figures": [
            (
                *(name, name, one.figure_type, *place[name], "withheld" if one.value is None else "shown"),
                *(one.value, one.upper, one.step, one.denominator, None),
            )
            for name, one in small.figures.items()
        ],
        "history": [(*key(cell), *known) for cell, known in small.history.items()],
    }
