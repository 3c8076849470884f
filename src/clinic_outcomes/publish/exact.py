"""A clinic's exact figures and signals of safety, for its own clinicians. Nothing else of publish reads exact marts.

Of the marts it reads the columns that are the clinic's own. What follows from exact numbers of others (expected counts,
ratios, p-values of signals) is never read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from clinic_outcomes.database import quote_text, session
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.publish.released import NETWORK, Measure
from clinic_outcomes.settings import Settings

PERCENT_PLACES, VALUE_PLACES = Decimal("0.1"), Decimal("0.01")
"""Exact figures on a page are written to these places; the tables beside it hold them in full."""


@dataclass(frozen=True)
class ExactFigure:
    """One figure of a clinic as the marts hold it: a share is from 0 to 1, what does not apply is None."""

    figure_id: str
    measure: str
    clinic_id: str
    dimension: str
    category: str
    numerator: Decimal | None
    denominator: int | None
    value: Decimal | None
    patients: int | None


@dataclass(frozen=True)
class Signal:
    """A term that more of a clinic's people had than of others, and its own people alone.

    ``is_signal`` is None where it cannot be judged: too few cells for the method to learn from.
    """

    clinic_id: str
    term: str
    people_with_event: int
    people_treated: int
    is_signal: bool | None


@dataclass(frozen=True)
class Exact:
    """The exact figures and signals of every clinic of a build, by clinic."""

    figures: Mapping[str, tuple[ExactFigure, ...]]
    signals: Mapping[str, tuple[Signal, ...]]


def read_exact(build: Path, settings: Settings) -> Exact:
    """Read what is exact of single clinics. ``ClinicOutcomesError`` where the build's marts are gone."""
    marts, signals = build / "release" / "agg_figures.parquet", build / "core" / "agg_signals.parquet"
    if not marts.is_file():
        raise ClinicOutcomesError("the exact marts of this build are gone; run the stage model again")
    with session(settings) as connection:
        figures = connection.execute(
            "SELECT figure_id, measure, clinic_id, dimension, category, numerator, denominator, value, patients "
            f"FROM read_parquet({quote_text(marts)}) WHERE clinic_id <> $network ORDER BY figure_id",
            {"network": NETWORK},
        ).fetchall()
        # A network whose clinics record no events has no signals either.
        found = (
            connection.execute(
                "SELECT category, term, people_with_event, people_treated, is_signal "
                f"FROM read_parquet({quote_text(signals)}) "
                "WHERE axis = 'clinic' AND is_signal IS DISTINCT FROM FALSE ORDER BY category, term"
            ).fetchall()
            if signals.is_file()
            else []
        )
    by_clinic: dict[str, list[ExactFigure]] = {}
    for row in figures:
        by_clinic.setdefault(row[2], []).append(ExactFigure(*row))
    of_clinics: dict[str, list[Signal]] = {}
    for row in found:
        of_clinics.setdefault(row[0], []).append(Signal(*row))
    return Exact(
        {clinic: tuple(rows) for clinic, rows in by_clinic.items()},
        {clinic: tuple(rows) for clinic, rows in of_clinics.items()},
    )


def exact_text(measure: Measure, figure: ExactFigure) -> str:
    """The figure as a reader sees it; ``no figure`` where there is nothing to divide by."""
    if figure.value is None:
        return "no figure"
    if measure.figure_type == "count":
        return f"{figure.value:,.0f}"
    if measure.figure_type in ("rate", "life_table_row"):
        return f"{(100 * figure.value).quantize(PERCENT_PLACES, ROUND_HALF_UP)}%"
    return f"{figure.value.quantize(VALUE_PLACES, ROUND_HALF_UP):,}"


def taken_from(measure: Measure, figure: ExactFigure) -> str:
    """What the figure is made of, in words: ``3 of 41`` for a share, ``of 41`` for an average."""
    if figure.denominator is None or figure.value is None:
        return ""
    if measure.figure_type == "rate" and figure.numerator is not None:
        return f"{figure.numerator:,.0f} of {figure.denominator:,}"
    return f"of {figure.denominator:,}"
