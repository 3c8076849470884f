"""The disclosure policy: the numbers of ``disclosure.yml``, checked."""

from __future__ import annotations

import functools
from decimal import Decimal
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from clinic_outcomes.files import fingerprint_files, parse_yaml

ROOM = Path(__file__).parent


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Counts(_Part):
    """Counts from 1 to ``smallest_shown - 1`` are withheld, others rounded half up to ``rounding_base``."""

    smallest_shown: int = Field(gt=1)
    rounding_base: int = Field(gt=1)


class Rates(_Part):
    """Rates, in percent, of a denominator of at least ``smallest_denominator``."""

    smallest_denominator: int = Field(gt=1)
    rounding_percent: int = Field(ge=1)


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


class MeanStep(_Part):
    """Means of ``unit`` are rounded half up to multiples of ``step``."""

    unit: str
    step: Decimal = Field(gt=0, decimal_places=4)
    sum_is_a_count: bool = False


class Means(_Part):
    """Means of at least ``smallest_denominator``, with a rounding step a unit."""

    smallest_denominator: int = Field(gt=1)
    steps: tuple[MeanStep, ...]


class Network(_Part):
    """Figures of the whole network need at least ``smallest_clinics`` contributing clinics."""

    smallest_clinics: int = Field(ge=1)


class Policy(_Part):
    """What may be shown and how it is rounded."""

    counts: Counts
    rates: Rates
    row_shares: RowShares
    means: Means
    network: Network
    numerators: dict[str, str] = {}
    """A rate or mean, and the count that is its numerator: the one is shown only where the other is."""


@functools.cache
def load_policy() -> Policy:
    """The policy in ``disclosure.yml``; pydantic's ``ValidationError`` names what is wrong with it."""
    return Policy.model_validate(parse_yaml((ROOM / "disclosure.yml").read_text(encoding="utf-8")))


@functools.cache
def policy_id() -> str:
    """16 hex digits over the policy's numbers and the code and SQL that apply them."""
    parts = [path for pattern in ("*.yml", "*.sql", "*.py") for path in ROOM.glob(pattern)]
    return fingerprint_files(parts, ROOM)[:16]
