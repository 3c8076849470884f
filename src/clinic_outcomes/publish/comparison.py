"""Clinics beside their network: what single clinics show, funnel plots, observed over expected, charts over releases.

The network's report shows clinics without their names, in the order of what they show, and only where so many are shown
that none is told from the others. A clinic's own report shows its own position and nothing of the others.
"""

from __future__ import annotations

from collections.abc import Sequence

from clinic_outcomes.publish.funnel_plots import funnel_blocks
from clinic_outcomes.publish.outline import FigureName
from clinic_outcomes.publish.over_releases import History, over_releases
from clinic_outcomes.publish.parts import Block, Heading, Note, Row, Section, Table, Unnamed, UnnamedFigures
from clinic_outcomes.publish.recipients import Audience
from clinic_outcomes.publish.released import NETWORK, Figure
from clinic_outcomes.publish.view import View, anchor, withheld_note, without_withheld
from clinic_outcomes.publish.wording import number


def comparison_section(view: View, history: History) -> Section | None:
    """The whole section; None where nothing of it can be drawn. The public is not told how clinics differ."""
    if view.recipient.audience is Audience.PUBLIC:
        return None
    layout = view.outline.comparison
    blocks: list[Block] = []
    if view.is_network:
        blocks += _side_by_side(view, "comparison-clinics", "Main figures of the clinics", layout.figures)
        blocks += _side_by_side(view, "comparison-safety", "Safety at the clinics", layout.figures_of_safety)
    for name in layout.funnels:
        blocks += funnel_blocks(view, name)
    blocks += _observed_over_expected(view)
    if view.is_network and not blocks and len(view.released.clinics) > 1:
        blocks.append(Note(layout.too_few_to_place))
    blocks += over_releases(view, history)
    title = "Clinics side by side" if view.is_network else "This clinic within the network"
    return Section("comparison", title, layout.introduction, tuple(blocks)) if blocks else None


def unnamed_figures(view: View) -> tuple[UnnamedFigures, ...]:
    """Everything the report shows of clinics without their names, for the table beside the page."""
    layout = view.outline.comparison
    named = {name.figure_id("*"): (name, True) for name in layout.funnels}
    for name in (*layout.figures, *layout.figures_of_safety, *_expected_names(view)):
        named.setdefault(name.figure_id("*"), (name, False))
    found = [UnnamedFigures(name, view.unnamed(name), sizes) for _, (name, sizes) in sorted(named.items())]
    return tuple(one for one in found if one.figures)


def _side_by_side(view: View, identifier: str, caption: str, figures: Sequence[FigureName]) -> list[Block]:
    """One row a figure: the network's, and those of clinics in order, no two rows in the same order of clinics."""
    rows = []
    for name in figures:
        measure = view.released.measure(name.measure)
        shown = view.unnamed(name)
        if measure and shown:
            heading = Heading(
                name.label or view.outline.column_names.get(measure.measure, measure.label),
                anchor(measure),
                measure.unit,
            )
            network = view.cell(measure, NETWORK, name.dimension, name.category)
            rows.append(Row(heading, (network, _unnamed_cell(view, name, shown))))
    if not rows:
        return []
    columns = (Heading("All clinics together"), Heading("Clinics, from the lowest to the highest"))
    notes = (view.outline.comparison.unnamed_note,)
    return [Table(identifier, caption, "Figure", columns, tuple(rows), notes=notes, narrow=True)]


def _unnamed_cell(view: View, name: FigureName, shown: Sequence[Figure]) -> Unnamed:
    measure = view.released.by_name[name.measure]
    return Unnamed(
        "shown",
        "",
        of=f"{len(shown)} of {len(view.released.clinics)} clinics",
        key=name.figure_id("*"),
        texts=tuple(number(measure, figure, view.released.policy) for figure in shown),
    )


def _observed_over_expected(view: View) -> list[Block]:
    """Responders observed over those expected of people like a clinic's own: its own, or the clinics' without names."""
    measure = view.released.measure(view.outline.comparison.observed_over_expected)
    if measure is None:
        return []
    if view.is_network:
        cells = [(name, view.unnamed(name)) for name in _expected_names(view)]
        rows = [
            Row(Heading(view.category_title(name.dimension, name.category)), (_unnamed_cell(view, name, shown),))
            for name, shown in cells
            if shown
        ]
        withheld, column = 0, "Clinics, from the lowest to the highest"
    else:
        every = [
            Row(
                Heading(view.category_title(name.dimension, name.category)),
                (view.cell(measure, view.scope, name.dimension, name.category),),
            )
            for name in _expected_names(view)
        ]
        rows, withheld = without_withheld(every)
        column = "This clinic"
    if not rows:
        return []
    notes = (view.outline.comparison.observed_over_expected_note, withheld_note(withheld, "group"))
    return [
        Table(
            identifier="observed-over-expected",
            caption=measure.label,
            stub="Group",
            columns=(Heading(column, anchor(measure), measure.unit),),
            rows=tuple(rows),
            notes=tuple(note for note in notes if note),
            narrow=True,
        )
    ]


def _expected_names(view: View) -> list[FigureName]:
    """The groups that observed over expected is told of at the clinic, or at any clinic."""
    measure = view.outline.comparison.observed_over_expected
    groups = {
        (dimension, category)
        for (name, scope, dimension), categories in view.release.categories.items()
        if name == measure and scope != NETWORK and (view.is_network or scope == view.scope)
        for category in categories
    }
    return [FigureName(measure=measure, dimension=d, category=c) for d, c in sorted(groups)]
