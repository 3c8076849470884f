"""Which figures a release shows anew, which it repeats, and which it can do neither with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import duckdb

from clinic_outcomes.database import fill_table, write_parquet
from clinic_outcomes.files import fingerprint
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.register.entries import Entry
from clinic_outcomes.register.opening import define_keys

ROOM = Path(__file__).parent


@dataclass(frozen=True)
class RefreshRules:
    """The numbers of the policy that the refresh rule needs.

    A cell told anew differs from all that was told of it by nothing or by at least ``smallest_change``; so it does for
    up to ``known_clinics`` clinics that put together what they know of their own parts: none, one or two.
    ``useful_within`` has pairs of a denominator and the points of percent by which a rate of so many, or more, may be
    off the truth.
    """

    smallest_change: int = 13
    known_clinics: int = 2
    useful_within: tuple[tuple[int, Decimal], ...] = ((50, Decimal("2.5")), (100, Decimal(1)))


def entries_before(entries: Sequence[Entry], build_id: str, policy_id: str) -> tuple[Entry, ...]:
    """The entries that the plan of a build's release depends on: releases before it, and withdrawals.

    The build's own release is left out while it is the newest: a plan that is made again after it is the same.
    """
    told = [entry for entry in entries if entry.status != "final"]
    if told and told[-1].release is not None:
        last = told[-1].release
        if (last.build_id, last.policy_id) == (build_id, policy_id):
            told.pop()
    return tuple(told)


def planning_basis(entries: Sequence[Entry], build_id: str, policy_id: str) -> str:
    """16 hex digits over the entries that the plan of a build's release depends on.

    ``released.<policy>`` is named after it, too, so that it is made again when another release came between.
    """
    return fingerprint(entry.hash for entry in entries_before(entries, build_id, policy_id))[:16]


def find_near_cells(connection: duckdb.DuckDBPyConnection, rules: RefreshRules) -> None:
    """Make the temp tables ``today_cell``, ``today_figure_cell`` and ``near_cell``: those that may not be told anew.

    Reads today's ``agg_cells``, ``agg_figure_cells`` and ``dim_counts``, and what :func:`open_register` made.
    """
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE refresh_rules AS SELECT ?::BIGINT AS smallest_change, ?::BIGINT AS known_clinics",
        [rules.smallest_change, rules.known_clinics],
    )
    define_keys(connection)
    connection.execute((ROOM / "near_cells.sql").read_text(encoding="utf-8"))


def plan_refresh(connection: duckdb.DuckDBPyConnection, rules: RefreshRules, *, repeat: bool = False) -> None:
    """Make the temp table ``refresh(figure_id, action, numerator, denominator, value, refreshed_in)``.

    Beside it stands ``repeatable``: what the last release that stands showed of each figure, and whether it is
    ``useful`` today.

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
        connection.execute("CREATE OR REPLACE TEMP TABLE near_cell AS SELECT cell FROM today_cell")
    connection.execute("DROP TABLE IF EXISTS refresh_usefulness")
    fill_table(
        connection,
        "refresh_usefulness",
        {"smallest_denominator": "BIGINT", "points": "DECIMAL(9, 4)"},
        rules.useful_within,
    )
    connection.execute((ROOM / "refresh.sql").read_text(encoding="utf-8"))


def repeat_instead(connection: duckdb.DuckDBPyConnection, figure_ids: Sequence[str]) -> None:
    """Let figures of the table ``refresh`` repeat what was shown of them last, where that stands and is useful still.

    They may not be shown anew for what they would tell together; a number that is known already tells nothing.
    """
    fill_table(connection, "given_up", {"figure_id": "VARCHAR"}, [(figure,) for figure in figure_ids])
    connection.execute(
        """
        UPDATE refresh
        SET action = 'repeated', numerator = repeatable.numerator, denominator = repeatable.denominator,
            value = repeatable.value, refreshed_in = repeatable.refreshed_in
        FROM repeatable
        WHERE refresh.figure_id = repeatable.figure_id AND repeatable.useful
            AND refresh.figure_id IN (FROM given_up)
        """
    )
    connection.execute("DROP TABLE given_up")


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
