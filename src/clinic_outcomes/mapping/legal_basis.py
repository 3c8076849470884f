"""What a clinic may deliver on each legal basis (45 CFR 164.514), as one table."""

from __future__ import annotations

import csv
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Basis = Literal["safe_harbor", "expert_determination", "limited_data_set"]
SMALL_POPULATION_ZIP3 = Path(__file__).parent / "small_population_zip3.csv"


@dataclass(frozen=True)
class Allowance:
    """What a legal basis allows at most.

    ``service_periods`` are the granularities in which the time of service may be told. ``small_areas`` says whether
    the first three digits of a ZIP code may be told for areas of 20,000 people or fewer; finer than three digits is
    never taken, whatever the basis.
    """

    service_periods: tuple[str, ...]
    small_areas: bool


ALLOWANCES: Mapping[Basis, Allowance] = MappingProxyType(
    {
        # 164.514(b)(2): no date but the year, and no small area.
        "safe_harbor": Allowance(service_periods=("year",), small_areas=False),
        # 164.514(b)(1): what the expert's determination, which ``reference`` names, found to be safe.
        "expert_determination": Allowance(service_periods=("year", "quarter"), small_areas=True),
        # 164.514(e): under a data use agreement, which ``reference`` names.
        "limited_data_set": Allowance(service_periods=("year", "quarter"), small_areas=True),
    }
)


class LegalBasis(BaseModel):
    """On what basis the clinic may deliver, and what it makes use of.

    ``reference`` names the determination or agreement. ``shortest_cadence_days`` is the least number of days between
    two deliveries that was agreed on: a row of day 41 that arrives on a known day tells when the person came. When a
    delivery arrives is no data here, so nothing checks it; it is shown, for those who set up the exports.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    basis: Basis = "safe_harbor"
    reference: str = ""
    service_period: Literal["year", "quarter"] = "year"
    shortest_cadence_days: int = Field(default=28, ge=1, le=366)

    @property
    def allowance(self) -> Allowance:
        """What the basis allows at most."""
        return ALLOWANCES[self.basis]


@functools.cache
def small_population_zip3() -> tuple[str, ...]:
    """Three-digit ZIP areas of 20,000 people or fewer; the file says whose count it is, and may be replaced."""
    with SMALL_POPULATION_ZIP3.open(encoding="utf-8", newline="") as stream:
        lines = [line for line in stream if not line.startswith("#")]
    return tuple(row["zip3"] for row in csv.DictReader(lines))
