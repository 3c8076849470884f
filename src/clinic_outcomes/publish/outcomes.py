"""Tables of questionnaires: a table of time points for each instrument and protocol, judgements side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from clinic_outcomes.publish.durability import durability_blocks
from clinic_outcomes.publish.examples import reading
from clinic_outcomes.publish.general import general_tables
from clinic_outcomes.publish.outline import Column, OutlinedSection
from clinic_outcomes.publish.parts import Block, Heading, Note, Row, Sentence, Stated, Subheading, Table
from clinic_outcomes.publish.released import Measure
from clinic_outcomes.publish.strata import arm_differences, strata_tables
from clinic_outcomes.publish.view import View, withheld_note, without_withheld
from clinic_outcomes.publish.wording import BLANK, Cell, threshold_text

GROUPS = ("protocol", "trial_arm")
"""Dimensions whose categories are told of at every time point, side by side and never summed."""
POOLED = "first_to_last"
"""The time point that needs no course: the only one told of whatever the treatment was."""


@dataclass(frozen=True)
class Instrument:
    """A questionnaire with its name and its time points, in order, each with its label."""

    instrument: str
    label: str
    time_points: dict[str, str]


@dataclass(frozen=True)
class Group:
    """Those of one protocol or trial arm."""

    dimension: str
    category: str
    title: str

    @property
    def identifier(self) -> str:
        """Part of a table's identifier."""
        return f"{self.dimension}-{self.category}".replace("_", "-")


def outcome_blocks(view: View, outlined: OutlinedSection) -> list[Block]:
    """All of the section of questionnaires."""
    instruments = instruments_of(view, outlined.section)
    blocks: list[Block] = [table for table in [_first_to_last(view, instruments)] if table]
    for instrument in instruments:
        groups = groups_of(view, instrument)
        found: list[Block] = [*_score_tables(view, instrument, groups), *_judgement_tables(view, instrument, groups)]
        found += arm_differences(view, instrument.instrument, instrument.label, instrument.time_points)
        found += durability_blocks(view, instrument.instrument, instrument.label)
        if view.is_network:
            found += strata_tables(view, instrument.instrument, instrument.label, instrument.time_points)
        if found:
            name = f"outcomes-{instrument.instrument}".replace("_", "-")
            blocks += [Subheading(name, instrument.label), *found]
    others = general_tables(view, outlined)
    if blocks and others:
        blocks.append(Subheading("outcomes-several", "Several questionnaires together"))
    return [*blocks, *others]


def instruments_of(view: View, section: str) -> list[Instrument]:
    """The instruments of which the recipient has figures, in order; nothing of those that only others deliver."""
    found: dict[str, Instrument] = {}
    categories = view.release.categories
    told = {name for name, scope, _ in categories if scope == view.scope}
    for measure in view.measures_in(section):
        if measure.instrument and measure.measure in told:
            known = found.setdefault(measure.instrument, Instrument(measure.instrument, measure.instrument_label, {}))
            if measure.figure_type != "life_table_row":
                known.time_points[measure.time_point] = measure.time_point_label
    return list(found.values())


def groups_of(view: View, instrument: Instrument) -> list[Group]:
    """Protocols, the study's first, then trial arms, of which the recipient has figures."""
    first = view.outline.questionnaires.first_protocol
    measures = [m for key, m in view.release.quantities.items() if key[0] == instrument.instrument]
    groups = []
    for dimension in GROUPS:
        categories = view.categories(measures, dimension)
        own = [c for c in categories if any(_has(view, measure, dimension, c) for measure in measures)]
        own.sort(key=lambda category: category != first)
        groups += [Group(dimension, c, view.category_title(dimension, c)) for c in own]
    return groups


def _has(view: View, measure: Measure, dimension: str, category: str) -> bool:
    return view.figure(measure.measure, view.scope, dimension, category) is not None


def _score_tables(view: View, instrument: Instrument, groups: Sequence[Group]) -> list[Block]:
    """A table of time points for each group; those with nothing to show are counted in one line."""
    columns = view.outline.questionnaires.scores
    tables: list[Block] = []
    empty = 0
    for group in groups:
        rows = [
            Row(Heading(label), _cells(view, instrument.instrument, point, columns, group))
            for point, label in instrument.time_points.items()
            if point != POOLED
        ]
        kept, withheld = without_withheld(rows)
        if kept:
            caption = f"{instrument.label}, {group.title}: scores and response by time point"
            name = f"scores-{instrument.instrument}-{group.identifier}".replace("_", "-")
            table = _table(view, name, caption, "Time point", columns, kept, withheld, instrument.instrument)
            tables.append(replace(table, notes=(*table.notes, *_unusable_notes(view, instrument, group))))
        else:
            empty += bool(withheld)
    if empty:
        tables.append(Note(f"{instrument.label}: {withheld_note(empty, 'protocol or arm')}"))
    return tables


def _unusable_notes(view: View, instrument: Instrument, group: Group) -> list[Sentence]:
    """Of how many people scores at a time point could not be used, as their form asks about a longer time."""
    notes: list[Sentence] = []
    for point, label in instrument.time_points.items():
        measure = view.release.quantities.get((instrument.instrument, point, "not_assessable"))
        cell = view.cell(measure, view.scope, group.dimension, group.category) if measure else BLANK
        if cell.kind == "withheld" or (cell.kind == "shown" and cell.text != "0"):
            how_many = "a number of people that is withheld" if cell.kind == "withheld" else f"about {cell.text} people"
            notes.append(
                (
                    f"{label}: not assessable for ",
                    Stated(how_many, "count", (cell.figure_id,)),
                    ", who answered only forms that ask about a longer time. Their scores could not be used.",
                )
            )
    return notes


