"""The outline of a report: its sections, their order and wording, read from ``report.yml``."""

from __future__ import annotations

import functools
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from clinic_outcomes.files import parse_yaml
from clinic_outcomes.publish.recipients import Audience

ROOM = Path(__file__).parent


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FigureName(_Part):
    """A measure, all together or of one category of a dimension; ``label`` where its own does not say so."""

    measure: str
    dimension: str = ""
    category: str = ""
    label: str = ""

    def figure_id(self, clinic_id: str) -> str:
        """The figure's id for a clinic or the network."""
        return "/".join((self.measure, clinic_id, self.dimension, self.category))


class FunnelStep(_Part):
    """One step of a funnel: how many reached it, what share of those at the first step and at the step before.

    ``days`` is the mean time from the step before.
    """

    count: str
    share: str = ""
    share_of_previous: str = ""
    days: str = ""


class FirstFigure(_Part):
    """A figure that stands before all others of its section, under a heading of its own with words about it."""

    measure: str
    heading: str
    text: str


class SummaryGroup(_Part):
    """Measures that stand together among all figures of a section; ``table`` where they need another than it."""

    heading: str
    measures: tuple[str, ...]
    table: str | None = None


class Breakdown(_Part):
    """Measures side by side, a row a category of ``dimension``; ``heading`` says what they tell, for the caption.

    ``within`` is a second dimension whose categories stand below those of the first that they belong to.
    """

    dimension: str
    measures: tuple[str, ...]
    heading: str = ""
    within: str = ""


class OutlinedSection(_Part):
    """One section: the figures of ``section`` in the marts, and the canonical table they come from.

    With ``of_safety`` its intervals are exact, a nought has its upper bound, and the crisis line stands at its head
    where ``crisis_line`` says so.
    """

    section: str
    title: str
    introduction: str
    table: str | None = None
    funnel: tuple[FunnelStep, ...] = ()
    funnel_headings: dict[str, str] = {}
    """Headings of the funnel's columns by the fields of its steps."""
    breakdown: tuple[str, ...] = ()
    """Measures that are broken down, where not all are: the others' breakdowns stand in the tables beside the page."""
    of_safety: bool = False
    crisis_line: bool = False
    first: FirstFigure | None = None
    summary: tuple[SummaryGroup, ...] = ()
    """How the figures that are not broken down stand together; those of no group come last."""
    breakdowns: tuple[Breakdown, ...] = ()
    """The breakdowns to draw, where not each measure by each dimension: the others stand in the tables beside."""


class OutlinedDimension(_Part):
    """How the categories of a dimension are called and ordered: by ``size``, largest first, or as ``listed``.

    Listed are ``labels``, in their order, then the code list. With ``compared`` each category is compared with the
    first: only for groups that share no people and were not made by what came of treatment. ``of_single_clinics`` says
    that categories belong to single clinics or name them: a clinic is told of its own alone.
    """

    dimension: str
    title: str
    code_list: str | None = None
    order: str = "size"
    labels: dict[str, str] = {}
    compared: bool = False
    of_single_clinics: bool = False
    note: str = ""


class Column(_Part):
    """A quantity of a questionnaire as a column or row, under a short name; ``threshold`` is what it is judged by.

    ``to`` is a second quantity: the cell runs from the one to the other. ``interval`` says whether to draw intervals,
    ``network`` whether the network's figure stands beside a clinic's. ``before_treatment`` is for a quantity without
    a time point, of the baseline alone.
    """

    quantity: str
    heading: str
    threshold: str = ""
    to: str = ""
    interval: bool = True
    network: bool = True
    before_treatment: bool = False


class Sustained(_Part):
    """How long people of a life table are watched, for its caption, and what to say of it."""

    heading: str
    note: str


class Questionnaires(_Part):
    """Tables of the section whose measures are of an instrument, time point and quantity."""

    section: str
    few_below_percent: int
    first_protocol: str
    scores: tuple[Column, ...]
    judgements: tuple[Column, ...]
    strata: tuple[Column, ...]
    summary_time_points: tuple[str, ...]
    sustained: dict[str, Sustained] = {}
    """Quantities of life tables."""
    notes: dict[str, str]


class Comparison(_Part):
    """Clinics side by side: plain figures, funnel plots of shares, observed over expected, charts over releases."""

    introduction: str
    figures: tuple[FigureName, ...]
    figures_of_safety: tuple[FigureName, ...] = ()
    unnamed_note: str
    too_few_to_place: str
    funnels: tuple[FigureName, ...]
    funnel_note: str
    observed_over_expected: str
    observed_over_expected_note: str
    over_releases: tuple[FigureName, ...]
    over_releases_note: str


class Exposure(_Part):
    """What a rate of events is taken over: the denominator of a share, and per how many of it.

    A share of the same clinics: a count of sessions would have those of clinics that deliver no events, too. It serves
    a rate that is of as many people as ``of_people``, so that no clinic is in the one and not in the other.
    """

    measure: str
    of_people: str
    per: int


class Circulation(_Part):
    """What a class of recipients is told of its report: what it is, who may read it (``notice``), and why."""

    kicker: str
    notice: str
    reason: str = ""


class PublicReport(_Part):
    """What the public is told: no figures of ``sections_left_out``, and no breakdown but by ``dimensions``."""

    sections_left_out: tuple[str, ...]
    dimensions: tuple[str, ...]


class InternalReport(_Part):
    """A clinic's exact figures: which breakdowns stand on the page (all stand in its tables), and what is said of them.

    Exact figures of ``of_others`` are made with other clinics' people: there the released figure stands.
    """

    title: str
    introduction: str
    dimensions: tuple[str, ...]
    of_others: tuple[str, ...]
    signals_introduction: str


class Outline(_Part):
    """The whole of ``report.yml``."""

    title: str
    draft_notice: str
    draft_reason: str
    circulation: dict[Audience, Circulation]
    public: PublicReport
    internal: InternalReport
    too_few_clinics: str
    """Said where fewer clinics take part than a figure of the network needs, with ``{clinics}`` and ``{needed}``."""
    no_network_figures: str
    """Said where enough take part and every figure of the network is withheld."""
    headline: tuple[FigureName, ...]
    rows_kept_out: str
    column_names: dict[str, str] = {}
    """Short names of measures for column headings, beside a caption that says what the table is about."""
    exposures: dict[str, Exposure] = {}
    """Units of rates → what they are taken over, where that is a figure, too."""
    counted_by: dict[str, str] = {}
    """Shares → the count of their numerator, where it is a figure, too."""
    few_note: str
    sections: tuple[OutlinedSection, ...]
    questionnaires: Questionnaires
    comparison: Comparison
    dimensions: tuple[OutlinedDimension, ...]


@functools.cache
def load_outline() -> Outline:
    """The outline in ``report.yml``; pydantic's ``ValidationError`` names what is wrong with it."""
    return Outline.model_validate(parse_yaml((ROOM / "report.yml").read_text(encoding="utf-8")))
