"""What each stage returns and keeps: typed, immutable, without any patient's value."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

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


class ResolveRecord(Record):
    """A clinic's current state, before validation. ``state_id`` is None while nothing usable was delivered.

    ``conflicts`` are the deliveries left out because another one of the same sequence has other content.
    ``thresholds`` are those of the clinic's checks, as they held when the state was made: validate judges by them.
    In ``account``, ``current`` counts rows in force and ``quarantined`` is zero.
    """

    clinic_id: str
    state_id: str | None
    deliveries: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    account: tuple[RowAccount, ...] = ()


class RuleCount(Record):
    """Rows of a table that one rule sent to quarantine; zero says that the rule was checked and held."""

    rule: str
    table: str
    column: str | None = None
    rows: int


class ValidateRecord(Record):
    """A clinic's validated state: the account in full and what each rule found."""

    clinic_id: str
    state_id: str | None
    deliveries: tuple[str, ...] = ()
    account: tuple[RowAccount, ...] = ()
    rules: tuple[RuleCount, ...] = ()


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
