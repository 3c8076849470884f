"""Which deliveries of which clinics a build's figures are of."""

from __future__ import annotations

from collections.abc import Mapping

from clinic_outcomes import ledger
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.records import ModelRecord, ResolveRecord, ValidateRecord
from clinic_outcomes.register.entries import ClinicInUse, DeliveryInUse
from clinic_outcomes.resolve import resolved_folder
from clinic_outcomes.settings import Settings


def clinics_in_use(model: ModelRecord, settings: Settings) -> tuple[ClinicInUse, ...]:
    """State and deliveries of each clinic of a build, as its state's record and the ledger have them.

    ``ClinicOutcomesError`` where a state or the receive record of a delivery is gone: a release whose deliveries nobody
    can name is not entered.
    """
    return tuple(_clinic(clinic_id, state_id, settings) for clinic_id, state_id in sorted(model.states.items()))


def _clinic(clinic_id: str, state_id: str, settings: Settings) -> ClinicInUse:
    validated = ledger.find(settings.state / clinic_id / state_id / "validate.json", ValidateRecord)
    if validated is None:
        raise ClinicOutcomesError(f"clinic {clinic_id}: the state {state_id} of the build is gone; build again")
    resolved = ledger.find(resolved_folder(clinic_id, state_id, settings) / "resolve.json", ResolveRecord)
    restating = frozenset(resolved.final_period_restatements if resolved else ())
    periods = {r.delivery_id: r.reporting_period or "" for r in ledger.receive_records(clinic_id, settings)}
    return ClinicInUse(
        clinic_id=clinic_id,
        state_id=state_id,
        deliveries=tuple(
            DeliveryInUse(
                delivery_id=delivery_id,
                reporting_period=_period(clinic_id, delivery_id, periods),
                restates_final=delivery_id in restating,
            )
            for delivery_id in sorted(validated.deliveries)
        ),
    )


def _period(clinic_id: str, delivery_id: str, periods: Mapping[str, str]) -> str:
    if delivery_id not in periods:
        raise ClinicOutcomesError(f"clinic {clinic_id}: the ledger has no receive record of {delivery_id}")
    return periods[delivery_id]
