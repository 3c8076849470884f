"""What the register holds: its entries as records, and the columns of their files."""

from __future__ import annotations

import hashlib
from typing import Literal, Self

from pydantic import Field, model_validator

from clinic_outcomes.files import canonical_json
from clinic_outcomes.records import Record

SHA256 = r"^[0-9a-f]{64}$"
NOTHING_BEFORE = "0" * 64
"""What the first entry names as the hash of the entry before it."""

ENTRY = "entry.json"
FIGURES, EXACT, CELLS, TOLD = "figures.parquet", "exact.parquet", "cells.parquet", "told.parquet"
RESTATEMENTS, STRETCHES = "restatements.parquet", "stretches.parquet"
RELEASE_FILES = frozenset({FIGURES, EXACT, CELLS, TOLD, RESTATEMENTS, STRETCHES})
"""The files of a release's entry: what was shown, the exact figures and counts of its build, the cells of the figures
shown anew, the numbers changed, and since when each count is not known. ``exact``, ``cells``, ``told`` and
``stretches`` leave the register for nobody."""


class AuditSummary(Record):
    """What the audit of a release came to: attackers tried, withheld cells looked at, cells that failed."""

    passed: bool
    attackers: int = Field(ge=0)
    cells: int = Field(ge=0)
    failures: int = Field(ge=0)


class DeliveryInUse(Record):
    """A delivery that a release's figures are of; ``restates_final`` where it changes a period declared final."""

    delivery_id: str
    reporting_period: str
    restates_final: bool = False


class ClinicInUse(Record):
    """The state of a clinic that a release's figures are of, and the deliveries in it."""

    clinic_id: str
    state_id: str
    deliveries: tuple[DeliveryInUse, ...]


class Tally(Record):
    """Figures shown and withheld in a release, and numbers that differ from those published before, a kind each."""

    shown: int
    withheld: int
    restated: int
    new_data: int
    method: int


class Release(Record):
    """The part of an entry that only a release has. ``release_period`` is the build's reporting period."""

    release_period: str
    build_id: str
    policy_id: str
    clinics: tuple[ClinicInUse, ...]
    audit: AuditSummary | None
    tally: Tally


class Word(Record):
    """The part of an entry in which a person says that a release is final, or withdrawn, and why."""

    about: int = Field(ge=1)
    by: str = Field(min_length=1, max_length=100)
    reason: str = Field(min_length=1, max_length=500)


class Entry(Record):
    """One entry of the register.

    A release is ``provisional`` when it is made and stays so in its own entry; a later entry with a ``word`` makes it
    ``final`` or ``withdrawn``. ``files`` maps file → SHA-256 of its bytes. ``hash`` is the SHA-256 of the canonical
    JSON of all other fields, ``previous`` the hash of the entry before: whoever has kept one hash can tell that
    nothing up to that entry has been changed since.
    """

    number: int = Field(ge=1, le=999_999)
    previous: str = Field(pattern=SHA256)
    status: Literal["provisional", "final", "withdrawn"]
    release: Release | None = None
    word: Word | None = None
    files: dict[str, str] = Field(default_factory=dict)
    hash: str = Field(default="", pattern=rf"{SHA256}|^$")

    @model_validator(mode="after")
    def _one_part(self) -> Self:
        is_release = self.status == "provisional"
        if (self.release is not None) != is_release or (self.word is not None) == is_release:
            raise ValueError("an entry is a release, or a person's word on one")
        if set(self.files) != (RELEASE_FILES if is_release else set()):
            raise ValueError("a release has its files, a person's word none")
        return self

    @property
    def folder_name(self) -> str:
        """The entry's number in six digits."""
        return f"{self.number:06d}"

    def own_hash(self) -> str:
        """The hash that this content has."""
        return hashlib.sha256(canonical_json(self.model_dump(mode="json", exclude={"hash"})).encode()).hexdigest()

    def sealed(self) -> Self:
        """The entry with its hash."""
        return self.model_copy(update={"hash": self.own_hash()})

    def text(self) -> str:
        """The bytes of ``entry.json``, as text."""
        return canonical_json(self.model_dump(mode="json"))
