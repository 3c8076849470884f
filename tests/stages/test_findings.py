"""What validate says of a full export against the clinic's earlier ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinic_outcomes import ledger
from clinic_outcomes.contract import load_contract
from clinic_outcomes.database import session
from clinic_outcomes.harmonise import lake_file
from clinic_outcomes.mapping.thresholds import network_thresholds
from clinic_outcomes.records import Finding, HarmonisedTable, HarmoniseRecord, ResolveRecord, Threshold
from clinic_outcomes.settings import Settings
from clinic_outcomes.validate import late_clinics, validate
from clinic_outcomes.validate.findings import compare_with_history
from tests.support.resolved_states import CLINIC, STATE, write_resolved

RECIPE = "0123456789abcdef"


def export(
    settings: Settings, sequence: int, period: str, rows: dict[str, int], kind: str = "full",
    watched: int | None = None, doses: int | None = None,
) -> str:  # fmt: skip
    """Keep an export with so many rows of each table; patients are watched up to a day, so many sessions have doses."""
    delivery_id = f"{sequence:06d}-{kind}-{sequence:016x}"
    for table, count in rows.items():
        stored = load_contract().tables[table].stored_columns
        values = {name: f"NULL::{kind}" for name, kind in stored.items()}
        values |= {"record_action": "'upsert'", f"{table}_id": "'k' || i"}
        values |= {"observed_through_day": str(watched or sequence * 100)} if table == "patient" else {}
        limit = count if doses is None else doses
        values |= {"dose_mg": f"CASE WHEN i < {limit} THEN 40 END"} if table == "session" else {}
        path = lake_file(table, CLINIC, delivery_id, RECIPE, settings)
        path.parent.mkdir(parents=True, exist_ok=True)
        columns = ", ".join(f"({values[name]})::{kind} AS {name}" for name, kind in stored.items())
        with session(settings) as connection:
            connection.execute(f"COPY (SELECT {columns} FROM range({count}) AS r(i)) TO '{path}' (FORMAT parquet)")
    record = HarmoniseRecord(
        clinic_id=CLINIC, delivery_id=delivery_id, recipe=RECIPE, export_sequence=sequence,
        export_kind="full" if kind == "full" else "delta", reporting_period=period,
        tables=tuple(HarmonisedTable(file="f", table=table, rows=count) for table, count in rows.items()),
    )  # fmt: skip
    ledger.keep(ledger.harmonise_path(CLINIC, delivery_id, RECIPE, settings), record)
    return delivery_id


def findings(settings: Settings, deliveries: list[str], **changed: int) -> tuple[set[tuple[str, str | None]], int]:
    """Rule and table (with the column, if one) of each finding, and how many exports were compared with."""
    values = {**network_thresholds(settings), **changed}
    state = ResolveRecord(
        clinic_id=CLINIC, state_id=STATE, recipe=RECIPE, deliveries=tuple(deliveries),
        thresholds=tuple(Threshold(name=name, value=value) for name, value in values.items()),
    )  # fmt: skip
    with session(settings) as connection:
        found, compared = compare_with_history(connection, CLINIC, state, settings)
    places = {(f.rule, f"{f.table}.{f.column}" if f.rule == "missing_share" else f.table) for f in found}
    return places, compared


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


USUAL = {"patient": 100, "session": 400}


def test_an_export_like_those_before_is_not_remarked_on(settings: Settings) -> None:
    first = export(settings, 1, "2025-03", USUAL)
    second = export(settings, 2, "2025-06", {"patient": 120, "session": 470})
    assert findings(settings, [first, second]) == (set(), 1)


def test_the_first_full_export_and_deltas_are_compared_with_nothing(settings: Settings) -> None:
    first = export(settings, 1, "2025-03", USUAL)
    delta = export(settings, 2, "2025-06", {"patient": 1, "session": 1}, kind="delta")
    assert findings(settings, [first]) == (set(), 0)
    assert findings(settings, [first, delta]) == (set(), 0)
    assert findings(settings, []) == (set(), 0)


def test_fewer_rows_a_patient_than_usual(settings: Settings) -> None:
    # Usual are 4, 4 and 4.5 sessions a patient; now it is 1.9, less than half of 4.
    history = [
        export(settings, n, f"2025-0{n}", {"patient": 100, "session": s}) for n, s in ((1, 400), (2, 400), (3, 450))
    ]
    low = export(settings, 4, "2025-04", {"patient": 100, "session": 190})
    assert findings(settings, [*history, low]) == ({("rows_per_patient", "session")}, 3)
    assert findings(settings, [*history, low], rows_per_patient_percent=47) == (set(), 3)


def test_a_table_that_is_missing(settings: Settings) -> None:
    first = export(settings, 1, "2025-03", {**USUAL, "condition": 200})
    second = export(settings, 2, "2025-06", USUAL)
    assert findings(settings, [first, second]) == ({("table_delivered_again", "condition")}, 1)


def test_a_column_that_runs_empty(settings: Settings) -> None:
    first = export(settings, 1, "2025-03", USUAL)  # a dose in all rows
    second = export(settings, 2, "2025-06", USUAL, doses=316)  # in 79 %
    assert findings(settings, [first, second]) == ({("missing_share", "session.dose_mg")}, 1)
    assert findings(settings, [first, second], missing_rise_points=21) == (set(), 1)
    assert findings(settings, [first, second], fewest_rows_compared=401) == (set(), 1)


def test_an_old_export_under_a_new_period(settings: Settings) -> None:
    # Six months later somebody must have been watched on for more than 90 days.
    first = export(settings, 1, "2025-01", USUAL, watched=300)
    stale = export(settings, 2, "2025-07", USUAL, watched=389)
    fresh = export(settings, 3, "2025-07", USUAL, watched=390)
    assert findings(settings, [first, stale]) == ({("watched_on", "patient")}, 1)
    assert findings(settings, [first, fresh]) == (set(), 1)


def test_the_stage_keeps_findings_with_its_record(settings: Settings) -> None:
    folder = write_resolved(settings, {"patient": "patient_id | intake_day\nann | 0"})
    deliveries = (export(settings, 1, "2025-03", USUAL), export(settings, 2, "2025-06", {"patient": 100}))
    path = folder / "resolved" / "resolve.json"
    state = ledger.read(path, ResolveRecord).model_copy(update={"deliveries": deliveries, "recipe": RECIPE})
    path.write_text(state.model_dump_json())
    record = validate(CLINIC, settings, STATE)
    assert record.compared_with == 1
    assert [(f.rule, f.table, f.severity) for f in record.findings] == [("table_delivered_again", "session", "warning")]


def test_a_clinic_far_behind_the_network_is_late() -> None:
    periods = {"alder": "2025-12", "birch": "2025-06", "cedar": "2025-05"}
    late = late_clinics(periods, dict.fromkeys(periods, 6))
    assert set(late) == {"cedar"}
    assert isinstance(late["cedar"], Finding) and "7 months" in late["cedar"].message
    assert late_clinics(periods, {**dict.fromkeys(periods, 6), "cedar": 7}) == {}
    assert late_clinics({}, {}) == {}
