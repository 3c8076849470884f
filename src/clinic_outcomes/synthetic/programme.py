"""What a system's clinics do, read from ``systems/<system>/synthetic.yml``, and whom they treat."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from clinic_outcomes.files import parse_yaml
from clinic_outcomes.mapping.reading import Mistakes, read_yaml
from clinic_outcomes.problems import ClinicOutcomesError

Weights = dict[str, float]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Range(_Part):
    """Whole numbers from ``minimum`` to ``maximum``, all equally likely."""

    minimum: int
    maximum: int


class Spread(_Part):
    """A normal distribution clipped to a range."""

    mean: float
    sd: float = Field(ge=0)
    minimum: float
    maximum: float


class DosePerKg(_Part):
    """Dose by weight that rises evenly from the first planned session to the last, in mg/kg."""

    first: float
    last: float
    sd: float = Field(ge=0)


class EventRate(_Part):
    """How often an adverse event is reported a session, when it begins and how long it lasts, in minutes.

    ``fade`` multiplies the share at each further session.
    """

    term: str
    share: float = Field(ge=0, le=1)
    onset_minutes: Range
    mean_duration_minutes: float = Field(gt=0)
    severities: Weights
    fade: float = 1.0


class SessionKind(_Part):
    """One kind of session: what is given, how long it takes, what it does to blood pressure and which events follow.

    ``serious_share`` is the share of sessions with a serious event, whose term is one of ``serious_terms``.
    """

    drug: str
    route: str
    dose_mg: Spread | None = None
    dose_mg_per_kg: DosePerKg | None = None
    infusion_minutes: Spread | None = None
    recovery_minutes: Spread
    systolic_rise_mmhg: Spread
    adverse_events: tuple[EventRate, ...]
    serious_share: float = Field(default=0, ge=0, le=1)
    serious_terms: tuple[str, ...] = ()


class Maintenance(_Part):
    """Sessions that some of those who completed a course have afterwards."""

    share: float = Field(ge=0, le=1)
    session: str
    sessions: int = Field(ge=1)
    days_between: Range


class Protocol(_Part):
    """A treatment protocol: its sessions in order, by kind, and what comes of it.

    ``benefit`` scales the mean fall of every questionnaire; ``dropout_share`` is the share lost after each session.
    ``trial_arm`` is the arm of a trial, as the system's codes call it.
    """

    protocol: str
    trial_arm: str | None = None
    share: float = Field(gt=0)
    sessions: tuple[str, ...] = Field(min_length=1)
    days_between: Range
    benefit: float = 1.0
    dropout_share: float = Field(ge=0, le=1)
    maintenance: Maintenance | None = None


class Level(_Part):
    """Where scores lie at a visit whatever came before, in points of the total before answers are cut to their range.

    ``fade`` multiplies the mean at each further session.
    """

    mean: float
    sd: float = Field(ge=0)
    fade: float = 1.0


class Visit(_Part):
    """When a questionnaire is filled in.

    At intake; at sessions of the first course by number (of those with ``drug`` where one is named), some minutes from
    the session's start; some days after its first session (``start``) or after its last (``follow_up``). ``share`` of
    those due fill it in; at follow-up ``kept`` multiplies it at each further visit. ``level`` is for what a session
    itself brings on.
    """

    at: Literal["intake", "session", "start", "follow_up"]
    sessions: tuple[int, ...] = ()
    drug: str | None = None
    days: tuple[int, ...] = ()
    minutes: Range | None = None
    share: float = Field(ge=0, le=1)
    kept: float = 1.0
    version: str
    recall: str
    level: Level | None = None


class Skip(_Part):
    """Items that are left out where ``item`` was answered with ``value``."""

    item: int
    value: int
    items: tuple[int, ...]


class Questionnaire(_Part):
    """A questionnaire: its form, who delivers what of it, and how scores lie and fall, in points of the total.

    ``trial_only`` ones are for courses in an arm of a trial. An answer to an item of ``danger_items`` above the value
    there triggers an escalation.
    """

    instrument: str
    delivered: Literal["items", "total"]
    items: int = Field(ge=1)
    maximum_item_value: int = Field(ge=1)
    baseline_mean: float
    baseline_sd: float
    fall: float
    item_offsets: dict[int, float] = {}
    danger_items: dict[int, int] = {}
    skips: tuple[Skip, ...] = ()
    trial_only: bool = False
    visits: tuple[Visit, ...]


class Ownership(_Part):
    """What becomes of the organisation that the clinics belong to, in days of the clinics' time.

    From ``sold_on_day`` a second organisation owns all sites. A clinic of ``closes_on_day`` gives nothing from that
    day on: whoever is in treatment is censored.
    """

    sold_on_day: int | None = None
    closes_on_day: dict[str, int] = {}


class Programme(_Part):
    """All of a ``synthetic.yml``."""

    description: str = ""
    ownership: Ownership = Ownership()
    session_kinds: dict[str, SessionKind]
    protocols: tuple[Protocol, ...] = Field(min_length=1)
    questionnaires: tuple[Questionnaire, ...] = ()

    @model_validator(mode="after")
    def _kinds_exist(self) -> Programme:
        named = {name for protocol in self.protocols for name in protocol.sessions}
        named |= {protocol.maintenance.session for protocol in self.protocols if protocol.maintenance}
        if named - set(self.session_kinds):
            raise ValueError(f"no such session kind: {', '.join(sorted(named - set(self.session_kinds)))}")
        return self


class Funnel(_Part):
    """Share of those before who take each step, and the mean days it takes."""

    contacted: float
    consulted: float
    candidate: float
    deferred: float
    treated: float
    days_to_contact: float
    days_to_consultation: float
    days_to_decision: float
    days_to_intake: float
    days_to_first_session: float


class Treatment(_Part):
    """A drug or therapy: its class, its RxNorm code where it is a drug, and the share who had it."""

    treatment_class: str
    rxnorm: int | None = None
    share: float


class MedicationChanges(_Part):
    """Of those treated, the share that begins each medication around the course, and of those on one that stop then.

    Both happen within ``days`` of the first session.
    """

    started: dict[str, float]
    stopped: float
    days: Range


class Responders(_Part):
    """A group of patients by how much a questionnaire falls, as a multiple of its mean fall."""

    share: float
    mean: float
    sd: float


class MissingAnswers(_Part):
    """Share of questionnaires with blanks, share of blank answers in these, and share broken off midway."""

    questionnaires: float
    answers: float
    broken_off: float


class DoseSlips(_Part):
    """Share of doses by weight that are a multiple of the one planned, each of ``factors`` as often as the others."""

    share: float = Field(ge=0, le=1)
    factors: tuple[float, ...] = Field(min_length=1)


class Population(_Part):
    """Who is referred and how clinics' records look, wherever they are.

    ``life_threatening`` is, by term, the share of serious events that threaten life.
    """

    funnel: Funnel
    referral_sources: Weights
    not_candidate_reasons: Weights
    not_consulted_reasons: Weights
    not_treated_reasons: Weights
    age_years: Spread
    sexes: Weights
    veteran: Weights
    trauma_types: Weights
    symptom_durations: Weights
    weight_kg: Spread
    systolic_mmhg: Spread
    diastolic_mmhg: Spread
    diagnoses: Weights
    treatments_before: dict[str, Treatment]
    adequate: Weights
    earlier_outcomes: Weights
    medications: dict[str, Treatment]
    medication_changes: MedicationChanges
    responders: tuple[Responders, ...]
    relapse_half_life_days: float
    missing_answers: MissingAnswers
    relatedness: Weights
    actions: Weights
    no_end_share: float
    life_threatening: Weights
    dose_slips: DoseSlips
    unrecorded_sessions_share: float
    endings: Weights
    not_escalated_share: float
    escalation_actions: Weights
    seen_in_two_clinics_share: float


@functools.cache
def load_population() -> Population:
    """The population of ``population.yml`` beside this module."""
    path = Path(__file__).parent / "population.yml"
    return Population.model_validate(parse_yaml(path.read_text(encoding="utf-8")))


def load_programme(folder: Path) -> Programme | None:
    """The programme of a system's folder; None where it has none. ``ClinicOutcomesError`` lists its mistakes."""
    path = folder / "synthetic.yml"
    if not path.is_file():
        return None
    mistakes = Mistakes()
    programme = read_yaml(path, Programme, mistakes)
    if programme is None:
        raise ClinicOutcomesError(mistakes.problems)
    return programme
