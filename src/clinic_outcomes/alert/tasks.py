"""What the DAGs do with alerts: send their messages, put them before a person, and keep the answer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from clinic_outcomes.alert.keeping import (
    acknowledge,
    ask_for_review,
    awaits_review,
    keep_sent,
    unsent_alerts,
)
from clinic_outcomes.alert.message import Message, message
from clinic_outcomes.mapping import load_clinics
from clinic_outcomes.records import AlertRecord
from clinic_outcomes.settings import Settings

logger = logging.getLogger(__name__)

Send = Callable[[Sequence[str], Message], None]
"""Sends a message to e-mail addresses; raises where it did not leave."""


def needs_review(clinic_id: str, settings: Settings | None = None) -> bool:
    """Whether an open alert of the clinic has not been put before a person yet."""
    return awaits_review(clinic_id, settings or Settings.from_environment())


def send_alerts(clinic_id: str, send: Send, settings: Settings | None = None) -> list[str]:
    """Send the messages of the clinic's alerts that have not left, and return the alerts' ids.

    That a message left is kept after it did: killed in between, it is sent again. Without recipients nothing is sent
    and the log says so.
    """
    settings = settings or Settings.from_environment()
    sent = []
    for record in unsent_alerts(clinic_id, settings):
        if not settings.alert_recipients:
            logger.warning(
                "NOT SENT: alert %s of clinic %s: nobody is to get it. Set CLINIC_OUTCOMES_ALERT_RECIPIENTS; meanwhile "
                "see clinic-outcomes alerts.", record.alert_id, clinic_id,
            )  # fmt: skip
            continue
        send(settings.alert_recipients, message(record))
        keep_sent(record, len(settings.alert_recipients), settings)
        sent.append(record.alert_id)
    return sent


def alerts_to_review(asked_by: str, settings: Settings | None = None) -> list[dict[str, str]]:
    """Open alerts of all clinics that the named run is to put before a person: ids, and the text to show."""
    settings = settings or Settings.from_environment()
    found = [r for clinic_id in sorted(load_clinics(settings)) for r in ask_for_review(clinic_id, asked_by, settings)]
    return [_shown(record) for record in found]


def _shown(record: AlertRecord) -> dict[str, str]:
    told = message(record)
    # Indented, it is shown as it is written.
    body = "\n".join(f"    {line}" for line in told.text.splitlines())
    return {"clinic_id": record.clinic_id, "alert_id": record.alert_id, "subject": told.subject, "body": body}


def keep_answer(
    clinic_id: str, alert_id: str, answer: Mapping[str, Any] | None, settings: Settings | None = None
) -> list[str]:
    """Keep a person's answer to a required action as the alert's acknowledgement; returns the alert's id.

    Without an answer, as where the action was marked done, the alert stays open.
    """
    settings = settings or Settings.from_environment()
    if not answer:
        logger.warning("alert %s of clinic %s stays open: nobody answered", alert_id, clinic_id)
        return []
    user = answer.get("responded_by_user") or {}
    told = [*answer.get("chosen_options", ()), (answer.get("params_input") or {}).get("note")]
    note = ": ".join(str(part).strip() for part in told if part)
    kept = acknowledge(
        clinic_id, alert_id, (user.get("name") or user.get("id") or "unknown")[:100], note[:500], settings
    )
    logger.info("alert %s of clinic %s: acknowledged by %s", alert_id, clinic_id, kept.acknowledged_by)
    return [alert_id]
