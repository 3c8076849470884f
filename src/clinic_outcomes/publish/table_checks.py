"""The tables of a recipient (CSV), read back."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal, InvalidOperation

from clinic_outcomes.contract import load_contract
from clinic_outcomes.publish.allowed import Allowed, RuleBrokenError
from clinic_outcomes.publish.exact import ExactFigure
from clinic_outcomes.publish.internal import FIGURE_COLUMNS, SIGNAL_COLUMNS
from clinic_outcomes.publish.outline import FigureName
from clinic_outcomes.publish.released import Figure
from clinic_outcomes.publish.tables import COLUMNS, COVERAGE_COLUMNS, DICTIONARY_COLUMNS, UNNAMED_COLUMNS

Broken = tuple[int, RuleBrokenError]
Row = Mapping[str, str]


def check_table(name: str, text: str, allowed: Allowed) -> Iterator[Broken]:
    """Everything that is wrong with a table: its line and the rule."""
    lines = list(csv.reader(io.StringIO(text, newline="")))
    columns, check = _kind(name, allowed)
    if not lines or tuple(lines[0]) != columns:
        yield 1, RuleBrokenError("column_of_an_unknown_kind")
        return
    rows = [dict(zip(columns, line, strict=True)) for line in lines[1:] if len(line) == len(columns)]
    if len(rows) != len(lines) - 1:
        yield 1, RuleBrokenError("column_of_an_unknown_kind")
    for number, row in enumerate(rows, 2):
        try:
            check(row, allowed)
            if row["circulation"] != allowed.circulation:
                raise RuleBrokenError("file_is_not_marked")
        except RuleBrokenError as broken:
            yield number, broken
    if columns == UNNAMED_COLUMNS:
        yield from _check_unnamed(rows, allowed)


def figures_of(name: str, text: str) -> list[str]:
    """The ids of the figures of a table; none where it is none of figures."""
    return [row["figure_id"] for row in csv.DictReader(io.StringIO(text, newline="")) if row.get("figure_id")]


def _kind(name: str, allowed: Allowed) -> tuple[tuple[str, ...], Callable[[Row, Allowed], None]]:
    """Columns of a table and the check of its rows; any other table is one of a section's figures."""
    others: dict[str, tuple[tuple[str, ...], Callable[[Row, Allowed], None]]] = {
        "coverage.csv": (COVERAGE_COLUMNS, _check_coverage),
        "data_dictionary.csv": (DICTIONARY_COLUMNS, _check_definition),
        "clinics_unnamed.csv": (UNNAMED_COLUMNS, _check_nothing),
        "signals.csv": (tuple(SIGNAL_COLUMNS), _check_signal),
    }
    if allowed.is_internal:
        others["figures.csv"] = (tuple(FIGURE_COLUMNS), _check_exact)
    return others.get(name, (tuple(COLUMNS), _check_released))


def _check_nothing(row: Row, allowed: Allowed) -> None:
    """Rows that tell no figure of their own."""


def _check_definition(row: Row, allowed: Allowed) -> None:
    """What a column, measure or table means, in the words of the project."""
    found = allowed.released.measure(row["name"])
    meanings = {
        "column": (COLUMNS | FIGURE_COLUMNS | SIGNAL_COLUMNS).get(row["name"]),
        "measure": found.definition if found else None,
        "source table": load_contract().tables[row["name"]].description
        if row["name"] in load_contract().tables
        else None,
    }
    released = COLUMNS.get(row["name"]) if row["kind"] == "column" else None
    if row["meaning"].removeprefix("'") not in (meanings.get(row["kind"]), released):
        raise RuleBrokenError("cell_cannot_be_placed", row["name"])


def _check_released(row: Row, allowed: Allowed) -> None:
    figure = allowed.figure(row["figure_id"])
    _check_place(row, figure, allowed)
    if (row["status"], row["as_of"]) != (figure.status, figure.as_of):
        raise RuleBrokenError("not_the_released_value", figure.figure_id)
    numbers = ("shown_value", "shown_upper", "shown_denominator", "interval_lower", "interval_upper", "upper_bound")
    value, upper, denominator, lower_end, upper_end, bound = (_number(row[name], figure.figure_id) for name in numbers)
    if value is None:
        if figure.value is not None or any(row[name] for name in numbers):
            raise RuleBrokenError("withheld_figure_has_a_number", figure.figure_id)
        return
    allowed.check_value(figure, value, upper)
    if denominator is not None or figure.denominator is not None:
        allowed.check_denominator(figure, int(denominator if denominator is not None else -1))
    if (lower_end is None) != (upper_end is None) or (bound is not None and value != 0):
        raise RuleBrokenError("interval_without_its_value", figure.figure_id)
    if lower_end is not None and upper_end is not None:
        allowed.check_interval(figure, (lower_end, upper_end))


