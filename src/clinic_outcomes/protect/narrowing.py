"""Complementary suppression against attackers who use one sum at a time: quick, and nearly all that is needed.

Attackers narrow the interval of each count by one sum at a time (``audit.intervals``). Where one gets too narrow, a
figure that narrowed it is withheld, too, the one that readers miss least. Withholding more never brings anyone nearer
to what was safe before.
"""

from __future__ import annotations

from collections.abc import Iterator

from clinic_outcomes.audit.attack import Coalition, Limits, coalitions, narrowed_too_much
from clinic_outcomes.audit.intervals import Intervals, Propagation
from clinic_outcomes.audit.system import NOBODY, Floats, Integers, System
from clinic_outcomes.protect.bounds import Bounds, cheapest

UPPER, LOWER = True, False


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
        cells = narrowed_too_much(system, intervals, coalition, limits)
        if len(cells):
            found.append((coalition, intervals, cells))
    return found


def _choose(system: System, found: list[tuple[Coalition, Intervals, Integers]], cost: Floats) -> Integers:
    """For each cell that is narrowed too much the cheapest of the nearest figures that narrow it."""
    bounds = Bounds(system, cost)
    choices = (
        _nearest(bounds, intervals, int(cell), coalition) for coalition, intervals, cells in found for cell in cells
    )
    return bounds.figures(cheapest(choices))


def _nearest(bounds: Bounds, intervals: Intervals, cell: int, coalition: Coalition) -> dict[int, float]:
    """The bounds that fewest sums lie between and the cell's own, with their prices."""
    edges = {(cell, UPPER), (cell, LOWER)}
    seen = set(edges)
    while edges:
        found: dict[int, float] = {}
        further: set[tuple[int, bool]] = set()
        for place, side in sorted(edges):
            row = int((intervals.upper_row if side else intervals.lower_row)[place])
            if row == NOBODY:
                found |= bounds.of_cell(place, coalition)
                continue
            found |= bounds.of_row(row)
            further |= set(_edges(bounds.system, row, place, side))
        if found:
            return found
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
