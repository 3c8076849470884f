"""Protect: turn the release marts of the latest build into figures that may leave."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import duckdb

from clinic_outcomes.audit import Report
from clinic_outcomes.database import quote_text, session, write_parquet
from clinic_outcomes.files import atomic_file, atomic_folder, latest, write_json
from clinic_outcomes.ledger import read
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.protect.planning import (
    CELL_MARTS,
    engineers_file,
    folder_name,
    give_up_together,
    plan_release,
    repeat,
    write_periods,
)
from clinic_outcomes.protect.policy import ROOM, Policy, load_policy, policy_id
from clinic_outcomes.protect.together import attack_released, load_selections
from clinic_outcomes.records import ModelRecord, ProtectRecord
from clinic_outcomes.register import Entry, entries_before, planning_basis, read_register, write_plan
from clinic_outcomes.settings import Settings

FIGURES = "figures.parquet"
FIGURE_COLUMNS = (
    *("figure_id", "measure", "figure_type", "clinic_id", "dimension", "category"),
    *("numerator", "denominator", "value", "patients", "clinics", "numerator_patients", "numerator_clinics"),
    *("numerator_largest", "numerator_two_largest", "denominator_largest", "denominator_two_largest"),
    "remainder_two_largest",
)
"""Columns of ``agg_figures``: everything exact that the rules look at. None of its numbers leaves."""
DESCRIPTIONS = {
    "measures": (
        "dim_measures",
        (
            *("measure", "section", "sort_order", "label", "figure_type", "unit", "contributors", "definition"),
            *("instrument", "time_point", "time_point_label", "interval_number", "quantity", "completeness_measure"),
            *("numerator_definition", "denominator_definition", "time_window", "threshold_set", "source"),
            "count_measure",
        ),
        "sort_order, measure",
    ),
    "thresholds": (
        "dim_thresholds",
        ("instrument", "quantity", "threshold_set", "value", "unit", "citation", "verification", "is_used"),
        "ALL",
    ),
    "dimensions": ("dim_dimensions", ("dimension", "sort_order", "label", "scope"), "sort_order, dimension"),
    "clinics": ("dim_clinics", ("clinic_id", "title", "reporting_period", "is_stale"), "clinic_id"),
    "coverage": ("agg_coverage", ("clinic_id", "table_name", "delivered"), "clinic_id, table_name"),
}
"""Released file → the mart that it is copied from, its columns and their order: nothing of them is about patients."""


def released_folder(settings: Settings, build_id: str | None = None) -> Path:
    """Where the figures released from a build (the latest by default) lie, made yet or not.

    They are those under today's policy and after the releases that the register holds: after another release, or a
    withdrawal, they lie elsewhere. ``ClinicOutcomesError`` where there is no such build, or the register is not whole.
    """
    build = _build(settings, build_id)
    return build / folder_name(read_register(settings), build.name)


def protect(settings: Settings, build_id: str | None = None) -> ProtectRecord:
    """Judge and round every figure of a build, the latest by default; what may leave goes to :func:`released_folder`.

    What earlier releases do not allow to be shown anew is repeated, or withheld. The same build under the same policy,
    after the same releases, is done once. ``ClinicOutcomesError`` where there is no build, the register is not whole,
    or the marts hold something the policy has no rule for: what cannot be judged is not released.
    """
    build = _build(settings, build_id)
    register = read_register(settings)
    target = build / folder_name(register, build.name)
    if not target.is_dir():
        model = read(build / "model.json", ModelRecord)
        entries = entries_before(register, build.name, policy_id())
        with session(settings) as connection, atomic_folder(target) as folder:
            _protect(connection, build, model, entries, settings, folder, target)
    return read_protect_record(target)


def _protect(
    connection: duckdb.DuckDBPyConnection,
    build: Path,
    model: ModelRecord,
    entries: Sequence[Entry],
    settings: Settings,
    folder: Path,
    target: Path,
) -> None:
    """Fill a released folder, and the engineers' files beside its ``target``."""
    policy, marts, figures = load_policy(), build / "release", folder / FIGURES
    _open_marts(connection, marts)
    _load_policy_tables(connection, policy)
    _refuse_unknown(connection)
    history = plan_release(connection, entries, policy, settings, engineers_file(target, "history"))
    # First each figure is judged by itself, then what they reveal with earlier ones, then together.
    connection.execute((ROOM / "judge.sql").read_text(encoding="utf-8"))
    connection.execute((ROOM / "round.sql").read_text(encoding="utf-8"))
    repeat(connection)
    give_up_together(connection, figures, marts, policy, settings, history)
    audited = attack_released(figures, marts, policy, settings, history)
    # Beside the released folder, never in it: why a figure is withheld and what is exact is for engineers alone.
    with atomic_file(engineers_file(target, "reasons")) as path:
        write_parquet(connection, "SELECT figure_id, reason, detail FROM judged ORDER BY figure_id", path)
    with atomic_file(engineers_file(target, "refresh")) as path:
        write_plan(connection, path)
    write_periods(connection, entries, folder / "repeats.parquet")
    _write(connection, model, entries, audited, folder)


