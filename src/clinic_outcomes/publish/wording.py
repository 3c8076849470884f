"""Numbers and codes as a reader sees them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from clinic_outcomes.contract import load_contract
from clinic_outcomes.protect.policy import Policy
from clinic_outcomes.publish.outline import OutlinedDimension
from clinic_outcomes.publish.released import Figure, Measure

WITHHELD = "withheld"
NOT_DELIVERED = "not delivered"
NO_FIGURE = "no figure"
MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Cell:
    """One figure as drawn. ``kind`` is ``shown``, ``withheld`` or ``absent``; ``of`` is its denominator.

    ``note`` says how complete it is, with ``warn`` where that is too little. ``bar`` is a length in percent.
    """

    kind: str
    text: str
    figure_id: str = ""
    unit: str = ""
    of: str = ""
    note: str = ""
    warn: bool = False
    bar: int | None = None
    is_band: bool = False


def draw(measure: Measure, figure: Figure | None, policy: Policy, *, delivered: bool = True) -> Cell:
    """A figure as a cell; an absent one says whether the clinic delivers the table it would come from."""
    if figure is None:
        return Cell("absent", NO_FIGURE if delivered else NOT_DELIVERED)
    if figure.value is None:
        return Cell("withheld", WITHHELD, figure.figure_id)
    return Cell(
        "shown",
        number(measure, figure.value, figure.upper, policy),
        figure.figure_id,
        unit="" if measure.figure_type == "rate" else measure.unit,
        of="" if figure.denominator is None else f"{figure.denominator:,}",
        is_band=figure.upper is not None,
    )


def number(measure: Measure, value: Decimal, upper: Decimal | None, policy: Policy) -> str:
    """A released value in figures: thousands separated, percent signs, as many decimals as its rounding step has."""
    if measure.figure_type == "count":
        return f"{value:,.0f}"
    if measure.figure_type == "mean":
        step = next(step.step for step in policy.means.steps if step.unit == measure.unit)
        places = max(0, -int(step.normalize().as_tuple().exponent))
        return f"{value:,.{places}f}".replace("-", MINUS)
    if upper is None:
        return f"{value:.0f}%"
    if value == 0:
        return f"under {upper:.0f}%"
    return f"{value:.0f}% or more" if upper == 100 else f"{value:.0f}% to under {upper:.0f}%"


def category_label(dimension: OutlinedDimension | None, category: str) -> str:
    """A category's label: that of its code list, otherwise its code in plain writing."""
    labels = load_contract().code_lists.get((dimension.code_list if dimension else None) or "", {})
    if category in labels:
        return str(labels[category])
    if category == "unmapped":
        return "Other, not yet classified"
    return plain(category)


def plain(code: str) -> str:
    """A code in plain writing: ``data_quality`` is ``Data quality``."""
    text = code.replace("_", " ").strip()
    return text[:1].upper() + text[1:]
