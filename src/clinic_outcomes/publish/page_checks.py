"""The pages of a recipient, read back: every number of a figure is the released one, and everything can be placed."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property, partial

from clinic_outcomes.publish.allowed import Allowed, RuleBrokenError
from clinic_outcomes.publish.drawing_checks import check_bars, check_drawing
from clinic_outcomes.publish.labels import (
    SAID_WORDS,
    Label,
    LabelError,
    read_cell,
    read_example,
    read_interval,
)
from clinic_outcomes.publish.outline import ROOM
from clinic_outcomes.publish.page_reader import NUMBER, PageReader, Place, numbers_in, parse_number
from clinic_outcomes.publish.released import Figure

TABLES_OF_WORDS = frozenset({"coverage-table", "thresholds-table", "claims-table"})
"""Tables whose cells are words: how many tables a clinic delivers, thresholds, and the claims' own words."""
PEOPLE = "(?<![\\d.,%\N{EN DASH}-])([1-9]|10) (people|persons|patients|events|sessions)\\b"
SENTENCES = "|".join(
    (
        r"\d+ more (row|group|clinic|protocol or arm)s?: every figure withheld",
        r"\d+ weeks are withheld",
        r"between week \d+ and \d+|not reached by week \d+",
        r"With \d+ clinics nothing can be said|All \d+ clinics together|: \d+ take part, and",
        r"The clinics differ about \d+\.\d times as much as chance alone",
        r"Too few releases yet for a chart over releases, which needs \d+:.*",
        r"^\d+ (supported|not supported|cannot be assessed|not measurable)$|^\d+\. ",
        r"\d{4}-\d{2}|^[0-9a-f]{16}$",
    )
)
"""Plain sentences with numbers that are nobody's: of rows, weeks, clinics, releases, claims, periods and builds."""
Broken = tuple[int, RuleBrokenError]


@dataclass(frozen=True)
class Words:
    """The project's own texts: what stands in them is nobody's number. ``titles`` are the names of clinics."""

    text: str
    titles: str

    @cached_property
    def numbers(self) -> frozenset[str]:
        """Every number in them."""
        return frozenset(numbers_in(f"{self.text} {self.titles}"))


def check_page(text: str, allowed: Allowed, words: Words) -> Iterator[Broken]:
    """Everything that is wrong with a page: its line and the rule."""
    page = PageReader(text)
    yield from _check_form(page, allowed)
    unnamed: dict[str, list[tuple[Decimal, int | None]]] = defaultdict(list)
    checks: list[tuple[int, Callable[[], None]]] = [
        (place.line, partial(_check_place, place, allowed, unnamed)) for place in page.places
    ]
    checks += [(cell.line, partial(_check_bare_cell, cell)) for cell in page.cells]
    checks += [(line, partial(_check_prose, prose, words)) for line, prose in page.prose]
    checks.append((1, partial(check_bars, page.places, allowed)))
    for drawing in page.drawings:
        if drawing.points or drawing.texts:
            checks.append((drawing.line, partial(check_drawing, drawing, allowed)))
    for line, check in checks:
        yield from _checked(line, check)
    for key, pairs in unnamed.items():
        yield from _checked(1, partial(_check_unnamed, key, pairs, allowed))


def _check_form(page: PageReader, allowed: Allowed) -> Iterator[Broken]:
    """The page is of known elements, closed in order, and its style sheet says nothing of its own."""
    if page.unclosed:
        yield 1, RuleBrokenError("page_is_not_well_nested")
    for line in page.unknown:
        yield line, RuleBrokenError("element_of_an_unknown_kind")
    if page.styles != [_style_sheet(allowed)]:
        yield 1, RuleBrokenError("style_sheet_is_not_the_projects")


def _check_prose(text: str, words: Words) -> None:
    """Plain text tells no number that is not one of the project's own words, or one of a few sentences."""
    for found in re.finditer(PEOPLE, text):
        if found[0] not in words.text:
            raise RuleBrokenError("count_from_1_to_10")
    if set(numbers_in(re.sub(SENTENCES, " ", text))) - words.numbers:
        raise RuleBrokenError("number_cannot_be_placed")


def _style_sheet(allowed: Allowed) -> str:
    """The style sheet as it is for this recipient: what it writes on printed pages is text, too."""
    text = (ROOM / "templates" / "style.css").read_text(encoding="utf-8")
    return text.replace("{{ report.circulation | safe }}", allowed.circulation).strip()


def _checked(line: int, check: Callable[[], None]) -> Iterator[Broken]:
    try:
        check()
    except RuleBrokenError as broken:
        yield line, broken
    except LabelError as broken:
        yield line, RuleBrokenError(str(broken))


