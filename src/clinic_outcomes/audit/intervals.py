"""What follows from each constraint by itself, again and again: the quick part of an attack.

An attacker who narrows the interval of one count by one sum at a time, over and over, finds most of what can be
found, in a moment and for all counts at once. What is found so is certain. What is not found is not safe for that: a
solver that weighs all sums together (``worlds``) may find more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clinic_outcomes.audit.system import TOLERANCE, Flags, Floats, Integers, System

MOST_PASSES = 60
LEAST_PROGRESS = 0.5
"""How much narrower an interval must get to be worth another pass: counts are whole numbers."""


@dataclass(frozen=True)
class Intervals:
    """Between which bounds each cell must lie, and the row that each bound follows from (-1: none, it was so given)."""

    lower: Floats
    upper: Floats
    lower_row: Integers
    upper_row: Integers


class Propagation:
    """The constraints of one system as arrays of their entries, for many attackers in turn."""

    def __init__(self, system: System) -> None:
        self.system = system
        matrix = system.rows.matrix.tocsr()
        matrix.eliminate_zeros()
        self.matrix = matrix
        self.by_cell = matrix.tocsc()
        self.row: Integers = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))

    def given(self) -> Intervals:
        """What is shown of single cells, before anything is worked out."""
        nothing = np.full(len(self.system.cells), -1, dtype=np.int64)
        return Intervals(self.system.lower.copy(), self.system.upper.copy(), nothing, nothing.copy())

    def known_to(self, clinics: tuple[int, ...], intervals: Intervals) -> Intervals:
        """The same where clinics know their own cells, and their part in what is told of the network alone."""
        cells = self.system.cells
        own = np.isin(cells.clinic, clinics)
        alone = cells.is_alone & cells.is_count
        lower = np.where(own, cells.truth, intervals.lower)
        lower[alone] = np.maximum(lower, cells.own_of(clinics))[alone]
        upper = np.where(own, cells.truth, intervals.upper)
        return Intervals(lower, upper, intervals.lower_row, intervals.upper_row)

    def narrow(self, intervals: Intervals, since: Intervals | None = None) -> Intervals:
        """The intervals after every sum was used until nothing narrows any more (or ``MOST_PASSES`` times).

        ``since`` are intervals in which nothing narrowed any more: only what differs from them is looked at.
        """
        lower, upper = intervals.lower.copy(), intervals.upper.copy()
        lower_row, upper_row = intervals.lower_row.copy(), intervals.upper_row.copy()
        changed = np.ones(len(lower), dtype=bool)
        if since is not None:
            changed = (lower != since.lower) | (upper != since.upper)
        for _ in range(MOST_PASSES):
            entries = self._entries_near(changed)
            if not len(entries):
                break
            least, most = self._bounds(entries, lower, upper)
            cell, row = self.matrix.indices[entries], self.row[entries]
            raised = _best(cell, row, least, lower, np.maximum)
            lowered = _best(cell, row, most, upper, np.minimum)
            lower[raised[0]], lower_row[raised[0]] = raised[1], raised[2]
            upper[lowered[0]], upper_row[lowered[0]] = lowered[1], lowered[2]
            changed = np.zeros(len(lower), dtype=bool)
            changed[raised[0]] = True
            changed[lowered[0]] = True
        return Intervals(lower, upper, lower_row, upper_row)

    def _entries_near(self, changed: Flags) -> Integers:
        """The entries of all rows in which a changed cell stands."""
        rows = np.zeros(self.matrix.shape[0], dtype=bool)
        rows[self.row[changed[self.matrix.indices]]] = True
        return np.flatnonzero(rows[self.row])

    def _bounds(self, entries: Integers, lower: Floats, upper: Floats) -> tuple[Floats, Floats]:
        """What each entry's row says of its cell, given the bounds of the row's other cells: the least and the most."""
        system = self.system
        cell, coefficient, row = self.matrix.indices[entries], self.matrix.data[entries], self.row[entries]
        positive = coefficient > 0
        smallest = coefficient * np.where(positive, lower[cell], upper[cell])
        largest = coefficient * np.where(positive, upper[cell], lower[cell])
        high = system.row_upper[row] - _of_others(row, smallest, -np.inf)
        low = system.row_lower[row] - _of_others(row, largest, np.inf)
        first, second = low / coefficient, high / coefficient
        least, most = np.where(positive, first, second), np.where(positive, second, first)
        whole = system.cells.is_count[cell]
        return (
            -_looser(np.where(np.isnan(least), np.inf, -least), whole),
            _looser(np.where(np.isnan(most), np.inf, most), whole),
        )


def _looser(most: Floats, whole: Flags) -> Floats:
    """An upper bound that floating point does not make too narrow, and the whole number below it where one is meant."""
    slack = TOLERANCE * np.maximum(1, np.abs(np.where(np.isfinite(most), most, 0)))
    return np.where(whole, np.floor(most + slack), most + slack)


def _of_others(row: Integers, part: Floats, endless: float) -> Floats:
    """The sum of a row's parts without the entry's own; ``endless`` where another part is."""
    finite = np.isfinite(part)
    known = np.where(finite, part, 0)
    sums = np.bincount(row, weights=known)
    endless_parts = np.bincount(row, weights=~finite)
    return np.where(endless_parts[row] - ~finite > 0, endless, sums[row] - known)


def _best(
    cell: Integers, row: Integers, bound: Floats, known: Floats, better: np.ufunc
) -> tuple[Integers, Floats, Integers]:
    """Cells whose bound gets better, the best bound of each, and the row that gives it (the first of several)."""
    sign = 1.0 if better is np.minimum else -1.0
    improves = np.flatnonzero(np.isfinite(bound) & (sign * bound <= sign * known[cell] - LEAST_PROGRESS))
    order = improves[np.lexsort((row[improves], sign * bound[improves], cell[improves]))]
    first = np.ones(len(order), dtype=bool)
    first[1:] = cell[order][1:] != cell[order][:-1]
    chosen = order[first]
    return cell[chosen], bound[chosen], row[chosen]
