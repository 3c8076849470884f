"""Complementary suppression against attackers who use one sum at a time: quick, and nearly all that is needed.

Attackers narrow the interval of each count by one sum at a time (``audit.intervals``). Where one gets too narrow, a
figure that narrowed it is withheld, too, the one that readers miss least. Withholding more never brings anyone nearer
to what was safe before.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from clinic_outcomes.audit.attack import Limits, coalitions
from clinic_outcomes.audit.intervals import Intervals, Propagation, too_narrow
from clinic_outcomes.audit.system import NOBODY, Floats, Integers, System

UPPER, LOWER = True, False

Coalition = tuple[int, ...]


def withhold_narrowed(system: System, limits: Limits, cost: Floats) -> System:
    """The system with figures withheld until no coalition narrows a withheld count too much.

    ``cost`` is, a figure, how much readers would miss it. The same system gives the same figures. What attackers know
    though nothing of it is shown, such as a network's count that is all their own, is left to them.
    """
    everyone = coalitions(len(system.cells.clinics), limits.largest_coalition)
    system = _defend(system, limits, cost, ((),))
    while True:
        # What an outsider finds everybody does, so it goes first; those clinics that found more come again.
        found = _attack(system, limits, everyone)
        figures = _choose(system, found, cost)
        if not len(figures):
            return system
        system = _defend(system.without(figures), limits, cost, ((),))
        system = _defend(system, limits, cost, tuple(coalition for coalition, _, _ in found))


def _defend(system: System, limits: Limits, cost: Floats, attackers: tuple[Coalition, ...]) -> System:
    """The system with figures withheld until these attackers narrow nothing too much."""
    while len(figures := _choose(system, _attack(system, limits, attackers), cost)):
        system = system.without(figures)
    return system


def _attack(
    system: System, limits: Limits, attackers: tuple[Coalition, ...]
) -> list[tuple[Coalition, Intervals, Integers]]:
    """Who narrows what too much: a coalition, the intervals it comes to, and the cells."""
    propagation = Propagation(system)
    alone = propagation.narrow(propagation.given())
    found = []
    for coalition in attackers:
        intervals = propagation.narrow(propagation.known_to(coalition, alone), alone) if coalition else alone
        cells = np.flatnonzero(too_narrow(system, intervals, coalition, limits.smallest_upper, limits.smallest_width))
        if len(cells):
            found.append((coalition, intervals, cells))
    return found


def _choose(system: System, found: list[tuple[Coalition, Intervals, Integers]], cost: Floats) -> Integers:
    """For each cell that is narrowed too much the cheapest of the nearest figures that narrow it."""
    prices = _prices(system, cost)
    chosen: set[int] = set()
    for _, intervals, cells in found:
        for cell in cells:
            bounds = _nearest(system, intervals, int(cell), prices, cost)
            if bounds and chosen.isdisjoint(bounds):
                chosen.add(min(bounds, key=lambda bound: (bounds[bound], bound)))
    figures = [_figures(system, bound) for bound in sorted(chosen)]
    return np.unique(np.concatenate([np.array([], dtype=np.int64), *figures]))


def _prices(system: System, cost: Floats) -> Floats:
    """What it costs to withhold all figures that give a cell's range; 0 where none does."""
    ranges = system.ranges
    says = (ranges.figure != NOBODY) & system.shown[ranges.figure]
    pairs = np.unique(np.stack([ranges.cell[says], ranges.figure[says]]), axis=1)
    prices: Floats = np.bincount(pairs[0], weights=cost[pairs[1]], minlength=len(system.cells)).astype(np.float64)
    return prices


def _nearest(system: System, intervals: Intervals, cell: int, prices: Floats, cost: Floats) -> dict[int, float]:
    """The bounds that fewest sums lie between and the cell's own, with their prices.

    A bound is a cell whose range is shown, or, below nought, a row that a figure says: ``-1 - row``.
    """
    edges = {(cell, UPPER), (cell, LOWER)}
    seen = set(edges)
    while edges:
        bounds: dict[int, float] = {}
        further: set[tuple[int, bool]] = set()
        for place, side in sorted(edges):
            row = int((intervals.upper_row if side else intervals.lower_row)[place])
            if row == NOBODY:
                if prices[place] > 0:
                    bounds[place] = float(prices[place])
                continue
            figure = int(system.rows.figure[row])
            if figure != NOBODY:
                bounds[-1 - row] = float(cost[figure])
            further |= set(_edges(system, row, place, side))
        if bounds:
            return bounds
        edges = further - seen
        seen |= edges
    return {}


def _edges(system: System, row: int, cell: int, side: bool) -> Iterator[tuple[int, bool]]:
    """The bounds of other cells that a row gives this cell's bound from."""
    matrix = system.rows.matrix
    entries = range(matrix.indptr[row], matrix.indptr[row + 1])
    cells = [int(matrix.indices[entry]) for entry in entries]
    signs = [matrix.data[entry] > 0 for entry in entries]
    of_cell = signs[cells.index(cell)]
    for other, sign in zip(cells, signs, strict=True):
        if other != cell:
            # A cell is largest where those beside it are smallest, and those against it largest.
            yield other, side if sign != of_cell else not side


def _figures(system: System, bound: int) -> Integers:
    """The shown figures that say this bound."""
    if bound < 0:
        return np.array([system.rows.figure[-1 - bound]])
    ranges = system.ranges
    says = (ranges.cell == bound) & (ranges.figure != NOBODY) & system.shown[ranges.figure]
    return np.unique(ranges.figure[says])
