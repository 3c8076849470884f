"""Small builds and their releases for tests of the register, from tables a reader can check by eye.

A figure is a count where it has no denominator and a rate otherwise. Rounding and the smallest count are a simple
policy of these tests: what the register does with figures does not depend on them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from clinic_outcomes.database import fill_table, session
from clinic_outcomes.files import write_json
from clinic_outcomes.register import (
    AuditSummary,
    Entry,
    RefreshRules,
    append,
    open_register,
    plan_refresh,
    read_register,
    write_plan,
)
from clinic_outcomes.register.opening import define_keys
from clinic_outcomes.settings import Settings

POLICY = "00000000000000a1"
AUDIT = AuditSummary(passed=True, attackers=4, cells=2, failures=0)
SMALLEST = 13
MARTS = ("agg_figures", "agg_cells", "agg_figure_cells", "dim_counts")
KEY = ("count_id", "clinic_id", "dimension", "category")
TEXTS = ", ".join(f"{name} VARCHAR" for name in KEY)
Deliveries = Mapping[str, Sequence[tuple[str, str]]]
"""Clinic → pairs of a delivery's id and its reporting period."""


def rows_of(table: str) -> list[dict[str, str | None]]:
    """The lines of an ASCII table by heading; ``-`` is None and ``''`` empty."""
    header, *lines = [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines() if line.strip()]
    return [
        {name: None if cell == "-" else cell.strip("'") for name, cell in zip(header, line, strict=True)}
        for line in lines
    ]


def make_table(
    connection: duckdb.DuckDBPyConnection, name: str, columns: str, rows: Sequence[Sequence[object]]
) -> None:
    """Make a table of columns as SQL writes them, or make it again."""
    kinds = dict(column.strip().split(" ", 1) for column in re.split(r",(?![^(]*\))", columns))
    connection.execute(f"DROP TABLE IF EXISTS {name}")
    fill_table(connection, name, kinds, [tuple(row) for row in rows])


def make_marts(connection: duckdb.DuckDBPyConnection, figures: str, counts: Mapping[str, str] | None = None) -> None:
    """Make ``agg_figures``, ``agg_cells`` and ``agg_figure_cells`` of a table of figures.

    ``counts`` renames counts that measures share, such as ``share/of`` to ``treated``.
    """
    exact, parts, cells = [], [], {}
    for row in rows_of(figures):
        dimension, category = row.get("dimension") or "", row.get("category") or ""
        measure, clinic = row["measure"], row["clinic_id"]
        figure_id = f"{measure}/{clinic}/{dimension}/{category}"
        over = None if row["denominator"] is None else int(row["denominator"])
        counted = int(row["numerator"] or 0)
        kind, value = ("count", counted) if over is None else ("rate", counted / over if over else None)
        exact.append((figure_id, measure, kind, clinic, dimension, category, counted, over, value))
        made = {"numerator": (str(measure), counted)}
        if over is not None:
            made |= {"denominator": (f"{measure}/of", over), "remainder": (f"{measure}/rest", over - counted)}
        for role, (count_id, number) in made.items():
            cell = ((counts or {}).get(count_id, count_id), clinic, dimension, category)
            parts.append((figure_id, role, *cell))
            assert cells.setdefault(cell, number) == number, f"two numbers of one cell: {cell}"
    make_table(
        connection,
        "agg_figures",
        "figure_id VARCHAR, measure VARCHAR, figure_type VARCHAR, clinic_id VARCHAR, dimension VARCHAR, "
        "category VARCHAR, numerator DECIMAL(18, 4), denominator BIGINT, value DECIMAL(18, 6)",
        exact,
    )
    make_table(connection, "agg_figure_cells", f"figure_id VARCHAR, role VARCHAR, {TEXTS}", parts)
    make_table(
        connection,
        "agg_cells",
        f"{TEXTS}, value DECIMAL(18, 4), is_count BOOLEAN",
        [(*cell, number, True) for cell, number in cells.items()],
    )
    connection.execute(
        "CREATE OR REPLACE TABLE dim_counts AS SELECT DISTINCT count_id AS network_count_id, count_id FROM agg_cells"
    )


def make_register(connection: duckdb.DuckDBPyConnection, before: str, shown: str = "") -> None:
    """Make the tables of the register of counts told before, and of figures shown: of none unless a table is given.

    Each count told is that of a figure of its own.
    """
    define_keys(connection)
    rows = [
        (int(r["entry"] or 0), r["count_id"], r["clinic_id"], r["value"], r["told"] == "yes") for r in rows_of(before)
    ]
    make_table(
        connection,
        "told_before",
        "entry INTEGER, count_id VARCHAR, clinic_id VARCHAR, value DECIMAL(18, 4), told BOOLEAN",
        rows,
    )
    connection.execute(
        """
        CREATE OR REPLACE TABLE register_cells AS
        SELECT
            entry,
            text_key([count_id, clinic_id, '', '']) AS cell,
            text_key([count_id, '', '']) AS part,
            clinic_id,
            value
        FROM told_before;
        CREATE OR REPLACE TABLE register_told AS
        SELECT
            entry,
            text_key([count_id || '/' || clinic_id || '//', 'numerator']) AS figure_role,
            text_key([count_id, clinic_id, '', '']) AS cell
        FROM told_before
        WHERE told
        """
    )
    make_table(
        connection,
        "register_figures",
        "entry INTEGER, figure_id VARCHAR, numerator DECIMAL(18, 4), denominator BIGINT, value DECIMAL(18, 6), "
        "refreshed_in INTEGER, shown_value DECIMAL(18, 4), shown_upper DECIMAL(18, 4), stands BOOLEAN",
        [(*list(row.values())[:-1], row["stands"] == "yes") for row in (rows_of(shown) if shown else ())],
    )


