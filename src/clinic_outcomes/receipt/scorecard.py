"""The scorecard: one word for each table of a clinic, and the counts behind it.

- ``error``: the newest deliveries could not be judged, so that an earlier state, or none, is in use;
- ``not applicable``: the clinic never delivered the table, or no row of it is in force: nothing was checked;
- ``fail``: more than ``quarantined_percent`` of the rows in force are quarantined;
- ``pass with failures``: some rows break a rule, or the clinic's own history says that something is odd;
- ``pass``: every rule with something to check held.

A rule with nothing to check is no pass: it is counted apart.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from clinic_outcomes.contract import load_contract
from clinic_outcomes.mapping import load_clinic
from clinic_outcomes.records import RuleCount, ValidateRecord
from clinic_outcomes.settings import Settings
from clinic_outcomes.status import ClinicRecords, read_clinic

Result = Literal["pass", "pass with failures", "fail", "not applicable", "error"]
FAILING_PERCENT = "quarantined_percent"
"""Threshold of ``expectations/thresholds.yml``."""


@dataclass(frozen=True)
class Score:
    """The result of a table: rules that held, were broken, and had nothing to check; rows in force and quarantined."""

    clinic_id: str
    table: str
    result: Result
    held: int = 0
    broken: int = 0
    nothing_to_check: int = 0
    rows: int = 0
    quarantined: int = 0


def scorecard(clinic_id: str, settings: Settings) -> tuple[Score, ...]:
    """Scores of all tables of a clinic, in the contract's order. ``ClinicOutcomesError`` where it is not known."""
    return score_tables(read_clinic(load_clinic(clinic_id, settings), settings))


def score_tables(records: ClinicRecords) -> tuple[Score, ...]:
    """Scores of all tables from what is known of a clinic."""
    return tuple(_score(table, records) for table in load_contract().tables)


def _score(table: str, records: ClinicRecords) -> Score:
    clinic_id, validated = records.clinic.clinic_id, records.validated
    waiting = {d for d, record in records.harmonised.items() if any(part.table == table for part in record.tables)}
    if waiting - _judged(records):
        return Score(clinic_id, table, "error")
    if validated is None:
        return Score(clinic_id, table, "not applicable")
    counts = [count for count in validated.rules if count.table == table]
    account = [part for part in validated.account if part.table == table]
    quarantined = sum(part.quarantined for part in account)
    rows = quarantined + sum(part.current for part in account)
    outcomes = [count.outcome for count in counts]
    return Score(
        clinic_id,
        table,
        _result(table, counts, validated, rows, quarantined, _failing_percent(records)),
        held=outcomes.count("held"),
        broken=outcomes.count("broken"),
        nothing_to_check=outcomes.count("not_applicable"),
        rows=rows,
        quarantined=quarantined,
    )


def _judged(records: ClinicRecords) -> set[str]:
    """Deliveries that were judged in the newest state, or left out for a reason that was told."""
    left_out: Collection[str] = [held.delivery_id for held in records.resolved.held] if records.resolved else ()
    used = records.validated.deliveries if records.validated else ()
    return {*used, *left_out, *records.conflicts}


def _failing_percent(records: ClinicRecords) -> int:
    thresholds = records.resolved.thresholds if records.resolved else ()
    return next((threshold.value for threshold in thresholds if threshold.name == FAILING_PERCENT), 100)


def _result(
    table: str,
    counts: Collection[RuleCount],
    validated: ValidateRecord,
    rows: int,
    quarantined: int,
    failing_percent: int,
) -> Result:
    if not rows:
        return "not applicable"
    broken = [count for count in counts if count.rows]
    if quarantined * 100 > rows * failing_percent:
        return "fail"
    if broken or any(finding.table == table for finding in validated.findings):
        return "pass with failures"
    return "pass"
