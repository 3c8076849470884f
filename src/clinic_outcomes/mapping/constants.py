"""Constants of a mapping: each must be a value that its column could hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction

from clinic_outcomes.contract import Column, Contract
from clinic_outcomes.mapping.units import UnitConversion


def constant_mistake(
    constant: str,
    target: Column,
    conversion: UnitConversion | None,
    key_patterns: Mapping[str, str],
    contract: Contract,
) -> str | None:
    """What is wrong with a constant of a column, which is given in the unit of its line; None where it fits."""
    if target.is_key:
        names = (target.name, target.references[1] if target.references else target.name)
        pattern = next((key_patterns[name] for name in names if name in key_patterns), None)
        fits = pattern is None or re.fullmatch(pattern, constant)
        return None if fits else "constant is not of the form that key_patterns says"
    if target.code_list:
        return None if constant in contract.codes(target) else "constant is not in the column's code list"
    if target.pattern:
        return None if re.fullmatch(target.pattern, constant) else "constant is not of the column's form"
    if target.element_type == "VARCHAR" or _is_number_of(constant, target, conversion):
        return None
    return "constant is no number within the column's range"


def _is_number_of(constant: str, target: Column, conversion: UnitConversion | None) -> bool:
    """Whether a constant is a number of the column's type, within its range once converted to its unit."""
    if not re.fullmatch(r"-?[0-9]{1,12}(\.[0-9]{1,12})?", constant):
        return False
    change = conversion or UnitConversion()
    value = Fraction(constant) * change.numerator / change.denominator + change.offset
    whole = value.denominator == 1 or target.element_type not in ("INTEGER", "BIGINT")
    above = target.minimum is None or value >= Fraction(target.minimum)
    return whole and above and (target.maximum is None or value <= Fraction(target.maximum))