def _judgement_tables(view: View, instrument: Instrument, groups: Sequence[Group]) -> list[Block]:
    """A table for each summary time point: a row a judgement, a column a protocol or arm."""
    layout = view.outline.questionnaires
    tables: list[Block] = []
    for point in layout.summary_time_points:
        label = instrument.time_points.get(point)
        rows = []
        shown = [g for g in groups if label and _any_shown(view, instrument.instrument, point, layout.judgements, g)]
        for column in layout.judgements:
            measure = view.release.quantities.get(_key(instrument.instrument, point, column))
            if measure is not None:
                cells = tuple(_cell(view, instrument.instrument, point, column, group) for group in shown)
                rows.append(Row(Heading(column.heading, f"quantity-{column.quantity}"), cells))
        kept, withheld = without_withheld(rows)
        if not kept or label is None:
            continue
        notes = [
            view.outline.questionnaires.notes["side_by_side"] if len(shown) > 1 else "",
            thresholds_note(view, instrument.instrument, layout.judgements),
            withheld_note(withheld),
            marks_note(view, kept),
        ]
        tables.append(
            Table(
                identifier=f"judgements-{instrument.instrument}-{point}".replace("_", "-"),
                caption=f"{instrument.label}, {label}: how many got better, and how many worse",
                stub="Judgement",
                columns=tuple(Heading(group.title) for group in shown),
                rows=tuple(kept),
                notes=tuple(note for note in notes if note),
            )
        )
    return tables


def _any_shown(view: View, instrument: str, point: str, columns: Iterable[Column], group: Group) -> bool:
    return any(cell.kind == "shown" for cell in _cells(view, instrument, point, columns, group))


def _first_to_last(view: View, instruments: Sequence[Instrument]) -> Table | None:
    """One row an instrument: first against last score of everybody with two, whatever the treatment."""
    columns = view.outline.questionnaires.scores
    rows = [
        Row(Heading(instrument.label), _cells(view, instrument.instrument, POOLED, columns, Group("", "", "")))
        for instrument in instruments
    ]
    kept, withheld = without_withheld(rows)
    if not kept:
        return None
    table = _table(view, "first-to-last", "First and last score", "Questionnaire", columns, kept, withheld, "")
    return replace(table, notes=(view.outline.questionnaires.notes[POOLED], *table.notes))


def _cells(view: View, instrument: str, point: str, columns: Iterable[Column], group: Group) -> tuple[Cell, ...]:
    """A row of figures. How many people they are of is said once: by those with both scores, and by completeness."""
    cells: list[Cell] = []
    for column in columns:
        cell = _cell(view, instrument, point, column, group)
        said = {cells[0].text, *(earlier.of for earlier in cells)} if cells else set()
        cells.append(replace(cell, of="") if cell.of in said else cell)
    return tuple(cells)


def _cell(view: View, instrument: str, point: str, column: Column, group: Group) -> Cell:
    """The figure of a column, and the one that it runs to."""
    cell = _figure_cell(view, _key(instrument, point, column), column, group)
    if not column.to:
        return cell
    return replace(cell, to=replace(_figure_cell(view, (instrument, point, column.to), column, group), of=""))


def _key(instrument: str, point: str, column: Column) -> tuple[str, str, str]:
    return instrument, "" if column.before_treatment else point, column.quantity


def _figure_cell(view: View, quantity: tuple[str, str, str], column: Column, group: Group) -> Cell:
    measure = view.release.quantities.get(quantity)
    cell = view.both(measure, group.dimension, group.category) if measure else BLANK
    return replace(
        cell, interval=cell.interval if column.interval else "", beside=cell.beside if column.network else None
    )


def _table(
    view: View,
    name: str,
    caption: str,
    stub: str,
    columns: Sequence[Column],
    rows: Sequence[Row],
    withheld: int,
    instrument: str,
) -> Table:
    headings = tuple(Heading(column.heading, f"quantity-{column.quantity}") for column in columns)
    examples = [
        (row.heading.text, heading.text, cell)
        for row in rows
        for heading, cell in zip(headings, row.cells, strict=True)
        if cell.interval
    ]
    notes = [
        reading(examples) if examples else "",
        thresholds_note(view, instrument, columns),
        withheld_note(withheld),
        marks_note(view, rows),
    ]
    return Table(name, caption, stub, headings, tuple(rows), notes=tuple(note for note in notes if note))


def thresholds_note(view: View, instrument: str, columns: Iterable[Column]) -> str:
    """The thresholds that columns are judged by, each with the columns, its set, citation and mark."""
    named: dict[str, list[str]] = {}
    for column in columns:
        if column.threshold:
            named.setdefault(column.threshold, []).append(column.heading)
    texts = []
    for threshold in view.released.thresholds:
        if threshold.is_used and threshold.instrument == instrument and threshold.quantity in named:
            texts.append(f"{', '.join(named[threshold.quantity])}: {threshold_text(threshold)}")
    return f"Thresholds. {'. '.join(texts)}." if texts else ""


def marks_note(view: View, rows: Iterable[Row]) -> str:
    """What the marks of few say, where a row has one."""
    cells = [cell for row in rows for cell in row.cells]
    cells += [cell.beside for cell in cells if cell.beside]
    return view.outline.questionnaires.notes["few"] if any(cell.few for cell in cells) else ""
