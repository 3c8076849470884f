"""How long a response lasts: life tables with their step chart and the median read from them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from clinic_outcomes.publish.charts import Axes, Chart, Dot, Path, ticks
from clinic_outcomes.publish.parts import Block, Heading, Row, Table
from clinic_outcomes.publish.released import Figure, Measure
from clinic_outcomes.publish.view import View
from clinic_outcomes.publish.wording import BLANK, Cell

HALF = 50


@dataclass(frozen=True)
class LifeTableRow:
    """One week of a life table: those at risk when it begins, and the percent still without the event at its end."""

    week: int
    figure: Figure


def durability_blocks(view: View, instrument: str, label: str) -> list[Block]:
    """A table and chart for each quantity of this instrument that is a life table, and each group of people."""
    blocks: list[Block] = []
    by_quantity: dict[str, list[Measure]] = {}
    for measure in view.measures_in(view.outline.questionnaires.section):
        if measure.figure_type == "life_table_row" and measure.instrument == instrument:
            by_quantity.setdefault(measure.quantity, []).append(measure)
    for quantity, measures in by_quantity.items():
        for dimension in ["", *view.dimensions_of(measures)]:
            for category in view.categories(measures, dimension):
                blocks += _life_table(view, label, quantity, measures, (dimension, category))
    return blocks


def life_table(view: View, measures: Sequence[Measure], group: tuple[str, str]) -> list[LifeTableRow]:
    """The rows of one group that are shown, by week."""
    rows = []
    for measure in measures:
        figure = view.released.figure(measure.measure, view.recipient, *group)
        number = re.search(r"[0-9]+$", measure.time_point) or re.search(r"[0-9]+$", measure.measure)
        if figure is not None and figure.shown and number:
            rows.append(LifeTableRow(int(number.group()), figure))
    return sorted(rows, key=lambda row: row.week)


def median_text(rows: Sequence[LifeTableRow], step: Decimal) -> str:
    """Between which weeks half have lost their response, as far as rounded shares tell."""
    above = [row.week for row in rows if row.figure.value is not None and row.figure.value - step / 2 > HALF]
    below = [row.week for row in rows if row.figure.value is not None and row.figure.value + step / 2 <= HALF]
    if below:
        first = min(below)
        last = max((week for week in above if week < first), default=0)
        return f"between week {last} and {first}"
    return f"not reached by week {max(above)}" if above else "not told by what is shown"


def _life_table(
    view: View, label: str, quantity: str, measures: Sequence[Measure], group: tuple[str, str]
) -> list[Block]:
    rows = life_table(view, measures, group)
    if not rows:
        return []
    title = view.category_title(*group) if group[0] else "All together"
    step = view.release.uncertainty.step(rows[0].figure)
    median = median_text(rows, step)
    told = sum(1 for m in measures if view.released.figure(m.measure, view.recipient, *group) is not None)
    name = "-".join(["durability", measures[0].instrument, quantity, *group]).replace("_", "-").strip("-")
    about = view.outline.questionnaires.sustained.get(quantity, "")
    notes = [f"Median time to loss of response: {median}.", about]
    if told > len(rows):
        notes.append(f"{told - len(rows)} more weeks: withheld. The share there lies between those before and after.")
    table = Table(
        identifier=name,
        caption=f"{label}, {title}: how long a response lasts",
        stub="Week",
        columns=(Heading("At risk when it begins"), Heading("Still in response at its end", f"quantity-{quantity}")),
        rows=tuple(Row(Heading(f"Week {row.week}"), _cells(view, row)) for row in rows),
        notes=tuple(note for note in notes if note),
        narrow=True,
    )
    return [table, _step_chart(f"{name}-chart", f"{label}, {title}", rows, median)]


def _cells(view: View, row: LifeTableRow) -> tuple[Cell, ...]:
    measure = view.released.by_name[row.figure.measure]
    share = view.both(measure, row.figure.dimension, row.figure.category)
    at_risk = Cell("shown", share.of) if share.of else BLANK
    return at_risk, replace(share, of="")


def _step_chart(name: str, title: str, rows: Sequence[LifeTableRow], median: str) -> Chart:
    """Steps down from 100 % at the first session of response; dashed where weeks between are withheld."""
    last = max(row.week for row in rows)
    axes = Axes((0, last), (0, 100))
    paths: list[Path] = axes.grid([0, 25, 50, 75, 100])
    dots = []
    before, level = 0, 100.0
    for row in rows:
        share = float(row.figure.value or 0)
        style = "step" if row.week == before + 1 else "step dashed"
        paths.append(axes.path(style, [(before, level), (row.week, level), (row.week, share)]))
        dots.append(Dot(*axes.at(row.week, share), f"week {row.week}: {share:g}%"))
        before, level = row.week, share
    weeks = [(week, f"{week:g}") for week in ticks(0, last, 12) if week == int(week)]
    shares = [(share, f"{share}%") for share in (0, 25, 50, 75, 100)]
    first = rows[0].figure.value or 0
    return Chart(
        identifier=name,
        title=f"{title}: share still in response by week",
        description=(
            f"Step chart from 100% at week 0 to {first:.0f}% at week {rows[0].week} and {level:.0f}% at week {last}. "
            f"The median is {median}. The table before it holds the same numbers."
        ),
        paths=tuple(paths),
        dots=tuple(dots),
        texts=tuple(axes.labels(weeks, shares, "Weeks since response")),
    )
