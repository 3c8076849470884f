"""The attacks: each single clinic, and each pair, with what it knows of itself besides everything released."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from clinic_outcomes.audit.system import NETWORK, TOLERANCE, Flags, Floats, Integers, System
from clinic_outcomes.audit.worlds import Optimum, Worlds

LEAST_GAIN = 0.03
"""The share of cells that must be struck out for a search among many coalitions to go on."""

Coalition = tuple[int, ...]


@dataclass(frozen=True)
class Limits:
    """What an attacker may at most find out of a withheld count.

    Its largest possible value is at least ``smallest_upper``, and its values span at least ``smallest_width``.
    ``largest_coalition`` is how many clinics put their own numbers together.
    """

    smallest_upper: int
    smallest_width: int
    largest_coalition: int

    def allow(self, lower: float, upper: float) -> bool:
        """Whether a cell known to lie between these is protected, also when it must be a whole number."""
        least, most = np.ceil(lower - TOLERANCE), np.floor(upper + TOLERANCE)
        return bool(most >= self.smallest_upper and most - least >= self.smallest_width)


@dataclass(frozen=True)
class Unproven:
    """Targets of one coalition that no world was found for, with the last optimum over those worlds."""

    coalition: Coalition
    targets: Integers
    worlds: Worlds
    optimum: Optimum | None


def coalitions(clinics: int, size: int) -> tuple[Coalition, ...]:
    """Every set of so many clinics that leaves one to be attacked; larger sets include smaller ones.

    Of two clinics each attacks the other, and of one it is the outsider who attacks.
    """
    return tuple(combinations(range(clinics), min(size, max(0, clinics - 1))))


def groups(clinics: Sequence[int], size: int) -> tuple[Coalition, ...]:
    """Clinics in one group more than attack together: whoever attacks leaves one group untouched."""
    count = min(size + 1, len(clinics))
    return tuple(tuple(clinics[group::count]) for group in range(count))


class Attack:
    """All attacks on one system: which hidden cells which coalitions may still know too much of."""

    def __init__(self, system: System, limits: Limits) -> None:
        self.system = system
        self.limits = limits
        self.coalitions = coalitions(len(system.cells.clinics), limits.largest_coalition)
        truth = system.cells.truth
        self.unknown: dict[Coalition, Floats] = {one: truth - system.cells.own_of(one) for one in self.coalitions}
        self.pending: dict[Coalition, Flags] = {one: system.hidden & self._is_of_others(one) for one in self.coalitions}

    def _is_of_others(self, coalition: Coalition) -> Flags:
        """Cells that are not the attackers' own, nor a network's that they make up by themselves."""
        own: Flags = np.isin(self.system.cells.clinic, coalition)
        return ~own & (self.unknown[coalition] >= 1)

    def withhold(self, figures: Integers) -> None:
        """Withhold these figures, too. What was safe stays safe; what they were made of is to be protected now."""
        before = self.system.hidden
        self.system = self.system.without(figures)
        new = self.system.hidden & ~before
        for one, flags in self.pending.items():
            flags |= new & self._is_of_others(one)

    @property
    def is_pending(self) -> bool:
        """Whether there is a cell that some coalition was not found to be ignorant of."""
        return any(flags.any() for flags in self.pending.values())

    def gather(self) -> None:
        """Strike out what many coalitions at once do not know, by worlds in which few clinics are different.

        A world is believed by all coalitions without a part in what is different: first in those of one
        clinic, then in those of one clinic and a group of others.
        """
        everyone = range(len(self.system.cells.clinics))
        size = self.limits.largest_coalition
        for clinic in everyone:
            self._grow(clinic)
        for clinic in everyone:
            others = [other for other in everyone if other != clinic]
            for group in groups(others, size):
                self._vary((clinic, *group), self.system.cells.clinic == clinic)
        for group in groups(everyone, size):
            self._vary(group, self.system.cells.clinic == NETWORK)

    def _grow(self, clinic: int) -> None:
        """Strike out what can be as large as one likes when this clinic alone, and the network with it, is larger."""
        others = tuple(other for other in range(len(self.system.cells.clinics)) if other != clinic)
        within = [one for one in self.coalitions if clinic not in one]
        wanted = np.logical_or.reduce([self.pending[one] for one in within])
        wanted &= ~np.isin(self.system.cells.clinic, others)
        if wanted.any():
            targets = np.flatnonzero(wanted)
            found = targets[Worlds(self.system, others, wanted).unbounded(targets)]
            for one in within:
                self.pending[one][found] = False

    def _vary(self, clinics: Coalition, targets: Flags) -> None:
        """Look for worlds in which these clinics alone, and the network's cells, are different."""
        others = tuple(clinic for clinic in range(len(self.system.cells.clinics)) if clinic not in clinics)
        self._prove(others, targets, LEAST_GAIN)

    def prove(self, coalition: Coalition) -> Unproven | None:
        """Strike out what this coalition does not know; what no world was found for."""
        return self._prove(coalition, self.pending[coalition], 0)

    def _prove(self, coalition: Coalition, targets: Flags, least_gain: float) -> Unproven | None:
        within = [one for one in self.coalitions if set(one) <= set(coalition)]
        wanted = np.zeros(len(self.system.cells), dtype=bool)
        unknown = np.full(len(wanted), np.inf)
        for one in within:
            wanted |= self.pending[one]
            unknown[self.pending[one]] = np.minimum(unknown, self.unknown[one])[self.pending[one]]
        wanted &= targets & ~np.isin(self.system.cells.clinic, coalition)
        if not wanted.any():
            return None
        worlds = Worlds(self.system, coalition, wanted)
        left = np.flatnonzero(wanted)
        left, optimum = self._strike(worlds, within, left, self._raises(unknown[left]), least_gain)
        large = unknown[left] >= self.limits.smallest_upper
        if large.any():
            width = np.full(int(large.sum()), -float(self.limits.smallest_width))
            still, lowest = self._strike(worlds, within, left[large], width, least_gain)
            left = np.concatenate([left[~large], still])
            optimum = optimum if (~large).any() else lowest
        return Unproven(coalition, left, worlds, optimum) if len(left) else None

    def _raises(self, unknown: Floats) -> Floats:
        """How much larger cells must be in some other world, so that what attackers do not know of them is protected.

        In truth a cell has its own value, so a world that differs by the width spans enough. One that is large enough
        may as well be smaller.
        """
        return np.maximum(float(self.limits.smallest_width), self.limits.smallest_upper - unknown)

    def _strike(
        self, worlds: Worlds, within: list[Coalition], targets: Integers, wanted: Floats, least_gain: float
    ) -> tuple[Integers, Optimum | None]:
        """Strike out the targets that some world moves far enough, for all coalitions within; what is left."""
        found, optimum = worlds.reachable(targets, wanted, least_gain)
        for one in within:
            self.pending[one][targets[found]] = False
        return targets[~found], optimum
