"""Complementary suppression against attackers who weigh all sums together: what the auditor would refuse.

The auditor's own attacks drive it: where they find no world in which a withheld count is large enough, a figure whose
bound holds it (by the dual values of the linear program) is withheld, too, the one that readers miss least. That takes
minutes for some thousand counts.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from clinic_outcomes.audit.attack import Attack, Limits, Unproven
from clinic_outcomes.audit.system import Floats, Integers, System
from clinic_outcomes.audit.worlds import Optimum
from clinic_outcomes.protect.bounds import Bounds, cheapest

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
                figures = _choose(attack.system, attack.disclosed(unproven).unproven, cost)
                if not len(figures):
                    break
                attack.withhold(figures)
        if attack.system is before:
            break
    return attack.system


def _choose(system: System, unproven: Unproven, cost: Floats) -> Integers:
    """For each cell that is known too well the cheapest bound near it, of those that hold it; its figures."""
    if unproven.optimum is None:
        return np.array([], dtype=np.int64)
    held = _Held(Bounds(system, cost), unproven, unproven.optimum)
    return held.bounds.figures(cheapest(held.near(int(target)) for target in unproven.targets))


class _Held:
    """The bounds that hold attackers' intervals narrow, by the dual values of cells and of rows."""

    def __init__(self, bounds: Bounds, unproven: Unproven, optimum: Optimum) -> None:
        worlds = unproven.worlds
        self.bounds = bounds
        self.coalition = unproven.coalition
        self.tight = set(worlds.columns[np.abs(optimum.cell_duals) > BINDS].tolist())
        self.place = worlds.place
        rows = worlds.rows[np.abs(optimum.row_duals) > BINDS]
        self.rows = rows
        self.matrix: sparse.csr_matrix = bounds.system.rows.matrix[rows]
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
