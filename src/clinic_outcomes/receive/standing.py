"""Which of a clinic's deliveries count, and whether its newest one is in use."""

from __future__ import annotations

from collections.abc import Collection

from clinic_outcomes import ledger
from clinic_outcomes.receive.opening import landing_folders
from clinic_outcomes.records import ReceiveRecord
from clinic_outcomes.settings import Settings


def standing_deliveries(clinic_id: str, settings: Settings) -> tuple[ReceiveRecord, ...]:
    """Deliveries received at any time, and those refused while they lie in landing, by delivery id.

    A refused one that left landing, or was completed there, is no longer of interest.
    """
    landed = landing_folders(clinic_id, settings)
    return tuple(
        record
        for record in ledger.receive_records(clinic_id, settings)
        if record.received or record.delivery_id in landed
    )


def is_stale(deliveries: Collection[ReceiveRecord], used: Collection[str]) -> bool:
    """Whether a delivery later than all those in use (by delivery id) is not in use itself."""
    newest = max((d.export_sequence or 0 for d in deliveries if d.delivery_id in used), default=0)
    return any((d.export_sequence or 0) > newest for d in deliveries)
