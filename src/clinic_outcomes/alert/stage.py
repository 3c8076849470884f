"""Raise the alerts of a clinic's newest state: a function of the state and of the alerts raised before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import duckdb

from clinic_outcomes import ledger
from clinic_outcomes.alert.events import (
    EVENTS,
    events_by_identity,
    judge_events,
    new_events,
    open_state,
    unmapped_terms,
)
from clinic_outcomes.alert.keeping import alert_records, keep_alert
from clinic_outcomes.alert.monitoring import monitor
from clinic_outcomes.contract.terms import expected_terms
from clinic_outcomes.database import session
from clinic_outcomes.files import canonical_json, fingerprint, latest
from clinic_outcomes.mapping import load_clinic
from clinic_outcomes.mapping.thresholds import load_thresholds
from clinic_outcomes.problems import ClinicOutcomesError, Problem
from clinic_outcomes.records import AlertedEvent, AlertRecord, Monitoring, ResolveRecord
from clinic_outcomes.settings import Settings


def alert(clinic_id: str, settings: Settings) -> tuple[AlertRecord, ...]:
    """Keep an alert of what the clinic's newest state holds and no earlier alert told of, and return what is new.

    At most two: one of events, one of a crossed limit of the sequential monitoring. The same state raises the same
    alert once, also by two workers. ``ClinicOutcomesError`` where state, lake or thresholds cannot be read.
    """
    clinic = load_clinic(clinic_id, settings)
    thresholds = load_thresholds(clinic, settings)
    folder = latest(settings.state / clinic_id)
    if folder is None:
        return ()
    earlier = alert_records(clinic_id, settings)
    try:
        with session(settings) as connection:
            # Kept as they are found: a chart that cannot be made must not hide an event.
            return tuple(
                keep_alert(record, settings) for record in _raised(connection, folder, earlier, thresholds, settings)
            )
    except duckdb.Error as error:
        problem = Problem(
            rule="state_unreadable",
            message=f"the clinic's newest state could not be read ({type(error).__name__}): nobody was told of events",
            advice="Remove the state's folder and run again; it is derived from the lake.",
            clinic=clinic_id,
        )
        raise ClinicOutcomesError([problem]) from None


def _raised(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    earlier: Sequence[AlertRecord],
    thresholds: Mapping[str, int],
    settings: Settings,
) -> Iterator[AlertRecord]:
    resolved = ledger.read(folder / "resolved" / "resolve.json", ResolveRecord)
    if EVENTS not in open_state(connection, folder):
        return
    judge_events(connection, expected_terms(settings))
    found = new_events(connection, earlier)
    unmapped = unmapped_terms(connection)
    if found:
        yield _record(resolved, found, unmapped)
    crossed = monitor(connection, resolved, thresholds, earlier, settings)
    if crossed:
        behind = {event for serious in crossed.serious_sessions for event in serious.events}
        yield _record(resolved, events_by_identity(connection, sorted(behind)), unmapped, crossed)


def _record(
    resolved: ResolveRecord, events: Iterable[AlertedEvent], unmapped: int, crossed: Monitoring | None = None
) -> AlertRecord:
    events = tuple(events)
    record = AlertRecord(
        alert_id="",
        clinic_id=resolved.clinic_id,
        state_id=resolved.state_id or "",
        kind="monitoring" if crossed else "events",
        deliveries=tuple(sorted({event.delivery_id for event in events})),
        events=events,
        unmapped_terms=unmapped,
        monitoring=crossed,
    )
    alert_id = fingerprint([canonical_json(record.model_dump(mode="json"))])[:16]
    return record.model_copy(update={"alert_id": alert_id})
