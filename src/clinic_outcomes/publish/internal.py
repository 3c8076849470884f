"""The report of a clinic's own clinicians: its exact figures, its signals of safety, the network as released."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clinic_outcomes.publish.exact import Exact, ExactFigure, exact_text, taken_from
from clinic_outcomes.publish.outcomes import POOLED
from clinic_outcomes.publish.page import render
from clinic_outcomes.publish.parts import Report
from clinic_outcomes.publish.recipients import Recipient
from clinic_outcomes.publish.released import NETWORK, Figure, Measure
from clinic_outcomes.publish.report import clinics_of, marks, network_notice, title_of
from clinic_outcomes.publish.tables import COLUMNS, csv_text, data_dictionary, released_table
from clinic_outcomes.publish.view import Release, View
from clinic_outcomes.publish.wording import Cell, in_sentence

FIGURE_COLUMNS = {
    **{name: COLUMNS[name] for name in ("figure_id", "measure", "label", "dimension", "category", "category_label")},
    "figure_type": "count, rate, mean, life_table_row or model_value.",
    "unit": "Unit of the figure; an exact rate or life_table_row is a share from 0 to 1.",
    "numerator": "Exact number counted, or sum of what is averaged.",
    "denominator": "Exact number that the figure is taken from; empty for counts.",
    "value": "The exact figure; empty where there is nobody to take it from.",
    "patients": "People behind the figure.",
    "circulation": COLUMNS["circulation"],
}
"""Columns of the table of exact figures, with their meaning."""
SIGNAL_COLUMNS = {
    "term": "Code of an adverse event.",
    "term_label": "The event in words.",
    "people_with_event": "People of this clinic with the event after their first treatment, each once.",
    "people_treated": "People treated at this clinic.",
    "judgement": "signal: more people than elsewhere by more than chance explains; or cannot be judged.",
    "circulation": COLUMNS["circulation"],
}
"""Columns of the table of signals, with their meaning."""


@dataclass(frozen=True)
class OwnCell:
    """An exact figure as drawn, with what it is made of."""

    figure_id: str
    text: str
    of: str


@dataclass(frozen=True)
class Line:
    """A figure of the clinic beside the network's; ``own`` is exact, or released if made with others' people."""

    title: str
    own: OwnCell | Cell
    network: Cell


@dataclass(frozen=True)
class Group:
    """The lines of one measure, under its name; all together have none."""

    title: str
    unit: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class InternalTable:
    """The figures of a section, all together or by one dimension."""

    identifier: str
    caption: str
    stub: str
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class SignalRow:
    """A signal as drawn."""

    term: str
    term_label: str
    people_with_event: int
    people_treated: int
    judgement: str


def internal_files(release: Release, recipient: Recipient, exact: Exact) -> tuple[Report, dict[str, str]]:
    """The report of one clinic's clinicians, and its files by name."""
    view = View(release, recipient)
    own = exact.figures.get(recipient.clinic_id, ())
    tables = [(section.title, _tables(view, section.section, own)) for section in _sections(view)]
    report = _report(view, own, [table for _, tables_of_section in tables for table in tables_of_section])
    signals = _signals(view, exact)
    page = render("internal.html", report, release, tables=tables, signals=signals)
    mark = report.circulation
    signal_rows = [(s.term, s.term_label, s.people_with_event, s.people_treated, s.judgement, mark) for s in signals]
    tables_beside: dict[str, list[Sequence[object]]] = {
        "figures.csv": [tuple(FIGURE_COLUMNS), *_figure_rows(view, own, mark)],
        "signals.csv": [tuple(SIGNAL_COLUMNS), *signal_rows],
    }
    # A table without a line would be one without the mark that each line has.
    files = {f"tables/{name}": csv_text(rows) for name, rows in tables_beside.items() if rows[1:]}
    if report.figures:
        files["tables/released.csv"] = released_table(report, release)
    return report, {
        "index.html": page,
        "tables/data_dictionary.csv": data_dictionary(report, FIGURE_COLUMNS | SIGNAL_COLUMNS),
        **files,
    }


def _report(view: View, own: Sequence[ExactFigure], tables: Sequence[InternalTable]) -> Report:
    """The frame of the page; its released figures are those drawn beside the exact ones."""
    released = view.released
    lines = [line for table in tables for group in table.groups for line in group.lines]
    drawn = {line.network.figure_id for line in lines}
    drawn |= {line.own.figure_id for line in lines if isinstance(line.own, Cell)}
    figures = tuple(figure for figure in view.figures() if figure.figure_id in drawn)
    used = {figure.measure for figure in figures} | {figure.measure for figure in own}
    notice = network_notice(released, view.outline)
    return Report(
        recipient=view.recipient,
        title=title_of(released, view.recipient),
        **marks(view.release, view.recipient),
        clinics=clinics_of(released, view.recipient),
        headlines=(),
        sections=(),
        measures=tuple(measure for measure in released.measures if measure.measure in used),
        figures=figures,
        notices=(notice,) if notice else (),
    )