def _check_exact(row: Row, allowed: Allowed) -> None:
    """An exact figure of the clinic's own, in full."""
    figure = allowed.exact.get(row["figure_id"])
    if figure is None:
        raise RuleBrokenError("figure_of_another_recipient", row["figure_id"])
    _check_place(row, figure, allowed)
    numbers = [_number(row[name], figure.figure_id) for name in ("numerator", "denominator", "value", "patients")]
    if numbers != [figure.numerator, figure.denominator, figure.value, figure.patients]:
        raise RuleBrokenError("not_the_exact_value", figure.figure_id)


def _check_place(row: Row, figure: Figure | ExactFigure, allowed: Allowed) -> None:
    """The columns that say what a figure is of say what its id says, and its words are those of its measure."""
    measure = allowed.released.by_name[figure.measure]
    expected = {
        "measure": figure.measure,
        "clinic_id": figure.clinic_id,
        "dimension": figure.dimension,
        "category": figure.category,
        "label": measure.label,
        "instrument": measure.instrument,
        "time_point": measure.time_point,
        "quantity": measure.quantity,
        "figure_type": measure.figure_type,
        "unit": measure.unit,
    }
    # Text that a spreadsheet would run stands behind an apostrophe.
    if any(row[name].removeprefix("'") != text for name, text in expected.items() if name in row):
        raise RuleBrokenError("cell_cannot_be_placed", figure.figure_id)


def _check_signal(row: Row, allowed: Allowed) -> None:
    signal = allowed.signals.get(row["term"])
    if signal is None:
        raise RuleBrokenError("figure_of_another_recipient", row["term"])
    if (row["people_with_event"], row["people_treated"]) != (str(signal.people_with_event), str(signal.people_treated)):
        raise RuleBrokenError("not_the_exact_value", row["term"])


def _check_coverage(row: Row, allowed: Allowed) -> None:
    """Which table a clinic delivers, in words; of a clinic's report its own alone."""
    delivered = allowed.released.coverage.get((row["clinic_id"], row["table_name"]))
    if allowed.recipient.clinic_id not in ("", row["clinic_id"]):
        raise RuleBrokenError("figure_of_another_recipient")
    clinic = next((one for one in allowed.released.clinics if one.clinic_id == row["clinic_id"]), None)
    if clinic is None or delivered is None:
        raise RuleBrokenError("cell_cannot_be_placed")
    said = (row["title"].removeprefix("'"), row["reporting_period"], row["clinic_state"], row["status"])
    state, status = "stale" if clinic.is_stale else "up to date", "delivered" if delivered else "not delivered"
    if said != (clinic.title, clinic.reporting_period or "", state, status):
        raise RuleBrokenError("cell_cannot_be_placed")


def _check_unnamed(rows: list[dict[str, str]], allowed: Allowed) -> Iterator[Broken]:
    """Figures of clinics without names are the released ones, in the order of their own numbers."""
    found: dict[str, list[tuple[Decimal, int | None]]] = {}
    try:
        for row in rows:
            name = FigureName(measure=row["measure"], dimension=row["dimension"], category=row["category"])
            key = name.figure_id("*")
            value, size = _number(row["shown_value"], key), _number(row["shown_denominator"], key)
            if value is None:
                raise RuleBrokenError("cell_cannot_be_placed", key)
            found.setdefault(key, []).append((value, None if size is None else int(size)))
        for key, pairs in found.items():
            released = allowed.unnamed(key)
            sized = any(size is not None for _, size in pairs)
            if Counter(pairs) != Counter((value, size if sized else None) for value, size in released):
                raise RuleBrokenError("not_the_released_value", key)
            if pairs != sorted(pairs, key=lambda pair: (pair[0], pair[1] or 0)):
                raise RuleBrokenError("order_tells_who_it_is", key)
    except RuleBrokenError as broken:
        yield 1, broken


def _number(text: str, figure_id: str) -> Decimal | None:
    if not text:
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        raise RuleBrokenError("label_does_not_round_trip", figure_id) from None
