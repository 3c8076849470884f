"""Which figures a release shows anew, which it repeats, and which it can do neither with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Literal

import duckdb

from clinic_outcomes.database import fill_table, quote_path, write_parquet
from clinic_outcomes.files import fingerprint
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.register.chain import entry_folder
from clinic_outcomes.register.entries import CELLS, EXACT, FIGURES, TOLD, Entry
from clinic_outcomes.settings import Settings

ROOM = Path(__file__).parent
CELL = dict.fromkeys(("count_id", "clinic_id", "dimension", "category"), "VARCHAR")
CELL_COLUMNS = CELL | {"value": "DECIMAL(18, 4)", "part_count_id": "VARCHAR"}
"""Columns of ``cells.parquet``; ``part_count_id`` is the count that the clinics' parts of a network's count are of."""
TOLD_COLUMNS = {"figure_id": "VARCHAR", "role": "VARCHAR"} | CELL
"""Columns of ``told.parquet``: the counts that the figures shown anew in a release are made of."""
SHOWN_COLUMNS = {
    "figure_id": "VARCHAR",
    "numerator": "DECIMAL(18, 4)",
    "denominator": "BIGINT",
    "value": "DECIMAL(18, 6)",
    "refreshed_in": "INTEGER",
    "shown_value": "DECIMAL(18, 4)",
    "shown_upper": "DECIMAL(18, 4)",
    "shown_denominator": "BIGINT",
}

KNOWN_CLINICS = {"outsider": 0, "clinics": 1, "pairs": 2}


@dataclass(frozen=True)
class RefreshRules:
    """The numbers of the policy that the refresh rule needs.

    A cell told anew differs from all that was told of it by nothing or by at least ``smallest_change``; so it does for
    the ``attackers``, who are clinics that know their own part, or pairs of them, too. ``useful_within`` has pairs of
    a denominator and the points of percent by which a rate of so many, or more, may be off the truth.
    """

    smallest_change: int = 13
    attackers: Literal["outsider", "clinics", "pairs"] = "pairs"
    useful_within: tuple[tuple[int, Decimal], ...] = ((50, Decimal("2.5")), (100, Decimal(1)))


def withdrawn_numbers(entries: Sequence[Entry]) -> frozenset[int]:
    """Numbers of the releases that were withdrawn."""
    return frozenset(e.word.about for e in entries if e.word is not None and e.status == "withdrawn")


def final_numbers(entries: Sequence[Entry]) -> frozenset[int]:
    """Numbers of the releases that were made final, whether or not they were withdrawn since."""
    return frozenset(e.word.about for e in entries if e.word is not None and e.status == "final")


def releases(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """The entries that are releases, in order."""
    return tuple(entry for entry in entries if entry.release is not None)


def planning_basis(entries: Sequence[Entry], build_id: str, policy_id: str) -> str:
    """16 hex digits over what the plan of a build's release depends on: releases before it, and withdrawals.

    The build's own release is left out while it is the newest: a plan that is made again after it is the same. So
    ``released.<policy>`` may be named after it, too.
    """
    told = [entry for entry in entries if entry.status != "final"]
    if told and told[-1].release is not None:
        last = told[-1].release
        if (last.build_id, last.policy_id) == (build_id, policy_id):
            told.pop()
    return fingerprint(entry.hash for entry in told)[:16]


def open_register(connection: duckdb.DuckDBPyConnection, entries: Sequence[Entry], settings: Settings) -> None:
    """Make the temp tables ``register_cells``, ``register_told`` and ``register_figures`` of verified entries.

    ``register_cells`` has a row a release and count, ``register_told`` one a release, figure shown anew in it and count
    that it is made of, ``register_figures`` one a release and figure shown in it;
    ``stands`` says that neither the release nor the one in which the figure was last refreshed was withdrawn.
    """
    tables = {
        "register_cells": CELL_COLUMNS,
        "register_told": TOLD_COLUMNS,
        "register_figures": SHOWN_COLUMNS | {"stands": "BOOLEAN"},
    }
    for name, columns in tables.items():
        typed = ", ".join(f"{column} {kind}" for column, kind in columns.items())
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} (entry INTEGER, {typed})")
    withdrawn = sorted(withdrawn_numbers(entries))
    for entry in releases(entries):
        folder = entry_folder(entry.number, settings)
        for name, file in (("register_cells", CELLS), ("register_told", TOLD)):
            connection.execute(
                f"INSERT INTO {name} BY NAME SELECT {entry.number} AS entry, * "
                f"FROM read_parquet({quote_path(folder / file)})"
            )
        connection.execute(
            f"""
            INSERT INTO register_figures BY NAME
            SELECT
                {entry.number} AS entry,
                {", ".join(SHOWN_COLUMNS)},
                NOT list_contains($withdrawn::INTEGER[], {entry.number})
                AND NOT list_contains($withdrawn::INTEGER[], refreshed_in) AS stands
            FROM read_parquet({quote_path(folder / FIGURES)}) AS figures
            INNER JOIN read_parquet({quote_path(folder / EXACT)}) AS exact USING (figure_id)
            WHERE status = 'shown'
            """,
            {"withdrawn": withdrawn},
        )


def find_near_cells(connection: duckdb.DuckDBPyConnection, rules: RefreshRules) -> None:
    """Make the temp table ``near_cell(count_id, clinic_id, dimension, category)``: cells that may not be told anew.

    Reads today's ``agg_cells``, ``agg_figure_cells`` and ``dim_counts``, and what :func:`open_register` made.
    """
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE refresh_rules AS SELECT ?::BIGINT AS smallest_change, ?::BIGINT AS known_clinics",
        [rules.smallest_change, KNOWN_CLINICS[rules.attackers]],
    )
    connection.execute((ROOM / "near_cells.sql").read_text(encoding="utf-8"))


def plan_refresh(connection: duckdb.DuckDBPyConnection, rules: RefreshRules, *, repeat: bool = False) -> None:
    """Make the temp table ``refresh(figure_id, action, numerator, denominator, value, refreshed_in)``.

    Reads today's ``agg_figures``, ``agg_cells``, ``agg_figure_cells`` and ``dim_counts``, and what
    :func:`open_register` made. A figure is made of cells: its numerator where it counts, its denominator, the
    remainder. ``action`` is

    - ``refreshed``: each of its cells differs from every vintage in which *any* figure told of that cell by nothing or
      by at least ``smallest_change``; a network cell also without what any one clinic, and any pair of clinics, changed
      by themselves. Or nothing was told before. ``numerator``, ``denominator`` and ``value`` are today's.
    - ``repeated``: it shows what the last release that stands showed of it. The exact values, and the entry
      ``refreshed_in``, are those of its last refresh: rounded by the same policy they give what was shown.
    - ``withheld`` (reason ``not_refreshed``): it can be neither, for it was never shown, is a rate that is no longer
      useful, or is gone with its clinic or measure. All else is empty.

    With ``repeat`` nothing is shown anew, as if every cell were too near.

    The plan comes before rules and rounding, which may withhold more; only what was shown becomes a vintage.
    ``ClinicOutcomesError`` where a figure is made of no cell.

    What an attacker can still infer, and the audit with all earlier releases must judge: that a number which stays
    although others moved has changed by 1 to 12 in some cell; that somebody came while another left, when a count stays
    and a mean moves by a rounding step; differences *between* cells (a total less a category, a step of the flow
    less the next), whose changes may be small though neither cell's is; coalitions of three clinics and more; in
    dimensions told of the network alone, what a clinic knows of its own part. Two vintages of different figures stand
    beside each other in one release, so relations between them hold within a vintage only.

    Of a count that only some clinics tell of, the parts of all clinics are taken away: that may repeat more than is
    needed, never less.
    """
    _refuse_without_cells(connection)
    find_near_cells(connection, rules)
    if repeat:
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE near_cell AS SELECT * EXCLUDE (value, part_count_id) FROM today_cell"
        )
    connection.execute("DROP TABLE IF EXISTS refresh_usefulness")
    fill_table(
        connection,
        "refresh_usefulness",
        {"smallest_denominator": "BIGINT", "points": "DECIMAL(9, 4)"},
        rules.useful_within,
    )
    connection.execute((ROOM / "refresh.sql").read_text(encoding="utf-8"))


def write_plan(connection: duckdb.DuckDBPyConnection, target: Path) -> None:
    """Write the table ``refresh`` for ``append``. It has exact values: engineers' files are the place for it."""
    write_parquet(connection, "SELECT * FROM refresh ORDER BY figure_id", target)


def _refuse_without_cells(connection: duckdb.DuckDBPyConnection) -> None:
    found = connection.execute(
        "SELECT DISTINCT measure FROM agg_figures ANTI JOIN agg_figure_cells USING (figure_id) ORDER BY measure"
    ).fetchall()
    if found:
        names = ", ".join(measure for (measure,) in found)
        raise ClinicOutcomesError(f"figures of these measures are made of no cell; nothing is released: {names}")
