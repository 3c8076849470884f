"""What a file ``instruments/<instrument>.yml`` may say, and what it must agree on with itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

Verification = Literal["read", "secondary", "unverified"]
"""Whether the source cited was read, read in a secondary source only, or recalled and not verified."""
Quantity = Literal[
    "response_percent",
    "partial_response_percent",
    "remission_maximum",
    "reliable_change_points",
    "meaningful_change_points",
    "end_state_maximum",
    "caseness_minimum",
    "diagnosis_cut_minimum",
    "reliability",
    "norm_mean",
    "norm_sd",
    "population_sd",
    "nhs_caseness_minimum",
    "nhs_reliable_change_points",
]
QUANTITIES: tuple[str, ...] = get_args(Quantity)
PERCENT = frozenset({"response_percent", "partial_response_percent"})
CORRELATION = frozenset({"reliability"})
NAME = r"^[a-z][a-z0-9_]{0,62}$"
LOINC_FORM = r"^[1-9][0-9]{2,5}-[0-9]$"


def unit_of(quantity: str) -> Literal["point", "percent", "correlation"]:
    """The unit of a quantity: ``percent`` of the baseline, ``correlation``, or ``point`` of the total."""
    if quantity in PERCENT:
        return "percent"
    return "correlation" if quantity in CORRELATION else "point"


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Sourced(_Entry):
    """Something that stands in a source: where, and whether that was read."""

    citation: str = Field(min_length=1)
    verification: Verification


class Licence(Sourced):
    """Whose the questionnaire is, and on what terms it may be used. Its wording is never in these files."""

    text: str = Field(min_length=1)


class AskedIf(_Entry):
    """A question that is asked only if another was answered with at least some value: else it is blank by design."""

    item: int = Field(ge=1)
    value_from: int = 1


class ItemRange(_Entry):
    """Items ``first`` to ``last`` (one where it is not given), which are alike.

    ``domain`` names items that count once, by the highest of them; ``alternative`` items of which people answer one
    and leave the others blank. An item that is not ``scored`` is a question beside the total.
    """

    first: int = Field(ge=1, le=100)
    last: int | None = None
    minimum: int = Field(default=0, ge=0, le=10)
    maximum: int = Field(ge=1, le=10)
    cluster: str | None = None
    domain: str | None = Field(default=None, pattern=NAME)
    alternative: str | None = Field(default=None, pattern=NAME)
    asked_if: AskedIf | None = None
    scored: bool = True

    @property
    def numbers(self) -> range:
        """Numbers of the items."""
        return range(self.first, (self.last or self.first) + 1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.numbers:
            raise ValueError("last is before first")
        if self.maximum <= self.minimum:
            raise ValueError("maximum is not above minimum")
        return self


class Total(_Entry):
    """Least and largest total, and whether a higher one is worse."""

    minimum: int = Field(ge=0)
    maximum: int = Field(le=200)
    higher_is_worse: bool = True


class Scoring(_Entry):
    """How items give a total.

    ``sum`` of all items; ``domain_maximum``: the sum, over domains, of the highest item; ``none`` where no total is
    made of items. ``most_missing_items`` above 0 prorates a total with so few items missing: an option, off in every
    file of the project, since no instrument here has an official rule for it.
    """

    method: Literal["sum", "domain_maximum", "none"]
    total: Total | None = None
    most_missing_items: int = Field(default=0, ge=0)
    source: Sourced | None = None


class Cluster(_Entry):
    """A group of items. ``symptoms_needed`` is how many must be present for the provisional diagnosis."""

    label: str = Field(min_length=1)
    symptoms_needed: int | None = Field(default=None, ge=1)


class DiagnosisRule(Sourced):
    """The provisional diagnosis: a symptom is present from ``symptom_from``; clusters say how many are needed."""

    symptom_from: int = Field(ge=1)
    note: str = ""


class RiskLevel(Sourced):
    """A level of risk that one answer among ``items`` gives, in the period that the ``when`` names."""

    level: Literal["low", "moderate", "high"]
    items: tuple[int, ...] = Field(min_length=1)
    when: Literal["past_month", "past_3_months", "over_3_months_ago"]


class Version(_Entry):
    """A form of the questionnaire: its label, and the period that its questions ask about."""

    label: str = Field(min_length=1)
    recall_window: str


class LoincCode(Sourced):
    """A LOINC code of the questionnaire (``panel``), of its total, or of item ``item``."""

    code: str = Field(pattern=LOINC_FORM)
    part: Literal["panel", "total", "item", "risk"]
    item: int | None = None

    @model_validator(mode="after")
    def _of_an_item(self) -> Self:
        if (self.part == "item") != (self.item is not None):
            raise ValueError("item is given for the code of an item, and for no other")
        if loinc_check_digit(self.code.partition("-")[0]) != int(self.code[-1]):
            raise ValueError("the check digit of the LOINC code is wrong")
        return self


def loinc_check_digit(number: str) -> int:
    """The digit after the hyphen of a LOINC code (mod 10): every second digit from the right is doubled."""
    doubled = "".join(str(int(digit) * 2) if place % 2 == 0 else digit for place, digit in enumerate(number[::-1]))
    return -sum(map(int, doubled)) % 10


class Band(Sourced):
    """A band of totals that the literature names."""

    band: str = Field(pattern=NAME)
    label: str = Field(min_length=1)
    minimum: int
    maximum: int


class Threshold(Sourced):
    """A value that a named set has for a quantity; None where dbt computes it from the network's scores."""

    set: str = Field(pattern=NAME)
    quantity: Quantity
    value: Decimal | None = None
    unit: Literal["point", "percent", "correlation"]


