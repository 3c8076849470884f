"""What holds attackers' intervals narrow, and what it costs to let go of it.

A bound is a cell whose size shown figures tell, or, below nought, a row that a figure says: ``-1 - row``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

import numpy as np

from clinic_outcomes.audit.attack import Coalition
from clinic_outcomes.audit.system import NOBODY, Floats, Integers, System


class Bounds:
    """The bounds of one system. ``cost`` is, a figure, how much readers would miss it."""

    def __init__(self, system: System, cost: Floats) -> None:
        self.system = system
        self.cost = cost

    @cached_property
    def _says(self) -> tuple[Integers, Integers]:
        """Cell and figure of each shown figure that tells the size of a cell, by cell."""
        ranges, parts = self.system.ranges, self.system.parts
        of_ranges = ranges.figure != NOBODY
        cells, figures = [ranges.cell[of_ranges]], [ranges.figure[of_ranges]]
        if self.system.exact:
            cells.append(parts.cell)
            figures.append(parts.figure)
        cell, figure = np.concatenate(cells), np.concatenate(figures)
        shown = self.system.shown[figure] & ~self.system.cells.is_known[cell]
        pairs = np.unique(np.stack([cell[shown], figure[shown]]), axis=1)
        return pairs[0], pairs[1]

    @cached_property
    def _prices(self) -> Floats:
        cell, figure = self._says
        prices = np.bincount(cell, weights=self.cost[figure], minlength=len(self.system.cells)).astype(np.float64)
        if self.system.stretch is not None:
            prices[self.system.cells.since > self.system.stretch] = 0
        return prices

    def of_cell(self, cell: int, coalition: Coalition) -> dict[int, float]:
        """The cell as a bound with its price, where shown figures tell its size and the attackers do not know it."""
        known = int(self.system.cells.clinic[cell]) in coalition
        return {} if known or not self._prices[cell] else {cell: float(self._prices[cell])}

    def of_row(self, row: int) -> dict[int, float]:
        """The row as a bound with its price, where a figure says it."""
        figure = int(self.system.rows.figure[row])
        return {} if figure == NOBODY or not self.system.shown[figure] else {-1 - row: float(self.cost[figure])}

    def figures(self, bounds: Iterable[int]) -> Integers:
        """The shown figures that say these bounds."""
        cell, figure = self._says
        found = [np.array([], dtype=np.int64)]
        for bound in bounds:
            if bound < 0:
                found.append(self.system.rows.figure[[-1 - bound]])
            else:
                found.append(figure[np.searchsorted(cell, bound) : np.searchsorted(cell, bound, side="right")])
        return np.unique(np.concatenate(found))


def cheapest(choices: Iterable[Mapping[int, float]]) -> list[int]:
    """The cheapest bound of each choice that has none in common with those before it: one may serve them all."""
    looked_at: set[int] = set()
    chosen = []
    for bounds in choices:
        if bounds and looked_at.isdisjoint(bounds):
            chosen.append(min(bounds, key=lambda bound: (bounds[bound], bound)))
        looked_at |= bounds.keys()
    return sorted(chosen)
