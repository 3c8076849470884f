"""What is odd about a clinic's newest full export as a whole, against the full exports before it.

Full exports only: what a delta holds depends on what happened since the one before. That an export loses too many
records of a table is for resolve, which holds it; here nothing is held and no row is quarantined. A check with nothing
to compare finds nothing, and says so by comparing with no export.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import duckdb

from clinic_outcomes import ledger
from clinic_outcomes.contract import Table, load_contract
from clinic_outcomes.database import quote_name
from clinic_outcomes.harmonise import lake_file, lake_rows
from clinic_outcomes.records import Finding, HarmoniseRecord, ResolveRecord
from clinic_outcomes.settings import Settings

DAYS_A_MONTH = 30
CHECK = "Check whether the export was complete, and deliver it again if it was not."


@dataclass(frozen=True)
class _Export:
    """A full export: rows of each table it contains, and of these the rows that have a value in a column."""

    record: HarmoniseRecord
    rows: Mapping[str, int]
    given: Mapping[tuple[str, str], int]


def compare_with_history(
    connection: duckdb.DuckDBPyConnection, clinic_id: str, state: ResolveRecord, settings: Settings
) -> tuple[tuple[Finding, ...], int]:
    """Findings about the newest full export of a state, and how many earlier full exports it was compared with."""
    exports = [_export(connection, record, settings) for record in _full_exports(clinic_id, state, settings)]
    if len(exports) < 2:
        return (), 0
    threshold = {item.name: item.value for item in state.thresholds}
    *earlier, newest = exports
    findings = [
        *_absent_tables(newest, earlier),
        *_few_rows(newest, earlier, threshold),
        *_missing_cells(newest, earlier, threshold),
        *_not_watched_on(connection, newest, earlier[-1], threshold, settings),
    ]
    return tuple(findings), len(earlier)


def late_clinics(periods: Mapping[str, str], late_months: Mapping[str, int]) -> dict[str, Finding]:
    """Clinics whose newest reporting period (``YYYY-MM``) is too far behind the newest of the network.

    ``late_months`` is each clinic's own threshold. This looks at several clinics and is asked when it is shown: no
    clinic's state depends on another clinic.
    """
    newest = max(map(_month, periods.values()), default=0)
    return {
        clinic: Finding(
            rule="reporting_period_late",
            severity="notice",
            message=f"the newest delivery is {newest - _month(period)} months behind the newest of the network",
            advice="Deliver the exports that are due.",
        )
        for clinic, period in sorted(periods.items())
        if newest - _month(period) > late_months[clinic]
    }


def _month(period: str) -> int:
    year, month = period.split("-")
    return int(year) * 12 + int(month)


def _full_exports(clinic_id: str, state: ResolveRecord, settings: Settings) -> list[HarmoniseRecord]:
    """The state's full exports in order. One whose rows are no longer kept tells nothing and is left out."""
    found = []
    for delivery_id in state.deliveries if state.recipe else ():
        path = ledger.harmonise_path(clinic_id, delivery_id, state.recipe or "", settings)
        record = ledger.find(path, HarmoniseRecord)
        if record and record.export_kind == "full" and all(path.is_file() for path in _files(record, settings)):
            found.append(record)
    return sorted(found, key=lambda record: record.export_sequence)


def _files(record: HarmoniseRecord, settings: Settings) -> list[Path]:
    return [_file(record, table, settings) for table in sorted({part.table for part in record.tables})]


def _file(record: HarmoniseRecord, table: str, settings: Settings) -> Path:
    return lake_file(table, record.clinic_id, record.delivery_id, record.recipe, settings)