class CitedThreshold(Threshold):
    """A threshold that a file gives, with the value of its source."""

    value: Decimal = Field(gt=0, max_digits=9, decimal_places=3)

    @model_validator(mode="after")
    def _in_its_unit(self) -> Self:
        if self.unit != unit_of(self.quantity):
            raise ValueError(f"the unit of {self.quantity} is {unit_of(self.quantity)}")
        if (self.unit == "percent" and self.value > 100) or (self.unit == "correlation" and self.value >= 1):
            raise ValueError(f"too large for a {self.unit}")
        return self


@dataclass(frozen=True)
class ComputedSet:
    """A set whose value dbt computes (``int_reliable_change``) where an instrument has the quantities ``needed``."""

    set: str
    quantity: Quantity
    needed: frozenset[str]
    citation: str


COMPUTED_SETS = (
    ComputedSet(
        "jacobson_truax_sample",
        "reliable_change_points",
        frozenset({"reliability"}),
        "Jacobson and Truax, 1.96 SD sqrt(2) sqrt(1 - r), SD of the baselines here (psyctc.org)",
    ),
    ComputedSet(
        "jacobson_truax_published",
        "reliable_change_points",
        frozenset({"reliability", "population_sd"}),
        "Jacobson and Truax, 1.96 SD sqrt(2) sqrt(1 - r), published SD (psyctc.org)",
    ),
    ComputedSet(
        "cut_off_c",
        "end_state_maximum",
        frozenset({"norm_mean", "norm_sd"}),
        "Jacobson and Truax, cut-off c of the baselines here and the general population (psyctc.org)",
    ),
)
"""Sets that any instrument with the quantities needed has beside those of its file; a file may say ``use`` of them."""


class Refusal(_Entry):
    """Why a questionnaire is known only to be refused, and by which it is taken to be."""

    instead_of: str
    reason: str = Field(min_length=1)


class InstrumentFile(_Entry):
    """The content of one file."""

    label: str = Field(min_length=1)
    title: str = Field(min_length=1)
    note: str = ""
    sort_order: int = Field(ge=0)
    also_named: tuple[str, ...] = ()
    licence: Licence
    is_outcome: bool
    refused: Refusal | None = None
    items: tuple[ItemRange, ...] = ()
    scoring: Scoring
    versions: dict[str, Version] = Field(min_length=1)
    loinc: tuple[LoincCode, ...] = ()
    clusters: dict[str, Cluster] = {}
    diagnosis: DiagnosisRule | None = None
    risk_levels: tuple[RiskLevel, ...] = ()
    bands: tuple[Band, ...] = ()
    threshold_sets: tuple[CitedThreshold, ...] = ()
    use: dict[Quantity, str] = {}

    @property
    def item_numbers(self) -> list[int]:
        """Numbers of all items, in the order of the file."""
        return [number for part in self.items for number in part.numbers]

    @property
    def thresholds(self) -> tuple[Threshold, ...]:
        """Every threshold there is a choice of: those of the file, then those that are computed."""
        given = {threshold.quantity for threshold in self.threshold_sets}
        computed = (
            Threshold(
                set=each.set,
                quantity=each.quantity,
                unit=unit_of(each.quantity),
                citation=each.citation,
                verification="read",
            )
            for each in COMPUTED_SETS
            if self.is_outcome and each.needed <= given
        )
        return (*self.threshold_sets, *computed)

    @property
    def scored_items(self) -> tuple[ItemRange, ...]:
        """Items that make the total; none where there is none that is made of items."""
        return tuple(part for part in self.items if part.scored and self.scoring.method != "none")