def write_build(
    settings: Settings,
    build_id: str,
    figures: str,
    *,
    period: str = "2024-03",
    deliveries: Deliveries | None = None,
    counts: Mapping[str, str] | None = None,
    restating: Sequence[str] = (),
) -> None:
    """Write what the register reads of a build: its marts, record, states and receive records."""
    build = settings.marts / build_id
    (build / "release").mkdir(parents=True)
    with duckdb.connect() as connection:
        make_marts(connection, figures, counts)
        for mart in MARTS:
            connection.execute(f"COPY (FROM {mart} ORDER BY ALL) TO '{build}/release/{mart}.parquet' (FORMAT parquet)")
    states = dict.fromkeys(deliveries or {}, f"state-{build_id}")
    record = {"build_id": build_id, "states": states, "reporting_period": period, "nodes": []}
    write_json(build / "model.json", record)
    for clinic, used in (deliveries or {}).items():
        folder = settings.state / clinic / states[clinic]
        names = [name for name, _ in used]
        about = {"clinic_id": clinic, "state_id": states[clinic], "deliveries": names}
        write_json(folder / "validate.json", about)
        restated = [name for name in restating if name in names]
        write_json(folder / "resolved" / "resolve.json", about | {"final_period_restatements": restated})
        for name, reported in used:
            received = {"clinic_id": clinic, "delivery_id": name, "folder": name, "received": True}
            write_json(settings.ledger / clinic / name / "receive.json", received | {"reporting_period": reported})


def protect_like(settings: Settings, build_id: str, rules: RefreshRules, base: int = 5) -> tuple[Path, Path]:
    """Plan a build's release and round what may be shown; the paths of the figures and of their plan."""
    figures, plan = settings.home / f"{build_id}.figures.parquet", settings.home / f"{build_id}.plan.parquet"
    with session(settings) as connection:
        for mart in MARTS:
            path = settings.marts / build_id / "release" / f"{mart}.parquet"
            connection.execute(f"CREATE TEMP VIEW {mart} AS FROM read_parquet('{path}')")
        open_register(connection, read_register(settings), settings)
        plan_refresh(connection, rules)
        write_plan(connection, plan)
        connection.execute(
            f"""
            COPY (
                SELECT figure_id, measure, figure_type, clinic_id, dimension, category,
                    if(refresh.value IS NOT NULL AND NOT small, 'shown', 'withheld') AS status,
                    if(status = 'shown', if(figure_type = 'count', {base} * round(refresh.value / {base}),
                        round(100 * refresh.value)), NULL)::DECIMAL(18, 4) AS shown_value,
                    NULL::DECIMAL(18, 4) AS shown_upper,
                    if(status = 'shown', if(figure_type = 'count', {base}, 1), NULL)::DECIMAL(18, 4) AS shown_step,
                    if(status = 'shown', {base} * round(refresh.denominator / {base}), NULL)::BIGINT
                        AS shown_denominator
                FROM agg_figures
                JOIN refresh USING (figure_id)
                JOIN (
                    SELECT figure_id, numerator BETWEEN 1 AND {SMALLEST - 1}
                        OR coalesce(denominator < {SMALLEST}, false)
                        OR coalesce(denominator - numerator BETWEEN 1 AND {SMALLEST - 1}, false) AS small
                    FROM refresh
                ) USING (figure_id)
                ORDER BY figure_id
            ) TO '{figures}' (FORMAT parquet)
            """
        )
    return figures, plan


def release(
    settings: Settings,
    build_id: str,
    figures: str,
    *,
    period: str = "2024-03",
    deliveries: Deliveries | None = None,
    counts: Mapping[str, str] | None = None,
    restating: Sequence[str] = (),
    policy_id: str = POLICY,
    rules: RefreshRules | None = None,
) -> Entry:
    """Build, protect and enter a release, one after the other."""
    chosen = rules or RefreshRules()
    write_build(settings, build_id, figures, period=period, deliveries=deliveries, counts=counts, restating=restating)
    return enter(settings, build_id, policy_id, chosen)


def enter(settings: Settings, build_id: str, policy_id: str = POLICY, rules: RefreshRules | None = None) -> Entry:
    """Protect and enter a build that is there."""
    chosen = rules or RefreshRules()
    shown, plan = protect_like(settings, build_id, chosen)
    return append(settings, build_id=build_id, policy_id=policy_id, figures=shown, plan=plan, audit=AUDIT, rules=chosen)
