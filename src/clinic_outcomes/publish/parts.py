"""What a report is made of, as plain data: sections of tables, charts and notes, ready to be drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from clinic_outcomes.publish.charts import Chart
from clinic_outcomes.publish.released import NETWORK, Figure, Measure, ReportedClinic
from clinic_outcomes.publish.wording import Cell


@dataclass(frozen=True)
class Heading:
    """What a column or row is about; ``anchor`` names its entry on the page of methods, if it has one."""

    text: str
    anchor: str = ""
    unit: str = ""


@dataclass(frozen=True)
class Row:
    """A row of cells, one for each column. Without cells it is the heading of the rows that follow.

    ``is_part`` says that it stands below the row before it that does not, as a part of it.
    """

    heading: Heading
    cells: tuple[Cell, ...] = ()
    is_part: bool = False


@dataclass(frozen=True)
class Table:
    """A table with one or two rows of column headings: each of ``groups`` spans ``len(columns)`` columns.

    ``notes`` stand below it: an example read aloud, the thresholds used, what is withheld.
    """

    kind: ClassVar[str] = "table"
    identifier: str
    caption: str
    stub: str
    columns: tuple[Heading, ...]
    rows: tuple[Row, ...]
    groups: tuple[Heading, ...] = ()
    notes: tuple[str, ...] = ()
    bars: bool = False
    narrow: bool = False


@dataclass(frozen=True)
class Subheading:
    """A heading within a section, with a sentence or two below it."""

    kind: ClassVar[str] = "heading"
    identifier: str
    text: str
    introduction: str = ""


@dataclass(frozen=True)
class Note:
    """A paragraph that stands for itself."""

    kind: ClassVar[str] = "note"
    text: str


@dataclass(frozen=True)
class Notice:
    """What a reader must not miss, such as the crisis line."""

    kind: ClassVar[str] = "notice"
    text: str


Block = Table | Chart | Subheading | Note | Notice


@dataclass(frozen=True)
class Section:
    """A section of the page."""

    identifier: str
    title: str
    introduction: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Headline:
    """One of the few figures at the top: the recipient's own and, on a clinic's page, the network's."""

    label: str
    anchor: str
    own: Cell
    network: Cell | None


@dataclass(frozen=True)
class Report:
    """All that a page shows of figures, and the figures it may use."""

    recipient: str
    title: str
    clinics: tuple[ReportedClinic, ...]
    headlines: tuple[Headline, ...]
    sections: tuple[Section, ...]
    measures: tuple[Measure, ...]
    figures: tuple[Figure, ...] = field(repr=False)

    @property
    def is_network(self) -> bool:
        """Whether this is the network's own report."""
        return self.recipient == NETWORK
