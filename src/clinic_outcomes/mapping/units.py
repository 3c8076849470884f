"""Units a clinic system may deliver, and how each becomes the contract's unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class UnitConversion:
    """``canonical = delivered * numerator / denominator + offset``, exact in decimals."""

    numerator: int = 1
    denominator: int = 1
    offset: int = 0


UNIT_CONVERSIONS: Mapping[tuple[str, str], UnitConversion] = MappingProxyType(
    {
        ("hour", "minute"): UnitConversion(numerator=60),
        ("second", "minute"): UnitConversion(denominator=60),
        ("week", "day"): UnitConversion(numerator=7),
        # A day count that calls the first day 1.
        ("day_from_1", "day"): UnitConversion(offset=-1),
        ("g", "mg"): UnitConversion(numerator=1000),
        ("ug", "mg"): UnitConversion(denominator=1000),
        ("ug/kg", "mg/kg"): UnitConversion(denominator=1000),
    }
)
"""(unit delivered, unit of the contract) → conversion. Months and years of days are no fixed length: not offered."""