def _export(connection: duckdb.DuckDBPyConnection, record: HarmoniseRecord, settings: Settings) -> _Export:
    rows: dict[str, int] = {}
    given: dict[tuple[str, str], int] = {}
    for table in _tables_of(record):
        columns = [column.name for column in table.columns if not column.required]
        counts = ", ".join(["count(*)", *(f"count({quote_name(column)})" for column in columns)])
        source = lake_rows([_file(record, table.name, settings)])
        result = connection.execute(f"SELECT {counts} FROM {source} WHERE record_action <> 'delete'").fetchone() or ()
        rows[table.name] = result[0]
        given |= {(table.name, column): count for column, count in zip(columns, result[1:], strict=True)}
    return _Export(record, rows, given)


def _tables_of(record: HarmoniseRecord) -> list[Table]:
    contained = {part.table for part in record.tables}
    return [table for table in load_contract().tables.values() if table.name in contained]


def _absent_tables(newest: _Export, earlier: Sequence[_Export]) -> Iterator[Finding]:
    for table in load_contract().tables:
        if table not in newest.rows and any(export.rows.get(table) for export in earlier):
            yield Finding(
                rule="table_delivered_again",
                table=table,
                severity="warning",
                message="earlier full exports contained the table, the newest does not: its older rows stay in use",
                advice=CHECK,
            )


def _few_rows(newest: _Export, earlier: Sequence[_Export], threshold: Mapping[str, int]) -> Iterator[Finding]:
    """Tables with far fewer rows a patient than usual, which is the middle of the earlier exports."""
    for table, rows in newest.rows.items():
        usual = sorted(
            Fraction(export.rows[table], export.rows["patient"])
            for export in earlier
            if export.rows.get("patient") and export.rows.get(table, 0) >= threshold["fewest_rows_compared"]
        )
        patients = newest.rows.get("patient")
        if not usual or not patients or table == "patient":
            continue
        share = Fraction(rows, patients) / usual[len(usual) // 2]
        if share * 100 < threshold["rows_per_patient_percent"]:
            yield Finding(
                rule="rows_per_patient",
                table=table,
                severity="warning",
                message=f"{int(share * 100)} % of the usual rows a patient",
                advice=CHECK,
            )


def _missing_cells(newest: _Export, earlier: Sequence[_Export], threshold: Mapping[str, int]) -> Iterator[Finding]:
    """Columns that are empty far more often than in all earlier exports together."""
    for (table, column), given in newest.given.items():
        before = [export for export in earlier if table in export.rows]
        rows_before = sum(export.rows[table] for export in before)
        rows = newest.rows[table]
        if min(rows, rows_before) < max(threshold["fewest_rows_compared"], 1):
            continue
        given_before = Fraction(sum(export.given[table, column] for export in before), rows_before)
        lost = (given_before - Fraction(given, rows)) * 100
        if lost > threshold["missing_rise_points"]:
            yield Finding(
                rule="missing_share",
                table=table,
                column=column,
                severity="notice",
                message=f"empty in {int(lost)} percentage points more of the rows than before",
                advice=f"Check whether {column} is still recorded and exported.",
            )


def _not_watched_on(
    connection: duckdb.DuckDBPyConnection,
    newest: _Export,
    before: _Export,
    threshold: Mapping[str, int],
    settings: Settings,
) -> Iterator[Finding]:
    """Whether anybody was watched on since the export before, as its reporting period says."""
    months = _month(newest.record.reporting_period) - _month(before.record.reporting_period)
    if months <= 0 or not {"patient"} <= set(newest.rows) & set(before.rows):
        return
    now, then = (lake_rows([_file(export.record, "patient", settings)]) for export in (newest, before))
    row = connection.execute(
        "SELECT max(n.observed_through_day - b.observed_through_day) "
        f"FROM {now} AS n JOIN {then} AS b USING (patient_id)"
    ).fetchone()
    longest = row[0] if row else None
    if longest is not None and longest * 100 < months * DAYS_A_MONTH * threshold["watched_share_percent"]:
        yield Finding(
            rule="watched_on",
            table="patient",
            column="observed_through_day",
            severity="warning",
            message=f"the reporting period is {months} months later, but nobody was watched that much longer",
            advice="Check whether the export holds the data of its reporting period, or those of an earlier one.",
        )
