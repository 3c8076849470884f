"""The disclosure policy: the numbers of ``disclosure.yml``, checked."""

from __future__ import annotations

import functools
from collections.abc import Sequence
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


class Step(_Part):
    """Figures in ``unit`` are rounded half up to multiples of ``step``."""

    unit: str
    step: Decimal = Field(gt=0, decimal_places=4)


class MeanStep(Step):
    """The rounding step of a mean; with ``sum_is_a_count`` its numerator is a count of events or sessions."""

    sum_is_a_count: bool = False


class ModelStep(Step):
    """The rounding step of a model's value; ``tells_remainder`` where it tells how many are not in its numerator."""

    tells_remainder: bool = True


class Means(_Part):
    """Means of at least ``smallest_denominator``, with a rounding step a unit."""

    smallest_denominator: int = Field(gt=1)
    steps: tuple[MeanStep, ...]


class LifeTables(_Part):
    """Rows of life tables, in percent, with at least ``smallest_at_risk`` people at risk when the interval begins.

    Between two rows shown lie no events or at least ``smallest_step``.
    """

    smallest_at_risk: int = Field(gt=1)
    rounding_percent: int = Field(ge=1)
    smallest_step: int = Field(gt=1)


class ModelValues(_Part):
    """Values of a model (an SD, observed over expected) of at least ``smallest_denominator`` people, a step a unit."""

    smallest_denominator: int = Field(gt=1)
    steps: tuple[ModelStep, ...]


class Network(_Part):
    """Figures of the whole network need at least ``smallest_clinics`` clinics behind them and their numerator."""

    smallest_clinics: int = Field(ge=1)


class Policy(_Part):
    """What may be shown and how it is rounded."""

    counts: Counts
    rates: Rates
    row_shares: RowShares
    means: Means
    life_tables: LifeTables
    model_values: ModelValues
    network: Network

    def rounding_step(self, figure_type: str, unit: str) -> Decimal:
        """What a released value is a multiple of, in its unit; ``KeyError`` where the policy has none for the unit.

        A share of rows (a ``rate`` with an upper edge) is given in a band instead.
        """
        whole = {
            "count": self.counts.rounding_base,
            "rate": self.rates.rounding_percent,
            "life_table_row": self.life_tables.rounding_percent,
        }
        if figure_type in whole:
            return Decimal(whole[figure_type])
        steps: dict[str, Sequence[Step]] = {"mean": self.means.steps, "model_value": self.model_values.steps}
        return {step.unit: step.step for step in steps[figure_type]}[unit]


@functools.cache
def load_policy() -> Policy:
    """The policy in ``disclosure.yml``; pydantic's ``ValidationError`` names what is wrong with it."""
    return Policy.model_validate(parse_yaml((ROOM / "disclosure.yml").read_text(encoding="utf-8")))


@functools.cache
def policy_id() -> str:
    """16 hex digits over the policy's numbers and the code and SQL that apply them."""
    parts = [path for pattern in ("*.yml", "*.sql", "*.py") for path in ROOM.glob(pattern)]
    return fingerprint_files(parts, ROOM)[:16]
