"""Who is seen in two clinics of the network, and which clinic sent whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clinic_outcomes.contract import load_contract
from clinic_outcomes.mapping import System
from clinic_outcomes.synthetic.columns import (
    NO_KEY,
    Indices,
    Keys,
    Rows,
    code_positions,
    draw_places,
    key_space,
    length,
)


@dataclass(frozen=True)
class Place:
    """A clinic's place in the network.

    ``number`` is the number that the network knows it by, ``others`` those of the other clinics. ``sent`` are network
    tokens of people whom another clinic sees later, ``received`` those whom one had seen before, with its number in
    ``received_from``.
    """

    number: int
    others: Keys
    sent: Keys
    received: Keys
    received_from: Keys


def alone() -> Place:
    """The place of a clinic that shares nobody with another."""
    nobody = np.zeros(0, dtype=np.uint64)
    return Place(number=1, others=nobody, sent=nobody, received=nobody, received_from=nobody)


def draw_network(
    rng: np.random.Generator, systems: Sequence[System], numbers: Sequence[int], patients: Sequence[int], share: float
) -> list[Place]:
    """The place of each clinic, given its system, its number and how many are referred to it.

    ``share`` of all who are referred had been seen by another clinic before.
    """
    column = load_contract().tables["patient"].column("network_token")
    smallest = min((key_space(system, column) for system in systems), key=lambda space: space.size)
    count = round(sum(patients) * share) if len(systems) > 1 else 0
    tokens = smallest.draw(rng, count)
    before = draw_places(rng, list(patients), count)
    # Any other clinic, by its size.
    after = draw_places(rng, list(patients), count)
    after = np.where(after == before, (after + 1) % len(systems), after)
    own = np.array(numbers, dtype=np.uint64)
    return [
        Place(
            number=numbers[clinic],
            others=np.delete(own, clinic),
            sent=tokens[before == clinic],
            received=tokens[after == clinic],
            received_from=own[before[after == clinic]],
        )
        for clinic in range(len(systems))
    ]


def set_tokens(rng: np.random.Generator, system: System, patient: Rows, referral: Rows, place: Place) -> None:
    """Set network tokens, and the referring clinic of those whom a clinic of the network sent.

    Those sent on are among the earlier half of patients, and came of their own accord. Those received came by a
    referral of the clinic that had seen them, or of their own accord where more are received than were referred.
    """
    count = length(patient)
    tokens = key_space(system, load_contract().tables["patient"].column("network_token")).draw(rng, count)
    by_network = referral["source_type"] == code_positions("referral", "source_type")["network_clinic"]
    order: Indices = rng.permutation(count)
    # The latest first, and before them those whom a clinic of the network referred.
    late = np.argsort(-np.arange(count) - count * by_network, kind="stable")[: len(place.received)]
    early = order[(order < (count + 1) // 2) & ~by_network[order] & ~np.isin(order, late)][: len(place.sent)]
    tokens[late], tokens[early] = place.received[: len(late)], place.sent[: len(early)]
    patient["network_token"] = tokens
    referring = np.full(count, NO_KEY, dtype=np.uint64)
    if len(place.others):
        referring = rng.choice(place.others, count)
    referring[late] = place.received_from[: len(late)]
    referral["referring_clinic_id"] = np.where(by_network, referring, np.uint64(NO_KEY))
