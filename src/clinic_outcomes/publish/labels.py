"""What labels of a report say, taken apart again: the inverse of writing them, by another way."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from clinic_outcomes.publish.page_reader import NUMBER, Place, parse_number

WORDS = frozenset({"withheld", "not delivered", "no figure", "not recorded", "not estimable"})
"""What may stand in place of a number."""
PLAIN = frozenset({"", "network", "Network:", "to", "compared with"})
"""Words that may stand beside a figure in its element."""
SAID_WORDS = frozenset(
    {
        "within the limits",
        *(f"{side} the {limit}% limits" for side in ("below", "above") for limit in ("95", "99.8")),
        *("withheld", "all, at clinics that deliver it", "the other share is withheld or absent"),
    }
)
"""Everything that is said without a figure where one could stand."""
INTERVAL = rf"({NUMBER})%? to ({NUMBER})%?"
BOUND = rf"none seen(?:; at most ({NUMBER})%? with 95% confidence)?"


class LabelError(Exception):
    """A label that cannot be taken apart; the text names the rule it breaks and never what it holds."""


@dataclass(frozen=True)
class Label:
    """What one label says: a value with its band's upper edge, the number it is of, its interval; or a word.

    ``as_of`` is the period of the release that it says to be repeated from.
    """

    value: Decimal | None
    upper: Decimal | None = None
    denominator: int | None = None
    interval: tuple[Decimal, Decimal] | None = None
    word: str = ""
    as_of: str = ""


def read_value(text: str, is_percent: bool) -> tuple[Decimal, Decimal | None]:
    """Value and upper edge of a band. ``LabelError`` where the text is no value of its kind."""
    if not is_percent:
        return _decimal(text), None
    if found := re.fullmatch(rf"under ({NUMBER})%", text):
        return Decimal(0), _decimal(found[1])
    if found := re.fullmatch(rf"({NUMBER})% or more", text):
        return _decimal(found[1]), Decimal(100)
    if found := re.fullmatch(rf"({NUMBER})% to under ({NUMBER})%", text):
        return _decimal(found[1]), _decimal(found[2])
    if found := re.fullmatch(rf"({NUMBER})%", text):
        return _decimal(found[1]), None
    raise LabelError("label_does_not_round_trip")


def read_cell(place: Place, is_percent: bool) -> Label:
    """What an element of a figure says. ``LabelError`` where any of its text cannot be placed."""
    known = {
        "",
        "number",
        "range",
        "bound",
        "of",
        "beside",
        "as-of",
        "few",
        "hidden",
        "withheld",
        "absent",
        "unit",
        "warn",
    }
    if set(place.texts) - known - {"label", "quiet"}:
        raise LabelError("text_cannot_be_placed")
    for style in ("", "beside", "label", "quiet"):
        if place.text(style) not in PLAIN:
            raise LabelError("text_cannot_be_placed")
    if any(re.search(r"\d", place.text(style)) for style in ("few", "hidden", "warn")):
        raise LabelError("text_cannot_be_placed")
    word = place.text("withheld") or place.text("absent")
    if not place.texts.get("number"):
        if word not in WORDS | PLAIN or any(place.texts.get(style) for style in ("range", "bound", "as-of")):
            raise LabelError("text_cannot_be_placed")
        return Label(None, denominator=_denominator(place), word=word)
    if word or len(place.texts["number"]) > 1:
        raise LabelError("text_cannot_be_placed")
    value, upper = read_value(place.text("number"), is_percent)
    bound = place.text("bound")
    if bound and not re.fullmatch(BOUND, bound):
        raise LabelError("label_does_not_round_trip")
    as_of = re.fullmatch(r"(?:as of (\d{4}-\d{2}))?", place.text("as-of"))
    if as_of is None:
        raise LabelError("label_does_not_round_trip")
    interval = read_interval(place.text("range"))
    return Label(value, upper, _denominator(place), interval, as_of=as_of[1] or "")


def read_interval(text: str) -> tuple[Decimal, Decimal] | None:
    """The ends of an interval, None for no text. ``LabelError`` where it is none."""
    if not text:
        return None
    found = re.fullmatch(INTERVAL, text)
    if not found:
        raise LabelError("label_does_not_round_trip")
    return _decimal(found[1]), _decimal(found[2])


def read_example(text: str, unit: str, is_percent: bool) -> Label:
    """A figure read aloud, as in ``about 40%, out of about 500; 95% interval 36% to 44%.``."""
    pattern = (
        rf"(?:about )?(?P<value>.+?)(?: {re.escape(unit)})?(?:, (?:out of|as an average over) about (?P<of>{NUMBER}))?"
        rf"(?:; 95% interval (?P<interval>{INTERVAL})|; {BOUND})?\."
    )
    found = re.fullmatch(pattern, text)
    if not found:
        raise LabelError("label_does_not_round_trip")
    value, upper = read_value(found["value"], is_percent)
    of = int(_decimal(found["of"])) if found["of"] else None
    return Label(value, upper, of, read_interval(found["interval"] or ""))


def _denominator(place: Place) -> int | None:
    text = place.text("of")
    if not text:
        return None
    found = re.fullmatch(rf"of ({NUMBER})", text)
    if not found:
        raise LabelError("label_does_not_round_trip")
    return int(_decimal(found[1]))


def _decimal(text: str) -> Decimal:
    value = parse_number(text)
    if value is None:
        raise LabelError("label_does_not_round_trip")
    return value
