"""Alerts as files, and what became of each: ``alerts/<clinic>/<alert id>/{alert,sent,review,acknowledged}.json``.

``alert.json`` is written first and never changed. Its message leaves before ``sent.json`` is written, so that a process
killed in between sends it again: better twice than never.
"""

from __future__ import annotations

from pathlib import Path

from clinic_outcomes import ledger
from clinic_outcomes.problems import ClinicOutcomesError, Problem
from clinic_outcomes.records import AcknowledgeRecord, AlertRecord, ReviewRecord, SentRecord
from clinic_outcomes.settings import Settings

ALERT, SENT, REVIEW, ACKNOWLEDGED = "alert.json", "sent.json", "review.json", "acknowledged.json"


def alert_folder(clinic_id: str, alert_id: str, settings: Settings) -> Path:
    """Where an alert and what became of it lie."""
    return settings.alerts / clinic_id / alert_id


def alert_records(clinic_id: str, settings: Settings) -> tuple[AlertRecord, ...]:
    """All alerts of a clinic, by id."""
    paths = sorted((settings.alerts / clinic_id).glob(f"*/{ALERT}"))
    return tuple(ledger.read(path, AlertRecord) for path in paths)


def keep_alert(record: AlertRecord, settings: Settings) -> AlertRecord:
    """Keep an alert. Its id says all that it holds, so that of two workers both keep the same."""
    return ledger.keep(alert_folder(record.clinic_id, record.alert_id, settings) / ALERT, record)


def open_alerts(clinic_id: str, settings: Settings) -> tuple[AlertRecord, ...]:
    """Alerts that no person has acknowledged."""
    return tuple(r for r in alert_records(clinic_id, settings) if not _has(r, ACKNOWLEDGED, settings))


def unsent_alerts(clinic_id: str, settings: Settings) -> tuple[AlertRecord, ...]:
    """Alerts whose message has not left, and that nobody has acknowledged without it."""
    return tuple(record for record in open_alerts(clinic_id, settings) if not _has(record, SENT, settings))


def is_sent(record: AlertRecord, settings: Settings) -> bool:
    """Whether the alert's message has left."""
    return _has(record, SENT, settings)


def keep_sent(record: AlertRecord, recipients: int, settings: Settings) -> None:
    """Keep that the alert's message has left."""
    sent = SentRecord(clinic_id=record.clinic_id, alert_id=record.alert_id, recipients=recipients)
    ledger.keep(alert_folder(record.clinic_id, record.alert_id, settings) / SENT, sent)


def awaits_review(clinic_id: str, settings: Settings) -> bool:
    """Whether an open alert of the clinic has not been put before a person yet."""
    return any(not _has(record, REVIEW, settings) for record in open_alerts(clinic_id, settings))


def ask_for_review(clinic_id: str, asked_by: str, settings: Settings) -> tuple[AlertRecord, ...]:
    """Open alerts that are for ``asked_by`` to put before a person: of two runs, an alert is for the first alone.

    The same run gets the same alerts again, as long as they are open.
    """
    found = []
    for record in open_alerts(clinic_id, settings):
        asked = ReviewRecord(clinic_id=clinic_id, alert_id=record.alert_id, asked_by=asked_by)
        if ledger.keep(alert_folder(clinic_id, record.alert_id, settings) / REVIEW, asked) == asked:
            found.append(record)
    return tuple(found)


def acknowledge(
    clinic_id: str, alert_id: str, acknowledged_by: str, note: str, settings: Settings
) -> AcknowledgeRecord:
    """Keep that a person has seen an alert, and return the record that is kept: of two persons the first one's.

    ``ClinicOutcomesError`` where the clinic has no such alert.
    """
    # Looked up among the known alerts first: what a person typed must not become a path.
    if alert_id not in {record.alert_id for record in alert_records(clinic_id, settings)}:
        raise ClinicOutcomesError(
            [
                Problem(
                    rule="alert_unknown",
                    message="the clinic has no alert of this id",
                    advice="clinic-outcomes alerts shows which there are.",
                    clinic=clinic_id,
                )
            ]
        )
    record = AcknowledgeRecord(clinic_id=clinic_id, alert_id=alert_id, acknowledged_by=acknowledged_by, note=note)
    return ledger.keep(alert_folder(clinic_id, alert_id, settings) / ACKNOWLEDGED, record)


def acknowledgement(record: AlertRecord, settings: Settings) -> AcknowledgeRecord | None:
    """Who has seen the alert and what came of it; None while it is open."""
    return ledger.find(alert_folder(record.clinic_id, record.alert_id, settings) / ACKNOWLEDGED, AcknowledgeRecord)


def _has(record: AlertRecord, name: str, settings: Settings) -> bool:
    return (alert_folder(record.clinic_id, record.alert_id, settings) / name).is_file()
