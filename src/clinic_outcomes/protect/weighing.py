"""Complementary suppression against attackers who weigh all sums together: what the auditor would refuse.

The auditor's own attacks drive it: where they find no world in which a withheld count is large enough, a figure whose
bound holds it (by the dual values of the linear program) is withheld, too, the one that readers miss least.
"""

from __future__ import annotations

from collections.abc import Iterator

from scipy import sparse

from clinic_outcomes.audit.attack import Attack, Disclosed, Limits
from clinic_outcomes.audit.system import Floats, Integers, System
from clinic_outcomes.audit.worlds import Held
from clinic_outcomes.protect.bounds import Bounds, cheapest

MOST_HOPS = 6
"""Over how many rows a bound is looked for that holds a cell."""


def withhold_held(system: System, limits: Limits, cost: Floats) -> System:
    """The system with figures withheld until the attacks find a world for each withheld count, or no bound holds it."""
    attack = Attack(system, limits)
    while True:
        attack.gather()
        bounds = Bounds(attack.system, cost)
        figures = bounds.figures(cheapest(_choices(bounds, attack.disclosed())))
        if not len(figures):
            return attack.system
        attack.withhold(figures)


def _choices(bounds: Bounds, disclosed: tuple[Disclosed, ...]) -> Iterator[dict[int, float]]:
    """For each cell that some coalition knows too well the bounds near it that hold it, with their prices."""
    for found in disclosed:
        for target, held in zip(found.targets, found.held, strict=True):
            if held is not None:
                yield _Holds(bounds, found, held).near(int(target))


class _Holds:
    """The bounds that hold one cell of one coalition's worlds, by the dual values of cells and of rows."""

    def __init__(self, bounds: Bounds, found: Disclosed, held: Held) -> None:
        self.bounds = bounds
        self.coalition = found.coalition
        self.tight = set(held.cells.tolist())
        self.place = found.worlds.place
        self.rows = held.rows
        self.matrix: sparse.csr_matrix = bounds.system.rows.matrix[held.rows]
        self.by_cell: sparse.csc_matrix = self.matrix.tocsc()

    def near(self, target: int) -> dict[int, float]:
        """The bounds that fewest rows lie between and this cell, with their prices; empty where there is none."""
        seen_rows: set[int] = set()
        cells = {target}
        seen = {target}
        for _ in range(MOST_HOPS):
            rows = {int(row) for cell in cells for row in _entries(self.by_cell, cell)} - seen_rows
            seen_rows |= rows
            cells = {int(cell) for row in rows for cell in _entries(self.matrix, row)} - seen
            seen |= cells
            found: dict[int, float] = {}
            for row in rows:
                found |= self.bounds.of_row(int(self.rows[row]))
            for cell in cells:
                # What is known exactly has no dual value: it is not among what may differ.
                if self.place[cell] < 0 or cell in self.tight:
                    found |= self.bounds.of_cell(cell, self.coalition)
            if found:
                return found
            cells = {cell for cell in cells if self.place[cell] >= 0}
        return {}


def _entries(matrix: sparse.csr_matrix | sparse.csc_matrix, place: int) -> Integers:
    entries: Integers = matrix.indices[matrix.indptr[place] : matrix.indptr[place + 1]]
    return entries
