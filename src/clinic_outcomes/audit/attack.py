"""The attacks: each single clinic, and each pair, with what it knows of itself besides everything released."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from clinic_outcomes.audit.intervals import Intervals
from clinic_outcomes.audit.system import NETWORK, TOLERANCE, Cells, Flags, Floats, Integers, System
from clinic_outcomes.audit.worlds import Optimum, Worlds

LEAST_GAIN = 0.03
"""The share of cells that must be struck out for a search among many coalitions to go on."""

Coalition = tuple[int, ...]


@dataclass(frozen=True)
class Limits:
    """What an attacker may at most find out of a withheld count.

    Its largest possible value is at least ``smallest_upper``, and its values span at least ``smallest_width``.
    ``largest_coalition`` is how many clinics put their own numbers together. With ``exact_counts`` attackers are taken
    to know exactly the counts that shown figures are made of, and not only what rounding leaves of them. Of
    ``smallest_shown`` a count is no secret, and withheld for the sake of others; None protects every withheld count.
    """

    smallest_upper: int
    smallest_width: int
    largest_coalition: int
    exact_counts: bool = False
    smallest_shown: int | None = None

    def secret(self, system: System, coalition: Coalition) -> Flags:
        """Hidden cells of others of which there is something that this coalition is not to find out."""
        unknown = system.cells.unknown_part(coalition)
        secret: Flags = system.hidden & ~np.isin(system.cells.clinic, coalition) & (unknown >= 1)
        return secret if self.smallest_shown is None else secret & (unknown < self.smallest_shown)

    def allow(self, lower: Floats, upper: Floats) -> Flags:
        """Whether cells known to lie between these are protected, also when they must be whole numbers."""
        least, most = np.ceil(lower - TOLERANCE), np.floor(upper + TOLERANCE)
        allowed: Flags = (most >= self.smallest_upper) & (most - least >= self.smallest_width)
        return allowed

    def known_too_well(
        self, cells: Cells, coalition: Coalition, targets: Integers, lower: Floats, upper: Floats
    ) -> Flags:
        """Which targets a coalition that knows them to lie between these knows too well, besides its own part."""
        known, sign = cells.known_part(coalition)[targets], cells.sign[targets]
        rises = sign > 0
        least, most = np.where(rises, lower - known, known - upper), np.where(rises, upper - known, known - lower)
        return ~self.allow(least, most)


@dataclass(frozen=True)
class Unproven:
    """Targets of one coalition that no world was found for, with the last optimum over those worlds."""

    coalition: Coalition
    targets: Integers
    worlds: Worlds
    optimum: Optimum | None


@dataclass(frozen=True)
class Disclosed:
    """Those of the unproven targets that are known too well, each to lie between ``lower`` and ``upper``."""

    unproven: Unproven
    lower: Floats
    upper: Floats


def coalitions(clinics: int, size: int) -> tuple[Coalition, ...]:
    """Every set of so many clinics that leaves one to be attacked; larger sets include smaller ones.

    Of two clinics each attacks the other, and of one it is the outsider who attacks.
    """
    return tuple(combinations(range(clinics), min(size, max(0, clinics - 1))))


def groups(clinics: Sequence[int], size: int) -> tuple[Coalition, ...]:
    """Clinics in one group more than attack together: whoever attacks leaves one group untouched."""
    count = min(size + 1, len(clinics))
    return tuple(tuple(clinics[group::count]) for group in range(count))


def narrowed_too_much(system: System, intervals: Intervals, coalition: Coalition, limits: Limits) -> Integers:
    """Hidden cells of others that a coalition has narrowed too much."""
    targets = np.flatnonzero(limits.secret(system, coalition))
    return targets[
        limits.known_too_well(system.cells, coalition, targets, intervals.lower[targets], intervals.upper[targets])
    ]


class Attack:
    """All attacks on one system: which hidden cells which coalitions may still know too much of."""

    def __init__(self, system: System, limits: Limits) -> None:
        self.system = system
        self.limits = limits
        self.coalitions = coalitions(len(system.cells.clinics), limits.largest_coalition)
        self.unknown: dict[Coalition, Floats] = {one: system.cells.unknown_part(one) for one in self.coalitions}
        self.pending: dict[Coalition, Flags] = {one: limits.secret(system, one) for one in self.coalitions}

    def withhold(self, figures: Integers) -> None:
        """Withhold these figures, too. What was safe stays safe; what they were made of is to be protected now."""
        before = self.system.hidden
        self.system = self.system.without(figures)
        new = self.system.hidden & ~before
        for one, flags in self.pending.items():
            flags |= new & self.limits.secret(self.system, one)

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
        # What is less than what was told of it has to be smaller still.
        wanted &= ~np.isin(self.system.cells.clinic, others) & (self.system.cells.sign > 0)
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
        sign = self.system.cells.sign
        left, optimum = self._strike(worlds, within, left, sign[left] * self._raises(unknown[left]), least_gain)
        large = unknown[left] >= self.limits.smallest_upper
        if large.any():
            width = -sign[left[large]] * self.limits.smallest_width
            still, lowest = self._strike(worlds, within, left[large], width, least_gain)
            left = np.concatenate([left[~large], still])
            optimum = optimum if (~large).any() else lowest
        return Unproven(coalition, left, worlds, optimum) if len(left) else None

    def disclosed(self, unproven: Unproven) -> Disclosed:
        """What is left of the cells that no world was found for, when each is asked for by itself."""
        ends = np.array([*unproven.worlds.extremes(unproven.targets)]).reshape(-1, 2)
        narrow = self.limits.known_too_well(self.system.cells, unproven.coalition, unproven.targets, *ends.T)
        chosen = np.array(
            [place for place in np.flatnonzero(narrow) if not self._is_known_anyway(unproven, int(place))],
            dtype=np.int64,
        )
        return Disclosed(replace(unproven, targets=unproven.targets[chosen]), ends[chosen, 0], ends[chosen, 1])

    def _is_known_anyway(self, unproven: Unproven, place: int) -> bool:
        """Whether the attackers know a cell by themselves, though nothing were released: one that is all their own."""
        if not unproven.coalition:
            return False
        target = unproven.targets[[place]]
        nothing = self.system.without(np.flatnonzero(self.system.shown))
        wanted = np.zeros(len(nothing.cells), dtype=bool)
        wanted[target] = True
        ends = np.array([*Worlds(nothing, unproven.coalition, wanted).extremes(target)])
        return bool(self.limits.known_too_well(nothing.cells, unproven.coalition, target, *ends.T)[0])

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
