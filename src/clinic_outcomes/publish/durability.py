"""How long a response lasts: life tables with their step chart and the median read from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from clinic_outcomes.publish.charts import Axes, Chart, Dot, Path, ticks
from clinic_outcomes.publish.parts import Block, Derived, Heading, Row, Table
from clinic_outcomes.publish.released import Figure, Measure
from clinic_outcomes.publish.view import View
from clinic_outcomes.publish.wording import BLANK, WITHHELD, Cell

HALF = 50
STYLES = ("step", "step second")
"""Of the curves of a chart, in the order of the columns."""


@dataclass(frozen=True)
class Week:
    """One week of a life table: those at risk when it begins, and the percent still without the event at its end."""

    week: int
    figure: Figure


@dataclass(frozen=True)
class LifeTable:
    """The weeks of one quantity and group that are shown, and how many are withheld."""

    quantity: str
    heading: str
    note: str
    weeks: tuple[Week, ...]
    withheld: int
    median: str


def durability_blocks(view: View, instrument: str, label: str) -> list[Block]:
    """A table and chart for each group of people: all life tables of this instrument side by side."""
    by_quantity: dict[str, list[Measure]] = {}
    for measure in view.measures_in(view.outline.questionnaires.section):
        if measure.figure_type == "life_table_row" and measure.instrument == instrument:
            by_quantity.setdefault(measure.quantity, []).append(measure)
    every = [measure for measures in by_quantity.values() for measure in measures]
    blocks: list[Block] = []
    for dimension in ["", *view.dimensions_of(every)]:
        for category in view.categories(every, dimension):
            group = (dimension, category)
            tables = [life_table(view, quantity, measures, group) for quantity, measures in by_quantity.items()]
            shown = [table for table in tables if table.weeks]
            if shown:
                title = f"{label}, {view.category_title(*group) if dimension else 'all together'}"
                name = "-".join(["durability", instrument, *group]).replace("_", "-").rstrip("-")
                blocks += [_table(view, name, title, shown), _step_chart(f"{name}-chart", title, shown)]
    return blocks


def life_table(view: View, quantity: str, measures: Sequence[Measure], group: tuple[str, str]) -> LifeTable:
    """One quantity of one group, by week."""
    weeks = []
    withheld = 0
    for measure in measures:
        figure = view.figure(measure.measure, view.scope, *group)
        if figure is not None and figure.shown and measure.interval_number is not None:
            weeks.append(Week(measure.interval_number, figure))
        withheld += figure is not None and not figure.shown
    described = view.outline.questionnaires.sustained.get(quantity)
    ordered = sorted(weeks, key=lambda week: week.week)
    return LifeTable(
        quantity,
        described.heading if described else "",
        described.note if described else "",
        tuple(ordered),
        withheld,
        median_text(ordered, view.release.uncertainty.step),
    )


def median_text(weeks: Sequence[Week], step: Callable[[Figure], Decimal]) -> str:
    """Between which weeks half have lost their response, as far as shares to the nearest step of each tell."""
    shown = [(week.week, week.figure.value, step(week.figure) / 2) for week in weeks if week.figure.value is not None]
    above = [week for week, value, half in shown if value - half > HALF]
    below = [week for week, value, half in shown if value + half <= HALF]
    if below:
        first = min(below)
        last = max((week for week in above if week < first), default=0)
        return f"between week {last} and {first}"
    return f"not reached by week {max(above)}" if above else "not told by what is shown"


def _table(view: View, name: str, title: str, tables: Sequence[LifeTable]) -> Table:
    columns = [
        heading
        for table in tables
        for heading in (
            Heading("At risk when it begins", f"quantity-{table.quantity}", table.heading),
            Heading("Still in response at its end", f"quantity-{table.quantity}", table.heading),
        )
    ]
    by_week = [{week.week: week for week in table.weeks} for table in tables]
    rows = [
        Row(Heading(f"Week {number}"), tuple(cell for weeks in by_week for cell in _cells(view, weeks.get(number))))
        for number in sorted({number for weeks in by_week for number in weeks})
    ]
    notes = [_note(table) for table in tables]
    notes.append(
        "A share that is withheld lies between those of the weeks before and after it. Shares of fewer at risk are "
        "rounded less finely, so that a curve may seem to rise; it never does."
    )
    if any(cell.few for row in rows for cell in row.cells):
        notes.append(view.outline.questionnaires.notes["few"])
    return Table(
        name,
        f"{title}: how long a response lasts",
        "Week",
        tuple(columns),
        tuple(rows),
        notes=tuple(notes),
        narrow=True,
    )


def _note(table: LifeTable) -> str:
    about = f" ({table.heading})" if table.heading else ""
    withheld = f" {table.withheld} weeks are withheld." if table.withheld else ""
    return f"Median time to loss of response{about}: {table.median}. {table.note}{withheld}"


def _cells(view: View, week: Week | None) -> tuple[Cell, Cell]:
    if week is None:
        return BLANK, Cell("withheld", WITHHELD)
    share = view.both(view.released.by_name[week.figure.measure], week.figure.dimension, week.figure.category)
    at_risk = Derived("shown", share.of, rule="denominator", from_figures=(share.figure_id,))
    return at_risk, replace(share, of="")


def _step_chart(name: str, title: str, tables: Sequence[LifeTable]) -> Chart:
    """Steps down from 100 % when people responded; dashed where weeks between are withheld."""
    last = max(table.weeks[-1].week for table in tables)
    axes = Axes((0, last), (0, 100))
    paths: list[Path] = axes.grid([0, 25, 50, 75, 100])
    dots: list[Dot] = []
    for table, style in zip(tables, STYLES, strict=False):
        before, level = 0, 100.0
        for week in table.weeks:
            share = float(week.figure.value or 0)
            dashed = "" if week.week == before + 1 else " dashed"
            paths.append(axes.path(f"{style}{dashed}", [(before, level), (week.week, level), (week.week, share)]))
            dots.append(
                Dot(*axes.at(week.week, share), f"week {week.week}: {share:g}%", style, figure_id=week.figure.figure_id)
            )
            before, level = week.week, share
    weeks = [(week, f"{week:g}") for week in ticks(0, last, 12) if week == int(week)]
    shares = [(float(share), f"{share}%") for share in (0, 25, 50, 75, 100)]
    return Chart(
        identifier=name,
        title=f"{title}: share still in response by week",
        description=(
            f"Step chart from 100% at week 0. {' '.join(map(_curve_text, tables))} "
            "The table before it holds the same numbers."
        ),
        paths=tuple(paths),
        dots=tuple(dots),
        texts=tuple(axes.labels(weeks, shares, "Weeks since response")),
    )


def _curve_text(table: LifeTable) -> str:
    end = table.weeks[-1]
    about = table.heading or "the curve"
    return f"{about[:1].upper()}{about[1:]}: {end.figure.value:.0f}% at week {end.week}, median {table.median}."
