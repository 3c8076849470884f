"""Protect: turn the release marts of the latest build into figures that may leave."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb

from clinic_outcomes.database import quote_text, session, write_parquet
from clinic_outcomes.files import atomic_folder, latest, write_json
from clinic_outcomes.ledger import read
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.protect.policy import ROOM, Policy, load_policy, policy_id
from clinic_outcomes.records import ModelRecord, ProtectRecord
from clinic_outcomes.settings import Settings

EXACT_MARTS = ("agg_figures", "dim_measures", "dim_clinics", "agg_coverage")


def released_folder(settings: Settings, build_id: str | None = None) -> Path:
    """Where the figures released from a build (the latest by default) under today's policy lie, made yet or not.

    ``ClinicOutcomesError`` where there is no such build.
    """
    return _build(settings, build_id) / f"released.{policy_id()}"


def protect(settings: Settings, build_id: str | None = None) -> ProtectRecord:
    """Judge and round every figure of a build, the latest by default; what may leave goes to :func:`released_folder`.

    The same build under the same policy is done once. ``ClinicOutcomesError`` where there is no build, or where
    the marts hold something the policy has no rule for: what cannot be judged is not released.
    """
    build = _build(settings, build_id)
    target = released_folder(settings, build_id)
    if not target.is_dir():
        model = read(build / "model.json", ModelRecord)
        with session(settings) as connection:
            _open_marts(connection, build / "release")
            _load_policy_tables(connection, load_policy())
            _refuse_unknown(connection)
            # Each figure is judged by itself; what figures reveal together is judged between the two steps.
            connection.execute((ROOM / "suppress.sql").read_text(encoding="utf-8"))
            connection.execute((ROOM / "round.sql").read_text(encoding="utf-8"))
            with atomic_folder(target) as folder:
                _write(connection, model, folder)
    return read_protect_record(target)


def read_protect_record(released: Path) -> ProtectRecord:
    """The record of a released folder."""
    return ProtectRecord.model_validate(json.loads((released / "protect.json").read_text(encoding="utf-8"))["record"])


def _build(settings: Settings, build_id: str | None) -> Path:
    build = settings.marts / build_id if build_id else latest(settings.marts)
    if build is None or not build.is_dir():
        raise ClinicOutcomesError("there is no such build of the marts to protect; run the stage model first")
    return build


def _open_marts(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    for mart in EXACT_MARTS:
        connection.execute(
            f"CREATE TEMP VIEW {mart} AS SELECT * FROM read_parquet({quote_text(folder / f'{mart}.parquet')})"
        )


def _load_policy_tables(connection: duckdb.DuckDBPyConnection, policy: Policy) -> None:
    """The policy as one row, its steps of means and its numerators as tables, for the SQL beside this file."""
    connection.execute(
        """
        CREATE TEMP TABLE policy AS SELECT
            $smallest_count::BIGINT AS smallest_count,
            $count_base::BIGINT AS count_base,
            $smallest_rate_denominator::BIGINT AS smallest_rate_denominator,
            $rate_percent::BIGINT AS rate_percent,
            $row_bands::BIGINT[] AS row_bands,
            $smallest_row_denominator::BIGINT AS smallest_row_denominator,
            $smallest_mean_denominator::BIGINT AS smallest_mean_denominator,
            $smallest_clinics::BIGINT AS smallest_clinics
        """,
        {
            "smallest_count": policy.counts.smallest_shown,
            "count_base": policy.counts.rounding_base,
            "smallest_rate_denominator": policy.rates.smallest_denominator,
            "rate_percent": policy.rates.rounding_percent,
            "row_bands": list(policy.row_shares.bands_percent),
            "smallest_row_denominator": policy.row_shares.smallest_denominator,
            "smallest_mean_denominator": policy.means.smallest_denominator,
            "smallest_clinics": policy.network.smallest_clinics,
        },
    )
    connection.execute("CREATE TEMP TABLE mean_step (unit VARCHAR, step DECIMAL(9, 4), sum_is_a_count BOOLEAN)")
    connection.executemany(
        "INSERT INTO mean_step VALUES (?, ?, ?)",
        [(step.unit, step.step, step.sum_is_a_count) for step in policy.means.steps],
    )
    connection.execute("CREATE TEMP TABLE numerator_count (measure VARCHAR, count_measure VARCHAR)")
    connection.executemany("INSERT INTO numerator_count VALUES (?, ?)", sorted(policy.numerators.items()))


def _refuse_unknown(connection: duckdb.DuckDBPyConnection) -> None:
    """Stop where a figure could not be judged: no description, another type, or a mean whose unit has no step."""
    unknown = connection.execute(
        """
        SELECT DISTINCT agg_figures.measure
        FROM agg_figures
        LEFT JOIN dim_measures USING (measure)
        LEFT JOIN mean_step USING (unit)
        LEFT JOIN numerator_count USING (measure)
        WHERE dim_measures.measure IS NULL
            OR dim_measures.figure_type IS DISTINCT FROM agg_figures.figure_type
            OR coalesce(agg_figures.figure_type, '') NOT IN ('count', 'rate', 'mean')
            OR (agg_figures.figure_type = 'mean' AND mean_step.step IS NULL)
            OR numerator_count.count_measure NOT IN (SELECT measure FROM dim_measures)
        ORDER BY agg_figures.measure
        """
    ).fetchall()
    repeated = connection.execute("SELECT count(*) - count(DISTINCT figure_id) FROM agg_figures").fetchone()
    if unknown:
        names = ", ".join(name for (name,) in unknown)
        raise ClinicOutcomesError(
            f"the disclosure policy cannot judge these measures: {names}; "
            "each needs a description of the same type, for a mean a rounding step for its unit, "
            "and the count that the policy names as its numerator"
        )
    if repeated != (0,):
        raise ClinicOutcomesError("agg_figures holds a figure id more than once; nothing is released")


def _write(connection: duckdb.DuckDBPyConnection, model: ModelRecord, folder: Path) -> None:
    write_parquet(connection, "SELECT * FROM released ORDER BY figure_id", folder / "figures.parquet")
    write_parquet(
        connection,
        "SELECT clinic_id, title, reporting_period, is_stale FROM dim_clinics ORDER BY clinic_id",
        folder / "clinics.parquet",
    )
    write_parquet(
        connection,
        "SELECT clinic_id, table_name, delivered FROM agg_coverage ORDER BY clinic_id, table_name",
        folder / "coverage.parquet",
    )
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
            "policy": load_policy().model_dump(mode="json"),
        },
    )
