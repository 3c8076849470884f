"""Keys as harmonise makes them, computed with the standard library alone, to read results by eye."""

import hashlib
import hmac
from collections.abc import Iterable, Sequence

from clinic_outcomes.settings import Settings

NETWORK = ("network_token", "referring_clinic_id")
OWN = (
    "patient_id", "organisation_id", "condition_id", "course_id", "medication_id", "prior_treatment_id", "referral_id",
    "site_id", "session_id", "adverse_event_id", "assessment_id", "escalation_id",
)  # fmt: skip


def new_key(settings: Settings, clinic_id: str, column: str, delivered: str) -> str:
    """The key that a delivered one becomes in a column of the contract."""
    secret = bytes.fromhex(settings.salt_file.read_text().strip())
    scope = "network" if column in NETWORK else clinic_id
    return hmac.new(secret, f"{scope}|{column}|{delivered}".encode(), hashlib.sha256).hexdigest()[:32]


def with_delivered_keys(
    settings: Settings, clinic_id: str, rows: Iterable[Sequence[object]], texts: Iterable[str]
) -> list[tuple[object, ...]]:
    """Rows with every key that one of ``texts`` became put back as it was delivered."""
    known = {new_key(settings, clinic_id, column, text): text for text in texts if text for column in (*NETWORK, *OWN)}
    return [tuple(known.get(v, v) if isinstance(v, str) else v for v in row) for row in rows]
