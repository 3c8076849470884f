"""What each stage returns and keeps: typed, immutable, without any patient's value.

An alert alone names events by their keys; it stays with the engineers.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from clinic_outcomes.problems import Problem


class Record(BaseModel):
    """Base of all records: frozen, and strict about what it holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ReceivedFile(Record):
    """One file of a delivery, its sources in the system's mapping, and what the manifest said of it.

    ``sha256`` is that of what the file holds, which for a gzip file is its content.
    """

    name: str
    sources: tuple[str, ...]
    rows: int
    sha256: str


class ReceiveRecord(Record):
    """A delivery as it arrived.

    ``delivery_id`` is ``<sequence, six digits>-<full|delta>-<16 hex of the content>``, or
    ``unidentified-<16 hex>`` where the manifest does not say enough. ``folder`` is the folder below
    ``landing/<clinic>/`` in which it was first seen.
    """

    clinic_id: str
    delivery_id: str
    folder: str
    received: bool
    export_sequence: int | None = None
    export_kind: Literal["full", "delta"] | None = None
    reporting_period: str | None = None
    period_status: Literal["provisional", "final"] = "provisional"
    files: tuple[ReceivedFile, ...] = ()
    problems: tuple[Problem, ...] = ()


class AdmitRecord(Record):
    """The de-identification gate's verdict on a delivery under one recipe."""

    clinic_id: str
    delivery_id: str
    recipe: str
    admitted: bool
    problems: tuple[Problem, ...] = ()


class CodeCount(Record):
    """Rows of a file whose value in a column had no canonical code, or was not of the column's type."""

    file: str
    table: str
    column: str
    rows: int
    first_line: int


class HarmonisedTable(Record):
    """Rows that a file gave to a canonical table."""

    file: str
    table: str
    rows: int


class HarmoniseRecord(Record):
    """What harmonising a delivery under one recipe gave."""

    clinic_id: str
    delivery_id: str
    recipe: str
    export_sequence: int
    export_kind: Literal["full", "delta"]
    reporting_period: str
    period_status: Literal["provisional", "final"] = "provisional"
    tables: tuple[HarmonisedTable, ...] = ()
    unmapped: tuple[CodeCount, ...] = ()
    unreadable: tuple[CodeCount, ...] = ()


class RowAccount(Record):
    """Where every row of a delivered file and table went. The parts add up to ``delivered``, always."""

    delivery_id: str
    file: str
    table: str
    delivered: int
    current: int
    quarantined: int
    superseded: int
    deleted: int
    duplicate: int
    tombstone: int

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        parts = self.current + self.quarantined + self.superseded + self.deleted + self.duplicate + self.tombstone
        if parts != self.delivered:
            raise ValueError(
                f"row account does not add up: {self.delivery_id} {self.file} {self.table}: "
                f"{self.delivered} delivered, {parts} accounted for"
            )
        return self


class Threshold(Record):
    """A threshold of the clinic's checks, the network's or its own. The unit is said in ``expectations/``."""

    name: str
    value: int


class AcceptRecord(Record):
    """A person's word that a held delivery is right: who (initials or role) and why. Never a patient's data."""

    clinic_id: str
    delivery_id: str
    accepted_by: str = Field(min_length=1, max_length=100)
    reason: str = Field(min_length=1, max_length=500)


class HeldDelivery(Record):
    """A full export that lost too many records, and is not used until a person accepts it.

    ``tables`` are all its rows by file and table: they are in no account. ``problems`` name each table that lost.
    """

    delivery_id: str
    tables: tuple[HarmonisedTable, ...]
    problems: tuple[Problem, ...]


class ReplacedTable(Record):
    """What a full export replaces of a table.

    ``records_in_force`` are the keys in force before it, ``records_lost`` those of them of which it says nothing.
    ``account`` tells where the rows ended that were delivered from the full export before it on.
    """

    table: str
    records_in_force: int
    records_lost: int
    account: tuple[RowAccount, ...]


class ReplaceRecord(Record):
    """What a full export replaces, given the deliveries used before it."""

    clinic_id: str
    delivery_id: str
    tables: tuple[ReplacedTable, ...] = ()


class SequenceGap(Record):
    """Export sequences of which nothing was received, from ``first`` to ``last``."""

    first: int
    last: int


