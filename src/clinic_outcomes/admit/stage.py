"""The stage: a verdict on each received delivery, under the clinic's current recipe."""

from __future__ import annotations

import duckdb

from clinic_outcomes import ledger
from clinic_outcomes.admit.detectors import RULES
from clinic_outcomes.admit.scanning import scan_delivery
from clinic_outcomes.database import session
from clinic_outcomes.mapping import Clinic, load_clinic
from clinic_outcomes.problems import ClinicOutcomesError, Problem
from clinic_outcomes.receive import delivery_files, landing_folders
from clinic_outcomes.recipe import recipe
from clinic_outcomes.records import AdmitRecord, ReceiveRecord
from clinic_outcomes.settings import Settings


def admit(clinic_id: str, settings: Settings) -> tuple[AdmitRecord, ...]:
    """Verdicts on all deliveries received, by delivery id: those kept under the current recipe and those made now.

    A delivery that has left landing gets no new verdict. ``ClinicOutcomesError`` where the mapping is wrong, or landing
    was edited since it was received.
    """
    clinic = load_clinic(clinic_id, settings)
    current = recipe(clinic, settings)
    landed = landing_folders(clinic_id, settings)
    verdicts = []
    for received in ledger.receive_records(clinic_id, settings):
        path = ledger.admit_path(clinic_id, received.delivery_id, current, settings)
        kept = ledger.find(path, AdmitRecord)
        if kept is None and received.received and received.delivery_id in landed:
            kept = ledger.keep(path, _judge(received, clinic, current, settings))
        if kept is not None:
            verdicts.append(kept)
    return tuple(verdicts)


def _judge(received: ReceiveRecord, clinic: Clinic, current: str, settings: Settings) -> AdmitRecord:
    paths = delivery_files(received, settings)
    with session(settings, spill=False) as connection:
        try:
            problems = scan_delivery(connection, paths, clinic)
        except duckdb.Error:
            # DuckDB's own words quote values.
            raise ClinicOutcomesError([_unscannable(clinic.clinic_id, received.delivery_id)]) from None
    order = {rule: position for position, rule in enumerate(RULES)}
    ordered = sorted(problems, key=lambda p: (order[p.rule], p.file or "", p.line or 0, p.column or "", p.message))
    return AdmitRecord(
        clinic_id=clinic.clinic_id,
        delivery_id=received.delivery_id,
        recipe=current,
        admitted=not problems,
        problems=tuple(problem.model_copy(update={"clinic": clinic.clinic_id}) for problem in ordered),
    )


def _unscannable(clinic_id: str, delivery_id: str) -> Problem:
    return Problem(
        rule="scan_failed",
        message=f"delivery {delivery_id} could not be scanned for identifiers, so it is not admitted",
        advice="Run again; where it stays, more memory may help (CLINIC_OUTCOMES_MEMORY_LIMIT_MB).",
        clinic=clinic_id,
    )
