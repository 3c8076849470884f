"""A person's word that a held delivery is right."""

from __future__ import annotations

from clinic_outcomes import ledger
from clinic_outcomes.problems import ClinicOutcomesError, Problem
from clinic_outcomes.records import AcceptRecord
from clinic_outcomes.resolve.stage import resolve
from clinic_outcomes.settings import Settings


def accept(clinic_id: str, delivery_id: str, accepted_by: str, reason: str, settings: Settings) -> AcceptRecord:
    """Keep that a person accepts a held delivery; the next run uses it. Returns the record that is kept.

    The record is immutable: who accepts again, in the same words, changes nothing. ``ClinicOutcomesError`` where the
    delivery is not held, or was accepted already by somebody else or for another reason.
    """
    record = AcceptRecord(clinic_id=clinic_id, delivery_id=delivery_id, accepted_by=accepted_by, reason=reason)
    # Looked up among the known deliveries first: what a person typed must not become a path.
    if delivery_id not in {known.delivery_id for known in ledger.receive_records(clinic_id, settings)}:
        raise ClinicOutcomesError([_problem(clinic_id, "the clinic has no delivery of this id")])
    path = ledger.accept_path(clinic_id, delivery_id, settings)
    held = {held.delivery_id for held in resolve(clinic_id, settings).held}
    # In this order: where two persons accept at once, the second may find the delivery in use already.
    if delivery_id not in held and not path.is_file():
        raise ClinicOutcomesError([_problem(clinic_id, f"delivery {delivery_id} is not held")])
    kept = ledger.keep(path, record)
    if kept != record:
        raise ClinicOutcomesError(
            [_problem(clinic_id, f"delivery {delivery_id} is accepted already: {kept.accepted_by}, {kept.reason}")]
        )
    return kept


def _problem(clinic_id: str, message: str) -> Problem:
    return Problem(
        rule="accept",
        message=message,
        advice="clinic-outcomes status shows which deliveries are held.",
        clinic=clinic_id,
    )
