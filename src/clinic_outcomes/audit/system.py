"""What an attacker knows, as linear constraints on the counts behind the figures."""

from __future__ import annotations

from collections.abc import Iterator
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
    ``clinics_parts`` has, a network's cell (row) that is nothing but clinics' cells, these (columns).

    Of earlier releases: ``since`` is the release in which a cell was not known for the first time, ``told`` what was
    told of it last (not a number: nothing), and ``is_known`` whether that is still its value.
    """

    names: tuple[str, ...]
    clinics: tuple[str, ...]
    truth: Floats
    least: Floats
    clinic: Integers
    own: sparse.csc_matrix
    is_alone: Flags
    is_count: Flags
    clinics_parts: sparse.csr_matrix
    since: Integers
    told: Floats
    is_known: Flags

    def __len__(self) -> int:
        return len(self.truth)

    def own_of(self, clinics: tuple[int, ...]) -> Floats:
        """What these clinics together have of each of the network's counts."""
        return np.asarray(self.own[:, list(clinics)].sum(axis=1), dtype=np.float64).ravel()

    @cached_property
    def sign(self) -> Floats:
        """-1 for cells that are less than what was told of them last, else 1: which way what is not known counts."""
        return np.where(self.truth < self.told, -1.0, 1.0)

    def known_part(self, clinics: tuple[int, ...]) -> Floats:
        """What these clinics know of each cell anyway: what they have of it, or what was told of it last.

        Of a network's cell that was told before, clinics know their own change, too: nearly all is taken as known.
        """
        of_network = self.clinic == NETWORK
        own = np.where(of_network, self.own_of(clinics), 0.0)
        last = np.where(of_network, self.truth - self.sign, self.told)
        return np.where(np.isnan(self.told), own, last)

    def unknown_part(self, clinics: tuple[int, ...]) -> Floats:
        """How large each cell is besides :meth:`known_part`: what these clinics are not to find out."""
        return self.sign * (self.truth - self.known_part(clinics))


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
    """Everything that figures and relations say, and which figures are ``shown``: the others say nothing.

    With ``exact``, who reads a figure is taken to know exactly the counts that it is made of: what rounding hides this
    month comes out over a year. ``stretch`` leaves open only what was not known in that release or since, and is to
    protect what became unknown just then: see :meth:`stretches`.
    """

    cells: Cells
    figures: tuple[str, ...]
    shown: Flags
    rows: Rows
    ranges: Ranges
    parts: Parts
    exact: bool = False
    stretch: int | None = None

    def without(self, figures: Integers) -> System:
        """The same where these figures are withheld, too."""
        shown = self.shown.copy()
        shown[figures] = False
        return replace(self, shown=shown)

    def stretches(self) -> Iterator[System]:
        """The system once for each release in which something became unknown that is hidden today.

        Other worlds are to differ from the truth by the same amount in each release from that one on, and in none
        before: so what an attacker learns by how much counts change from release to release helps nothing.
        """
        for stretch in np.unique(self.cells.since[self.hidden]):
            yield replace(self, stretch=int(stretch))

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
        counts = counts[cells.truth[counts] > 0]
        lower[counts] = np.maximum(lower[counts], 1)
        says = self._says(self.ranges.figure)
        np.maximum.at(lower, self.ranges.cell[says], self.ranges.lower[says])
        return np.where(self.is_told, cells.truth, lower)

    @cached_property
    def upper(self) -> Floats:
        """The most that each cell can be."""
        upper = np.full(len(self.cells), np.inf)
        says = self._says(self.ranges.figure)
        np.minimum.at(upper, self.ranges.cell[says], self.ranges.upper[says])
        return np.where(self.is_told, self.cells.truth, upper)

    @cached_property
    def is_part_of_shown(self) -> Flags:
        """Cells that some shown figure is made of."""
        flags = np.zeros(len(self.cells), dtype=bool)
        flags[self.parts.cell[self.shown[self.parts.figure]]] = True
        return flags

    @cached_property
    def is_told(self) -> Flags:
        """Cells that are taken to be known exactly: by today's figures, by earlier ones, or left aside."""
        told = self.cells.is_known.copy()
        if self.exact:
            told |= self.is_part_of_shown & self.cells.is_count
        if self.stretch is not None:
            told |= self.cells.since > self.stretch
        return told

    @cached_property
    def hidden(self) -> Flags:
        """The cells to be protected: counts of one or more that no figure shown is made of.

        A network's count of which each clinic's part is shown is no secret: it is their sum.
        """
        cells = self.cells
        unknown = cells.is_count & (cells.truth >= 1) & ~self.is_part_of_shown & ~cells.is_known
        parts = np.diff(cells.clinics_parts.indptr)
        hidden_parts = cells.clinics_parts @ (unknown & (cells.clinic != NETWORK)).astype(np.int64)
        hidden: Flags = unknown & ((parts == 0) | (hidden_parts > 0))
        if self.stretch is not None:
            hidden &= cells.since == self.stretch
        return hidden

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
        # What is taken to be known exactly is so whatever was shown of it: here counts what figures say.
        ranges = self.ranges
        truth = self.cells.truth[ranges.cell]
        off = (truth < ranges.lower - TOLERANCE) | (truth > ranges.upper + TOLERANCE)
        return np.flatnonzero(rows), np.unique(ranges.cell[off & self._says(ranges.figure)])


def number_cells(connection: duckdb.DuckDBPyConnection) -> None:
    """Number the cells of ``agg_cells`` and say by number which each figure is made of, in tables of their own.

    Reads the views ``agg_cells``, ``agg_figures``, ``agg_figure_cells``, ``agg_relations``, ``dim_counts``,
    ``dim_measures`` and ``history``: a row for each count of which earlier releases know something, with the
    release ``since`` which it is not known, the ``least`` it can be for that, what was ``told`` last, and whether that
    ``is_known`` to be so still.
    """
    connection.execute((ROOM / "cells.sql").read_text(encoding="utf-8"))


def read_system(connection: duckdb.DuckDBPyConnection) -> System:
    """The system of the released figures in the view ``figures``; :func:`number_cells` comes before.

    Reads the views ``measures`` and ``policy``, too.
    """
    for name in ("bounds.sql", "rows.sql"):
        connection.execute((ROOM / name).read_text(encoding="utf-8"))
    figures = connection.execute(
        "SELECT figure_id, status = 'shown' AND repeats IS NULL AS shown FROM numbered ORDER BY figure"
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
        clinics_parts=_read_parts(connection, len(found["name"])),
        since=_integers(found["since"]),
        told=_floats(np.ma.filled(found["told"], np.nan)),
        is_known=_flags(found["is_known"]),
    )


def _read_parts(connection: duckdb.DuckDBPyConnection, cells: int) -> sparse.csr_matrix:
    found = connection.execute("SELECT whole, part FROM clinics_part ORDER BY ALL").fetchnumpy()
    places = (_integers(found["whole"]), _integers(found["part"]))
    return sparse.csr_matrix((np.ones(len(places[0]), dtype=np.int64), places), shape=(cells, cells))


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
