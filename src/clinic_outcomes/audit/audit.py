"""The audit of one release: its figures, the cells behind them, and the attacks on these."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import duckdb
import numpy as np

from clinic_outcomes.audit.attack import Attack, Coalition, Limits, Unproven
from clinic_outcomes.audit.system import NETWORK, NOBODY, System, number_cells, read_system
from clinic_outcomes.audit.worlds import Worlds

MODELLED = ("count", "rate", "mean", "life_table_row", "model_value")
"""Types of figures whose constraint is written down in ``bounds.sql``."""
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
    system = read_system(connection)
    if most_hidden is not None and system.hidden.sum() > most_hidden:
        return None
    unplaced = [*_unplaced(connection), *_silent(system)]
    contradictions = _contradictions(system)
    attack = Attack(system, limits)
    small = _small(connection, attack)
    # Attacking what contradicts itself would find no world at all, and everything disclosed.
    disclosed = () if contradictions else tuple(_disclosed(attack))
    findings = (*unplaced, *contradictions, *small, *disclosed)
    return Report(
        figures=len(system.figures),
        cells=len(system.cells),
        hidden=int(system.hidden.sum()),
        coalitions=len(attack.coalitions),
        findings=findings[:MOST_FINDINGS],
    )


def _unplaced(connection: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    """Figures of which it is not known what they say.

    They have no constraint for their type, no measure, a cell that is not known, a label that is not theirs in the
    marts, a number that is not as coarse as it says, or one though they are withheld.
    """
    types = ", ".join(f"'{name}'" for name in MODELLED)
    query = f"""
        SELECT figures.figure_id
        FROM figures
        CROSS JOIN policy
        LEFT JOIN measures USING (measure)
        LEFT JOIN agg_figures AS exact ON figures.figure_id = exact.figure_id
        LEFT JOIN (SELECT figure_id, count(*) AS cells FROM figure_cells GROUP BY figure_id) AS known
            ON figures.figure_id = known.figure_id
        LEFT JOIN (SELECT figure_id, count(*) AS cells FROM agg_figure_cells GROUP BY figure_id) AS meant
            ON figures.figure_id = meant.figure_id
        WHERE measures.measure IS NULL
            OR figures.figure_type NOT IN ({types})
            OR figures.figure_type IS DISTINCT FROM measures.figure_type
            OR (figures.measure, figures.clinic_id, figures.dimension, figures.category)
            IS DISTINCT FROM (exact.measure, exact.clinic_id, exact.dimension, exact.category)
            OR coalesce(known.cells, 0) < coalesce(meant.cells, 1)
            OR NOT coalesce(CASE figures.status
                WHEN 'shown' THEN
                    figures.shown_value IS NOT NULL
                    AND coalesce(figures.shown_denominator % policy.rounding_base = 0, TRUE)
                    AND CASE
                        WHEN figures.shown_upper IS NOT NULL THEN figures.shown_upper > figures.shown_value
                        WHEN figures.figure_type = 'count'
                            THEN figures.shown_step = policy.rounding_base
                            AND figures.shown_value % policy.rounding_base = 0
                        ELSE figures.shown_step > 0 AND figures.shown_value % figures.shown_step = 0
                    END
                WHEN 'withheld' THEN
                    coalesce(
                        figures.shown_value, figures.shown_upper, figures.shown_step, figures.shown_denominator
                    ) IS NULL
            END, FALSE)
        UNION
        SELECT figure_id FROM figures GROUP BY figure_id HAVING count(*) > 1
        ORDER BY figure_id
    """
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


def _small(connection: duckdb.DuckDBPyConnection, attack: Attack) -> Iterator[Finding]:
    """Cells of shown figures that are too small to be shown, what attackers leave of a network's, and counts shown."""
    (smallest,) = connection.execute("SELECT smallest_shown FROM policy").fetchone() or (0,)
    system = attack.system
    cells = system.cells
    counted = system.is_part_of_shown & cells.is_count
    for cell in np.flatnonzero(counted & (cells.truth > 0) & (cells.truth < smallest)):
        yield Finding("small_count", cells.names[cell])
    of_network = counted & (cells.clinic == NETWORK) & (cells.truth >= smallest)
    for coalition, unknown in attack.unknown.items():
        clinics = tuple(cells.clinics[clinic] for clinic in coalition)
        for cell in np.flatnonzero(of_network & (unknown > 0) & (unknown < smallest)):
            yield Finding("small_count", cells.names[cell], clinics, float(unknown[cell]), float(unknown[cell]))
    shown = connection.execute(
        "SELECT figure_id FROM figures CROSS JOIN policy "
        "WHERE figure_type = 'count' AND shown_value > 0 AND shown_value < smallest_shown ORDER BY figure_id"
    ).fetchall()
    for (figure_id,) in shown:
        yield Finding("small_count", figure_id)


def _disclosed(attack: Attack) -> Iterator[Finding]:
    attack.gather()
    for coalition in attack.coalitions:
        unproven = attack.prove(coalition)
        if unproven is not None:
            yield from _intervals(attack, coalition, unproven)


def _intervals(attack: Attack, coalition: Coalition, unproven: Unproven) -> Iterator[Finding]:
    """The cells that are known too well when each is asked for by itself."""
    cells = attack.system.cells
    own = cells.own_of(coalition)
    clinics = tuple(cells.clinics[clinic] for clinic in coalition)
    for target, (lower, upper) in zip(unproven.targets, unproven.worlds.extremes(unproven.targets), strict=True):
        known = float(own[target]) if cells.clinic[target] == NETWORK else 0.0
        if attack.limits.allow(lower - known, upper - known) or _is_known_anyway(attack, coalition, int(target), known):
            continue
        yield Finding("disclosed", cells.names[target], clinics, lower - known, upper - known)


def _is_known_anyway(attack: Attack, coalition: Coalition, target: int, known: float) -> bool:
    """Whether the attackers know a cell by themselves, though nothing were released: one that is all their own."""
    if not coalition:
        return False
    nothing = attack.system.without(np.flatnonzero(attack.system.shown))
    wanted = np.zeros(len(nothing.cells), dtype=bool)
    wanted[target] = True
    ((lower, upper),) = Worlds(nothing, coalition, wanted).extremes(np.array([target]))
    return not attack.limits.allow(lower - known, upper - known)
