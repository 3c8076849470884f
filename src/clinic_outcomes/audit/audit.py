"""The audit of one release: its figures, the cells behind them, and the attacks on these."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import duckdb
import numpy as np

from clinic_outcomes.audit.attack import Attack, Limits, coalitions
from clinic_outcomes.audit.system import NETWORK, NOBODY, ROOM, System, number_cells, read_system

MOST_FINDINGS = 1000


@dataclass(frozen=True)
class Finding:
    """One thing that speaks against a release.

    ``rule`` is ``cannot_be_placed`` (a figure whose cells or type are not known), ``contradiction`` (released figures
    that the exact ones do not bear out), ``small_count`` (a shown figure is made of a count too small,
    or ``coalition`` leaves too few of it to others) or ``disclosed``
    (``cell`` can be worked out too well by ``coalition``, to lie between ``lower`` and ``upper``).
    """

    rule: str
    cell: str
    coalition: tuple[str, ...] = ()
    lower: float | None = None
    upper: float | None = None


@dataclass(frozen=True)
class Report:
    """What was audited and what was found: ``hidden`` cells were attacked by so many ``coalitions``."""

    figures: int
    cells: int
    hidden: int
    coalitions: int
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing speaks against the release."""
        return not self.findings


def audit(connection: duckdb.DuckDBPyConnection, limits: Limits, most_hidden: int | None = None) -> Report | None:
    """Attack the figures in the view ``figures`` (columns of ``figures.parquet``), knowing views of the exact marts.

    These are ``agg_cells``, ``agg_contributions``, ``agg_figures``, ``agg_figure_cells``, ``agg_relations``,
    ``dim_counts`` and ``dim_measures`` (also as ``measures``); ``policy`` has one row with ``smallest_shown`` and
    ``rounding_base``. The exact numbers serve for what clinics know of themselves, and as one world that must be
    possible. None where more than ``most_hidden`` counts are withheld: it was not attacked then.
    """
    number_cells(connection)
    system = replace(read_system(connection), exact=limits.exact_counts)
    if most_hidden is not None and system.hidden.sum() > most_hidden:
        return None
    unplaced = [*_unplaced(connection), *_silent(system)]
    contradictions = _contradictions(system)
    small = _small(connection, system, limits)
    # Attacking what contradicts itself would find no world at all, and everything disclosed.
    disclosed = () if contradictions else tuple(_disclosed(system, limits))
    findings = (*unplaced, *contradictions, *small, *disclosed)
    return Report(
        figures=len(system.figures),
        cells=len(system.cells),
        hidden=int(system.hidden.sum()),
        coalitions=len(coalitions(len(system.cells.clinics), limits.largest_coalition)),
        findings=findings[:MOST_FINDINGS],
    )


def _unplaced(connection: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    """Figures of which it is not known what they say."""
    query = (ROOM / "unplaced.sql").read_text(encoding="utf-8")
    for (figure_id,) in connection.execute(query).fetchall():
        yield Finding("cannot_be_placed", figure_id)


def _silent(system: System) -> Iterator[Finding]:
    """Figures that are shown and yet say nothing: a value whose constraint is not written down."""
    says = np.zeros(len(system.figures), dtype=bool)
    for figures in (system.ranges.figure, system.rows.figure):
        says[figures[figures != NOBODY]] = True
    for figure in np.flatnonzero(system.shown & ~says):
        yield Finding("cannot_be_placed", system.figures[figure])


def _contradictions(system: System) -> tuple[Finding, ...]:
    rows, cells = system.contradicted()
    of_rows = (system.figures[figure] if figure != NOBODY else "relation" for figure in system.rows.figure[rows])
    of_cells = (system.cells.names[cell] for cell in cells)
    return tuple(Finding("contradiction", name) for name in (*of_rows, *of_cells))


def _small(connection: duckdb.DuckDBPyConnection, system: System, limits: Limits) -> Iterator[Finding]:
    """Cells of shown figures that are too small to be shown, what attackers leave of a network's, and counts shown."""
    (smallest,) = connection.execute("SELECT smallest_shown FROM policy").fetchone() or (0,)
    cells = system.cells
    counted = system.is_part_of_shown & cells.is_count
    for cell in np.flatnonzero(counted & (cells.truth > 0) & (cells.truth < smallest)):
        yield Finding("small_count", cells.names[cell])
    of_network = counted & (cells.clinic == NETWORK) & (cells.truth >= smallest)
    for coalition in coalitions(len(cells.clinics), limits.largest_coalition):
        unknown = cells.truth - cells.own_of(coalition)
        clinics = tuple(cells.clinics[clinic] for clinic in coalition)
        for cell in np.flatnonzero(of_network & (unknown > 0) & (unknown < smallest)):
            yield Finding("small_count", cells.names[cell], clinics, float(unknown[cell]), float(unknown[cell]))
    shown = connection.execute(
        "SELECT figure_id FROM figures CROSS JOIN policy "
        "WHERE figure_type = 'count' AND shown_value > 0 AND shown_value < smallest_shown ORDER BY figure_id"
    ).fetchall()
    for (figure_id,) in shown:
        yield Finding("small_count", figure_id)


def _disclosed(system: System, limits: Limits) -> Iterator[Finding]:
    clinics = system.cells.clinics
    for stretch in system.stretches():
        attack = Attack(stretch, limits)
        attack.gather()
        for found in attack.disclosed():
            known = system.cells.known_part(found.coalition)
            names = tuple(clinics[clinic] for clinic in found.coalition)
            for target, lower, upper in zip(found.targets, found.lower, found.upper, strict=True):
                ends = (float(lower - known[target]), float(upper - known[target]))
                yield Finding("disclosed", system.cells.names[target], names, *ends)
