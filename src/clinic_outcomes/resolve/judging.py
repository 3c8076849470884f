"""Which deliveries of a clinic are used: a full export that loses too many records is held until a person accepts it.

Deliveries are judged in the order of their sequence. A full export is compared with the records in force when all used
deliveries of lower sequence are applied; one that is held is not used, so that the next is compared with what was in
force before it. What arrived first plays no part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clinic_outcomes import ledger
from clinic_outcomes.problems import Problem
from clinic_outcomes.records import AcceptRecord, HarmoniseRecord, HeldDelivery, ReplacedTable, ReplaceRecord
from clinic_outcomes.resolve.replacing import replaced_by
from clinic_outcomes.settings import Settings

PERCENT, MINIMUM = "lost_records_percent", "lost_records_minimum"
"""Thresholds: the share of a table's records that an export may lose, and from how many records on it is judged."""


@dataclass(frozen=True)
class Judgement:
    """Deliveries in the order of their sequence: those used, those held, and those used because a person accepted them.

    ``replaced`` is what each full export in use replaces.
    """

    used: tuple[HarmoniseRecord, ...]
    held: tuple[HeldDelivery, ...]
    accepted: tuple[str, ...]
    replaced: tuple[ReplaceRecord, ...]


def judge(usable: Sequence[HarmoniseRecord], thresholds: Mapping[str, int], settings: Settings) -> Judgement:
    """Judge deliveries that are given in the order of their sequence, one a sequence.

    ``ClinicOutcomesError`` where the lake cannot be read.
    """
    used: list[HarmoniseRecord] = []
    held: list[HeldDelivery] = []
    accepted: list[str] = []
    replaced: list[ReplaceRecord] = []
    for delivery in usable:
        if delivery.export_kind == "full":
            replacement = replaced_by(delivery, used, settings)
            lost = tuple(table for table in replacement.tables if _loses_too_many(table, thresholds))
            if lost and not _accepted(delivery, settings):
                held.append(_held(delivery, lost, thresholds))
                continue
            if lost:
                accepted.append(delivery.delivery_id)
            replaced.append(replacement)
        used.append(delivery)
    return Judgement(tuple(used), tuple(held), tuple(accepted), tuple(replaced))


def _loses_too_many(table: ReplacedTable, thresholds: Mapping[str, int]) -> bool:
    judged = table.records_in_force >= thresholds[MINIMUM]
    return judged and table.records_lost * 100 > thresholds[PERCENT] * table.records_in_force


def _accepted(delivery: HarmoniseRecord, settings: Settings) -> bool:
    path = ledger.accept_path(delivery.clinic_id, delivery.delivery_id, settings)
    return ledger.find(path, AcceptRecord) is not None


def _held(delivery: HarmoniseRecord, lost: Sequence[ReplacedTable], thresholds: Mapping[str, int]) -> HeldDelivery:
    return HeldDelivery(
        delivery_id=delivery.delivery_id,
        tables=delivery.tables,
        problems=tuple(_problem(delivery, table, thresholds[PERCENT]) for table in lost),
    )


def _problem(delivery: HarmoniseRecord, table: ReplacedTable, allowed_percent: int) -> Problem:
    tenths = table.records_lost * 1000 // table.records_in_force
    return Problem(
        rule="lost_records",
        message=(
            f"full export {delivery.delivery_id} is held: it lacks {table.records_lost} of {table.records_in_force} "
            f"records in force before it, {tenths // 10}.{tenths % 10} %, more than {allowed_percent} %"
        ),
        advice=(
            "If these records are gone at the clinic, an engineer accepts the delivery on its word "
            "(clinic-outcomes accept). If not, deliver a whole export under the next export sequence."
        ),
        clinic=delivery.clinic_id,
        table=table.table,
    )
