"""Sentences that tell of figures, with their figures marked: what is marked can be read back and compared."""

from __future__ import annotations

from collections.abc import Iterable

from clinic_outcomes.publish.parts import Sentence, Stated
from clinic_outcomes.publish.wording import Cell, bound_text, in_sentence


def reading(candidates: Iterable[tuple[str, str, Cell]]) -> str | Sentence:
    """One sentence that reads the first shown figure aloud, preferring one that has a denominator.

    Candidates are the heading of a row, that of a column, and the cell.
    """
    shown = [(row, column, cell) for row, column, cell in candidates if cell.kind == "shown" and cell.figure_id]
    if not shown:
        return "Every figure of this table is withheld or absent."
    row, column, cell = next((one for one in shown if one[2].of), shown[0])
    name = f"{row}, {in_sentence(column)}" if column else row
    about = "" if cell.is_band else "about "
    unit = f" {cell.unit}" if cell.unit else ""
    of = f", {'as an average over' if cell.unit else 'out of'} about {cell.of}" if cell.of else ""
    interval = f"; 95% interval {cell.interval}" if cell.interval else f"; {bound_text(cell)}" if cell.none_seen else ""
    text = f"{about}{cell.text}{unit}{of}{interval}."
    return (f"For example: {name}: ", Stated(text, "example", (cell.figure_id,)))