def mistakes_in(file: InstrumentFile) -> Iterable[tuple[str, str]]:
    """Field and message of everything in a file that contradicts the rest of it."""
    yield from _items(file)
    yield from _total(file)
    yield from _clusters(file)
    yield from _bands(file)
    yield from _thresholds(file)
    if file.refused and (file.is_outcome or file.scoring.total or file.threshold_sets):
        yield "refused", "a questionnaire that is refused is not scored"


def _items(file: InstrumentFile) -> Iterable[tuple[str, str]]:
    numbers = file.item_numbers
    if sorted(numbers) != list(range(1, len(numbers) + 1)):
        yield "items", "items are numbered from 1, each once"
    for part in file.items:
        if part.asked_if and part.asked_if.item not in numbers:
            yield "items", f"item {part.first} is asked only if an item that does not exist"
        if part.cluster is not None and part.cluster not in file.clusters:
            yield "items", f"item {part.first}: there is no cluster {part.cluster}"
    listed = [number for level in file.risk_levels for number in level.items]
    listed += [code.item for code in file.loinc if code.item is not None]
    for number in sorted(set(listed) - set(numbers)):
        yield "items", f"there is no item {number}, of which loinc or risk_levels speaks"
    scored = sum(len(part.numbers) for part in file.scored_items)
    if file.scoring.most_missing_items >= max(1, scored):
        yield "scoring.most_missing_items", "a total is not made of no item"


def _total(file: InstrumentFile) -> Iterable[tuple[str, str]]:
    total, domains = file.scoring.total, _domains(file)
    if file.is_outcome and total is None:
        yield "scoring.total", "an outcome has a total"
    if file.scoring.method == "none":
        return
    if not domains or total is None:
        yield "scoring", "a total that is made of items needs items and its range"
        return
    reached = (sum(low for low, _ in domains.values()), sum(high for _, high in domains.values()))
    if (total.minimum, total.maximum) != reached:
        yield "scoring.total", f"the items give totals from {reached[0]} to {reached[1]}"


def _domains(file: InstrumentFile) -> Mapping[str, tuple[int, int]]:
    """Least and largest value of each domain; where items are summed, each is its own."""
    found: dict[str, tuple[int, int]] = {}
    for part in file.scored_items:
        for number in part.numbers:
            by_domain = file.scoring.method == "domain_maximum" and part.domain
            domain = part.domain if by_domain and part.domain else str(number)
            low, high = found.get(domain, (part.minimum, part.maximum))
            found[domain] = (max(low, part.minimum), max(high, part.maximum))
    return found


def _clusters(file: InstrumentFile) -> Iterable[tuple[str, str]]:
    sizes = Counter(part.cluster for part in file.items for _ in part.numbers)
    needed = [cluster for cluster in file.clusters.values() if cluster.symptoms_needed]
    for name, cluster in file.clusters.items():
        if sizes[name] < (cluster.symptoms_needed or 1):
            yield f"clusters.{name}", "the cluster has too few items"
    if bool(needed) != (file.diagnosis is not None):
        yield "diagnosis", "a rule needs clusters with symptoms_needed, and they a rule"


def _bands(file: InstrumentFile) -> Iterable[tuple[str, str]]:
    if not file.bands:
        return
    total = file.scoring.total
    if total is None:
        yield "bands", "there is no total that could lie in a band"
        return
    expected = total.minimum
    for band in file.bands:
        if band.minimum != expected or band.maximum < band.minimum:
            yield f"bands.{band.band}", f"the band begins at {expected} and does not end before"
        expected = band.maximum + 1
    if expected != total.maximum + 1:
        yield "bands", f"the bands end at {expected - 1}, the totals at {total.maximum}"
    if len({band.band for band in file.bands}) < len(file.bands):
        yield "bands", "two bands have one name"


def _thresholds(file: InstrumentFile) -> Iterable[tuple[str, str]]:
    for (quantity, name), count in Counter((t.quantity, t.set) for t in file.threshold_sets).items():
        if count > 1:
            yield f"threshold_sets.{name}", f"the set gives {quantity} twice"
    total = file.scoring.total
    for t in file.threshold_sets:
        if t.unit == "point" and (total is None or t.value > total.maximum):
            yield f"threshold_sets.{t.set}", f"{t.quantity} is above the largest total"
    for computed in COMPUTED_SETS:
        if any(t.set == computed.set for t in file.threshold_sets):
            yield f"threshold_sets.{computed.set}", "a set of this name is computed, not cited"
    for quantity, name in file.use.items():
        if not any(t.quantity == quantity and t.set == name for t in file.thresholds):
            yield f"use.{quantity}", f"there is no set {name} with this quantity"
