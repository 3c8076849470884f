"""Complementary suppression: what else is withheld, so that nobody works out what is withheld already.

The auditor's attacks drive it: where an attacker gets too near to a withheld count, a figure that narrows it is
withheld, too, the one that readers miss least. Withholding more never brings anyone nearer to what was safe before.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from clinic_outcomes.audit.attack import Attack, Limits, Unproven
from clinic_outcomes.audit.system import NOBODY, Floats, Integers, System
from clinic_outcomes.problems import ClinicOutcomesError

BINDS = 1e-7
"""A bound with a dual value above this holds an attacker's interval narrow."""
MOST_HOPS = 6
"""Over how many rows a bound is looked for that holds a cell."""


def suppress(system: System, limits: Limits, cost: Floats) -> Integers:
    """The figures to withhold besides those that are, so that no coalition gets too near to a withheld count.

    ``cost`` is, a figure, how much readers would miss it. The same system gives the same figures.
    ``ClinicOutcomesError`` where a count would be known even if nothing else were shown.
    """
    attack = Attack(system, limits)
    while attack.is_pending:
        attack.gather()
        for coalition in attack.coalitions:
            while (unproven := attack.prove(coalition)) is not None:
                attack.withhold(_choose(attack.system, unproven, cost))
    return np.flatnonzero(system.shown & ~attack.system.shown)


def _choose(system: System, unproven: Unproven, cost: Floats) -> Integers:
    """For each cell that is known too well the cheapest bound near it, of those that hold it; its figures."""
    bounds = _Bounds(system, unproven, cost)
    chosen: set[int] = set()
    for target in unproven.worlds.place[unproven.targets]:
        found = bounds.near(int(target))
        if not found:
            raise ClinicOutcomesError(
                "a withheld count can be worked out though nothing else that tells of it is shown; nothing leaves"
            )
        if chosen.isdisjoint(found):
            chosen.add(min(found, key=lambda bound: (bounds.cost[bound], bound)))
    return np.unique(np.concatenate([bounds.figures(bound) for bound in sorted(chosen)]))


class _Bounds:
    """The bounds that hold attackers' intervals narrow: of columns, numbered as they are, and of rows, after them."""

    def __init__(self, system: System, unproven: Unproven, cost: Floats) -> None:
        worlds, optimum = unproven.worlds, unproven.optimum
        self.system = system
        self.columns = worlds.columns
        self.rows = worlds.rows
        tight = np.abs(optimum.row_duals) > BINDS
        self.matrix: sparse.csr_matrix = worlds.matrix.multiply(tight[:, None]).tocsr()
        self.by_column: sparse.csc_matrix = self.matrix.tocsc()
        self.cost = np.full(len(self.columns) + len(self.rows), np.inf)
        self._price_columns(np.abs(optimum.cell_duals) > BINDS, cost)
        figure = system.rows.figure[self.rows]
        of_figures = np.flatnonzero(tight & (figure != NOBODY))
        self.cost[len(self.columns) + of_figures] = cost[figure[of_figures]]

    def _price_columns(self, tight: np.ndarray, cost: Floats) -> None:
        ranges = self.system.ranges
        says = (ranges.figure != NOBODY) & self.system.shown[ranges.figure]
        pairs = np.unique(np.stack([ranges.cell[says], ranges.figure[says]]), axis=1)
        price = np.zeros(len(self.system.cells))
        np.add.at(price, pairs[0], cost[pairs[1]])
        here = price[self.columns]
        priced = tight & (here > 0)
        self.cost[: len(self.columns)][priced] = here[priced]

    def near(self, target: int) -> set[int]:
        """The bounds that fewest rows lie between and this column; empty where there is none."""
        seen_rows: set[int] = set()
        columns = {target}
        seen = {target}
        for _ in range(MOST_HOPS):
            rows = {int(row) for column in columns for row in self._rows_of(column)} - seen_rows
            seen_rows |= rows
            columns = {int(column) for row in rows for column in self._columns_of(row)} - seen
            seen |= columns
            bounds = {column for column in columns if np.isfinite(self.cost[column])}
            bounds |= {len(self.columns) + row for row in rows if np.isfinite(self.cost[len(self.columns) + row])}
            if bounds:
                return bounds
        return set()

    def _rows_of(self, column: int) -> Integers:
        rows: Integers = self.by_column.indices[self.by_column.indptr[column] : self.by_column.indptr[column + 1]]
        return rows

    def _columns_of(self, row: int) -> Integers:
        columns: Integers = self.matrix.indices[self.matrix.indptr[row] : self.matrix.indptr[row + 1]]
        return columns

    def figures(self, bound: int) -> Integers:
        """The shown figures that say this bound."""
        if bound >= len(self.columns):
            return np.array([self.system.rows.figure[self.rows[bound - len(self.columns)]]])
        ranges = self.system.ranges
        says = (ranges.cell == self.columns[bound]) & (ranges.figure != NOBODY) & self.system.shown[ranges.figure]
        return np.unique(ranges.figure[says])