def read_protect_record(released: Path) -> ProtectRecord:
    """The record of a released folder."""
    return ProtectRecord.model_validate(json.loads((released / "protect.json").read_text(encoding="utf-8"))["record"])


def _build(settings: Settings, build_id: str | None) -> Path:
    build = settings.marts / build_id if build_id else latest(settings.marts)
    if build is None or not build.is_dir():
        raise ClinicOutcomesError("there is no such build of the marts to protect; run the stage model first")
    return build


def _open_marts(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    marts = {"agg_figures": FIGURE_COLUMNS} | CELL_MARTS | {mart: columns for mart, columns, _ in DESCRIPTIONS.values()}
    for mart, columns in marts.items():
        path = folder / f"{mart}.parquet"
        present = _columns(connection, path) if path.is_file() else set()
        missing = [column for column in columns if column not in present]
        if missing:
            raise ClinicOutcomesError(
                f"the mart {mart} of this build has no {', '.join(missing)}; run the stage model again"
            )
        connection.execute(
            f"CREATE TEMP VIEW {mart} AS SELECT {', '.join(columns)} FROM read_parquet({quote_text(path)})"
        )


def _columns(connection: duckdb.DuckDBPyConnection, path: Path) -> set[str]:
    return {name for name, *_ in connection.execute(f"DESCRIBE FROM read_parquet({quote_text(path)})").fetchall()}


def _load_policy_tables(connection: duckdb.DuckDBPyConnection, policy: Policy) -> None:
    """The policy as tables for the SQL beside this file: its single numbers as one row, its lists a table each."""
    numbers = {
        "smallest_count": policy.counts.smallest_shown,
        "count_base": policy.counts.rounding_base,
        "smallest_rate_denominator": policy.rates.smallest_denominator,
        "smallest_row_denominator": policy.row_shares.smallest_denominator,
        "smallest_mean_denominator": policy.means.smallest_denominator,
        "smallest_at_risk": policy.life_tables.smallest_denominator,
        "smallest_events_between": policy.life_tables.smallest_events_between,
        "smallest_model_denominator": policy.model_values.smallest_denominator,
        "smallest_clinics": policy.smallest_clinics,
        "largest_share_percent": policy.network.largest_share_percent,
    }
    columns = ", ".join(f"${name}::BIGINT AS {name}" for name in numbers)
    connection.execute(
        f"CREATE TEMP TABLE policy AS SELECT {columns}, $row_bands::BIGINT[] AS row_bands",
        {**numbers, "row_bands": list(policy.row_shares.bands_percent)},
    )
    connection.execute(
        "CREATE TEMP TABLE unit_rule (figure_type VARCHAR, unit VARCHAR, sum_is_a_count BOOLEAN, "
        "tells_remainder BOOLEAN)"
    )
    connection.executemany(
        "INSERT INTO unit_rule VALUES (?, ?, ?, ?)",
        [
            *(("mean", one.unit, one.sum_is_a_count, None) for one in policy.means.units),
            *(("model_value", one.unit, None, one.tells_remainder) for one in policy.model_values.units),
        ],
    )
    connection.execute(
        "CREATE TEMP TABLE rounding_step (figure_type VARCHAR, unit VARCHAR, from_denominator BIGINT, "
        "step DECIMAL(9, 4))"
    )
    connection.executemany(
        "INSERT INTO rounding_step VALUES (?, ?, ?, ?)",
        [(*key, start, step) for key, steps in policy.steps().items() for start, step in steps.items()],
    )
    load_selections(connection, "untold_line", policy.untold)
    connection.execute("CREATE TEMP TABLE all_or_none (kind VARCHAR, name VARCHAR, shown VARCHAR)")
    connection.executemany(
        "INSERT INTO all_or_none VALUES (?, ?, ?)",
        [
            (kind, name, shown)
            for entry in policy.all_or_none
            for kind, names in (("measure", entry.measures), ("quantity", entry.quantities))
            for name in names
            for shown in entry.shown
        ],
    )


def _refuse_unknown(connection: duckdb.DuckDBPyConnection) -> None:
    """Stop where a figure could not be judged: no description, another type, no step for its unit, a part missing."""
    unknown = connection.execute(
        """
        SELECT DISTINCT agg_figures.measure
        FROM agg_figures
        LEFT JOIN (
            SELECT
                *,
                count(*) OVER (PARTITION BY figure_type, instrument, quantity, interval_number) AS sharing_interval
            FROM dim_measures
        ) AS dim_measures USING (measure)
        LEFT JOIN unit_rule ON agg_figures.figure_type = unit_rule.figure_type AND dim_measures.unit = unit_rule.unit
        WHERE dim_measures.measure IS NULL
            OR dim_measures.figure_type IS DISTINCT FROM agg_figures.figure_type
            OR CASE agg_figures.figure_type
                WHEN 'count' THEN FALSE
                WHEN 'rate' THEN FALSE
                WHEN 'mean' THEN unit_rule.unit IS NULL
                WHEN 'life_table_row' THEN
                    dim_measures.interval_number IS NULL
                    OR dim_measures.sharing_interval > 1
                    OR agg_figures.numerator IS NULL
                    OR agg_figures.denominator IS NULL
                    OR agg_figures.value IS NULL
                WHEN 'model_value' THEN unit_rule.unit IS NULL OR agg_figures.denominator IS NULL
                ELSE TRUE
            END
        ORDER BY agg_figures.measure
        """
    ).fetchall()
    repeated = connection.execute("SELECT count(*) - count(DISTINCT figure_id) FROM agg_figures").fetchone()
    if unknown:
        names = ", ".join(name for (name,) in unknown)
        raise ClinicOutcomesError(
            f"the disclosure policy cannot judge these measures: {names}; "
            "each needs a description of the same type; a mean or model value a rounding step for its unit; "
            "a model value its denominator; a life-table row that, its value, its numerator, "
            "and an interval_number that no other of its instrument and quantity has"
        )
    if repeated != (0,):
        raise ClinicOutcomesError("agg_figures holds a figure id more than once; nothing is released")


def _write(
    connection: duckdb.DuckDBPyConnection,
    model: ModelRecord,
    entries: Sequence[Entry],
    audited: Report | None,
    folder: Path,
) -> None:
    for name, (mart, columns, order) in DESCRIPTIONS.items():
        query = f"SELECT {', '.join(columns)} FROM {mart} ORDER BY {order}"
        write_parquet(connection, query, folder / f"{name}.parquet")
    tally = connection.execute(
        "SELECT figure_type, status, count(*) FROM released GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    record = ProtectRecord(
        build_id=model.build_id,
        released={kind: rows for kind, status, rows in tally if status == "shown"},
        withheld={kind: rows for kind, status, rows in tally if status == "withheld"},
    )
    write_json(
        folder / "protect.json",
        {
            "record": record.model_dump(mode="json"),
            "reporting_period": model.reporting_period,
            "policy_id": policy_id(),
            "planning_basis": planning_basis(entries, model.build_id, policy_id()),
            "policy": load_policy().model_dump(mode="json"),
            "audit": _audit_summary(audited),
        },
    )


def _audit_summary(audited: Report | None) -> dict[str, object]:
    """What is said of the audit, of this release together with all earlier ones. Findings stay with the engineers."""
    if audited is None:
        return {"done": False, "passed": False}
    return {
        "done": True,
        "passed": audited.passed,
        "coalitions": audited.coalitions,
        "cells": audited.hidden,
        "findings": len(audited.findings),
    }
