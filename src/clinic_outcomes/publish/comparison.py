"""Clinics beside their network: plain figures, funnel plots, observed over expected, and charts over releases.

The network's report shows every clinic. A clinic's own shows its own position and nothing of the others.
"""

from __future__ import annotations

from collections.abc import Sequence

from clinic_outcomes.publish.funnel_plots import funnel_blocks
from clinic_outcomes.publish.outline import FigureName
from clinic_outcomes.publish.over_releases import History, over_releases
from clinic_outcomes.publish.parts import Block, Heading, Row, Section, Table
from clinic_outcomes.publish.released import NETWORK, Measure
from clinic_outcomes.publish.view import View, anchor, withheld_note, without_withheld
from clinic_outcomes.publish.wording import reading


def comparison_section(view: View, history: History) -> Section | None:
    """The whole section; None where nothing of it can be drawn."""
    layout = view.outline.comparison
    tables = (
        _plain_figures(view, "comparison-clinics", "Main figures of each clinic", layout.figures),
        _plain_figures(view, "comparison-safety", "Safety at each clinic", layout.figures_of_safety),
    )
    blocks: list[Block] = [table for table in tables if table]
    for name in layout.funnels:
        blocks += funnel_blocks(view, name)
    blocks += _observed_over_expected(view)
    blocks += over_releases(view, history)
    title = "Clinics side by side" if view.is_network else "This clinic within the network"
    return Section("comparison", title, layout.introduction, tuple(blocks)) if blocks else None


def _plain_figures(view: View, identifier: str, caption: str, figures: Sequence[FigureName]) -> Table | None:
    """One row a clinic and the network last, a column a figure; only in the network's report."""
    names = [name for name in figures if view.released.measure(name.measure)]
    if not names or not view.is_network:
        return None
    columns = [(view.released.by_name[name.measure], name) for name in names]
    rows = tuple(
        Row(Heading(title), tuple(view.cell(m, scope, name.dimension, name.category) for m, name in columns))
        for title, scope in [*view.clinics(), ("All clinics together", NETWORK)]
    )
    headings = tuple(
        Heading(name.label or view.outline.column_names.get(m.measure, m.label), anchor(m), m.unit)
        for m, name in columns
    )
    examples = [
        (row.heading.text, heading.text, cell)
        for row in rows
        for heading, cell in zip(headings, row.cells, strict=True)
    ]
    return Table(identifier, caption, "Clinic", headings, rows, notes=(reading(examples),))


def _observed_over_expected(view: View) -> list[Block]:
    """A row a clinic: responders observed over those expected of people like its own."""
    measure = view.released.measure(view.outline.comparison.observed_over_expected)
    if measure is None:
        return []
    rows = [
        Row(Heading(title), (view.cell(measure, clinic_id, *group),))
        for title, clinic_id in view.clinics()
        for group in _groups(view, measure, clinic_id)
    ]
    kept, withheld = without_withheld(rows)
    if not kept:
        return []
    notes = (view.outline.comparison.observed_over_expected_note, withheld_note(withheld, "clinic"))
    return [
        Table(
            identifier="observed-over-expected",
            caption=measure.label,
            stub="Clinic",
            columns=(Heading("Observed over expected", anchor(measure), measure.unit),),
            rows=tuple(kept),
            notes=tuple(note for note in notes if note),
            narrow=True,
        )
    ]


def _groups(view: View, measure: Measure, clinic_id: str) -> list[tuple[str, str]]:
    categories = view.release.categories
    return [
        (d, c)
        for (m, s, d), found in sorted(categories.items())
        if (m, s) == (measure.measure, clinic_id)
        for c in sorted(found)
    ]
