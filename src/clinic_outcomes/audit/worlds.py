"""Other worlds: counts that say the same as everything released, and differ from the truth where it is withheld."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import highspy
import numpy as np
from scipy import sparse

from clinic_outcomes.audit.system import TOLERANCE, Flags, Floats, Integers, System
from clinic_outcomes.problems import ClinicOutcomesError

MARGIN = 1.0
"""How much further than asked a world of fractions must reach, so that one of whole numbers reaches what is asked."""
TOGETHER = (64, 16, 4, 1)
"""So many targets are asked for in one program, then so many of those that did not get there: at last each alone."""
BINDS = 1e-7
"""A bound with a dual value above this holds an attacker's interval narrow."""
SOLVED = highspy.HighsModelStatus.kOptimal
UNKNOWN = highspy.HighsModelStatus.kUnknown
PRIMAL = highspy.simplex_constants.SimplexStrategy.kSimplexStrategyPrimal
DUAL = highspy.simplex_constants.SimplexStrategy.kSimplexStrategyDual


@dataclass(frozen=True)
class Held:
    """What holds a target where it is, by the dual values of a program: places of cells and of rows in the system."""

    cells: Integers
    rows: Integers


class Worlds:
    """All worlds in which some clinics are as in truth, searched for those in which withheld cells are another size.

    ``clinics`` are those that attack, and know their own cells and their part in the network's, or any that a search
    leaves alone: what is found among fewer worlds holds among all. ``targets`` limits the search to the cells that
    have anything to do with them.
    """

    def __init__(self, system: System, clinics: tuple[int, ...], targets: Flags) -> None:
        self.system = system
        cells = system.cells
        alone = cells.is_alone & cells.is_count
        self.lower = np.where(alone, np.maximum(system.lower, cells.own_of(clinics)), system.lower)
        free = ~np.isin(cells.clinic, clinics) & (self.lower < system.upper)
        columns = np.flatnonzero(free)
        part = system.columns[:, columns].tocsr()
        rows = np.flatnonzero(np.diff(part.indptr))
        reached = _reached(part[rows], targets[columns])
        self.columns: Integers = columns[reached]
        part = part[:, reached]
        self.rows: Integers = np.flatnonzero(np.diff(part.indptr))
        self.matrix: sparse.csr_matrix = part[self.rows]
        rest = system.activity[self.rows] - self.matrix @ system.cells.truth[self.columns]
        self.row_lower: Floats = system.row_lower[self.rows] - rest
        self.row_upper: Floats = system.row_upper[self.rows] - rest

    @cached_property
    def place(self) -> Integers:
        """Of each cell of the system its column here, or -1."""
        place = np.full(len(self.system.cells), -1, dtype=np.int64)
        place[self.columns] = np.arange(len(self.columns))
        return place

    def reachable(
        self, targets: Integers, moves: Floats, together: Sequence[int] = TOGETHER
    ) -> tuple[Flags, tuple[Held | None, ...]]:
        """Which target cells are so much larger (or smaller, where negative) in some world than in truth.

        One program asks for several targets, each as far as its move and a margin; they stand in each other's way, so
        that those that did not get there are asked for again among fewer. Where the last of ``together`` is 1, each
        target that is not found was asked for by itself, and it is said what holds it.
        """
        found = np.zeros(len(targets), dtype=bool)
        held: list[Held | None] = [None] * len(targets)
        searched = np.flatnonzero(self.place[targets] >= 0)
        if len(searched):
            search = _Search(self, self.place[targets[searched]], moves[searched])
            for size in together:
                search.ask(size)
            found[searched] = search.found
            for place, what in search.held.items():
                held[searched[place]] = what
        return found, tuple(held)

    def extremes(self, targets: Integers) -> Iterator[tuple[float, float]]:
        """The least and the largest value of each target cell, by itself, over all worlds of fractions."""
        solver = self.solver()
        for target in targets:
            place = int(self.place[target])
            if place < 0:
                truth = float(self.system.cells.truth[target])
                yield truth, truth
                continue
            ends = []
            for sign in (1.0, -1.0):
                solver.changeColCost(place, sign)
                ends.append(self._end(solver, place, sign))
            solver.changeColCost(place, 0.0)
            yield ends[0], ends[1]

    def check(self, values: Floats) -> None:
        """A world is believed when it satisfies every constraint, whatever the solver says of it."""
        sums = self.matrix @ values
        slack = 10 * TOLERANCE * np.maximum(1, abs(self.matrix) @ np.abs(values))
        in_rows = (sums >= self.row_lower - slack) & (sums <= self.row_upper + slack)
        lower, upper = self.lower[self.columns], self.system.upper[self.columns]
        slack = 10 * TOLERANCE * np.maximum(1, np.abs(values))
        if not (in_rows.all() and (values >= lower - slack).all() and (values <= upper + slack).all()):
            raise ClinicOutcomesError("the audit's solver gave counts that contradict what is released; nothing leaves")

    def _end(self, solver: highspy.Highs, place: int, sign: float) -> float:
        status = _solve(solver)
        if status in (highspy.HighsModelStatus.kUnbounded, highspy.HighsModelStatus.kUnboundedOrInfeasible):
            return -np.inf if sign > 0 else np.inf
        _require(status)
        return float(solver.getSolution().col_value[place])

    def solver(self) -> highspy.Highs:
        """A solver of all worlds, with no aim, and in one of them."""
        solver = solver_of(
            self.matrix.tocsc(),
            (self.row_lower, self.row_upper),
            (self.lower[self.columns], self.system.upper[self.columns]),
        )
        solver.run()
        _require(solver.getModelStatus())
        _continue(solver)
        return solver


