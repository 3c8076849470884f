"""Numbers and codes as a reader sees them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from clinic_outcomes.contract import load_contract
from clinic_outcomes.protect.policy import Policy
from clinic_outcomes.publish.outline import OutlinedDimension
from clinic_outcomes.publish.released import Figure, Measure, Threshold
from clinic_outcomes.publish.uncertainty import Range

WITHHELD = "withheld"
NOT_DELIVERED = "not delivered"
NO_FIGURE = "no figure"
NOT_RECORDED = "not recorded"
NOT_ESTIMABLE = "not estimable"
MINUS = "\N{MINUS SIGN}"
VERIFICATION = {
    "read": "read in the source",
    "secondary": "read in a secondary source only",
    "unverified": "not verified",
}
"""How far the project's authors have seen the source of a threshold."""


@dataclass(frozen=True)
class Cell:
    """One figure as drawn. ``kind`` is ``shown``, ``withheld``, ``absent`` or ``blank``; ``of`` is its denominator.

    ``interval`` is its 95 % interval. Where ``none_seen``, nothing was, and ``bound`` is the upper bound of what may
    yet happen, if there is one. ``few`` says that under half of those treated are behind it, or that how many is
    withheld. ``as_of`` is the period of the release that the figure is repeated from. ``bar`` is a length in percent.
    ``beside`` is the network's figure on a clinic's page, ``to`` the other end of what runs from this figure to that
    one.
    """

    kind: str
    text: str
    figure_id: str = ""
    unit: str = ""
    of: str = ""
    interval: str = ""
    none_seen: bool = False
    bound: str = ""
    few: str = ""
    as_of: str = ""
    bar: int | None = None
    is_band: bool = False
    beside: Cell | None = None
    to: Cell | None = None


BLANK = Cell("blank", "")


def draw(
    measure: Measure,
    figure: Figure | None,
    policy: Policy,
    *,
    absent: str = NO_FIGURE,
    interval: Range | None = None,
    none_seen: bool = False,
    bound: Decimal | None = None,
    few: str = "",
) -> Cell:
    """A figure as a cell; ``absent`` says why there is none. Where ``none_seen``, a bound stands for the interval."""
    if figure is None:
        return Cell("absent", absent)
    if figure.value is None:
        return Cell("withheld", WITHHELD, figure.figure_id)
    is_percent = measure.figure_type in ("rate", "life_table_row")
    return Cell(
        "shown",
        number(measure, figure, policy),
        figure.figure_id,
        unit="" if is_percent else measure.unit,
        # A rate of events is taken over sessions or time; the people behind it are not what it is of.
        of="" if figure.denominator is None or measure.count_measure else f"{figure.denominator:,}",
        interval=range_text(interval, "%" if is_percent else "") if interval and not none_seen else "",
        none_seen=none_seen,
        bound="" if bound is None else f"{bound:f}{'%' if is_percent else ''}",
        few=few,
        as_of=figure.as_of,
        is_band=figure.upper is not None,
    )


def number(measure: Measure, figure: Figure, policy: Policy) -> str:
    """A shown value in figures: thousands separated, percent signs, as many decimals as its rounding step has.

    ``ValueError`` where the figure is withheld.
    """
    value, upper = figure.value, figure.upper
    if value is None:
        raise ValueError("a withheld figure has no number")
    if measure.figure_type == "count":
        return f"{value:,.0f}"
    if measure.figure_type in ("mean", "model_value"):
        return decimal_text(value, policy.rounding_step(measure.figure_type, measure.unit, figure.denominator))
    if upper is None:
        return f"{value:.0f}%"
    if value == 0:
        return f"under {upper:.0f}%"
    return f"{value:.0f}% or more" if upper == 100 else f"{value:.0f}% to under {upper:.0f}%"


def decimal_text(value: Decimal, step: Decimal) -> str:
    """A number with as many decimals as ``step`` has, and a true minus sign."""
    places = max(0, -int(step.normalize().as_tuple().exponent))
    return f"{value:,.{places}f}".replace("-", MINUS)


def steps_text(steps: Mapping[int, Decimal]) -> str:
    """How figures are rounded by what they are of: ``to the nearest 2, of 100 or more to the nearest 1``."""
    first, *others = (f"to the nearest {decimal_text(step, step)}" for step in steps.values())
    starts = list(steps)[1:]
    return ", ".join([first, *(f"of {start:,} or more {text}" for start, text in zip(starts, others, strict=True))])


def range_text(interval: Range, unit: str = "") -> str:
    """An interval in words: ``58% to 63%``."""
    lower, upper = (f"{end:,f}".replace("-", MINUS) for end in (interval.lower, interval.upper))
    return f"{lower}{unit} to {upper}{unit}"


def bound_text(cell: Cell) -> str:
    """That nothing was seen, and the upper bound of it, in words; rounded up, it is never narrower than computed."""
    if not cell.none_seen:
        return ""
    return f"none seen; at most {cell.bound} with 95% confidence" if cell.bound else "none seen"


def threshold_text(threshold: Threshold) -> str:
    """A threshold with its set, citation and mark."""
    mark = VERIFICATION.get(threshold.verification, threshold.verification)
    return f"{threshold_value(threshold)} (set {threshold.threshold_set}: {threshold.citation}; {mark})"


def threshold_value(threshold: Threshold) -> str:
    """A threshold's number with its unit, or that there is none but what the scores give."""
    if threshold.value is None:
        return "worked out from the scores"
    unit = "points" if threshold.unit == "point" and threshold.value != 1 else threshold.unit
    return f"{threshold.value.normalize():f} {unit}"


def category_label(dimension: OutlinedDimension | None, category: str) -> str:
    """A category's label: that of the outline or its code list, otherwise its code in plain writing."""
    if dimension and category in dimension.labels:
        return dimension.labels[category]
    labels = load_contract().code_lists.get((dimension.code_list if dimension else None) or "", {})
    if category in labels:
        return str(labels[category])
    if category == "unmapped":
        return "Other, not yet classified"
    return plain(category)


def plain(code: str) -> str:
    """A code in plain writing: ``data_quality`` is ``Data quality``, ``drug_0_5_mg`` is ``Drug 0.5 mg``."""
    text = re.sub(r"(?<=\d)_(?=\d)", ".", code).replace("_", " ").strip()
    return text[:1].upper() + text[1:]


def in_sentence(text: str) -> str:
    """A label within a sentence: a capital that begins a sentence goes, one that begins an abbreviation stays."""
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]