def _check_place(place: Place, allowed: Allowed, unnamed: dict[str, list[tuple[Decimal, int | None]]]) -> None:
    """One element that says what it shows. ``RuleBrokenError`` names the figure."""
    if place.kind == "figure":
        figure = allowed.figure(place.key)
        _check_figure(place, figure, allowed)
    elif place.kind == "said":
        _check_said(place, allowed)
    elif place.kind == "unnamed":
        _read_unnamed(place, unnamed)
    elif place.kind == "exact":
        _check_exact(place, allowed)
    elif place.kind == "signal":
        _check_signal(place, allowed)


def _check_figure(place: Place, figure: Figure, allowed: Allowed) -> None:
    try:
        label = read_cell(place, allowed.is_percent(figure))
    except LabelError as broken:
        raise RuleBrokenError(str(broken), figure.figure_id) from None
    _check_label(label, figure, allowed)
    if label.value is not None and label.as_of != figure.as_of:
        raise RuleBrokenError("not_the_released_value", figure.figure_id)
    unit = place.text("unit")
    if unit and unit != allowed.measure(figure).unit:
        raise RuleBrokenError("text_cannot_be_placed", figure.figure_id)


def _check_label(label: Label, figure: Figure, allowed: Allowed) -> None:
    if label.value is None:
        if label.denominator is not None or (figure.value is not None and label.word == "withheld"):
            raise RuleBrokenError("not_the_released_value", figure.figure_id)
        return
    allowed.check_value(figure, label.value, label.upper)
    if label.denominator is not None:
        allowed.check_denominator(figure, label.denominator)
    if label.interval is not None:
        allowed.check_interval(figure, label.interval)


def _check_said(place: Place, allowed: Allowed) -> None:
    """What follows from figures, worked out again from what protect released of them."""
    figures = [allowed.figure(figure_id) for figure_id in place.figures]
    about = " ".join(place.figures)
    interval = read_interval(place.text("range"))
    text = place.text("number") or place.text("")
    if place.key == "words":
        if place.words not in SAID_WORDS:
            raise RuleBrokenError("text_cannot_be_placed", about)
        return
    if place.key == "count" and not numbers_in(text):
        return
    if not figures or any(figure.value is None for figure in figures):
        raise RuleBrokenError("withheld_figure_has_a_number", about)
    if interval is not None and place.key not in ("difference", "effect", "compared"):
        raise RuleBrokenError("text_cannot_be_placed", about)
    rule = SAID.get(place.key)
    if rule is None or not rule(text, figures, allowed):
        raise RuleBrokenError("not_what_follows_from_its_figures", about)


def _said_example(text: str, figures: Sequence[Figure], allowed: Allowed) -> bool:
    figure = figures[0]
    _check_label(read_example(text, allowed.measure(figure).unit, allowed.is_percent(figure)), figure, allowed)
    return True


def _said_of(text: str, figures: Sequence[Figure], allowed: Allowed) -> bool:
    value = parse_number(text)
    if value is None:
        return False
    allowed.check_denominator(figures[0], int(value))
    return True


def _said_bound(text: str, figures: Sequence[Figure], allowed: Allowed) -> bool:
    return figures[0].value == 0 and parse_number(text.removesuffix("%")) is not None


def _said_count(text: str, figures: Sequence[Figure], allowed: Allowed) -> bool:
    found = re.fullmatch(rf"about ({NUMBER}) people", text)
    value = parse_number(found[1]) if found else None
    if value is None:
        return False
    allowed.check_value(figures[0], value)
    return True


def _said_difference(text: str, figures: Sequence[Figure], allowed: Allowed) -> bool:
    return len(figures) == 2 and parse_number(text) == _value(figures[0]) - _value(figures[1])


def _said_compared(text: str, figures: Sequence[Figure], allowed: Allowed) -> bool:
    found = re.fullmatch(rf"({NUMBER})% and ({NUMBER})%: ({NUMBER}) points", text)
    if found is None or len(figures) != 2:
        return False
    first, second, difference = (parse_number(part) for part in found.groups())
    one, other = _value(figures[0]), _value(figures[1])
    return (first, second, difference) == (one, other, one - other)


def _said_effect(text: str, figures: Sequence[Figure], allowed: Allowed) -> bool:
    return len(figures) == 2 and parse_number(text) is not None


def _said_part(text: str, figures: Sequence[Figure], allowed: Allowed) -> bool:
    found = re.match(rf"about ({NUMBER})% of ", text)
    if found is None or len(figures) != 2 or not figures[0].denominator or not figures[1].value:
        return False
    part = min(Decimal(100), (100 * Decimal(figures[0].denominator) / figures[1].value).quantize(Decimal(1)))
    return parse_number(found[1]) == part and len(numbers_in(text)) == 1


