"""Other worlds: counts that say the same as everything released, and differ from the truth where it is withheld."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import highspy
import numpy as np
from scipy import sparse

from clinic_outcomes.audit.system import TOLERANCE, Flags, Floats, Integers, System
from clinic_outcomes.problems import ClinicOutcomesError

MARGIN = 1.0
"""How much further than asked a world of fractions must reach, so that one of whole numbers reaches what is asked."""
SOLVED = highspy.HighsModelStatus.kOptimal
MOST_ROUNDS = 40


@dataclass(frozen=True)
class Optimum:
    """A solved program: what a unit of each bound of a cell or row is worth."""

    cell_duals: Floats
    row_duals: Floats


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

    def reachable(self, targets: Integers, moves: Floats, least_gain: float = 0) -> tuple[Flags, Optimum | None]:
        """Which target cells are so much larger (or smaller, where negative) in some world than in truth.

        One program asks for all targets at once, each as far as its move and a margin; it is asked again of those that
        did not get there, until no more than the share ``least_gain`` of all is gained. A target that is not found may
        still be reachable by itself. The last optimum is given where there is such a target.
        """
        found = np.zeros(len(targets), dtype=bool)
        here = self.place[targets]
        searched = here >= 0
        if not searched.any():
            return found, None
        search = _Search(self, here[searched], moves[searched])
        found[searched], optimum = search.run(least_gain)
        return found, optimum

    def unbounded(self, targets: Integers) -> Flags:
        """Which target cells can be as large as one likes.

        Relations and shares stay true when everything grows along a direction in which they do, and what is shown as a
        number does not change. Directions add up to one, so one program finds every cell that grows in any.
        """
        found = np.zeros(len(targets), dtype=bool)
        here = self.place[targets]
        searched = np.flatnonzero(here >= 0)
        if not len(searched):
            return found
        lower, upper = self.lower[self.columns], self.system.upper[self.columns]
        growth = np.where(np.isfinite(upper), 0.0, np.inf)
        program = _capped(
            self.matrix,
            (_zero_where_finite(self.row_lower), _zero_where_finite(self.row_upper)),
            (_zero_where_finite(lower), growth),
            here[searched],
            np.ones(len(searched)),
            np.zeros(len(searched)),
            np.ones(len(searched)),
        )
        program.run()
        _require(program.getModelStatus())
        grown = np.array(program.getSolution().col_value)[len(self.columns) :]
        found[searched[grown >= 1 - TOLERANCE]] = True
        return found

    def extremes(self, targets: Integers) -> Iterator[tuple[float, float]]:
        """The least and the largest value of each target cell, by itself, over all worlds of fractions."""
        solver = self._solver(np.zeros(len(self.columns)))
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
        solver.run()
        status = solver.getModelStatus()
        if status == highspy.HighsModelStatus.kUnknown:
            # Starting from another optimum it may lose its way where there is no bound.
            solver.clearSolver()
            solver.run()
            status = solver.getModelStatus()
        if status in (highspy.HighsModelStatus.kUnbounded, highspy.HighsModelStatus.kUnboundedOrInfeasible):
            return -np.inf if sign > 0 else np.inf
        _require(status)
        return float(solver.getSolution().col_value[place])

    def _solver(self, cost: Floats) -> highspy.Highs:
        solver = solver_of(
            self.matrix.tocsc(),
            (self.row_lower, self.row_upper),
            (self.lower[self.columns], self.system.upper[self.columns]),
            cost,
        )
        # From one target to the next the costs alone change: the last answer stays possible, and is near the next.
        solver.setOptionValue("presolve", "off")
        solver.setOptionValue("simplex_strategy", int(highspy.simplex_constants.SimplexStrategy.kSimplexStrategyPrimal))
        return solver


class _Search:
    """One linear program over the cells and, a target, how far it comes from the truth towards its move."""

    def __init__(self, worlds: Worlds, targets: Integers, moves: Floats) -> None:
        self.worlds = worlds
        self.cells = len(worlds.columns)
        self.wanted = np.abs(moves) + MARGIN
        sign = np.sign(moves)
        columns = worlds.columns
        self.solver = _capped(
            worlds.matrix,
            (worlds.row_lower, worlds.row_upper),
            (worlds.lower[columns], worlds.system.upper[columns]),
            targets,
            sign,
            sign * worlds.system.cells.truth[columns[targets]],
            self.wanted,
        )

    def run(self, least_gain: float) -> tuple[Flags, Optimum | None]:
        found = np.zeros(len(self.wanted), dtype=bool)
        optimum = None
        for _ in range(MOST_ROUNDS):
            self.solver.run()
            _require(self.solver.getModelStatus())
            solution = self.solver.getSolution()
            moved = np.array(solution.col_value[self.cells :])
            optimum = self._optimum(solution)
            new = ~found & (moved >= self.wanted - TOLERANCE)
            found |= new
            if found.all():
                return found, None
            if new.sum() <= least_gain * len(found):
                break
            places = np.flatnonzero(new)
            self.solver.changeColsCost(len(places), (places + self.cells).astype(np.int32), np.zeros(len(places)))
        return found, optimum

    def _optimum(self, solution: highspy.HighsSolution) -> Optimum:
        self.worlds.check(np.array(solution.col_value[: self.cells]))
        return Optimum(
            cell_duals=np.array(solution.col_dual[: self.cells]),
            row_duals=np.array(solution.row_dual[: len(self.worlds.rows)]),
        )


def _capped(
    matrix: sparse.csr_matrix,
    rows: tuple[Floats, Floats],
    columns: tuple[Floats, Floats],
    targets: Integers,
    sign: Floats,
    origin: Floats,
    wanted: Floats,
) -> highspy.Highs:
    """A solver that moves target columns away from their origin, each as far as wanted and no further.

    Its further columns, one a target, are how far each has come; it maximises their shares of what is wanted.
    """
    count = len(targets)
    picks = sparse.csr_matrix((sign, (np.arange(count), targets)), shape=(count, matrix.shape[1]))
    return solver_of(
        sparse.bmat([[matrix, None], [picks, -sparse.identity(count)]], format="csc"),
        (np.concatenate([rows[0], origin]), np.concatenate([rows[1], np.full(count, np.inf)])),
        (np.concatenate([columns[0], np.zeros(count)]), np.concatenate([columns[1], wanted])),
        np.concatenate([np.zeros(matrix.shape[1]), -1 / wanted]),
    )


def _zero_where_finite(bound: Floats) -> Floats:
    return np.where(np.isfinite(bound), 0.0, bound)


def solver_of(
    matrix: sparse.csc_matrix, rows: tuple[Floats, Floats], columns: tuple[Floats, Floats], cost: Floats
) -> highspy.Highs:
    """A solver that minimises ``cost`` where rows of the matrix, and columns, lie between two bounds each."""
    program = highspy.HighsLp()
    program.num_row_, program.num_col_ = matrix.shape
    program.col_cost_ = cost
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
