"""Alerts as plain data for the command line, ``status`` and the DAGs: counts and ids, no key."""

from __future__ import annotations

from typing import Any

from clinic_outcomes.alert.keeping import acknowledgement, alert_records, is_sent
from clinic_outcomes.alert.message import counts, message, summary
from clinic_outcomes.records import AlertRecord
from clinic_outcomes.settings import Settings


def told_alerts(clinic_id: str, settings: Settings, every: bool = False) -> list[dict[str, Any]]:
    """Open alerts of a clinic, with ``every`` also those that a person has acknowledged, by id.

    ``message`` is the text that is sent, ``sent`` whether it has left; ``acknowledged_by`` is None while it is open.
    """
    told = [_told(record, settings) for record in alert_records(clinic_id, settings)]
    return [entry for entry in told if every or entry["acknowledged_by"] is None]


def _told(record: AlertRecord, settings: Settings) -> dict[str, Any]:
    seen = acknowledgement(record, settings)
    return {
        "clinic": record.clinic_id,
        "alert": record.alert_id,
        "kind": record.kind,
        "summary": summary(record),
        "counts": counts(record),
        "unmapped_terms": record.unmapped_terms,
        "deliveries": list(record.deliveries),
        "sent": is_sent(record, settings),
        "acknowledged_by": seen.acknowledged_by if seen else None,
        "note": seen.note if seen else None,
        "message": message(record).text,
    }
