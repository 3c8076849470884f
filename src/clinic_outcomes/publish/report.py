"""One recipient's report as plain data: sections of tables of cells, ready to be drawn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from clinic_outcomes.contract import load_contract
from clinic_outcomes.publish.outline import Outline, OutlinedDimension, OutlinedSection
from clinic_outcomes.publish.released import NETWORK, Figure, Measure, Released, ReportedClinic
from clinic_outcomes.publish.wording import Cell, category_label, draw, plain

MEASURES_A_TABLE = {1: 6, 2: 3}
"""Most measures side by side, by the number of figures each has a row (the network's; a clinic's and the network's)."""


@dataclass(frozen=True)
class Heading:
    """What a column or row is about; with ``measure``, its definition can be linked to."""

    text: str
    measure: str = ""
    unit: str = ""


@dataclass(frozen=True)
class Row:
    """A row of cells, one for each column."""

    heading: Heading
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """A table with one or two rows of column headings: each of ``groups`` spans ``len(columns)`` columns."""

    identifier: str
    caption: str
    stub: str
    columns: tuple[Heading, ...]
    rows: tuple[Row, ...]
    groups: tuple[Heading, ...] = ()
    reading: str = ""
    bars: bool = False
    narrow: bool = False


@dataclass(frozen=True)
class Section:
    """A section of the page."""

    identifier: str
    title: str
    introduction: str
    tables: tuple[Table, ...]


@dataclass(frozen=True)
class Headline:
    """One of the few figures at the top: the recipient's own and, on a clinic's page, the network's."""

    measure: Measure
    own: Cell
    network: Cell | None


@dataclass(frozen=True)
class Report:
    """All that a page shows of figures, and the figures it uses."""

    recipient: str
    title: str
    clinics: tuple[ReportedClinic, ...]
    headlines: tuple[Headline, ...]
    sections: tuple[Section, ...]
    comparison: Table | None
    measures: tuple[Measure, ...]
    figures: tuple[Figure, ...] = field(repr=False)

    @property
    def is_network(self) -> bool:
        """Whether this is the network's own report."""
        return self.recipient == NETWORK


class Composer:
    """Composes the report of one recipient from what was released."""

    def __init__(self, released: Released, outline: Outline, recipient: str) -> None:
        self.released = released
        self.outline = outline
        self.recipient = recipient
        self.scopes = (NETWORK,) if recipient == NETWORK else (recipient, NETWORK)
        self.dimensions = {dimension.dimension: dimension for dimension in outline.dimensions}

    def report(self) -> Report:
        """The whole report. A clinic's holds its own figures and the network's, and nothing of other clinics."""
        clinics = tuple(c for c in self.released.clinics if self.recipient in (NETWORK, c.clinic_id))
        figures = tuple(
            figure
            for _, figure in sorted(self.released.figures.items())
            if self.recipient == NETWORK or figure.clinic_id in self.scopes
        )
        used = {figure.measure for figure in figures}
        return Report(
            recipient=self.recipient,
            title="The network" if self.recipient == NETWORK else clinics[0].title,
            clinics=clinics,
            headlines=tuple(self._headline(m) for m in self._measures_named(self.outline.headline)),
            sections=tuple(section for section in map(self._section, self._outlined()) if section.tables),
            comparison=self._comparison(clinics) if self.recipient == NETWORK else None,
            measures=tuple(measure for measure in self.released.measures if measure.measure in used),
            figures=figures,
        )

    def _outlined(self) -> list[OutlinedSection]:
        """The sections of the outline, then those that only the marts know."""
        named = [section.section for section in self.outline.sections]
        others = dict.fromkeys(m.section for m in self.released.measures if m.section not in named)
        return [
            *self.outline.sections,
            *(OutlinedSection(section=name, title=plain(name), introduction="") for name in others),
        ]

    def _measures_named(self, names: Iterable[str]) -> list[Measure]:
        return [measure for measure in map(self.released.measure, names) if measure]

    def _section_of(self, measure: Measure) -> OutlinedSection | None:
        return next((section for section in self.outline.sections if section.section == measure.section), None)

    def _cell(self, measure: Measure, clinic_id: str, dimension: str = "", category: str = "") -> Cell:
        """A figure's cell, with a note on how complete it is where its section asks for one."""
        section = self._section_of(measure)
        table = section.table if section else None
        delivered = table is None or self.released.coverage.get((clinic_id, table), True)
        figure = self.released.figure(measure.measure, clinic_id, dimension, category)
        cell = draw(measure, figure, self.released.policy, delivered=delivered)
        asked = section.completeness if section else None
        if cell.kind != "shown" or asked is None or measure.measure == asked.measure or measure.figure_type == "count":
            return cell
        known = self.released.figure(asked.measure, clinic_id, dimension, category)
        if known is None:
            return cell
        if known.value is None:
            return replace(cell, note="both scores: withheld")
        return replace(cell, note=f"both scores: {known.value:.0f}%", warn=known.value < asked.warn_below_percent)

    def _headline(self, measure: Measure) -> Headline:
        network = None if self.recipient == NETWORK else self._cell(measure, NETWORK)
        return Headline(measure, self._cell(measure, self.recipient), network)

    def _section(self, outlined: OutlinedSection) -> Section:
        measures = [measure for measure in self.released.measures if measure.section == outlined.section]
        used = {dimension for _, clinic_id, dimension, _ in self.released.figures if clinic_id in self.scopes}
        ordered = [name for name in self.dimensions if name in used]
        ordered += sorted(used - set(ordered) - {""})
        in_funnel = {name for step in outlined.funnel for name in (step.count, step.share)}
        others = [measure for measure in measures if measure.measure not in in_funnel]
        tables = [self._funnel(outlined), self._overall(outlined, others)]
        tables += [table for name in ordered for table in self._by(outlined, measures, name)]
        return Section(
            outlined.section.replace("_", "-"),
            outlined.title,
            outlined.introduction,
            tuple(table for table in tables if table),
        )

    def _having(self, measures: Sequence[Measure], dimension: str) -> list[Measure]:
        having = {m for m, clinic_id, d, _ in self.released.figures if d == dimension and clinic_id in self.scopes}
        return [measure for measure in measures if measure.measure in having]

    def _scope_headings(self) -> tuple[Heading, ...]:
        return (Heading("Network"),) if self.recipient == NETWORK else (Heading("This clinic"), Heading("Network"))

    def _column(self, measure: Measure) -> Heading:
        return Heading(self.outline.column_names.get(measure.measure, measure.label), measure.measure, measure.unit)

    def _overall(self, outlined: OutlinedSection, measures: Sequence[Measure]) -> Table | None:
        """All figures of a section that are not broken down: one row a measure."""
        rows = [
            Row(Heading(m.label, m.measure, m.unit), tuple(self._cell(m, scope) for scope in self.scopes))
            for m in self._having(measures, "")
        ]
        if not rows:
            return None
        return Table(
            identifier=f"{outlined.section}-overall".replace("_", "-"),
            caption=f"{outlined.title}: all together",
            stub="Measure",
            columns=self._scope_headings(),
            rows=tuple(rows),
            reading=_reading([(row.heading.text, "", row.cells[0]) for row in rows]),
            narrow=True,
        )

    def _funnel(self, outlined: OutlinedSection) -> Table | None:
        """One row a step: how many reached it and what share of the first step that is, with a bar of the count."""
        rows = []
        for step in outlined.funnel:
            count, share = self.released.measure(step.count), self.released.measure(step.share or "")
            if count is not None and self._having([count], ""):
                cells = [
                    self._cell(measure, scope) if measure else Cell("blank", "")
                    for scope in self.scopes
                    for measure in (count, share)
                ]
                rows.append(Row(Heading(count.label, count.measure), tuple(cells)))
        if not rows:
            return None
        grouped = self.recipient != NETWORK
        first_share = next((step.share for step in outlined.funnel if step.share), "")
        return Table(
            identifier=f"{outlined.section}-funnel".replace("_", "-"),
            caption=f"{outlined.title}: step by step",
            stub="Step",
            columns=(Heading("People"), Heading(outlined.funnel_share, first_share or "")),
            groups=self._scope_headings() if grouped else (),
            rows=tuple(self._with_bars(rows)),
            reading=_reading([(row.heading.text, "", row.cells[1 if row.cells[1].of else 0]) for row in rows]),
            bars=True,
        )

    def _with_bars(self, rows: Sequence[Row]) -> list[Row]:
        """Bars of the recipient's own counts, the largest being the whole length; none for what is withheld."""
        figures = [self.released.figure(row.heading.measure, self.recipient) for row in rows]
        counts = [figure.value if figure else None for figure in figures]
        longest = max((count for count in counts if count is not None), default=None)
        return [
            replace(row, cells=(replace(row.cells[0], bar=int(100 * count / longest)), *row.cells[1:]))
            if count is not None and longest
            else row
            for row, count in zip(rows, counts, strict=True)
        ]

    def _by(self, outlined: OutlinedSection, measures: Sequence[Measure], dimension: str) -> list[Table]:
        """The figures of a section broken down by a dimension, in as many tables as it takes to keep each readable."""
        having = self._having(measures, dimension)
        described = self.dimensions.get(dimension)
        categories = self._categories(having, dimension, described) if having else []
        return [
            self._breakdown(outlined, part, dimension, categories, number)
            for number, part in enumerate(_parts(having, MEASURES_A_TABLE[len(self.scopes)]))
        ]

    def _breakdown(
        self,
        outlined: OutlinedSection,
        measures: Sequence[Measure],
        dimension: str,
        categories: Sequence[str],
        number: int,
    ) -> Table:
        """One table of a breakdown: a row a category; ``number`` counts the tables of this breakdown from 0."""
        described = self.dimensions.get(dimension)
        title = described.title if described else plain(dimension)
        rows = tuple(
            Row(
                Heading(category_label(described, category)),
                tuple(self._cell(m, scope, dimension, category) for m in measures for scope in self.scopes),
            )
            for category in categories
        )
        headings = tuple(self._column(m) for m in measures)
        grouped = self.recipient != NETWORK
        return Table(
            identifier=f"{outlined.section}-{dimension}{f'-{number + 1}' if number else ''}".replace("_", "-"),
            caption=f"{outlined.title}: by {title[:1].lower()}{title[1:]}{', continued' if number else ''}",
            stub=title,
            columns=self._scope_headings() if grouped else headings,
            groups=headings if grouped else (),
            rows=rows,
            reading=_reading(
                [
                    (row.heading.text, heading.text, row.cells[i * len(self.scopes)])
                    for row in rows
                    for i, heading in enumerate(headings)
                ]
            ),
        )

    def _categories(
        self, measures: Sequence[Measure], dimension: str, described: OutlinedDimension | None
    ) -> list[str]:
        """Categories in reading order. Withheld ones come after those shown, by name, so that order tells nothing."""
        names = {measure.measure for measure in measures}
        found = {
            c for m, scope, d, c in self.released.figures if m in names and d == dimension and scope in self.scopes
        }
        if described and described.order == "listed":
            listed = list(load_contract().code_lists.get(described.code_list or "", {}))
            return sorted(found, key=lambda c: (listed.index(c) if c in listed else len(listed), c))

        def size(category: str) -> tuple[object, ...]:
            figure = self.released.figure(measures[0].measure, NETWORK, dimension, category)
            value = figure.value if figure else None
            return (value is None, -(value or 0), category_label(described, category), category)

        return sorted(found, key=size)

    def _comparison(self, clinics: Sequence[ReportedClinic]) -> Table | None:
        """One row a clinic and the network last, a column each of the outline's measures of comparison."""
        measures = self._measures_named(self.outline.comparison)
        if not measures:
            return None
        scopes = [(c.title, c.clinic_id) for c in sorted(clinics, key=lambda c: (c.title, c.clinic_id))]
        rows = tuple(
            Row(Heading(title), tuple(self._cell(m, scope) for m in measures))
            for title, scope in [*scopes, ("All clinics together", NETWORK)]
        )
        return Table(
            identifier="comparison-clinics",
            caption="Main figures of each clinic",
            stub="Clinic",
            columns=tuple(self._column(m) for m in measures),
            rows=rows,
            reading=_reading(
                [(row.heading.text, m.label, c) for row in rows for m, c in zip(measures, row.cells, strict=True)]
            ),
        )


def _parts(measures: Sequence[Measure], most: int) -> list[Sequence[Measure]]:
    """Measures in as few parts as possible, of at most ``most`` and nearly the same length."""
    count = -(-len(measures) // most)
    return [measures[len(measures) * i // count : len(measures) * (i + 1) // count] for i in range(count)]


def _reading(candidates: Iterable[tuple[str, str, Cell]]) -> str:
    """One line that reads the first shown figure aloud, preferring one that has a denominator."""
    shown = [(row, column, cell) for row, column, cell in candidates if cell.kind == "shown"]
    if not shown:
        return "Every figure of this table is withheld or absent."
    row, column, cell = next((one for one in shown if one[2].of), shown[0])
    # A capital that begins a sentence goes; one that begins an abbreviation stays.
    column = column if column[1:2].isupper() else column[:1].lower() + column[1:]
    name = f"{row}, {column}" if column else row
    about = "" if cell.is_band else "about "
    unit = f" {cell.unit}" if cell.unit else ""
    of = f", {'as an average over' if cell.unit else 'out of'} about {cell.of}" if cell.of else ""
    return f"For example: {name}: {about}{cell.text}{unit}{of}."
