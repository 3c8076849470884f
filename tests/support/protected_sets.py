"""Releases of table sets, made and audited by the steps that the stage protect takes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import duckdb

from clinic_outcomes.audit import Report, audit
from clinic_outcomes.audit.system import System, number_cells, read_system
from clinic_outcomes.protect import stage
from clinic_outcomes.protect.policy import ROOM, load_policy
from clinic_outcomes.protect.suppression import suppress
from clinic_outcomes.protect.together import HISTORY_COLUMNS, cost_of, limits_of

POLICY = load_policy()
LIMITS = limits_of(POLICY)


@dataclass(frozen=True)
class Protected:
    """A release of one set: how many figures there are, are shown by the thresholds alone, and are shown at last."""

    connection: duckdb.DuckDBPyConnection
    figures: int
    shown_by_threshold: int
    shown: int


def open_attack(connection: duckdb.DuckDBPyConnection, figures: str) -> duckdb.DuckDBPyConnection:
    """A connection to the same marts with the views that an audit reads, of the figures in a table."""
    attack = connection.cursor()
    counts = POLICY.counts
    attack.execute(f"CREATE TEMP VIEW figures AS FROM {figures}")
    columns = ", ".join(f"NULL::{kind} AS {name}" for name, kind in HISTORY_COLUMNS.items())
    attack.execute(f"CREATE TEMP VIEW history AS SELECT {columns} LIMIT 0")
    attack.execute("CREATE TEMP VIEW measures AS FROM dim_measures")
    attack.execute(
        f"CREATE TEMP VIEW policy AS SELECT {counts.smallest_shown}::BIGINT AS smallest_shown, "
        f"{counts.rounding_base}::BIGINT AS rounding_base"
    )
    return attack


def read_attack(attack: duckdb.DuckDBPyConnection) -> System:
    """The system of the figures that a connection of :func:`open_attack` sees."""
    number_cells(attack)
    return replace(read_system(attack), exact=LIMITS.exact_counts)


def judge(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """A connection with the figures of the marts judged, each by itself, in its table ``judged``."""
    protect = connection.cursor()
    stage._load_policy_tables(protect, POLICY)
    protect.execute((ROOM / "judge.sql").read_text(encoding="utf-8"))
    return protect


def round_figures(protect: duckdb.DuckDBPyConnection, table: str) -> None:
    """Put what is shown of the figures judged into a table of the database."""
    protect.execute("DROP TABLE IF EXISTS temp.released")
    protect.execute((ROOM / "round.sql").read_text(encoding="utf-8"))
    protect.execute(f"CREATE OR REPLACE TABLE {table} AS FROM temp.released")


def protect_set(connection: duckdb.DuckDBPyConnection) -> Protected:
    """Judge, round, withhold what attackers need, and round again: the tables ``threshold_only`` and ``final``."""
    protect = judge(connection)
    round_figures(protect, "threshold_only")
    attack = open_attack(connection, "threshold_only")
    system = read_attack(attack)
    besides = suppress(system, LIMITS, cost_of(attack, POLICY))
    protect.execute(
        "UPDATE judged SET shown = false, reason = 'complementary' WHERE figure_id IN (SELECT unnest($1))",
        [[system.figures[figure] for figure in besides]],
    )
    round_figures(protect, "final")
    shown = int(system.shown.sum())
    protect.close()
    attack.close()
    return Protected(connection, len(system.figures), shown, shown - len(besides))


def audit_table(connection: duckdb.DuckDBPyConnection, figures: str) -> Report:
    """What the audit says of a release in a table."""
    attack = open_attack(connection, figures)
    try:
        return audit(attack, LIMITS)
    finally:
        attack.close()


def released_small_counts(connection: duckdb.DuckDBPyConnection, figures: str) -> list[tuple[str, float]]:
    """Figures of a release in a table that tell of a count from 1 to 10: exactly, or as it was shown."""
    return connection.execute(
        f"""
        SELECT DISTINCT figure_id, told.value::DOUBLE
        FROM {figures} AS figures
        INNER JOIN agg_figure_cells USING (figure_id)
        INNER JOIN agg_cells AS cells
            ON
                agg_figure_cells.count_id = cells.count_id
                AND agg_figure_cells.clinic_id = cells.clinic_id
                AND agg_figure_cells.dimension = cells.dimension
                AND agg_figure_cells.category = cells.category
        CROSS JOIN LATERAL (
            SELECT unnest([
                CASE WHEN cells.is_count THEN cells.value END,
                CASE WHEN figures.figure_type = 'count' THEN figures.shown_value END,
                figures.shown_denominator
            ]) AS value
        ) AS told
        WHERE figures.status = 'shown' AND told.value BETWEEN 1 AND 10
        ORDER BY figure_id
        """
    ).fetchall()
