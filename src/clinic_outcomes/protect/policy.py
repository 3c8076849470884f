"""The disclosure policy: the numbers of ``disclosure.yml``, checked."""

from __future__ import annotations

import functools
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from clinic_outcomes.files import fingerprint_files, parse_yaml

ROOM = Path(__file__).parent


def _rising(steps: dict[int, Decimal]) -> dict[int, Decimal]:
    """Steps in the order of their denominators; ``ValueError`` where a larger denominator has a coarser step."""
    ordered = dict(sorted(steps.items()))
    if not ordered or list(ordered.values()) != sorted(ordered.values(), reverse=True):
        raise ValueError("steps must be given, and never be coarser for a larger denominator")
    return ordered


def _of_percent(steps: dict[int, Decimal]) -> dict[int, Decimal]:
    if any(step % 1 or 100 % step for step in steps.values()):
        raise ValueError("steps of percentages are whole and divide 100, so that 100 % is a multiple of each")
    return steps


_Positive = Annotated[Decimal, Field(gt=0, decimal_places=4)]
Steps = Annotated[dict[Annotated[int, Field(gt=1)], _Positive], AfterValidator(_rising)]
"""Shown denominator from which a step holds → the step."""
PercentSteps = Annotated[Steps, AfterValidator(_of_percent)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Counts(_Part):
    """Counts from 1 to ``smallest_shown - 1`` are withheld, others rounded half up to ``rounding_base``."""

    smallest_shown: int = Field(gt=1)
    rounding_base: int = Field(gt=1)


class Rates(_Part):
    """Rates, in percent, of a denominator of at least ``smallest_denominator``, in ``steps`` of percentage points."""

    smallest_denominator: int = Field(gt=1)
    steps: PercentSteps


class RowShares(_Part):
    """Edges, in percent, of the bands in which shares of delivered rows are given; the last edge is 100."""

    bands_percent: tuple[int, ...]
    smallest_denominator: int = Field(gt=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        edges = self.bands_percent
        if len(edges) < 2 or edges[0] != 0 or edges[-1] != 100 or list(edges) != sorted(set(edges)):
            raise ValueError("bands_percent must rise from 0 to 100")
        return self


class UnitSteps(_Part):
    """Figures in ``unit`` are rounded half up to multiples of a step."""

    unit: str
    steps: Steps


class MeanSteps(UnitSteps):
    """The rounding steps of a mean; with ``sum_is_a_count`` its numerator is a count of events or sessions."""

    sum_is_a_count: bool = False


class ModelSteps(UnitSteps):
    """The rounding steps of a model's value; ``tells_remainder`` where it tells how many are not in its numerator."""

    tells_remainder: bool = True


class Means(_Part):
    """Means of at least ``smallest_denominator``, with rounding steps a unit."""

    smallest_denominator: int = Field(gt=1)
    units: tuple[MeanSteps, ...]


class LifeTables(_Part):
    """Rows of life tables, in percent, with at least ``smallest_denominator`` people at risk when the interval begins.

    Between two rows shown lie no events or at least ``smallest_events_between``.
    """

    smallest_denominator: int = Field(gt=1)
    steps: PercentSteps
    smallest_events_between: int = Field(gt=1)


class ModelValues(_Part):
    """Values of a model (an SD, observed over expected) of at least ``smallest_denominator`` people, steps a unit."""

    smallest_denominator: int = Field(gt=1)
    units: tuple[ModelSteps, ...]


class Network(_Part):
    """What must be behind a figure of the whole network, and behind its numerator unless that is nought.

    At least ``smallest_clinics`` clinics, none of which holds over ``largest_share_percent``; and nobody, or enough for
    a count to be shown, remain without the ``clinics_set_aside`` that hold most.
    """

    smallest_clinics: int = Field(ge=3)
    smallest_clinics_where_pairs_attack: int = Field(ge=4)
    largest_share_percent: int = Field(gt=0, lt=100)
    clinics_set_aside: Literal[2]
    """Two, and no other number: the marts hold what the two largest clinics contribute."""


class AllOrNone(_Part):
    """Measures, or quantities of questionnaires, that may be shown though nobody (``none``) or everybody is in them."""

    reason: str = Field(min_length=1)
    shown: tuple[Literal["none", "all"], ...] = Field(min_length=1)
    measures: tuple[str, ...] = ()
    quantities: tuple[str, ...] = ()


class Attack(_Part):
    """Who attacks, each kind with those before it, and what they may not learn of a withheld cell.

    Its upper bound is at least ``smallest_upper_bound``, its interval at least ``smallest_width`` wide.
    """

    attackers: Literal["outsider", "clinics", "pairs"]
    smallest_upper_bound: int = Field(gt=10)
    smallest_width: int = Field(gt=1)
    exact_counts: bool

    @property
    def known_clinics(self) -> int:
        """How many clinics at most put together what they know of their own parts."""
        return {"outsider": 0, "clinics": 1, "pairs": 2}[self.attackers]


class Selection(_Part):
    """Figures, by what a line of the policy says of them; None leaves a property open."""

    figures_of: Literal["network", "clinics"] | None = None
    sections: tuple[str, ...] | None = None
    dimensions: tuple[str, ...] | None = None
    time_points: tuple[str, ...] | None = None
    quantities: tuple[str, ...] | None = None
    measures: tuple[str, ...] | None = None


class Missed(Selection):
    """How many times more its figures are missed than others."""

    weight: int = Field(ge=1)


class Refresh(_Part):
    """A figure is shown anew where it changed by nothing or by at least ``smallest_change``; else it repeats.

    A share repeats while it is ``useful_within`` so many points of percent of the truth, by its denominator; of fewer
    than the smallest one listed, always.
    """

    smallest_change: int = Field(gt=1)
    useful_within: Steps


RecipientClass = Literal["public", "network", "clinic", "internal"]
Holding = Literal["network_figures", "unnamed_clinics", "own_figures", "own_exact_figures", "own_signals"]


class Recipient(_Part):
    """What a class of recipients is given. Exact figures and signals of safety are confidential."""

    recipient: RecipientClass
    holds: tuple[Holding, ...]
    is_confidential: bool = False

    @model_validator(mode="after")
    def _marked(self) -> Self:
        if len(set(self.holds)) < len(self.holds) or "network_figures" not in self.holds:
            raise ValueError("each class of recipients holds the network's figures, and nothing twice")
        if bool({"own_exact_figures", "own_signals"} & set(self.holds)) != self.is_confidential:
            raise ValueError("what holds exact figures or signals is confidential, and nothing else is")
        if self.recipient != "internal" and self.is_confidential:
            raise ValueError("only a clinic's own clinicians are given exact figures or signals")
        if self.recipient in ("public", "network") and "own_figures" in self.holds:
            raise ValueError("only clinics have figures of their own")
        return self


class Coarsening(_Part):
    """One thing given up when an audit fails.

    ``repeat`` shows what the last release showed. ``withhold`` withholds the breakdowns of the network or of clinics,
    by all dimensions or by those that are told of the network alone.
    """

    action: Literal["repeat", "withhold"]
    figures_of: Literal["network", "clinics"] | None = None
    dimensions: Literal["network_only", "all"] | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        chosen = (self.figures_of is not None, self.dimensions is not None)
        if chosen != ((True, True) if self.action == "withhold" else (False, False)):
            raise ValueError("withhold says of whom and by which dimensions, repeat is of everything")
        if self.figures_of == "clinics" and self.dimensions == "network_only":
            raise ValueError("clinics have no figures by a dimension that is told of the network alone")
        return self


class Policy(_Part):
    """What may be shown, how it is rounded, who attacks, and what is given up where that is too much."""

    counts: Counts
    rates: Rates
    row_shares: RowShares
    means: Means
    life_tables: LifeTables
    model_values: ModelValues
    network: Network
    all_or_none: tuple[AllOrNone, ...]
    untold: tuple[Selection, ...]
    missed: tuple[Missed, ...]
    attack: Attack
    refresh: Refresh
    recipients: tuple[Recipient, ...]
    coarsening: tuple[Coarsening, ...]

    @property
    def smallest_clinics(self) -> int:
        """How many clinics must be behind a figure of the network, with the attackers that are counted."""
        pairs = self.attack.attackers == "pairs"
        return self.network.smallest_clinics_where_pairs_attack if pairs else self.network.smallest_clinics

    def steps(self) -> dict[tuple[str, str], dict[int, Decimal]]:
        """(figure type, unit) → shown denominator from which a step holds → the step, in the figure's unit.

        Counts, rates and rows of life tables have one for every unit, under the empty unit. Shares of rows have none.
        """
        return {
            ("count", ""): {0: Decimal(self.counts.rounding_base)},
            ("rate", ""): self.rates.steps,
            ("life_table_row", ""): self.life_tables.steps,
            **{("mean", unit.unit): unit.steps for unit in self.means.units},
            **{("model_value", unit.unit): unit.steps for unit in self.model_values.units},
        }

    def rounding_step(self, figure_type: str, unit: str, shown_denominator: int | None) -> Decimal:
        """What a released value is a multiple of, in its unit; of a count the denominator does not matter.

        ``KeyError`` where the policy has no step for the type, unit or so small a denominator. A share of rows (a
        ``rate`` with an upper edge) is given in a band instead.
        """
        steps = self.steps()[figure_type, unit if figure_type in ("mean", "model_value") else ""]
        holding = [start for start in steps if start <= (shown_denominator or 0)]
        return steps[max(holding, default=-1)]

    @model_validator(mode="after")
    def _steps_fit(self) -> Self:
        """Steps begin at the smallest denominator of their type, at numbers that a shown denominator can be."""
        parts = (self.rates, self.life_tables)
        tiers = [(part.smallest_denominator, part.steps) for part in parts]
        for kind in (self.means, self.model_values):
            tiers += [(kind.smallest_denominator, unit.steps) for unit in kind.units]
            if len({unit.unit for unit in kind.units}) < len(kind.units):
                raise ValueError("a unit is listed twice")
        for smallest, steps in tiers:
            if min(steps) != smallest or any(start % self.counts.rounding_base for start in steps):
                raise ValueError(
                    "steps begin at the smallest denominator, and at multiples of the base of rounded denominators"
                )
        return self

    @model_validator(mode="after")
    def _thresholds_agree(self) -> Self:
        counts = self.counts
        base = counts.rounding_base
        if (2 * counts.smallest_shown + base) // (2 * base) * base <= 10:
            raise ValueError("the smallest count shown must be rounded to more than 10")
        if self.network.smallest_clinics_where_pairs_attack <= self.network.smallest_clinics:
            raise ValueError("pairs of clinics learn more than single ones: more clinics are needed against them")
        if self.refresh.smallest_change < counts.smallest_shown:
            raise ValueError("a change is a count of people: it is at least the smallest count shown")
        if self.attack.smallest_width < counts.rounding_base:
            raise ValueError("a withheld cell is known no better than one rounded to the base")
        return self

    @model_validator(mode="after")
    def _lists_are_sets(self) -> Self:
        for names in (
            [name for entry in self.all_or_none for name in entry.measures],
            [name for entry in self.all_or_none for name in entry.quantities],
            [step.model_dump_json() for step in self.coarsening],
        ):
            if len(set(names)) < len(names):
                raise ValueError("all_or_none and coarsening name everything once")
        if sorted(one.recipient for one in self.recipients) != ["clinic", "internal", "network", "public"]:
            raise ValueError("recipients are the classes public, network, clinic and internal, each once")
        return self


@functools.cache
def load_policy() -> Policy:
    """The policy in ``disclosure.yml``; pydantic's ``ValidationError`` names what is wrong with it."""
    return Policy.model_validate(parse_yaml((ROOM / "disclosure.yml").read_text(encoding="utf-8")))


@functools.cache
def policy_id() -> str:
    """16 hex digits over the policy's numbers and the code and SQL that apply them."""
    rooms = (ROOM, ROOM.parent / "audit", ROOM.parent / "register")
    parts = [path for room in rooms for pattern in ("*.yml", "*.sql", "*.py") for path in room.glob(pattern)]
    return fingerprint_files(parts, ROOM.parent)[:16]