def _said_least(text: str, figures: Sequence[Figure], allowed: Allowed) -> bool:
    found = re.fullmatch(rf"({NUMBER})% of those treated", text)
    return found is not None and parse_number(found[1]) == min(_value(figure) for figure in figures)


def _value(figure: Figure) -> Decimal:
    if figure.value is None:
        raise RuleBrokenError("withheld_figure_has_a_number", figure.figure_id)
    return figure.value


SAID: dict[str, Callable[[str, Sequence[Figure], Allowed], bool]] = {
    "example": _said_example,
    "of": _said_of,
    "denominator": _said_of,
    "bound": _said_bound,
    "count": _said_count,
    "difference": _said_difference,
    "compared": _said_compared,
    "effect": _said_effect,
    "part": _said_part,
    "least": _said_least,
}
"""Rule by which something is said of figures → whether a text says that of them."""


def _read_unnamed(place: Place, unnamed: dict[str, list[tuple[Decimal, int | None]]]) -> None:
    """The numbers of clinics without names: a list of all, or one with the number it is of."""
    texts = place.texts.get("number", [])
    values = [parse_number(text.removesuffix("%")) for text in texts]
    separators = set(place.texts.get("", ())) - {","}
    if not values or separators or set(place.texts) - {"", "number", "of", "range"}:
        raise RuleBrokenError("text_cannot_be_placed", place.key)
    of = re.fullmatch(rf"of ({NUMBER})|({len(values)}) of \d+ clinics", place.text("of"))
    if of is None:
        raise RuleBrokenError("label_does_not_round_trip", place.key)
    size = int(parse_number(of[1]) or 0) if of[1] else None
    read_interval(place.text("range"))
    name = f"{place.table} {place.key}"
    for value in values:
        if value is None:
            raise RuleBrokenError("label_does_not_round_trip", place.key)
        unnamed[name].append((value, size))


def _check_unnamed(name: str, pairs: Sequence[tuple[Decimal, int | None]], allowed: Allowed) -> None:
    """Unnamed figures are those released, each once, in an order that their own numbers give."""
    key = name.partition(" ")[2]
    released = allowed.unnamed(key)
    sized = any(size is not None for _, size in pairs)
    expected = Counter((value, size if sized else None) for value, size in released)
    if Counter(pairs) - expected:
        raise RuleBrokenError("not_the_released_value", key)
    order = sorted(pairs, key=lambda pair: (pair[1] or 0, pair[0]))
    if list(pairs) != order or (not sized and len(pairs) != len(released)):
        raise RuleBrokenError("order_tells_who_it_is", key)


def _check_exact(place: Place, allowed: Allowed) -> None:
    """An exact figure, of the clinic's own and in its internal report alone."""
    figure = allowed.exact.get(place.key)
    if figure is None or not allowed.is_internal:
        raise RuleBrokenError("figure_of_another_recipient", place.key)
    measure = allowed.released.by_name[figure.measure]
    text, of = place.text("number"), place.text("of")
    if set(place.texts) - {"number", "of"}:
        raise RuleBrokenError("text_cannot_be_placed", place.key)
    if figure.value is None:
        if text != "no figure" or of:
            raise RuleBrokenError("not_the_exact_value", place.key)
        return
    percent = measure.figure_type in ("rate", "life_table_row")
    value = parse_number(text.removesuffix("%") if percent else text)
    exact = 100 * figure.value if percent else figure.value
    places = Decimal(1) if measure.figure_type == "count" else Decimal("0.1") if percent else Decimal("0.01")
    numbers = [parse_number(number) for number in re.findall(NUMBER, of)]
    expected = [figure.denominator] if figure.denominator is not None else []
    if measure.figure_type == "rate" and figure.numerator is not None:
        expected = [int(figure.numerator), *expected]
    if value != exact.quantize(places, ROUND_HALF_UP) or numbers != expected:
        raise RuleBrokenError("not_the_exact_value", place.key)


def _check_signal(place: Place, allowed: Allowed) -> None:
    signal = allowed.signals.get(place.key)
    if signal is None or not allowed.is_internal:
        raise RuleBrokenError("figure_of_another_recipient", place.key)
    judgement = "signal" if signal.is_signal else "cannot be judged"
    cells = place.texts.get("", [])[1:]
    if cells != [str(signal.people_with_event), str(signal.people_treated), judgement]:
        raise RuleBrokenError("not_the_exact_value", place.key)


def _check_bare_cell(cell: Place) -> None:
    """A cell that does not say what it shows holds no number, but in tables of words."""
    if cell.table not in TABLES_OF_WORDS and numbers_in(cell.words):
        raise RuleBrokenError("cell_cannot_be_placed", cell.table)
