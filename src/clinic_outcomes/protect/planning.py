"""What earlier releases leave a release to show: anew, again as it was shown, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from clinic_outcomes.database import fill_table, write_parquet
from clinic_outcomes.files import atomic_file
from clinic_outcomes.protect.policy import ROOM, Policy, policy_id
from clinic_outcomes.protect.together import withhold_together
from clinic_outcomes.register import (
    Entry,
    RefreshRules,
    open_register,
    plan_refresh,
    planning_basis,
    repeat_instead,
    write_history,
)
from clinic_outcomes.settings import Settings

RELEASED = "SELECT * FROM released ORDER BY figure_id"
CELL_MARTS = {
    "agg_cells": ("count_id", "clinic_id", "dimension", "category", "value", "is_count"),
    "agg_figure_cells": ("figure_id", "role", "count_id", "clinic_id", "dimension", "category"),
    "dim_counts": ("measure", "role", "count_id", "network_count_id"),
}
"""Marts that say which counts figures are made of, with their columns."""


def folder_name(entries: Sequence[Entry], build_id: str) -> str:
    """The name of the folder of what is released from a build under today's policy, after these entries."""
    return f"released.{policy_id()}.{planning_basis(entries, build_id, policy_id())}"


def engineers_file(released: Path, name: str) -> Path:
    """A file beside a released folder, of the same policy and planning basis, for engineers alone.

    ``reasons`` says why figures are withheld, ``refresh`` is the plan that the register is given, with exact values,
    and ``history`` what earlier releases tell of today's counts.
    """
    return released.parent / f"{name}{released.name.removeprefix('released')}.parquet"


def refresh_rules(policy: Policy) -> RefreshRules:
    """The policy's numbers as the register needs them."""
    return RefreshRules(
        smallest_change=policy.refresh.smallest_change,
        known_clinics=policy.attack.known_clinics,
        useful_within=tuple(policy.refresh.useful_within.items()),
    )


def plan_release(
    connection: duckdb.DuckDBPyConnection, entries: Sequence[Entry], policy: Policy, settings: Settings, history: Path
) -> Path | None:
    """Make the tables ``refresh`` and ``repeatable``, and the file of the ``history``; None in a first release."""
    open_register(connection, entries, settings)
    plan_refresh(connection, refresh_rules(policy))
    if not any(entry.release for entry in entries):
        return None
    with atomic_file(history) as path:
        write_history(connection, entries, settings, path)
    return history


def repeat(connection: duckdb.DuckDBPyConnection) -> None:
    """Let the tables ``released`` and ``judged`` follow the plan."""
    connection.execute((ROOM / "repeat.sql").read_text(encoding="utf-8"))


def give_up_together(
    connection: duckdb.DuckDBPyConnection,
    figures: Path,
    marts: Path,
    policy: Policy,
    settings: Settings,
    history: Path | None,
) -> None:
    """Write the released figures without those that would give another away; all that is withheld looks alike.

    What is given up repeats what was last shown of it where it can: that tells nothing of today's counts.
    """
    write_parquet(connection, RELEASED, figures)
    more = withhold_together(figures, marts, policy, settings, history)
    repeat_instead(connection, more)
    fill_table(connection, "complementary", {"figure_id": "VARCHAR"}, [(figure,) for figure in more])
    connection.execute(
        """
        UPDATE judged SET shown = FALSE, reason = 'complementary'
        FROM refresh
        WHERE judged.figure_id = refresh.figure_id AND refresh.action <> 'repeated'
            AND judged.figure_id IN (FROM complementary)
        """
    )
    repeat(connection)
    write_parquet(connection, RELEASED, figures)


def write_periods(connection: duckdb.DuckDBPyConnection, entries: Sequence[Entry], target: Path) -> None:
    """Write of which reporting period each release is whose numbers are repeated."""
    fill_table(
        connection,
        "release_period",
        {"repeats": "INTEGER", "as_of": "VARCHAR"},
        [(entry.number, entry.release.release_period) for entry in entries if entry.release is not None],
    )
    write_parquet(
        connection,
        "SELECT repeats, as_of FROM release_period WHERE repeats IN (SELECT repeats FROM released) ORDER BY repeats",
        target,
    )