class _Search:
    """Looks for worlds in which targets (columns of the worlds) come as far as their moves ask."""

    def __init__(self, worlds: Worlds, targets: Integers, moves: Floats) -> None:
        self.worlds = worlds
        self.targets = targets
        self.sign = np.sign(moves)
        self.wanted = np.abs(moves) + MARGIN
        self.truth = worlds.system.cells.truth[worlds.columns][targets]
        self.lower = worlds.lower[worlds.columns][targets]
        self.upper = worlds.system.upper[worlds.columns][targets]
        self.found = np.zeros(len(targets), dtype=bool)
        self.held: dict[int, Held] = {}
        self.solver = worlds.solver()

    def ask(self, size: int) -> None:
        """Ask for those not found, so many at once; neighbours stand in each other's way, and are asked for apart."""
        left = np.flatnonzero(~self.found)
        batches = -(-len(left) // size)
        for batch in range(batches):
            places = left[batch::batches]
            places = places[~self.found[places]]
            if len(places):
                self._ask_for(places)

    def _ask_for(self, places: Integers) -> None:
        columns = self.targets[places].astype(np.int32)
        count = len(columns)
        # No further than is wanted, so that none takes what others need.
        reach = self.truth[places] + self.sign[places] * self.wanted[places]
        rises = self.sign[places] > 0
        lower = np.where(rises, self.lower[places], np.maximum(self.lower[places], reach))
        upper = np.where(rises, np.minimum(self.upper[places], reach), self.upper[places])
        self.solver.changeColsBounds(count, columns, lower, upper)
        self.solver.changeColsCost(count, columns, -self.sign[places] / self.wanted[places])
        _require(_solve(self.solver))
        solution = self.solver.getSolution()
        world = np.array(solution.col_value)
        self.worlds.check(world)
        moved = self.sign * (world[self.targets] - self.truth)
        self.found |= moved >= self.wanted - TOLERANCE
        if count == 1 and not self.found[places[0]]:
            self.held[int(places[0])] = self._held(solution)
        self.solver.changeColsBounds(count, columns, self.lower[places], self.upper[places])
        self.solver.changeColsCost(count, columns, np.zeros(count))

    def _held(self, solution: highspy.HighsSolution) -> Held:
        cells, rows = np.array(solution.col_dual), np.array(solution.row_dual)
        return Held(
            self.worlds.columns[np.abs(cells) > BINDS],
            self.worlds.rows[np.abs(rows) > BINDS],
        )


def solver_of(matrix: sparse.csc_matrix, rows: tuple[Floats, Floats], columns: tuple[Floats, Floats]) -> highspy.Highs:
    """A solver of programs in which rows of the matrix, and columns, lie between two bounds each."""
    program = highspy.HighsLp()
    program.num_row_, program.num_col_ = matrix.shape
    program.col_cost_ = np.zeros(matrix.shape[1])
    program.col_lower_, program.col_upper_ = columns
    program.row_lower_, program.row_upper_ = rows
    program.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    program.a_matrix_.start_ = matrix.indptr
    program.a_matrix_.index_ = matrix.indices
    program.a_matrix_.value_ = matrix.data
    solver = highspy.Highs()  # type: ignore[no-untyped-call]
    solver.setOptionValue("output_flag", False)
    # One thread and no random choices: the same tables are judged the same everywhere.
    solver.setOptionValue("threads", 1)
    solver.passModel(program)
    return solver


def _continue(solver: highspy.Highs) -> None:
    """From one target to the next little changes: the last answer stays possible, and is near the next."""
    solver.setOptionValue("presolve", "off")
    solver.setOptionValue("simplex_strategy", int(PRIMAL))


def _solve(solver: highspy.Highs) -> highspy.HighsModelStatus:
    """Solve, and where the solver loses its way on from its last answer, again from nothing and by the other method."""
    solver.run()
    if solver.getModelStatus() == UNKNOWN:
        solver.clearSolver()
        solver.setOptionValue("presolve", "choose")
        solver.setOptionValue("simplex_strategy", int(DUAL))
        solver.run()
        _continue(solver)
    return solver.getModelStatus()


def _require(status: highspy.HighsModelStatus) -> None:
    """Anything but an optimum is no proof: an infeasible program looks as if nothing were left to find out."""
    if status != SOLVED:
        raise ClinicOutcomesError(f"the audit could not be solved ({status.name}); nothing leaves")


def _reached(matrix: sparse.csr_matrix, targets: Flags) -> Integers:
    """Columns that hang together, by rows, with a target's."""
    rows, columns = matrix.shape
    graph = sparse.bmat([[None, matrix.T], [matrix, None]], format="csr")
    _, label = sparse.csgraph.connected_components(graph, directed=False)
    wanted = np.zeros(rows + columns, dtype=bool)
    wanted[label[:columns][targets]] = True
    return np.flatnonzero(wanted[label[:columns]])
