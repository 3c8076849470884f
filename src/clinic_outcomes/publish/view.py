"""What one recipient sees of a release: figures as cells, and which of them there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from clinic_outcomes.contract import load_contract
from clinic_outcomes.publish.outline import FigureName, Outline, OutlinedDimension
from clinic_outcomes.publish.parts import Heading, Row
from clinic_outcomes.publish.recipients import Audience, Recipient
from clinic_outcomes.publish.released import NETWORK, Figure, Measure, Released
from clinic_outcomes.publish.uncertainty import Uncertainty
from clinic_outcomes.publish.wording import (
    BLANK,
    NO_FIGURE,
    NOT_DELIVERED,
    NOT_ESTIMABLE,
    NOT_RECORDED,
    Cell,
    category_label,
    draw,
    plain,
)

UNDER_HALF = "under half"
COMPLETENESS_WITHHELD = "completeness withheld"


class Release:
    """A release with what every recipient's report needs of it, looked up once.

    ``crisis_line`` is what a reader in crisis is told, ``parents`` the category that a category stands below where one
    dimension is told within another: of each term its system class. ``entered_as`` is the number and hash of its entry
    in the register, None before it has one.
    """

    def __init__(
        self,
        released: Released,
        outline: Outline,
        crisis_line: str,
        parents: Mapping[str, str] | None = None,
        entered_as: tuple[int, str] | None = None,
    ) -> None:
        self.released = released
        self.outline = outline
        self.crisis_line = crisis_line
        self.parents = parents or {}
        self.entered_as = entered_as
        self.uncertainty = Uncertainty(released, outline)
        self.dimensions = {dimension.dimension: dimension for dimension in outline.dimensions}
        self.categories: dict[tuple[str, str, str], list[str]] = {}
        for figure in released.figures.values():
            key = (figure.measure, figure.clinic_id, figure.dimension)
            self.categories.setdefault(key, []).append(figure.category)
        self.sections: dict[str, list[Measure]] = {}
        self.quantities: dict[tuple[str, str, str], Measure] = {}
        for measure in released.measures:
            self.sections.setdefault(measure.section, []).append(measure)
            self.quantities[measure.instrument, measure.time_point, measure.quantity] = measure
        self.tables = {section.section: section.table for section in outline.sections}
        groups = [group for section in outline.sections for group in section.summary]
        self.tables_of_measures = {name: group.table for group in groups if group.table for name in group.measures}
        self.of_safety = {section.section for section in outline.sections if section.of_safety}
        self.of_network_alone = {one.dimension for one in released.dimensions if one.scope == NETWORK}
        self.csv_lines: dict[str, str] = {}
        self._cells: dict[tuple[str, str, str, str], Cell] = {}

    def cell(self, measure: Measure, clinic_id: str, dimension: str = "", category: str = "") -> Cell:
        """A figure's cell, with its interval and a mark where too few are behind it."""
        key = (measure.measure, clinic_id, dimension, category)
        if key not in self._cells:
            self._cells[key] = self._draw(measure, clinic_id, dimension, category)
        return self._cells[key]

    def _draw(self, measure: Measure, clinic_id: str, dimension: str, category: str) -> Cell:
        figure = self.released.figure(measure.measure, clinic_id, dimension, category)
        if figure is None:
            return draw(measure, None, self.released.policy, absent=self._why_absent(measure, clinic_id, dimension))
        if figure.value is None and self._nothing_recorded(figure):
            return draw(measure, None, self.released.policy, absent=NOT_RECORDED)
        return draw(
            measure,
            figure,
            self.released.policy,
            interval=self.uncertainty.interval(figure),
            none_seen=self.uncertainty.none_seen(figure),
            bound=self.uncertainty.upper_bound(figure),
            few=self.few(figure),
        )

    def _nothing_recorded(self, figure: Figure) -> bool:
        """Whether a withheld figure is one of nobody, which the share of those it knows tells anyway."""
        known = self.completeness(figure)
        return known is not None and self.uncertainty.seen(known) is False

    def _why_absent(self, measure: Measure, clinic_id: str, dimension: str) -> str:
        """Why there is no figure: its table is not delivered, a rate has nothing to be taken over, or nothing is known.

        A figure of safety that is not even there of everything was not recorded; of a group there may be nothing.
        """
        table = self.tables_of_measures.get(measure.measure, self.tables.get(measure.section))
        if table is not None and not self.released.coverage.get((clinic_id, table), True):
            return NOT_DELIVERED
        if measure.count_measure:
            return NOT_ESTIMABLE
        return NOT_RECORDED if measure.section in self.of_safety and not dimension else NO_FIGURE

    def completeness(self, figure: Figure) -> Figure | None:
        """The share that says of how many of those treated ``figure`` knows; None where it has none."""
        name = self.released.by_name[figure.measure].completeness_measure
        return self.released.figure(name, figure.clinic_id, figure.dimension, figure.category) if name else None

    def few(self, figure: Figure) -> str:
        """What to say of a figure that under half of its people are behind, or nobody may know how many."""
        known = self.completeness(figure)
        if known is None:
            return ""
        if known.value is None:
            return COMPLETENESS_WITHHELD
        return UNDER_HALF if known.value < self.outline.questionnaires.few_below_percent else ""


