"""The urgent path: what a person should know at once, without waiting for a release.

``events`` finds serious and unexpected events in a clinic's newest state, ``monitoring`` watches how often they come,
``stage`` raises an alert of what no earlier alert told of, ``keeping`` holds what became of each alert, and ``message``
says it in counts and ids alone.
"""

from clinic_outcomes.alert.keeping import (
    acknowledge,
    alert_records,
    ask_for_review,
    awaits_review,
    is_sent,
    keep_sent,
    open_alerts,
    unsent_alerts,
)
from clinic_outcomes.alert.message import Message, message
from clinic_outcomes.alert.stage import alert
from clinic_outcomes.alert.telling import told_alerts

__all__ = [
    "Message",
    "acknowledge",
    "alert",
    "alert_records",
    "ask_for_review",
    "awaits_review",
    "is_sent",
    "keep_sent",
    "message",
    "open_alerts",
    "told_alerts",
    "unsent_alerts",
]
