"""What a report is made of, as plain data: sections of tables, charts and notes, ready to be drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from clinic_outcomes.publish.charts import Chart
from clinic_outcomes.publish.outline import FigureName
from clinic_outcomes.publish.recipients import Audience, Recipient
from clinic_outcomes.publish.released import Figure, Measure, ReportedClinic
from clinic_outcomes.publish.wording import Cell


@dataclass(frozen=True)
class Heading:
    """What a column or row is about; ``anchor`` names its entry on the page of methods, if it has one."""

    text: str
    anchor: str = ""
    unit: str = ""


@dataclass(frozen=True)
class Derived(Cell):
    """What follows from released figures by a ``rule``: their difference, the position of a share, a denominator alone.

    ``from_figures`` names them, so that whoever reads the page back can work it out again.
    """

    rule: str = ""
    from_figures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unnamed(Cell):
    """Figures of clinics that are not named, in the order of what they show; ``key`` says of what."""

    key: str = ""
    texts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stated:
    """A part of a sentence that tells of figures, by a rule as in ``Derived``."""

    text: str
    rule: str
    from_figures: tuple[str, ...]


Sentence = tuple[str | Stated, ...]
"""A sentence with figures in it: plain words, and what is told of figures."""


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
    notes: tuple[str | Sentence, ...] = ()
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
    text: str | Sentence


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
class UnnamedFigures:
    """The shown figures of clinics that a report draws without a name; with ``sizes`` the numbers they are of, too."""

    name: FigureName
    figures: tuple[Figure, ...]
    sizes: bool


@dataclass(frozen=True)
class Report:
    """All that a page shows of figures, and the figures it may use.

    ``circulation`` says on each page and file who may read it, or that it is a draft. ``notices`` stand before all
    figures. ``unnamed`` are the figures of single clinics that are drawn without a name.
    """

    recipient: Recipient
    title: str
    kicker: str
    circulation: str
    circulation_reason: str
    is_draft: bool
    clinics: tuple[ReportedClinic, ...]
    headlines: tuple[Headline, ...]
    sections: tuple[Section, ...]
    measures: tuple[Measure, ...]
    figures: tuple[Figure, ...] = field(repr=False)
    notices: tuple[str, ...] = ()
    unnamed: tuple[UnnamedFigures, ...] = ()

    @property
    def is_network(self) -> bool:
        """Whether this report is of all clinics together."""
        return not self.recipient.clinic_id

    @property
    def is_public(self) -> bool:
        """Whether anybody may read it: without claims, and without what single clinics deliver."""
        return self.recipient.audience is Audience.PUBLIC

    @property
    def is_internal(self) -> bool:
        """Whether it is exact, for a clinic's own clinicians."""
        return self.recipient.audience is Audience.INTERNAL
