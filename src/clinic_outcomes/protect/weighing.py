"""Complementary suppression against attackers who weigh all sums together: what the auditor would refuse.

The auditor's own attacks drive it: where they find no world in which a withheld count is large enough, a figure whose
bound holds it (by the dual values of the linear program) is withheld, too, the one that readers miss least. That takes
minutes for some thousand counts.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import sparse

from clinic_outcomes.audit.attack import Attack, Limits, Unproven
from clinic_outcomes.audit.system import NETWORK, NOBODY, Floats, Integers, System
from clinic_outcomes.audit.worlds import Optimum

BINDS = 1e-7
"""A bound with a dual value above this holds an attacker's interval narrow."""
MOST_ROUNDS = 20
MOST_HOPS = 6
"""Over how many rows a bound is looked for that holds a cell."""


def withhold_held(system: System, limits: Limits, cost: Floats) -> System:
    """The system with figures withheld until the attacks find a world for each withheld count, or no bound holds it."""
    attack = Attack(system, limits)
    attack.gather()
    for _ in range(MOST_ROUNDS):
        before = attack.system
        for coalition in attack.coalitions:
            while (unproven := attack.prove(coalition)) is not None:
                figures = _choose(attack.system, _disclosed(attack, unproven), cost)
                if not len(figures):
                    break
                attack.withhold(figures)
        if attack.system is before:
            break
    return attack.system


def _disclosed(attack: Attack, unproven: Unproven) -> Unproven:
    """What is left of the cells that no world was found for, when each is asked for by itself."""
    cells = attack.system.cells
    own = np.where(cells.clinic == NETWORK, cells.own_of(unproven.coalition), 0.0)
    allowed = [
        attack.limits.allow(lower - own[target], upper - own[target])
        for target, (lower, upper) in zip(unproven.targets, unproven.worlds.extremes(unproven.targets), strict=True)
    ]
    return replace(unproven, targets=unproven.targets[~np.array(allowed, dtype=bool)])


def _choose(system: System, unproven: Unproven, cost: Floats) -> Integers:
    """For each cell that is known too well the cheapest bound near it, of those that hold it; its figures."""
    if unproven.optimum is None:
        return np.array([], dtype=np.int64)
    bounds = _Bounds(system, unproven, unproven.optimum, cost)
    chosen: set[int] = set()
    for target in unproven.worlds.place[unproven.targets]:
        found = bounds.near(int(target)) if target >= 0 else set()
        if found and chosen.isdisjoint(found):
            chosen.add(min(found, key=lambda bound: (bounds.cost[bound], bound)))
    figures = [bounds.figures(bound) for bound in sorted(chosen)]
    return np.unique(np.concatenate([np.array([], dtype=np.int64), *figures]))


class _Bounds:
    """The bounds that hold attackers' intervals narrow: of columns, numbered as they are, and of rows, after them."""

    def __init__(self, system: System, unproven: Unproven, optimum: Optimum, cost: Floats) -> None:
        worlds = unproven.worlds
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
