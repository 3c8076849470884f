"""Why the gate refused deliveries of a clinic: file, column, rule, how many rows, and what to do. Never a value."""

from __future__ import annotations

from typing import Any

from clinic_outcomes.admit.stage import admit
from clinic_outcomes.mapping import load_clinic
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.records import AdmitRecord
from clinic_outcomes.settings import Settings


def explain(clinic_id: str, delivery_id: str | None, settings: Settings) -> dict[str, Any]:
    """The gate's verdicts on a clinic's deliveries, or on one, as plain data, and the legal basis that they rest on.

    Deliveries received and not judged yet are judged now. ``ClinicOutcomesError`` where the clinic or the delivery is
    not known.
    """
    basis = load_clinic(clinic_id, settings).legal_basis
    verdicts = [v for v in admit(clinic_id, settings) if delivery_id in (None, v.delivery_id)]
    if delivery_id is not None and not verdicts:
        raise ClinicOutcomesError(f"{clinic_id} has no delivery of that id that the gate has judged")
    return {
        "clinic": clinic_id,
        "legal_basis": basis.model_dump() | {"small_areas": basis.allowance.small_areas},
        "deliveries": [_verdict(record) for record in verdicts],
    }


def _verdict(record: AdmitRecord) -> dict[str, Any]:
    told = ("file", "table", "column", "rule", "rows", "line", "message", "advice")
    return {
        "delivery": record.delivery_id,
        "admitted": record.admitted,
        "problems": [{name: getattr(problem, name) for name in told} for problem in record.problems],
    }