class View:
    """What one recipient's report is composed from: a clinic sees its own figures beside the network's.

    Whatever a report holds of figures comes through here, and nothing that the recipient may not see does.
    """

    def __init__(self, release: Release, recipient: Recipient) -> None:
        self.release = release
        self.released = release.released
        self.outline = release.outline
        self.recipient = recipient
        self.scope = recipient.scope
        self.scopes = (NETWORK,) if self.is_network else (self.scope, NETWORK)

    @property
    def is_network(self) -> bool:
        """Whether this report is of all clinics together, for the network or the public."""
        return self.scope == NETWORK

    def figure(self, measure: str, scope: str, dimension: str = "", category: str = "") -> Figure | None:
        """A released figure; None where there is none, or the recipient is not told of it."""
        if not self.may_see(scope, dimension) or not self.is_told(measure):
            return None
        return self.released.figure(measure, scope, dimension, category)

    def figures(self) -> tuple[Figure, ...]:
        """Every figure the recipient is told of, by id."""
        figures = sorted(self.released.figures.values(), key=lambda figure: figure.figure_id)
        return tuple(f for f in figures if self.may_see(f.clinic_id, f.dimension) and self.is_told(f.measure))

    def unnamed(self, name: FigureName) -> tuple[Figure, ...]:
        """The shown figures of single clinics, for the network alone, in the order of what they show.

        To be drawn without whose they are. Empty where they are of fewer clinics than a figure of the network needs:
        of so few, each is told from the others.
        """
        if self.recipient.clinic_id or "unnamed_clinics" not in self.released.holdings(self.recipient.audience):
            return ()
        key = (name.dimension, name.category)
        found = [self.released.figure(name.measure, clinic.clinic_id, *key) for clinic in self.released.clinics]
        shown = [figure for figure in found if figure and figure.value is not None and figure.upper is None]
        if len(shown) < self.released.policy.smallest_clinics:
            return ()
        return tuple(sorted(shown, key=lambda figure: (figure.value or 0, figure.denominator or 0)))

    def cell(self, measure: Measure, scope: str, dimension: str = "", category: str = "") -> Cell:
        """A figure of one scope; nothing where the recipient is not told of it."""
        if not self.may_see(scope, dimension) or not self.is_told(measure.measure):
            return BLANK
        return self.release.cell(measure, scope, dimension, category)

    def both(self, measure: Measure, dimension: str = "", category: str = "") -> Cell:
        """The recipient's figure; on a clinic's page with the network's beside it."""
        own = self.cell(measure, self.scope, dimension, category)
        if self.is_network:
            return own
        network = self.cell(measure, NETWORK, dimension, category)
        return replace(own, beside=replace(network, of="") if network.kind == "shown" else None)

    def measures_in(self, section: str) -> list[Measure]:
        """The measures of a section, in their order."""
        return [measure for measure in self.release.sections.get(section, []) if self.is_told(measure.measure)]

    def having(self, measures: Iterable[Measure], dimension: str) -> list[Measure]:
        """Those of the measures that have a figure in a dimension for this recipient or the network."""
        categories = self.release.categories
        scopes = self.scopes_told(dimension)
        return [m for m in measures if any((m.measure, scope, dimension) in categories for scope in scopes)]

    def categories(self, measures: Sequence[Measure], dimension: str) -> list[str]:
        """Categories in reading order. Withheld ones come after those shown, by name, so that order tells nothing."""
        found = {
            category
            for measure in measures
            for scope in self.scopes_told(dimension)
            for category in self.release.categories.get((measure.measure, scope, dimension), ())
        }
        described = self.described(dimension)
        if described and described.order == "listed":
            listed = [*described.labels, *load_contract().code_lists.get(described.code_list or "", {})]
            return sorted(found, key=lambda c: (listed.index(c) if c in listed else len(listed), c))

        def size(category: str) -> tuple[object, ...]:
            figure = self.figure(measures[0].measure, NETWORK, dimension, category)
            value = figure.value if figure else None
            return (value is None, -(value or 0), category_label(described, category), category)

        return sorted(found, key=size)

    def described(self, dimension: str) -> OutlinedDimension | None:
        """What the outline says of a dimension."""
        return self.release.dimensions.get(dimension)

    def dimension_title(self, dimension: str) -> str:
        """A dimension's name."""
        described = self.described(dimension)
        if described:
            return described.title
        released = (one.label for one in self.released.dimensions if one.dimension == dimension)
        return next(released, plain(dimension))

    def category_title(self, dimension: str, category: str) -> str:
        """A category's name."""
        return category_label(self.described(dimension), category)

    def dimensions_of(self, measures: Iterable[Measure]) -> list[str]:
        """The dimensions that any of the measures is told by, in the outline's order."""
        names = {measure.measure for measure in measures}
        keys = self.release.categories
        used = {d for name, scope, d in keys if d and name in names and scope in self.scopes_told(d)}
        ordered = [name for name in self.release.dimensions if name in used]
        return [*ordered, *sorted(used - set(ordered))]

    def scopes_told(self, dimension: str) -> tuple[str, ...]:
        """The scopes that a breakdown is told of, as far as the recipient may see them."""
        told = (NETWORK,) if dimension in self.release.of_network_alone else self.scopes
        return tuple(scope for scope in told if self.may_see(scope, dimension))

    def may_see(self, scope: str, dimension: str) -> bool:
        """Whether a recipient is told of a scope by a dimension: of owners and referrals, a clinic of its own alone."""
        if scope not in self.scopes:
            return False
        if self.recipient.audience is Audience.PUBLIC and dimension and dimension not in self.outline.public.dimensions:
            return False
        described = self.described(dimension)
        return scope == self.recipient.clinic_id or not (described and described.of_single_clinics)

    def is_told(self, measure: str) -> bool:
        """Whether a recipient is told of a measure at all: the public not of every section."""
        if self.recipient.audience is not Audience.PUBLIC:
            return True
        found = self.released.measure(measure)
        return found is None or found.section not in self.outline.public.sections_left_out

    def scope_headings(self) -> tuple[Heading, ...]:
        """Headings of columns, a scope each."""
        return (Heading("Network"),) if self.is_network else (Heading("This clinic"), Heading("Network"))

    def column(self, measure: Measure) -> Heading:
        """A measure as the heading of a column."""
        text = self.outline.column_names.get(measure.measure, measure.label)
        return Heading(text, anchor(measure), measure.unit)


def anchor(measure: Measure) -> str:
    """The name of a measure's entry on the page of methods: those of questionnaires share one a quantity."""
    return f"quantity-{measure.quantity}" if measure.instrument else f"measure-{measure.measure}"


def without_withheld(rows: Sequence[Row]) -> tuple[list[Row], int]:
    """Rows with a figure to show, under their headings, and how many others hold at least a withheld one."""
    kept: list[Row] = []
    withheld = 0
    for row in rows:
        hidden = any(cell.kind == "withheld" for cell in row.cells)
        # A nought alone, with all else withheld, tells no more than that the row is there.
        if not row.cells or any(cell.kind == "shown" and (cell.text != "0" or not hidden) for cell in row.cells):
            kept.append(row)
        else:
            withheld += hidden
    # A heading with no row below it goes, too.
    followed = [row for row, after in pairwise([*kept, None]) if row and (row.cells or (after and after.cells))]
    return followed, withheld


def withheld_note(count: int, what: str = "row") -> str:
    """One line for all rows that are left out because every figure of theirs is withheld."""
    if not count:
        return ""
    return f"{count} more {what if count == 1 else what + 's'}: every figure withheld, or nought."