@dataclass(frozen=True)
class _Named:
    section: str
    title: str


def _sections(view: View) -> list[_Named]:
    titles = {section.section: section.title for section in view.outline.sections}
    others = [name for name in view.release.sections if name not in titles]
    return [_Named(name, titles.get(name, name.replace("_", " ").capitalize())) for name in (*titles, *others)]


def _tables(view: View, section: str, own: Sequence[ExactFigure]) -> list[InternalTable]:
    """All together, then by each dimension of the outline, as far as the clinic has figures."""
    wanted = {measure.measure: measure for measure in view.measures_in(section) if _is_drawn(view, measure)}
    by_dimension: dict[str, dict[str, list[ExactFigure]]] = {}
    for figure in own:
        if figure.measure in wanted:
            by_dimension.setdefault(figure.dimension, {}).setdefault(figure.measure, []).append(figure)
    tables = []
    for dimension in ("", *view.outline.internal.dimensions):
        found = by_dimension.get(dimension, {})
        groups = [_group(view, wanted[name], found[name]) for name in wanted if name in found]
        if groups:
            about = f"by {in_sentence(view.dimension_title(dimension))}" if dimension else "all together"
            tables.append(
                InternalTable(
                    identifier=f"{section}-{dimension or 'overall'}".replace("_", "-"),
                    caption=about[:1].upper() + about[1:],
                    stub=view.dimension_title(dimension) if dimension else "Measure",
                    groups=tuple(groups),
                )
            )
    return tables


def _is_drawn(view: View, measure: Measure) -> bool:
    """Of questionnaires the page holds the main quantities and time points, the table beside it all."""
    if measure.measure.endswith("_sd") or measure.figure_type == "life_table_row":
        return False
    if not measure.instrument:
        return True
    layout = view.outline.questionnaires
    quantities = {column.quantity for column in (*layout.scores, *layout.judgements)}
    return measure.time_point in (*layout.summary_time_points, POOLED) and measure.quantity in quantities


def _group(view: View, measure: Measure, figures: Sequence[ExactFigure]) -> Group:
    dimension = figures[0].dimension
    by_category = {figure.category: figure for figure in figures}
    ordered = [c for c in view.categories([measure], dimension) if c in by_category] if dimension else [""]
    lines = tuple(
        Line(
            view.category_title(dimension, category) if dimension else measure.label,
            _own_cell(view, measure, by_category[category]),
            view.cell(measure, NETWORK, dimension, category),
        )
        for category in ordered
        if category in by_category
    )
    return Group(measure.label if dimension else "", "" if measure.unit == "percent" else measure.unit, lines)


def _own_cell(view: View, measure: Measure, figure: ExactFigure) -> OwnCell | Cell:
    if measure.measure in view.outline.internal.of_others:
        return view.cell(measure, view.scope, figure.dimension, figure.category)
    return OwnCell(figure.figure_id, exact_text(measure, figure), taken_from(measure, figure))


def _figure_rows(view: View, own: Sequence[ExactFigure], mark: str) -> list[tuple[object, ...]]:
    """Every exact figure of the clinic, but for those made with other clinics' people."""
    rows: list[tuple[object, ...]] = []
    for figure in own:
        measure = view.released.by_name.get(figure.measure)
        if measure is None or measure.measure in view.outline.internal.of_others:
            continue
        label = view.category_title(figure.dimension, figure.category) if figure.dimension else ""
        about = (figure.figure_id, figure.measure, measure.label, figure.dimension, figure.category, label)
        numbers = (figure.numerator, figure.denominator, figure.value, figure.patients)
        rows.append((*about, measure.figure_type, measure.unit, *numbers, mark))
    return rows


def _signals(view: View, exact: Exact) -> list[SignalRow]:
    return [
        SignalRow(
            signal.term,
            view.category_title("term", signal.term),
            signal.people_with_event,
            signal.people_treated,
            "signal" if signal.is_signal else "cannot be judged",
        )
        for signal in exact.signals.get(view.scope, ())
    ]


def exact_ids(figures: Sequence[ExactFigure], released: Sequence[Figure]) -> list[str]:
    """The ids of all figures of an internal report, for its manifest."""
    return sorted({figure.figure_id for figure in figures} | {figure.figure_id for figure in released})
