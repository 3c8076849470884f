"""Groups of people beside each other: strata of the study population, and trial arms, with their differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from clinic_outcomes.publish.parts import Block, Derived, Heading, Row, Table
from clinic_outcomes.publish.released import Figure, Measure
from clinic_outcomes.publish.view import View, withheld_note, without_withheld
from clinic_outcomes.publish.wording import BLANK, Cell, decimal_text, range_text

NOT_STRATA = ("protocol", "trial_arm")
DIFFERENCE = (
    Heading("Difference in change", "differences", "points"),
    Heading("Effect size", "differences", "Hedges' g"),
)


def strata_tables(view: View, instrument: str, label: str, time_points: Mapping[str, str]) -> list[Block]:
    """A table for each summary time point: a row a category under its dimension, differences from the first."""
    layout = view.outline.questionnaires
    tables: list[Block] = []
    for point in layout.summary_time_points:
        measures = [view.release.quantities.get((instrument, point, column.quantity)) for column in layout.strata]
        found = [measure for measure in measures if measure]
        rows: list[Row] = []
        notes = [layout.notes["strata"]]
        for dimension in view.dimensions_of(found):
            if dimension not in NOT_STRATA:
                described = view.described(dimension)
                part = _stratum_rows(view, instrument, point, measures, dimension)
                rows += part
                if described and described.note and any(c.kind == "shown" for row in part for c in row.cells):
                    notes.append(described.note)
        kept, withheld = without_withheld(rows)
        if kept:
            marked = any(cell.few for row in kept for cell in row.cells)
            notes += [withheld_note(withheld, "group"), layout.notes["few"] if marked else ""]
            columns = tuple(Heading(column.heading, f"quantity-{column.quantity}") for column in layout.strata)
            tables.append(
                Table(
                    identifier=f"strata-{instrument}-{point}".replace("_", "-"),
                    caption=f"{label}, {time_points.get(point, point)}: {layout.notes['strata_caption']}",
                    stub="Group",
                    columns=(*columns, *DIFFERENCE),
                    rows=tuple(kept),
                    notes=tuple(note for note in notes if note),
                )
            )
    return tables


def _stratum_rows(
    view: View, instrument: str, point: str, measures: Sequence[Measure | None], dimension: str
) -> list[Row]:
    """The heading of a dimension and its categories; the first with a mean change is what others differ from."""
    described = view.described(dimension)
    change = view.release.quantities.get((instrument, point, "change"))
    rows = [Row(Heading(view.dimension_title(dimension)))]
    first: Figure | None = None
    for category in view.categories([measure for measure in measures if measure], dimension):
        cells = [view.cell(m, view.scope, dimension, category) if m else BLANK for m in measures]
        cells = [replace(cells[0], interval=""), *(replace(cell, of="") for cell in cells[1:])]
        own = view.figure(change.measure, view.scope, dimension, category) if change else None
        compared = [BLANK, BLANK]
        if described and described.compared and first is not None:
            compared = difference_cells(view, own, first)
        if first is None and view.release.uncertainty.group(own):
            first = own
            compared = [replace(BLANK, text="compared with"), BLANK] if described and described.compared else compared
        rows.append(Row(Heading(view.category_title(dimension, category)), (*cells, *compared)))
    return rows


def difference_cells(view: View, own: Figure | None, first: Figure | None) -> list[Cell]:
    """The difference of two means with its interval, and its effect size; blank where it cannot be told."""
    uncertainty = view.release.uncertainty
    interval, effect = uncertainty.mean_difference(own, first), uncertainty.effect(own, first)
    if own is None or first is None or own.value is None or first.value is None or interval is None:
        return [BLANK, BLANK]
    step, compared = uncertainty.step(own), (own.figure_id, first.figure_id)
    text = decimal_text(own.value - first.value, step)
    difference = Derived("shown", text, interval=range_text(interval), rule="difference", from_figures=compared)
    if effect is None:
        return [difference, BLANK]
    text = decimal_text(effect.value, Decimal("0.01"))
    return [
        difference,
        Derived("shown", text, interval=range_text(effect.interval), rule="effect", from_figures=compared),
    ]


def arm_differences(view: View, instrument: str, label: str, time_points: Mapping[str, str]) -> list[Block]:
    """The first trial arm against each other one: difference in change, effect size, difference in response."""
    change = [m for point in time_points if (m := view.release.quantities.get((instrument, point, "change")))]
    arms = sorted(view.categories(change, "trial_arm"))
    tables: list[Block] = []
    for other in arms[1:]:
        rows = []
        for point, title in time_points.items():
            measure = view.release.quantities.get((instrument, point, "change"))
            if measure is not None:
                rows.append(Row(Heading(title), _arm_cells(view, instrument, point, measure, (arms[0], other))))
        kept, withheld = without_withheld(rows)
        if not kept:
            continue
        names = [view.category_title("trial_arm", arm) for arm in (arms[0], other)]
        notes = (view.outline.questionnaires.notes["arms"], withheld_note(withheld))
        tables.append(
            Table(
                identifier=f"arms-{instrument}-{arms[0]}-{other}".replace("_", "-"),
                caption=f"{label}: {names[0]} minus {names[1]}",
                stub="Time point",
                columns=(*DIFFERENCE, Heading("Difference in response", "differences", "percentage points")),
                rows=tuple(kept),
                notes=tuple(note for note in notes if note),
            )
        )
    return tables


def _arm_cells(view: View, instrument: str, point: str, change: Measure, arms: tuple[str, str]) -> tuple[Cell, ...]:
    """Differences of the recipient's own arms, else blank."""
    means = [view.figure(change.measure, view.scope, "trial_arm", arm) for arm in arms]
    response = view.release.quantities.get((instrument, point, "response_share"))
    shares = [view.figure(response.measure, view.scope, "trial_arm", arm) if response else None for arm in arms]
    interval = view.release.uncertainty.share_difference(*shares)
    cell = BLANK
    if interval and shares[0] and shares[1] and shares[0].value is not None and shares[1].value is not None:
        cell = Derived(
            "shown",
            decimal_text(shares[0].value - shares[1].value, Decimal(1)),
            interval=range_text(interval),
            rule="difference",
            from_figures=(shares[0].figure_id, shares[1].figure_id),
        )
    return (*difference_cells(view, *means), cell)
