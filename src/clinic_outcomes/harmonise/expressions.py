"""SQL expressions that turn delivered text into values of the contract.

Each function takes SQL and gives SQL. None of them can fail on a delivered value: what cannot be read becomes NULL.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from clinic_outcomes.contract import UNMAPPED, Column
from clinic_outcomes.database import quote_text, text_list
from clinic_outcomes.mapping import UnitConversion

INTEGER_TYPES = ("INTEGER", "BIGINT")
WHOLE_DIGITS = 10
FRACTION_DIGITS = 18
"""Digits before and after the decimal separator of a number in another unit; more is unreadable.

They bound the exact conversion: the largest product of it stays below the 38 digits of a HUGEINT.
"""


def code_map(codes: Mapping[str, str]) -> str:
    """A constant map from delivered to canonical code, which DuckDB looks up faster than it joins."""
    return f"MAP({text_list(codes)}, {text_list(codes.values())})"


def unless_missing(text: str, missing: Iterable[str]) -> str:
    """Trimmed text, or NULL where it is empty or says that there is no value."""
    return f"CASE WHEN {text} NOT IN ({', '.join(map(quote_text, missing))}) THEN {text} END"


def joined_key(parts: Iterable[str]) -> str:
    """A key made of several columns; NULL where any part is."""
    return " || '/' || ".join(f"({part})" for part in parts)


def list_members(text: str, separator: str, missing: Iterable[str]) -> str:
    """The trimmed members of a delivered list, without those that say there is no value."""
    split = f"list_transform(string_split({text}, {quote_text(separator)}), lambda member: trim(member))"
    return f"list_filter({split}, lambda member: NOT list_contains({text_list(missing)}, member))"


def canonical_code(text: str, codes: Mapping[str, str]) -> str:
    """The canonical code of a delivered one; ``unmapped`` where the mapping does not know it."""
    return f"CASE WHEN {text} IS NOT NULL THEN coalesce({code_map(codes)}[{text}], {quote_text(UNMAPPED)}) END"


def known_source_code(text: str, codes: Mapping[str, str]) -> str:
    """The delivered code where the mapping knows it. An unknown one could be a name and is not carried."""
    return f"CASE WHEN {code_map(codes)}[{text}] IS NOT NULL THEN {text} END"


def canonical_codes(members: str, codes: Mapping[str, str]) -> str:
    """The distinct canonical codes of a delivered list, sorted; NULL for an empty list."""
    mapped = f"list_transform({members}, lambda member: {canonical_code('member', codes)})"
    return _sorted_set(mapped)


def known_source_codes(members: str, codes: Mapping[str, str]) -> str:
    """The distinct members of a delivered list that the mapping knows, sorted; NULL where it knows none."""
    known = f"list_filter({members}, lambda member: {code_map(codes)}[member] IS NOT NULL)"
    return _sorted_set(known)


def _sorted_set(values: str) -> str:
    return f"nullif(list_sort(list_distinct({values})), []::VARCHAR[])"


def record_action(text: str, codes: Mapping[str, str] | None) -> str:
    """``upsert`` or ``delete``; NULL where the delivered text is neither or missing."""
    return f"{code_map(codes or {'upsert': 'upsert', 'delete': 'delete'})}[{text}]"


def plain_value(
    text: str,
    column: Column,
    conversion: UnitConversion | None,
    codes: Mapping[str, str] | None,
    decimal_separator: str,
) -> str:
    """A value of a column without code list. A code set replaces the values it knows, in the contract's own unit."""
    value = _typed(text, column, conversion, decimal_separator)
    if not codes:
        return value
    replacement = f"{code_map(codes)}[{text}]"
    return f"CASE WHEN {replacement} IS NOT NULL THEN {_typed(replacement, column, None, '.')} ELSE {value} END"


def _typed(text: str, column: Column, conversion: UnitConversion | None, decimal_separator: str) -> str:
    if column.sql_type == "VARCHAR":
        return _patterned(text, column.pattern)
    if conversion is None:
        return number(text, column.sql_type, decimal_separator)
    return converted_number(text, column.sql_type, conversion, decimal_separator)


def _patterned(text: str, pattern: str | None) -> str:
    """Text that fits the contract's pattern. Anything else is not of the column's type, and could be a name."""
    return f"CASE WHEN regexp_full_match({text}, {quote_text(pattern)}) THEN {text} END" if pattern else text


def number(text: str, sql_type: str, decimal_separator: str) -> str:
    """Plain decimal notation as a number: half away from zero at the type's last digit, integers only when whole.

    The pattern comes first because a cast alone would also read ``1_000``, ``0x1f`` and ``1.5`` as integers.
    """
    separator = re.escape(decimal_separator)
    digits = rf"\d+({separator}0*)?" if sql_type in INTEGER_TYPES else rf"(\d+({separator}\d*)?|{separator}\d+)"
    return (
        f"CASE WHEN regexp_full_match({text}, {quote_text(f'[+-]?{digits}')}) "
        f"THEN TRY_CAST({_with_point(text, decimal_separator)} AS {sql_type}) END"
    )


def converted_number(text: str, sql_type: str, conversion: UnitConversion, decimal_separator: str) -> str:
    """A number in another unit, converted exactly: in integers, as a fraction, rounded once at the end.

    With ``n / 10**18`` as the number and ``d = denominator * 10**18``, it is ``(n * numerator + offset * d) / d``.
    """
    separator = re.escape(decimal_separator)
    fraction = rf"{separator}\d{{0,{FRACTION_DIGITS}}}"
    pattern = rf"[+-]?(\d{{1,{WHOLE_DIGITS}}}({fraction})?|{separator}\d{{1,{FRACTION_DIGITS}}})"
    point = _with_point(text, decimal_separator)
    whole, rest = f"split_part({point}, '.', 1)", f"split_part({point}, '.', 2)"
    scaled = f"TRY_CAST({whole} || rpad({rest}, {FRACTION_DIGITS}, '0') AS HUGEINT)"
    divisor = conversion.denominator * 10**FRACTION_DIGITS
    dividend = f"({scaled} * {conversion.numerator} + ({conversion.offset * divisor})::HUGEINT)"
    rounded = _whole_quotient(dividend, divisor, sql_type)
    return f"CASE WHEN regexp_full_match({text}, {quote_text(pattern)}) THEN {rounded} END"


def _whole_quotient(dividend: str, divisor: int, sql_type: str) -> str:
    """``dividend / divisor`` as the column's type: a whole number, or rounded half away from zero."""
    if sql_type in INTEGER_TYPES:
        quotient = f"TRY_CAST({dividend} // {divisor}::HUGEINT AS {sql_type})"
        return f"CASE WHEN {dividend} % {divisor}::HUGEINT = 0 THEN {quotient} END"
    scale = int(sql_type.rstrip(")").partition(",")[2])
    units = f"(abs({dividend}) * {2 * 10**scale} + {divisor}::HUGEINT) // {2 * divisor}::HUGEINT"
    last_digit = f"0.{'1'.rjust(scale, '0')}::DECIMAL({scale + 1},{scale})"
    return f"TRY_CAST((sign({dividend}) * ({units}))::DECIMAL(30,0) * {last_digit} AS {sql_type})"


def _with_point(text: str, decimal_separator: str) -> str:
    return text if decimal_separator == "." else f"replace({text}, {quote_text(decimal_separator)}, '.')"
