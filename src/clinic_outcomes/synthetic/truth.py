"""What was planted: canonical tables in force as Parquet, and the counts that marts must come to.

The counts are computed in SQL over those tables, by the definitions and not by the pipeline's code.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from clinic_outcomes.contract import LOCAL_CODES, Column, load_contract
from clinic_outcomes.database import quote_name, quote_text, write_parquet
from clinic_outcomes.files import atomic_file
from clinic_outcomes.mapping import System
from clinic_outcomes.synthetic.columns import MISSING, NO_KEY, Rows, code_positions, key_space, local_codes
from clinic_outcomes.synthetic.shaping import decimals


def write_tables(
    connection: duckdb.DuckDBPyConnection, folder: Path, system: System, tables: Mapping[str, Rows]
) -> None:
    """Write canonical tables, columns and types as in the contract, to ``folder/<table>.parquet``."""
    contract = load_contract()
    for name, rows in tables.items():
        used = {column.name: rows[column.name] for column in contract.tables[name].columns if column.name in rows}
        arrays = {key: np.ascontiguousarray(values) for key, values in used.items()}
        selected = ", ".join(
            f"({_value(column, rows, system)})::{column.sql_type} AS {quote_name(column.name)}"
            for column in contract.tables[name].columns
        )
        connection.register("true_rows", arrays)
        with atomic_file(folder / f"{name}.parquet") as temporary:
            write_parquet(connection, f"SELECT {selected} FROM true_rows", temporary)
        connection.unregister("true_rows")


def _value(column: Column, rows: Rows, system: System) -> str:
    """SQL of a canonical column from its integers."""
    if column.name not in rows:
        return "NULL"
    name = quote_name(column.name)
    if column.is_key:
        return f"CASE WHEN {name} <> {NO_KEY} THEN {key_space(system, column).sql(name)} END"
    if column.code_list == LOCAL_CODES:
        sets = sorted({m.codes for m in system.columns if m.target == column and m.codes})
        known = local_codes(system.codes[sets[0]])
        return f"CASE WHEN {name} <> {MISSING} THEN [{', '.join(map(quote_text, known))}][{name} + 1] END"
    if column.code_list:
        codes = code_positions(column.table, column.name)
        if column.multiple:
            members = ", ".join(
                f"CASE WHEN {name} & {1 << place} <> 0 THEN {quote_text(code)} END"
                for code, place in sorted(codes.items())
                if place < 31
            )
            return f"CASE WHEN {name} <> {MISSING} THEN list_filter([{members}], lambda code: code IS NOT NULL) END"
        return f"CASE WHEN {name} <> {MISSING} THEN [{', '.join(map(quote_text, codes))}][{name} + 1] END"
    places = decimals(column)
    value = f"nullif({name}, {MISSING})"
    if places:
        value = f"{value}::DECIMAL(18,0) * 0.{'1'.rjust(places, '0')}::DECIMAL({places + 1},{places})"
    return value


def count_truth(connection: duckdb.DuckDBPyConnection, folder: Path) -> dict[str, Any]:
    """Counts of a clinic from its canonical tables; what it does not deliver counts nothing."""
    contract = load_contract()
    for name, table in contract.tables.items():
        path = folder / f"{name}.parquet"
        columns = ", ".join(f"NULL::{column.sql_type} AS {quote_name(column.name)}" for column in table.columns)
        source = f"FROM read_parquet({quote_text(path)})" if path.is_file() else f"SELECT {columns} WHERE false"
        connection.execute(f"CREATE OR REPLACE TEMP VIEW {quote_name(name)} AS {source}")
    counts: dict[str, Any] = {}
    for query in (_PEOPLE, _SESSIONS, _PCL_5, _EVENTS):
        counts |= _row(connection, query)
    counts["pcl_5_by_protocol"] = _by_protocol(connection)
    terms = connection.execute(_EVENT_TERMS).fetchall()
    return counts | {"treatment_emergent_events_by_term": {term: {"events": e, "patients": p} for term, e, p in terms}}


def _by_protocol(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, int]]:
    """Counts of PCL-5 scores by protocol. Nobody here is treated under two, so that they add up to those of all."""
    cursor = connection.execute(_PCL_5_BY_PROTOCOL)
    _, *names = [item[0] for item in cursor.description or []]
    return {protocol: dict(zip(names, values, strict=True)) for protocol, *values in cursor.fetchall()}


def _row(connection: duckdb.DuckDBPyConnection, query: str) -> dict[str, Any]:
    cursor = connection.execute(query)
    names = [item[0] for item in cursor.description or []]
    values = cursor.fetchone() or ()
    # Decimals as text: JSON has no exact ones.
    return {
        name: str(value) if isinstance(value, Decimal) else value for name, value in zip(names, values, strict=True)
    }


_PEOPLE = """
SELECT
    (SELECT count(*) FROM patient) AS patients,
    count(DISTINCT patient_id) AS referred,
    count(DISTINCT patient_id) FILTER (contacted_day IS NOT NULL) AS contacted,
    count(DISTINCT patient_id) FILTER (consulted_day IS NOT NULL) AS consulted,
    count(DISTINCT patient_id) FILTER (candidacy = 'candidate') AS candidates,
    (SELECT count(DISTINCT patient_id) FROM session) AS treated
