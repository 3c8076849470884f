"""An alert in words: counts and ids alone, for a message that leaves the house. No key, term or day is in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from clinic_outcomes.records import AlertRecord, Monitoring

COUNTED = {
    "fatal": "fatal",
    "life_threatening": "life-threatening",
    "serious": "serious",
    "unexpected": "not expected of the drug",
    "unclear": "with a seriousness that cannot be read",
}
"""Kinds of events, worst first, in words."""


@dataclass(frozen=True)
class Message:
    """What is sent: a line, and plain text."""

    subject: str
    text: str


def counts(record: AlertRecord) -> dict[str, int]:
    """Events of the alert in all, by kind, and by what a reader should know of them."""
    return {
        "events": len(record.events),
        **{kind: sum(kind in event.kinds for event in record.events) for kind in COUNTED},
        "quarantined": sum(event.quarantined for event in record.events),
        "term_unmapped": sum(event.term_unmapped for event in record.events),
        "told_before": sum(event.told_before for event in record.events),
    }


def summary(record: AlertRecord) -> str:
    """The alert in one line."""
    if record.monitoring:
        return f"serious events come too often: the monitoring is at its limit or above ({_values(record.monitoring)})"
    told = counts(record)
    return ", ".join(f"{told[kind]} {words}" for kind, words in COUNTED.items() if told[kind])


def message(record: AlertRecord) -> Message:
    """The message of an alert."""
    subject = f"clinic-outcomes alert {record.alert_id}, clinic {record.clinic_id}: {summary(record)}"
    parts = [
        [f"Alert {record.alert_id} of clinic {record.clinic_id}: {summary(record)}."],
        *([_monitoring(record.monitoring)] if record.monitoring else []),
        _counts(record),
        ["Deliveries with these events:", *(f"  {delivery_id}" for delivery_id in record.deliveries)],
        _what_to_do(record),
    ]
    return Message(subject, "\n\n".join("\n".join(lines) for lines in parts) + "\n")


def _counts(record: AlertRecord) -> list[str]:
    told = counts(record)
    return [
        "Events:",
        *(f"  {words}: {told[kind]}" for kind, words in COUNTED.items()),
        f"  together: {told['events']}",
        f"  of them quarantined, since a rule is broken: {told['quarantined']}",
        f"  of them with a term that no mapping knows: {told['term_unmapped']}",
        f"  of them told before, and now of a further kind: {told['told_before']}"
        if record.kind == "events"
        else f"  of them told before: {told['told_before']}",
        f"Treatment-emergent events of the clinic with a term that no mapping knows: {record.unmapped_terms}",
    ]


def _monitoring(crossed: Monitoring) -> list[str]:
    return [
        "Sequential monitoring (Bernoulli CUSUM of sessions with a serious event):",
        f"  in control: {crossed.in_control_per_10000} in 10,000 sessions; looks for {crossed.rate_ratio} times that",
        f"  limit {crossed.limit}; a session with a serious event adds {crossed.step}, every session takes 1 away",
        f"  false alarms: in {crossed.horizon_sessions} sessions {crossed.false_alarm_percent} % of clinics in control",
        "  value after each export:",
        *(
            f"    {export.delivery_id}: {export.sessions} sessions, {export.serious_sessions} of them serious, "
            f"value {export.value}{' - alarm' if export.export_sequence in crossed.alarms else ''}"
            for export in crossed.path
        ),
    ]


def _values(crossed: Monitoring) -> str:
    values: Iterable[int] = (e.value for e in crossed.path if e.export_sequence in crossed.alarms)
    return f"value {max(values)}, limit {crossed.limit}"


def _what_to_do(record: AlertRecord) -> list[str]:
    return [
        "What to look at:",
        f"  clinic-outcomes alerts --clinic {record.clinic_id}",
        f"  clinic-outcomes receipt {record.clinic_id}",
        "  docs/runbook.md, A safety alert: from the alert to the rows, and whom to ask",
        f"  clinic-outcomes acknowledge {record.clinic_id} {record.alert_id} --by WHO --note WHAT",
    ]
