"""Sequential monitoring of a clinic: whether serious events come more often than the treatment is known to cause.

A Bernoulli CUSUM over sessions. A session is serious where a serious treatment-emergent event is tied to it; an event
without a session of the state belongs to the person's last session before it, one without a day to the first. Several
events of a session count once. Sessions come in the order of the exports that first told of them, for an export says
nothing of the order within it; a serious event that is told later still belongs to its session, so that a table that
a clinic adds late is no cluster.

Deliveries in conflict or held are not read. What was restated since is read as it is now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import duckdb

from clinic_outcomes import ledger
from clinic_outcomes.alert.events import SESSIONS
from clinic_outcomes.contract import load_contract
from clinic_outcomes.harmonise import lake_rows
from clinic_outcomes.problems import ClinicOutcomesError, Problem
from clinic_outcomes.records import (
    AlertRecord,
    HarmoniseRecord,
    MonitoredExport,
    Monitoring,
    ResolveRecord,
    SeriousSession,
)
from clinic_outcomes.resolve.history import containing, lake_files
from clinic_outcomes.settings import Settings
from clinic_outcomes.statistics.cusum import CusumDesign, cusum_path, design_cusum

IN_CONTROL, RATIO, HORIZON, FALSE_ALARM = (
    "serious_sessions_per_10000",
    "serious_rate_ratio",
    "monitoring_horizon_sessions",
    "monitoring_false_alarm_percent",
)
"""Thresholds of the chart."""


def monitor(
    connection: duckdb.DuckDBPyConnection,
    resolved: ResolveRecord,
    thresholds: Mapping[str, int],
    earlier: Iterable[AlertRecord],
    settings: Settings,
) -> Monitoring | None:
    """The crossed limit of the state whose events are judged in ``connection``; None where there is nothing new.

    An alarm was told of where earlier alerts told of an event of each of the sessions that made it: it is told again
    when a further serious session adds to it. ``ClinicOutcomesError`` where the lake or the thresholds are wrong.
    """
    used = _used_deliveries(resolved, settings)
    _attribute(connection, used, settings)
    serious = _serious_sessions(connection)
    if not serious:
        return None
    design = _design(resolved.clinic_id, thresholds)
    sessions: dict[int, int] = dict(
        connection.execute("SELECT export_sequence, count(*) FROM first_told GROUP BY export_sequence").fetchall()
    )
    path = _path(design, used, sessions, serious)
    told = {event for record in earlier if record.monitoring
            for session in record.monitoring.serious_sessions for event in session.events}  # fmt: skip
    alarms, made_by = _new_alarms(path, design.limit, serious, told)
    if not alarms:
        return None
    return Monitoring(
        in_control_per_10000=thresholds[IN_CONTROL],
        rate_ratio=thresholds[RATIO],
        step=design.step,
        limit=design.limit,
        horizon_sessions=design.horizon_sessions,
        false_alarm_percent=f"{design.false_alarm_percent:.2f}",
        path=path,
        alarms=alarms,
        serious_sessions=made_by,
    )


def _used_deliveries(resolved: ResolveRecord, settings: Settings) -> tuple[HarmoniseRecord, ...]:
    """Deliveries that the state is made of, in the order of their sequence.

    ``ClinicOutcomesError`` where the ledger does not know one under the recipe of the state.
    """
    known = {r.delivery_id: r for r in ledger.harmonise_records(resolved.clinic_id, resolved.recipe or "", settings)}
    missing = [delivery_id for delivery_id in resolved.deliveries if delivery_id not in known]
    if missing:
        problem = Problem(
            rule="ledger_record_missing",
            message=f"the ledger has no harmonise record of {', '.join(missing)}: serious events are not monitored",
            advice="Run the clinic's stages again; they are derived from landing.",
            clinic=resolved.clinic_id,
        )
        raise ClinicOutcomesError([problem])
    return tuple(sorted((known[name] for name in resolved.deliveries), key=lambda record: record.export_sequence))


def _attribute(connection: duckdb.DuckDBPyConnection, used: Sequence[HarmoniseRecord], settings: Settings) -> None:
    """Make tables ``first_told`` (sessions in force) and ``serious_event`` (each with its session)."""
    table = load_contract().tables[SESSIONS]
    files: list[Path] = lake_files(containing(used, table), table, settings)
    rows = (
        f"SELECT session_id, min(export_sequence) AS export_sequence FROM {lake_rows(files)} "
        "SEMI JOIN session USING (session_id) WHERE record_action = 'upsert' GROUP BY session_id"
        if files
        else "SELECT NULL::VARCHAR AS session_id, NULL::INTEGER AS export_sequence WHERE false"
    )
    connection.execute(f"CREATE TEMP TABLE first_told AS {rows}")
    connection.execute(f"CREATE TEMP TABLE serious_event AS {_SERIOUS_EVENT}")


_SERIOUS_EVENT = """
    WITH serious AS (
        SELECT DISTINCT p.identity, p.patient_id, p.session_id, p.onset_day
        FROM placed AS p SEMI JOIN (FROM judged WHERE is_serious AND is_emergent) USING (identity)
    ),
    attributed AS (
        SELECT e.identity, coalesce(
            any_value(s.session_id) FILTER (WHERE s.session_id = e.session_id),
            arg_max(s.session_id, (s.session_day, s.session_id)) FILTER (WHERE s.session_day <= e.onset_day),
            arg_min(s.session_id, (s.session_day, s.session_id))
        ) AS session_id
        FROM serious AS e JOIN session AS s USING (patient_id)
        WHERE s.session_id IS NOT NULL
        GROUP BY e.identity, patient_id, e.session_id, e.onset_day
    )
    SELECT DISTINCT identity, session_id, export_sequence FROM attributed JOIN first_told USING (session_id)