FROM referral
"""
_SESSIONS = """
SELECT
    count(*) AS sessions,
    count(infusion_minutes) AS sessions_with_infusion_minutes,
    coalesce(sum(infusion_minutes), 0)::DECIMAL(18,2) AS infusion_minutes,
    count(recovery_minutes) AS sessions_with_recovery_minutes,
    coalesce(sum(recovery_minutes), 0)::DECIMAL(18,2) AS recovery_minutes,
    (SELECT count(*) FROM course) AS courses,
    (SELECT count(*) FROM assessment) AS assessments,
    (SELECT count(item_value) FROM assessment_item) AS answers
FROM session
"""
_PCL_5_SCORES = """
WITH first_session AS (
    SELECT patient_id, min(session_day) AS first_day FROM session GROUP BY patient_id
),
total AS (
    SELECT assessment_id, sum(item_value)::BIGINT AS points
    FROM assessment_item
    GROUP BY assessment_id
    HAVING count(item_value) = 20
),
scored AS (
    SELECT
        patient_id, first_day, assessed_day, minutes_from_session_start AS minutes,
        coalesce(points, delivered_total) AS points
    FROM assessment
    LEFT JOIN total USING (assessment_id)
    JOIN first_session USING (patient_id)
    WHERE instrument = 'pcl_5' AND coalesce(points, delivered_total) IS NOT NULL
),
baseline AS (
    SELECT patient_id, last(points ORDER BY assessed_day, minutes NULLS FIRST) AS points
    FROM scored
    WHERE assessed_day < first_day OR (assessed_day = first_day AND coalesce(minutes, 0) <= 0)
    GROUP BY patient_id
),
latest AS (
    SELECT patient_id, last(points ORDER BY assessed_day, minutes NULLS FIRST) AS points
    FROM scored WHERE assessed_day > first_day GROUP BY patient_id
)
"""
_PCL_5 = f"""
{_PCL_5_SCORES}
SELECT
    count(baseline.points) AS pcl_5_baseline_patients,
    coalesce(sum(baseline.points), 0)::BIGINT AS pcl_5_all_baseline_points,
    count(latest.points) AS pcl_5_last_patients,
    coalesce(sum(latest.points), 0)::BIGINT AS pcl_5_all_last_points,
    count(baseline.points + latest.points) AS pcl_5_paired_patients,
    coalesce(sum(baseline.points) FILTER (latest.points IS NOT NULL), 0)::BIGINT AS pcl_5_paired_baseline_points,
    coalesce(sum(latest.points) FILTER (baseline.points IS NOT NULL), 0)::BIGINT AS pcl_5_paired_last_points
FROM baseline FULL JOIN latest USING (patient_id)
"""
_PCL_5_BY_PROTOCOL = f"""
{_PCL_5_SCORES}
SELECT
    protocol,
    count(*) AS treated,
    count(baseline.points) AS baseline_patients,
    count(baseline.points + latest.points) AS paired_patients,
    coalesce(sum(baseline.points) FILTER (latest.points IS NOT NULL), 0)::BIGINT AS paired_baseline_points,
    coalesce(sum(latest.points) FILTER (baseline.points IS NOT NULL), 0)::BIGINT AS paired_last_points
FROM (SELECT DISTINCT patient_id, protocol FROM session JOIN course USING (patient_id, course_id))
LEFT JOIN baseline USING (patient_id)
LEFT JOIN latest USING (patient_id)
GROUP BY protocol
ORDER BY protocol
"""
_TREATMENT_EMERGENT = """
FROM adverse_event
JOIN (SELECT patient_id, min(session_day) AS first_day FROM session GROUP BY patient_id) USING (patient_id)
WHERE onset_day IS NULL OR onset_day >= first_day
"""
_EVENTS = f"""
SELECT
    (SELECT count(*) FROM adverse_event) AS adverse_events,
    count(*) AS treatment_emergent_events,
    count(DISTINCT patient_id) AS patients_with_treatment_emergent_events,
    count(*) FILTER (serious = 'yes') AS serious_treatment_emergent_events,
    count(*) FILTER (end_day IS NULL) AS treatment_emergent_events_without_end
{_TREATMENT_EMERGENT}
"""
_EVENT_TERMS = f"""
SELECT term, count(*), count(DISTINCT patient_id) {_TREATMENT_EMERGENT} GROUP BY term ORDER BY term
"""
