"""What an attacker knows, as linear constraints on the counts behind the figures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

ROOM = Path(__file__).parent
NETWORK = -1
"""The clinic of a cell of the whole network."""
NOBODY = -1
"""The figure of what is known without any figure."""
TOLERANCE = 1e-6
"""How far a sum may be off its bound by floating point: exact numbers have four decimals."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Cells:
    """The unknowns, one an element: counts of people, sessions, events or rows, and sums behind means.

    ``truth`` are their exact values, ``least`` what they can be at least, ``clinic`` the place of the clinic in
    ``clinics`` or ``NETWORK``. ``own`` is, a cell and clinic, what the clinic has of a network's count. ``is_alone``
    marks network cells that have no clinics' cells beside them: clinics know their own part all the same.
    """

    names: tuple[str, ...]
    clinics: tuple[str, ...]
    truth: Floats
    least: Floats
    clinic: Integers
    own: sparse.csc_matrix
    is_alone: Flags
    is_count: Flags

    def __len__(self) -> int:
        return len(self.truth)

    def own_of(self, clinics: tuple[int, ...]) -> Floats:
        """What these clinics together have of each of the network's counts."""
        return np.asarray(self.own[:, list(clinics)].sum(axis=1), dtype=np.float64).ravel()


@dataclass(frozen=True)
class Rows:
    """Rows of a matrix: ``lower <= matrix @ cells <= upper``.

    ``figure`` and ``other_figure`` are the figures that say it, both ``NOBODY`` for a relation between cells.
    """

    matrix: sparse.csr_matrix
    lower: Floats
    upper: Floats
    figure: Integers
    other_figure: Integers


@dataclass(frozen=True)
class Ranges:
    """What single figures say of single cells, one an element: ``lower <= cell <= upper``."""

    figure: Integers
    cell: Integers
    lower: Floats
    upper: Floats


@dataclass(frozen=True)
class Parts:
    """Which cells which figures are made of, one pair an element; of counts their numerator alone is ``is_counted``."""

    figure: Integers
    cell: Integers
    is_counted: Flags


@dataclass(frozen=True)
class System:
    """Everything that figures and relations say, and which figures are ``shown``: the others say nothing."""

    cells: Cells
    figures: tuple[str, ...]
    shown: Flags
    rows: Rows
    ranges: Ranges
    parts: Parts

    def without(self, figures: Integers) -> System:
        """The same where these figures are withheld, too."""
        shown = self.shown.copy()
        shown[figures] = False
        return replace(self, shown=shown)

    def _says(self, figure: Integers) -> Flags:
        says: Flags = (figure == NOBODY) | self.shown[figure]
        return says

    @cached_property
    def row_lower(self) -> Floats:
        """The lower bound of each row, minus infinity where its figure is withheld."""
        return np.where(self._row_says, self.rows.lower, -np.inf)

    @cached_property
    def row_upper(self) -> Floats:
        """The upper bound of each row, infinity where its figure is withheld."""
        return np.where(self._row_says, self.rows.upper, np.inf)

    @cached_property
    def _row_says(self) -> Flags:
        return self._says(self.rows.figure) & self._says(self.rows.other_figure)

    @cached_property
    def lower(self) -> Floats:
        """The least that each cell can be. A count that is withheld is at least one: noughts are shown."""
        cells = self.cells
        lower = cells.least.copy()
        withheld = self.parts.is_counted & ~self.shown[self.parts.figure]
        counts = self.parts.cell[withheld]
        lower[counts[cells.truth[counts] > 0]] = 1
        says = self._says(self.ranges.figure)
        np.maximum.at(lower, self.ranges.cell[says], self.ranges.lower[says])
        return lower

    @cached_property
    def upper(self) -> Floats:
        """The most that each cell can be."""
        upper = np.full(len(self.cells), np.inf)
        says = self._says(self.ranges.figure)
        np.minimum.at(upper, self.ranges.cell[says], self.ranges.upper[says])
        return upper

    @cached_property
    def is_part_of_shown(self) -> Flags:
        """Cells that some shown figure is made of."""
        flags = np.zeros(len(self.cells), dtype=bool)
        flags[self.parts.cell[self.shown[self.parts.figure]]] = True
        return flags

    @cached_property
    def hidden(self) -> Flags:
        """The cells to be protected: counts of one or more that no figure shown is made of."""
        return self.cells.is_count & (self.cells.truth >= 1) & ~self.is_part_of_shown

    @cached_property
    def columns(self) -> sparse.csc_matrix:
        """The matrix by columns."""
        return self.rows.matrix.tocsc()

    @cached_property
    def activity(self) -> Floats:
        """What each row sums up to in truth."""
        return np.asarray(self.rows.matrix @ self.cells.truth)

    def contradicted(self) -> tuple[Integers, Integers]:
        """Rows and cells that contradict the truth: where there are any, the constraints are not what is so."""
        scale = TOLERANCE * np.maximum(1, np.abs(self.activity))
        rows = (self.activity < self.row_lower - scale) | (self.activity > self.row_upper + scale)
        truth = self.cells.truth
        cells = (truth < self.lower - TOLERANCE) | (truth > self.upper + TOLERANCE)
        return np.flatnonzero(rows), np.flatnonzero(cells)


