"""Tables of a set of linked tables, and what pytauargus withholds of each by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import chdir
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import duckdb
from pytauargus.engine import run_batch
from pytauargus.result import parse_simple_tab

from tests.support.protected_sets import POLICY
from tests.support.table_sets import CATEGORIES, MEASURES, TERMS

TOTAL, WITHHELD = "Total", ("U", "M")
"""The code of a total, and the marks of cells that are withheld: given so, and besides."""
PARTS = {"numerator": "in", "remainder": "out", "denominator": TOTAL}


@dataclass(frozen=True)
class Cell:
    """A count by its name, in a table by its codes."""

    codes: tuple[str, ...]
    name: str
    value: int
    is_withheld: bool


@dataclass(frozen=True)
class Table:
    """An additive table: its variables, whether categories are terms within classes, and its cells."""

    variables: tuple[str, ...]
    is_hierarchical: bool
    cells: tuple[Cell, ...]


def tables_of(connection: duckdb.DuckDBPyConnection) -> Iterator[Table]:
    """Tables of counts and rates of a set: a measure by clinic, by what divides everybody, and of a rate in or out.

    A count is withheld as the thresholds have it where no figure that they show is made of it.
    """
    for (_, measure), grouped in groupby(connection.execute(CELLS).fetchall(), key=lambda row: row[:2]):
        of_measure = [row[1:] for row in grouped]
        told = {row[2] for row in of_measure}
        for dimensions, categories in _divisions(measure, told):
            of_table = [row for row in of_measure if row[2] in dimensions and row[3] in categories]
            if "veteran" in dimensions:
                of_table = [row for row in of_table if row[1] == "network"]
            yield _table(of_table, {"term", "system_class"} <= dimensions)


def _divisions(measure: str, told: set[str]) -> Iterator[tuple[set[str], set[str]]]:
    """Dimensions and categories that lie in one table: those that divide everybody, and each other by itself."""
    dividing = [{""} | told & group for group in ({"arm"}, {"veteran"}) if told & group]
    # A person with two events is one person: only events add up.
    if measure == "adverse_events" and "system_class" in told:
        dividing.append({""} | told & {"system_class", "term"})
    divided = set().union(*dividing)
    for dimensions in dividing:
        yield dimensions, {category for dimension in dimensions for category in CATEGORIES[dimension]}
    if not divided - {"", "veteran"}:
        yield {""}, {""}
    for dimension in sorted(told - divided - {""}):
        for category in CATEGORIES[dimension]:
            yield {dimension}, {category}


def _table(rows: list[tuple[str, str, str, str, str, str, int, bool]], is_hierarchical: bool) -> Table:
    """Rows as a table, without the variables that have one code."""
    has_categories = len({row[3] for row in rows}) > 1
    coded = [
        (
            TOTAL if clinic == "network" else clinic,
            TOTAL if category == "" or not has_categories else category,
            PARTS[role] if MEASURES[measure].figure_type == "rate" else TOTAL,
        )
        for measure, clinic, _, category, role, *_ in rows
    ]
    variables = ("clinic", "category", "part")
    kept = [place for place in range(len(variables)) if len({codes[place] for codes in coded}) > 1]
    cells = {
        tuple(codes[place] for place in kept): (row[5], row[6], row[7]) for codes, row in zip(coded, rows, strict=True)
    }
    return Table(
        tuple(variables[place] for place in kept),
        is_hierarchical,
        tuple(Cell(codes, *cell) for codes, cell in sorted(cells.items())),
    )


def suppress_table(table: Table, folder: Path) -> set[str]:
    """Names of the counts that pytauargus withholds, those given as withheld among them.

    It is to find the optimum, each small count being protected as the policy has it: up to ``smallest_upper_bound``
    at least, and ``smallest_width`` wide. What is withheld though large is no secret.
    """
    if not any(cell.is_withheld and cell.value for cell in table.cells):
        return set()
    (folder / "table.rda").write_text(_described(table), encoding="utf-8")
    (folder / "terms.hrc").write_text(
        "".join(f"{group}\n" + "".join(f"@{term}\n" for term in terms) for group, terms in TERMS.items()),
        encoding="utf-8",
    )
    (folder / "table.tab").write_text("".join(_line(cell) for cell in table.cells), encoding="utf-8")
    variables = "".join(f'"{name}"' for name in table.variables)
    (folder / "table.arb").write_text(BATCH.format(variables=variables), encoding="utf-8")
    # It leaves files of its solver where it is run.
    with chdir(folder):
        run_batch(folder / "table.arb")
    names = {cell.codes: cell.name for cell in table.cells}
    return {
        names[tuple(str(row[name]).strip() for name in table.variables)]
        for row in parse_simple_tab(folder / "out.tab", table.variables, "people")
        if row["status"] in WITHHELD
    }


def _described(table: Table) -> str:
    lines = ['<SEPARATOR> ";"', "<SAFE> S", "<UNSAFE> U", "<PROTECT> P"]
    for name in table.variables:
        lines += [name, "<RECODEABLE>", f'<TOTCODE> "{TOTAL}"']
        if table.is_hierarchical and name == "category":
            lines += ["<HIERARCHICAL>", '<HIERCODELIST> "terms.hrc"', '<HIERLEADSTRING> "@"']
    lines += ["people", "<NUMERIC>", "<DECIMALS> 0", "status", "<STATUS>"]
    lines += ["lower", "<NUMERIC> <LOWERPL>", "upper", "<NUMERIC> <UPPERPL>"]
    return "\n".join(lines) + "\n"


def _line(cell: Cell) -> str:
    attack = POLICY.attack
    lower = upper = 0
    if cell.is_withheld and cell.value < POLICY.counts.smallest_shown:
        lower = min(cell.value, 1)
        upper = max(attack.smallest_upper_bound - cell.value, attack.smallest_width - lower)
    status = "U" if cell.is_withheld and cell.value else "S"
    return ";".join([*cell.codes, str(cell.value), status, str(lower), str(upper)]) + "\n"


BATCH = """<OPENTABLEDATA> "table.tab"
<OPENMETADATA> "table.rda"
<SPECIFYTABLE> {variables}|"people"||
<SAFETYRULE> MAN(0)
<READTABLE>
<SUPPRESS> OPT(1)
<WRITETABLE> (1,5,SO+,"out.tab")
"""
CELLS = """
    WITH known AS (
        SELECT DISTINCT count_id, clinic_id, dimension, category
        FROM agg_figure_cells
        WHERE figure_id IN (SELECT figure_id FROM threshold_only WHERE status = 'shown')
    )

    SELECT
        chosen.set_name, figures.measure, figures.clinic_id, figures.dimension,
        figures.category[length(chosen.set_name) + 1:] AS category,
        made.role,
        concat_ws('/', made.count_id, made.clinic_id, made.dimension, made.category) AS name,
        cells.value::BIGINT AS value,
        known.count_id IS NULL AS is_withheld
    FROM agg_figures AS figures
    INNER JOIN (SELECT DISTINCT set_name FROM chosen) AS chosen ON starts_with(figures.category, chosen.set_name)
    INNER JOIN agg_figure_cells AS made ON figures.figure_id = made.figure_id
    INNER JOIN agg_cells AS cells
        ON
            made.count_id = cells.count_id AND made.clinic_id = cells.clinic_id
            AND made.dimension = cells.dimension AND made.category = cells.category
    LEFT JOIN known
        ON
            made.count_id = known.count_id AND made.clinic_id = known.clinic_id
            AND made.dimension = known.dimension AND made.category = known.category
    WHERE figures.figure_type IN ('count', 'rate')
    ORDER BY ALL
"""