"""


def _serious_sessions(connection: duckdb.DuckDBPyConnection) -> tuple[SeriousSession, ...]:
    rows = connection.execute(
        "SELECT session_id, export_sequence, list(identity ORDER BY identity) FROM serious_event "
        "GROUP BY session_id, export_sequence ORDER BY export_sequence, session_id"
    ).fetchall()
    return tuple(
        SeriousSession(session_id=session_id, export_sequence=sequence, events=tuple(events))
        for session_id, sequence, events in rows
    )


def _design(clinic_id: str, thresholds: Mapping[str, int]) -> CusumDesign:
    try:
        return design_cusum(
            thresholds[IN_CONTROL] / 10, thresholds[RATIO], thresholds[HORIZON], thresholds[FALSE_ALARM]
        )
    except ValueError as error:
        problem = Problem(
            rule="monitoring_thresholds",
            message=f"no chart can be made of the clinic's thresholds: {error}",
            advice=f"Correct {IN_CONTROL}, {RATIO}, {HORIZON} or {FALSE_ALARM}.",
            clinic=clinic_id,
        )
        raise ClinicOutcomesError([problem]) from None


def _path(
    design: CusumDesign,
    used: Sequence[HarmoniseRecord],
    sessions: Mapping[int, int],
    serious: Sequence[SeriousSession],
) -> tuple[MonitoredExport, ...]:
    counted = [sum(s.export_sequence == delivery.export_sequence for s in serious) for delivery in used]
    batches = [(sessions.get(d.export_sequence, 0), events) for d, events in zip(used, counted, strict=True)]
    return tuple(
        MonitoredExport(
            delivery_id=delivery.delivery_id,
            export_sequence=delivery.export_sequence,
            sessions=batch[0],
            serious_sessions=batch[1],
            value=value,
        )
        for delivery, batch, value in zip(used, batches, cusum_path(design, batches), strict=True)
    )


def _new_alarms(
    path: Sequence[MonitoredExport], limit: int, serious: Sequence[SeriousSession], told: set[str]
) -> tuple[tuple[int, ...], tuple[SeriousSession, ...]]:
    """Sequences of alarms not told of, and the serious sessions since the value was last zero that made them."""
    alarms: list[int] = []
    made_by: dict[str, SeriousSession] = {}
    since: list[int] = []
    for export in path:
        since = [*since, export.export_sequence] if export.value else []
        # Only serious sessions raise the value: an export without them continues an alarm that was told of.
        if export.value < limit or not export.serious_sessions:
            continue
        behind = [session for session in serious if session.export_sequence in since]
        if any(not told.intersection(session.events) for session in behind):
            alarms.append(export.export_sequence)
            made_by |= {session.session_id: session for session in behind}
    return tuple(alarms), tuple(made_by.values())