def number_cells(connection: duckdb.DuckDBPyConnection) -> None:
    """Number the cells of ``agg_cells`` and say by number which each figure is made of, in tables of their own.

    Reads the views ``agg_cells``, ``agg_figures``, ``agg_figure_cells``, ``agg_relations``, ``dim_counts`` and
    ``dim_measures``.
    """
    connection.execute((ROOM / "cells.sql").read_text(encoding="utf-8"))


def read_system(connection: duckdb.DuckDBPyConnection) -> System:
    """The system of the released figures in the view ``figures``; :func:`number_cells` comes before.

    Reads the views ``measures`` and ``policy``, too.
    """
    for name in ("bounds.sql", "rows.sql"):
        connection.execute((ROOM / name).read_text(encoding="utf-8"))
    figures = connection.execute(
        "SELECT figure_id, status = 'shown' AS shown FROM numbered ORDER BY figure"
    ).fetchnumpy()
    cells = _read_cells(connection)
    ranges = connection.execute("SELECT figure, cell, lower, upper FROM range ORDER BY ALL").fetchnumpy()
    parts = connection.execute("SELECT figure, cell, is_counted FROM part ORDER BY ALL").fetchnumpy()
    return System(
        cells=cells,
        figures=tuple(figures["figure_id"]),
        shown=_flags(figures["shown"]),
        rows=_read_rows(connection, len(cells)),
        ranges=Ranges(
            _integers(ranges["figure"]), _integers(ranges["cell"]), _floats(ranges["lower"]), _floats(ranges["upper"])
        ),
        parts=Parts(_integers(parts["figure"]), _integers(parts["cell"]), _flags(parts["is_counted"])),
    )


def _read_cells(connection: duckdb.DuckDBPyConnection) -> Cells:
    # A clinic of which no figure is released attacks with what it has of the network's.
    query = (
        "SELECT clinic_id FROM cells WHERE clinic_id <> 'network' UNION SELECT clinic_id FROM own ORDER BY clinic_id"
    )
    clinics = tuple(clinic for (clinic,) in connection.execute(query).fetchall())
    found = connection.execute("SELECT * FROM cells ORDER BY cell").fetchnumpy()
    places = {clinic: place for place, clinic in enumerate(clinics)}
    return Cells(
        names=tuple(found["name"]),
        clinics=clinics,
        truth=_floats(found["value"]),
        least=_floats(found["least"]),
        clinic=np.array([places.get(clinic, NETWORK) for clinic in found["clinic_id"]], dtype=np.int64),
        own=_read_own(connection, len(found["name"]), places),
        is_alone=_flags(found["is_alone"]),
        is_count=_flags(found["is_count"]),
    )


def _read_own(connection: duckdb.DuckDBPyConnection, cells: int, places: dict[str, int]) -> sparse.csc_matrix:
    found = connection.execute("SELECT cell, clinic_id, value FROM own ORDER BY ALL").fetchnumpy()
    clinics = np.array([places[clinic] for clinic in found["clinic_id"]], dtype=np.int64)
    return sparse.csc_matrix(
        (_floats(found["value"]), (_integers(found["cell"]), clinics)), shape=(cells, max(1, len(places)))
    )


def _read_rows(connection: duckdb.DuckDBPyConnection, cells: int) -> Rows:
    rows = connection.execute(
        "SELECT lower, upper, figure, other_figure FROM attack_row ORDER BY attack_row"
    ).fetchnumpy()
    members = connection.execute(
        "SELECT attack_row, cell, coefficient FROM attack_member ORDER BY attack_row, cell"
    ).fetchnumpy()
    matrix = sparse.csr_matrix(
        (_floats(members["coefficient"]), (_integers(members["attack_row"]), _integers(members["cell"]))),
        shape=(len(rows["lower"]), cells),
    )
    return Rows(
        matrix,
        _floats(rows["lower"]),
        _floats(rows["upper"]),
        _integers(rows["figure"]),
        _integers(rows["other_figure"]),
    )


def _floats(values: NDArray[np.generic]) -> Floats:
    return np.asarray(values, dtype=np.float64)


def _integers(values: NDArray[np.generic]) -> Integers:
    return np.asarray(values, dtype=np.int64)


def _flags(values: NDArray[np.generic]) -> Flags:
    return np.asarray(values, dtype=bool)
