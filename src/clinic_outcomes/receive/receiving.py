"""The stage: every folder in landing becomes a delivery record, once."""

from __future__ import annotations

from clinic_outcomes import ledger
from clinic_outcomes.files import fingerprint
from clinic_outcomes.mapping import Clinic, load_clinic
from clinic_outcomes.problems import ClinicOutcomesError, Problem
from clinic_outcomes.receive.checking import check_drop
from clinic_outcomes.receive.landing import Drop, find_index, look, write_index
from clinic_outcomes.recipe import code_fingerprint
from clinic_outcomes.records import ReceiveRecord
from clinic_outcomes.settings import Settings


def receive(clinic_id: str, settings: Settings) -> tuple[ReceiveRecord, ...]:
    """Records of all deliveries now in the clinic's landing folder and of those received earlier, by delivery id.

    A delivery that was refused and has gone from landing, or was completed there, is not among them; its record
    stays in the ledger. ``ClinicOutcomesError`` where the clinic is not known or landing cannot be read.
    """
    clinic = load_clinic(clinic_id, settings)
    checked_by = _rules(clinic, settings)
    landed = {}
    for drop in look(clinic_id, settings):
        record = _receive(drop, clinic, checked_by, settings)
        landed[record.delivery_id] = record
    earlier = {record.delivery_id: record for record in ledger.receive_records(clinic_id, settings) if record.received}
    return tuple(record for _, record in sorted((earlier | landed).items()))


def _rules(clinic: Clinic, settings: Settings) -> str:
    """What a folder's verdict depends on beside its content: a folder is looked at again when this changes."""
    sources = [text for name, s in clinic.system.sources.items() for text in (name, s.model_dump_json())]
    return fingerprint(
        [
            *clinic.system.formats,
            clinic.system.csv.model_dump_json(),
            *sources,
            *(f"{name} {limit}" for name, limit in settings.limits.items()),
            code_fingerprint(("receive", "formats")),
        ]
    )[:16]


def _receive(drop: Drop, clinic: Clinic, checked_by: str, settings: Settings) -> ReceiveRecord:
    known = find_index(clinic.clinic_id, drop, settings)
    if known and known.checked_by == checked_by:
        record = ledger.find(ledger.receive_path(clinic.clinic_id, known.delivery_id, settings), ReceiveRecord)
        if record:
            return record
    try:
        found = check_drop(drop, clinic, settings)
    except OSError:
        raise ClinicOutcomesError(
            [
                Problem(
                    rule="landing_unreadable",
                    message="a folder in landing cannot be read, or changed while it was read",
                    advice="Let the pipeline's user read landing; the next run tries again.",
                    clinic=clinic.clinic_id,
                )
            ]
        ) from None
    record = ledger.keep(ledger.receive_path(clinic.clinic_id, found.delivery_id, settings), found)
    write_index(clinic.clinic_id, drop, checked_by, record.delivery_id, settings)
    return record