class ResolveRecord(Record):
    """A clinic's current state, before validation. ``state_id`` is None while nothing usable was delivered.

    ``conflicts`` are the deliveries left out because another one of the same sequence has other content, ``held`` those
    that lost too many records; ``accepted`` are used because a person accepted them.
    ``gaps`` are sequences of which nothing was received. ``reporting_period`` and its status are those of the newest
    delivery in use; ``final_period_restatements`` change rows of a period that an earlier sequence declared final.
    ``thresholds`` are those of the clinic's checks, as they held when the state was made: validate judges by them.
    ``recipe`` is the one under which the deliveries were harmonised.
    In ``account``, ``current`` counts rows in force and ``quarantined`` is zero.
    """

    clinic_id: str
    state_id: str | None
    recipe: str | None = None
    deliveries: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    held: tuple[HeldDelivery, ...] = ()
    accepted: tuple[str, ...] = ()
    gaps: tuple[SequenceGap, ...] = ()
    reporting_period: str | None = None
    period_status: Literal["provisional", "final"] | None = None
    final_period_restatements: tuple[str, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    account: tuple[RowAccount, ...] = ()


class RuleCount(Record):
    """What one rule found in the rows of a table that the clinic delivered.

    ``checked`` counts the rows the rule speaks of, ``rows`` those of them that break it. Rows that break a ``critical``
    rule or a ``warning`` are quarantined, those that break a ``notice`` are kept. A rule that cannot be evaluated is
    no count: it stops the clinic.
    """

    rule: str
    table: str
    column: str | None = None
    severity: Literal["critical", "warning", "notice"] = "warning"
    checked: int = 0
    rows: int

    @property
    def outcome(self) -> Literal["held", "broken", "not_applicable"]:
        """``not_applicable`` where there was nothing to check: that is no pass."""
        if self.rows:
            return "broken"
        return "held" if self.checked else "not_applicable"


class Finding(Record):
    """What is odd about a delivery as a whole, against the clinic's own history. No row is quarantined for it."""

    rule: str
    table: str | None = None
    column: str | None = None
    severity: Literal["warning", "notice"]
    message: str
    advice: str


class ValidateRecord(Record):
    """A clinic's validated state: the account in full, what each rule found, and what its history says.

    ``compared_with`` counts the earlier full exports that the newest one was compared with: where it is zero, no
    finding means that nothing was compared.
    """

    clinic_id: str
    state_id: str | None
    deliveries: tuple[str, ...] = ()
    account: tuple[RowAccount, ...] = ()
    rules: tuple[RuleCount, ...] = ()
    findings: tuple[Finding, ...] = ()
    compared_with: int = 0


class NodeResult(Record):
    """Outcome of one dbt node."""

    node: str
    status: str
    message: str = ""


class ModelRecord(Record):
    """A build of the marts. ``states`` maps clinic → state id; ``reporting_period`` is the latest of them."""

    build_id: str
    states: dict[str, str]
    reporting_period: str
    nodes: tuple[NodeResult, ...] = ()


class ProtectRecord(Record):
    """Which figures of a build may leave: how many are shown and how many withheld, a measure type each."""

    build_id: str
    released: dict[str, int]
    withheld: dict[str, int]


class PublishRecord(Record):
    """A release: its id, its recipients, and the build it was made from."""

    release_id: str
    build_id: str
    recipients: tuple[str, ...]


class AlertedEvent(Record):
    """An event of an alert, by its keys and its place; what it is called stays in the state.

    ``identity`` is ``adverse_event_id``, and the row's place where it has none. ``kinds`` are all reasons to tell of
    the event; ``told_before`` says that an earlier alert told of some of them.
    """

    identity: str
    adverse_event_id: str | None
    patient_id: str | None
    delivery_id: str
    source_file: str
    source_line: int
    source_item: int
    quarantined: bool
    term_unmapped: bool
    told_before: bool
    kinds: tuple[Literal["fatal", "life_threatening", "serious", "unclear", "unexpected"], ...]


class MonitoredExport(Record):
    """What a delivery added to the sequential monitoring: the sessions it was the first to tell of.

    ``serious_sessions`` are those of them with a serious event, whenever that was told; ``value`` is that of the CUSUM
    after it.
    """

    delivery_id: str
    export_sequence: int
    sessions: int
    serious_sessions: int
    value: int


class SeriousSession(Record):
    """A session with serious events, by identity, and the export that first told of the session."""

    session_id: str
    export_sequence: int
    events: tuple[str, ...]


class Monitoring(Record):
    """A crossed limit of a clinic's sequential monitoring.

    ``false_alarm_percent`` is the probability of an alarm within ``horizon_sessions`` sessions of which
    ``in_control_per_10000`` in 10,000 have a serious event. ``alarms`` are the sequences after which the value is at
    the limit or above, ``serious_sessions`` those that brought it there from zero.
    """

    in_control_per_10000: int
    rate_ratio: int
    step: int
    limit: int
    horizon_sessions: int
    false_alarm_percent: str
    path: tuple[MonitoredExport, ...]
    alarms: tuple[int, ...]
    serious_sessions: tuple[SeriousSession, ...]


class AlertRecord(Record):
    """What a clinic's state holds that a person should know today, and that no earlier alert told of.

    ``alert_id`` is 16 hex digits over everything else. An alert tells of ``events``, or of a crossed limit
    (``monitoring``) with the events that made it. ``deliveries`` hold the events' rows. ``unmapped_terms`` counts the
    treatment-emergent events of the state whose term no mapping knows.
    """

    alert_id: str
    clinic_id: str
    state_id: str
    kind: Literal["events", "monitoring"]
    deliveries: tuple[str, ...]
    events: tuple[AlertedEvent, ...]
    unmapped_terms: int
    monitoring: Monitoring | None = None


class SentRecord(Record):
    """An alert's message left, to so many recipients."""

    clinic_id: str
    alert_id: str
    recipients: int


class ReviewRecord(Record):
    """A person was asked to look at an alert, by the named run of a DAG."""

    clinic_id: str
    alert_id: str
    asked_by: str


class AcknowledgeRecord(Record):
    """A person has seen an alert. ``note`` says what came of it, and never anything of a patient."""

    clinic_id: str
    alert_id: str
    acknowledged_by: str = Field(min_length=1, max_length=100)
    note: str = Field(max_length=500)
