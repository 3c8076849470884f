"""The attacks: each single clinic, and each pair, with what it knows of itself besides everything released."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from clinic_outcomes.audit.intervals import Intervals
from clinic_outcomes.audit.system import NETWORK, TOLERANCE, Cells, Flags, Floats, Integers, System
from clinic_outcomes.audit.worlds import TOGETHER, Held, Worlds

SMALL_GROUP = 2
WORKERS = 2
"""Programs that are solved beside each other; the solver lets others work meanwhile."""

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
class Disclosed:
    """Withheld counts that a coalition knows too well: they lie between ``lower`` and ``upper``, ``held`` by what."""

    coalition: Coalition
    worlds: Worlds
    targets: Integers
    lower: Floats
    upper: Floats
    held: tuple[Held | None, ...]


def coalitions(clinics: int, size: int) -> tuple[Coalition, ...]:
    """Every set of so many clinics that leaves one to be attacked; larger sets include smaller ones.

    Of two clinics each attacks the other, and of one it is the outsider who attacks.
    """
    return tuple(combinations(range(clinics), min(size, max(0, clinics - 1))))


def groups(clinics: Sequence[int], size: int, most: int | None = None) -> tuple[Coalition, ...]:
    """Clinics in one group more than attack together: whoever attacks leaves one group untouched.

    With ``most`` no group is larger, and clinics are left over.
    """
    count = min(size + 1, len(clinics))
    return tuple(tuple(clinics[group::count])[:most] for group in range(count))


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

        A world is believed by all coalitions without a part in what is different: in the counts of one clinic, or of
        the network, and in those of a group of others.
        """
        # Each has targets of its own, so that it makes no difference who comes first.
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(self._vary, (NETWORK, *range(len(self.system.cells.clinics)))))

    def _vary(self, clinic: int) -> None:
        """Look for worlds in which the counts of one clinic, or of the network, are different."""
        cells = self.system.cells
        everyone = range(len(cells.clinics))
        for moved in self._supports(clinic):
            untouched = tuple(other for other in everyone if other not in moved)
            self._prove(untouched, cells.clinic == clinic, TOGETHER[:1])

    def _supports(self, clinic: int) -> Iterator[Coalition]:
        """Which clinics are to differ: few make a small program, which finds most."""
        size = self.limits.largest_coalition
        everyone = range(len(self.system.cells.clinics))
        if clinic == NETWORK:
            yield from ((one,) for one in everyone)
            yield from groups(everyone, size)
        else:
            others = [other for other in everyone if other != clinic]
            yield (clinic,)
            for most in (SMALL_GROUP, None):
                yield from ((clinic, *group) for group in groups(others, size, most))

    def disclosed(self) -> tuple[Disclosed, ...]:
        """What each coalition knows too well, of all that is not struck out; the rest of it is struck out."""
        with ThreadPoolExecutor(WORKERS) as pool:
            found = list(pool.map(self._disclosed_to, self.coalitions))
        return tuple(one for one in found if one is not None)

    def _disclosed_to(self, coalition: Coalition) -> Disclosed | None:
        found = self._prove(coalition, self.pending[coalition], TOGETHER)
        if found is None:
            return None
        worlds, targets, held = found
        ends = np.array([*worlds.extremes(targets)]).reshape(-1, 2)
        known = np.flatnonzero(self.limits.known_too_well(self.system.cells, coalition, targets, *ends.T))
        known = known[~self._are_known_anyway(coalition, targets[known])]
        self.pending[coalition][:] = False
        self.pending[coalition][targets[known]] = True
        if not len(known):
            return None
        lower, upper = ends[known].T
        return Disclosed(coalition, worlds, targets[known], lower, upper, tuple(held[place] for place in known))

    def _are_known_anyway(self, coalition: Coalition, targets: Integers) -> Flags:
        """Which cells the attackers know by themselves, though nothing were released: those that are all their own."""
        if not coalition or not len(targets):
            return np.zeros(len(targets), dtype=bool)
        nothing = self.system.without(np.flatnonzero(self.system.shown))
        wanted = np.zeros(len(nothing.cells), dtype=bool)
        wanted[targets] = True
        ends = np.array([*Worlds(nothing, coalition, wanted).extremes(targets)])
        return self.limits.known_too_well(nothing.cells, coalition, targets, *ends.T)

    def _prove(
        self, coalition: Coalition, among: Flags, together: Sequence[int]
    ) -> tuple[Worlds, Integers, tuple[Held | None, ...]] | None:
        """Strike out what this coalition, and each within it, does not know; what is left, and what holds it."""
        within = [one for one in self.coalitions if set(one) <= set(coalition)]
        among = among & ~np.isin(self.system.cells.clinic, coalition)
        wanted = np.zeros(len(among), dtype=bool)
        unknown = np.full(len(among), np.inf)
        for one in within:
            # Read once: other attacks strike out theirs meanwhile.
            pending = self.pending[one] & among
            wanted |= pending
            unknown[pending] = np.minimum(unknown[pending], self.unknown[one][pending])
        if not wanted.any():
            return None
        worlds = Worlds(self.system, coalition, wanted)
        targets = np.flatnonzero(wanted)
        sign = self.system.cells.sign[targets]
        found, held = worlds.reachable(targets, sign * self._raises(unknown[targets]), together)
        # One that is large enough may as well be smaller.
        large = np.flatnonzero(~found & (unknown[targets] >= self.limits.smallest_upper))
        found[large], _ = worlds.reachable(targets[large], -sign[large] * self.limits.smallest_width, together)
        for one in within:
            self.pending[one][targets[found]] = False
        left = np.flatnonzero(~found)
        return (worlds, targets[left], tuple(held[place] for place in left)) if len(left) else None

    def _raises(self, unknown: Floats) -> Floats:
        """How much larger cells must be in some other world, so that what attackers do not know of them is protected.

        In truth a cell has its own value, so a world that differs by the width spans enough.
        """
        return np.maximum(float(self.limits.smallest_width), self.limits.smallest_upper - unknown)
