"""What a delivered column may hold, by the mapping: values that it recognises need no detector."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from clinic_outcomes.admit.header import is_coarse_area
from clinic_outcomes.contract import Column
from clinic_outcomes.database import quote_name, quote_text, text_list
from clinic_outcomes.formats import PLACE
from clinic_outcomes.mapping import Clinic, ColumnMapping, System, UnitConversion
from clinic_outcomes.mapping.legal_basis import small_population_zip3

LARGEST_NUMBER = 9_999
"""Larger numbers are recognised only where the column's range reaches further: they could be ZIP codes, dates, SSNs."""
FIRST_DAY, LAST_DAY = -36_525, LARGEST_NUMBER
"""Days since day 0 that are recognised: what began in childhood, and 27 years from then on. Later ones are what
spreadsheets make of dates from 1927 on."""
LAST_DATE_SERIAL = 73_050
"""What spreadsheets make of the last day of 2099."""
UNCODED = "[+-]?[0-9]{1,4}"
"""What a column may hold that is allowed without a code set and carried nowhere."""

_NUMBER_RULES = {
    "calendar_date": r"regexp_full_match(value, '1[0-9]{9}(?:[0-9]{3})?')",
    "ssn": r"regexp_full_match(value, '[0-9]{9}')",
}
_TOO_FINE = r"regexp_full_match(upper(value), '\d{4}-?(?:Q[1-4]|0[1-9]|1[0-2])')"


@dataclass(frozen=True)
class Scan:
    """How one delivered column, or a key made of several, is looked at.

    ``value`` is SQL over ``present_values``, NULL where missing. ``recognised`` are SQL conditions of which one is
    enough. ``members`` is SQL of the list of values where the cell holds several. ``rules`` maps rule → SQL predicate
    over ``value`` for rules of this column; ``exempt`` exempts values from ``calendar_date``. ``otherwise`` is the rule
    of values that are not recognised and break no other: without it they pass, which only a column may let them that
    is refused as such.
    """

    columns: tuple[str, ...]
    table: str | None
    value: str
    recognised: tuple[str, ...] = ()
    members: str | None = None
    rules: dict[str, list[str]] = field(default_factory=dict)
    exempt: str | None = None
    otherwise: str | None = None

    @property
    def suspicious(self) -> str:
        """SQL condition of the rows whose value is there and not recognised."""
        known = " OR ".join(f"({condition})" for condition in self.recognised) or "false"
        return f"({self.value}) IS NOT NULL AND NOT coalesce({known}, false)"


def present_values(rows: str, header: Sequence[str], missing: Iterable[str]) -> str:
    """Table expression of the rows with every value trimmed, and NULL where it says that there is none."""
    tokens = ", ".join(map(quote_text, missing))
    values = (
        f"CASE WHEN trim({name}) NOT IN ({tokens}) THEN trim({name}) END AS {name}" for name in map(quote_name, header)
    )
    return f"(SELECT {', '.join([*values, *PLACE])} FROM {rows})"


def key_scans(system: System, source: str, header: Sequence[str]) -> list[Scan]:
    """One scan a key of the source, single or made of several columns, for the form of the key."""
    patterns: dict[tuple[str, ...], dict[str, str | None]] = {}
    for mapping in _mappings(system, source, header):
        pattern = system.key_pattern(mapping.target) if mapping.target and mapping.target.is_key else None
        if pattern is not None:
            patterns.setdefault(mapping.source_columns, {}).setdefault(pattern, mapping.table)
    scans = []
    for columns, found in sorted(patterns.items()):
        value = _joined(columns)
        every = " AND ".join(_matches(value, pattern) for pattern in found)
        table = next(iter(found.values()))
        scans.append(Scan(columns, table, value, recognised=(every,), otherwise="key_format"))
        if len(columns) > 1:
            # A part of a key whose other part is missing: nothing says what it may be, unless it is more than that.
            scans += [
                Scan((name,), table, f"CASE WHEN ({value}) IS NULL THEN {quote_name(name)} END", otherwise="key_format")
                for name in columns
                if _is_only_key(system, source, header, name)
            ]
    return scans


def _is_only_key(system: System, source: str, header: Sequence[str], name: str) -> bool:
    """Whether a column is a part of keys of several columns and nothing else."""
    mappings = [mapping for mapping in _mappings(system, source, header) if name in mapping.source_columns]
    return all(len(mapping.source_columns) > 1 for mapping in mappings)


def column_scans(clinic: Clinic, source: str, header: Sequence[str]) -> list[Scan]:
    """One scan a column of the header, in its order. A column that no line maps holds next to nothing.

    Columns that are not allowed at all are scanned so that it can be told what they hold.
    """
    return [column_scan(clinic, source, header, name) for name in header]


def tick_scans(members: Iterable[str]) -> list[Scan]:
    """One scan a column that holds 1 where it is ticked."""
    return [
        Scan(
            (name,),
            None,
            quote_name(name),
            recognised=(f"{quote_name(name)} IN ('0', '1')",),
            otherwise="value_unknown",
        )
        for name in members
    ]


def column_scan(clinic: Clinic, source: str, header: Sequence[str], name: str) -> Scan:
    """What a column of a source may hold: what any of its lines in the mapping recognises."""
    system, value = clinic.system, quote_name(name)
    mappings = [mapping for mapping in _mappings(system, source, header) if name in mapping.source_columns]
    mappings = mappings or _mappings_beside(system, source, header, name)
    table = next((mapping.table for mapping in mappings if mapping.table), None)
    if not mappings:
        return _unmapped(system, source, name)
    parts = [_part(mapping, clinic, name) for mapping in mappings]
    rules: dict[str, list[str]] = {}
    for part in parts:
        for rule, predicates in part.rules.items():
            rules.setdefault(rule, []).extend(predicates)
    return Scan(
        (name,),
        table,
        value,
        tuple(dict.fromkeys(condition for part in parts for condition in part.recognised)),
        next((part.members for part in parts if part.members), None),
        rules,
        next((part.exempt for part in parts if part.exempt), None),
        next((part.otherwise for part in parts if part.otherwise), None),
    )


def _part(mapping: ColumnMapping, clinic: Clinic, name: str) -> Scan:
    """What one line of the mapping recognises in a column."""
    system, target, value = clinic.system, mapping.target, quote_name(name)
    place = ((name,), mapping.table, value)
    if target and target.is_key:
        # A key that is not of its form is told by the scan of the whole key.
        pattern = system.key_pattern(target)
        return Scan(*place, recognised=(_matches(_joined(mapping.source_columns), pattern),) if pattern else ())
    codes = _allowed_codes(mapping, clinic)
    known = (f"{value} IN ({', '.join(map(quote_text, codes))})",) if codes else ()
    if target and target.multiple:
        split = f"list_transform(string_split({value}, {quote_text(system.list_separator)}), lambda m: trim(m))"
        new = _matches("m", system.new_code_pattern)
        members = f"list_filter({split}, lambda m: m <> '' AND NOT list_contains({text_list(codes)}, m) AND NOT {new})"
        return Scan(*place, (f"len({members}) = 0",), members, otherwise="value_unknown")
    if mapping.is_record_action:
        return Scan(*place, known, otherwise="value_unknown")
    if target is None and not mapping.codes:
        return _uncarried(clinic, name, mapping.table)
    if target is None or target.code_list:
        return Scan(*place, (*known, _matches(value, system.new_code_pattern)), otherwise="value_unknown")
    if target.name == "service_period":
        longest = "" if clinic.legal_basis.service_period != "year" else f" AND length({value}) = 4"
        recognised = f"{_matches(value, target.pattern or '')} AND {value} LIKE '20%'{longest}"
        rules = {"service_period_too_fine": [_TOO_FINE]}
        return Scan(*place, (*known, recognised), None, rules, _TOO_FINE, otherwise="value_unknown")
    if target.pattern:
        return Scan(*place, (*known, _matches(value, target.pattern)), otherwise="value_unknown")
    if target.element_type == "VARCHAR":
        return Scan(*place, known, otherwise="value_unknown")
    condition, found = _number(mapping, target, value, system.decimal_separator)
    return Scan(*place, (*known, condition), None, found, otherwise="number_expected")


def _uncarried(clinic: Clinic, name: str, table: str | None) -> Scan:
    """A column that is allowed in the file and carried nowhere, without a code set."""
    value = quote_name(name)
    if not is_coarse_area(name):
        return Scan((name,), table, value, (_uncoded(value),), otherwise="value_unknown")
    condition = _matches(value, "[0-9]{3}")
    if not clinic.legal_basis.allowance.small_areas:
        condition += f" AND {value} NOT IN ({', '.join(map(quote_text, small_population_zip3()))})"
    return Scan((name,), table, value, (condition,), otherwise="small_area")


def _unmapped(system: System, source: str, name: str) -> Scan:
    """A column of which no line of this source speaks.

    Where a line of another source over the same files does, it is scanned there. Where none does and the files may have
    it (to join by), it holds next to nothing; else it is refused as unknown, and looked at to tell what it holds.
    """
    value = quote_name(name)
    bases = set(system.base_of(source))
    plain = next((name.removeprefix(f"{base}.") for base in sorted(bases) if name.startswith(f"{base}.")), name)
    for mapping in system.columns:
        if plain in mapping.source_columns and bases & set(system.base_of(mapping.source)):
            return Scan((name,), None, value, ("true",))
    known = any(plain in system.allowed_columns(base) for base in bases)
    return Scan((name,), None, value, (_uncoded(value),), otherwise="value_unknown" if known else None)


def _uncoded(value: str) -> str:
    return _matches(value, UNCODED)


def _number(
    mapping: ColumnMapping, target: Column, value: str, decimal_separator: str
) -> tuple[str, dict[str, list[str]]]:
    """When a number is recognised, in the delivered unit, and what numbers of this column must not be."""

    def number(text: str) -> str:
        plain = text if decimal_separator == "." else f"replace({text}, {quote_text(decimal_separator)}, '.')"
        return f"TRY_CAST({plain} AS DOUBLE)"

    rules = {rule: [predicate] for rule, predicate in _NUMBER_RULES.items()}
    if target.unit == "day":
        first, last = _delivered(FIRST_DAY, mapping), _delivered(LAST_DAY, mapping)
        rules["calendar_date"].append(f"coalesce({number('value')} BETWEEN {LAST_DAY} AND {LAST_DATE_SERIAL}, false)")
    elif target.unit == "year":
        # The only years of the contract are ages. A top code such as 90+ is recognised by its code set.
        first, last = 0.0, 89.999
        rules["age_90_or_over"] = [
            rf"coalesce({number('value')} >= 90, false) OR regexp_matches(value, '(?:^|\D)(?:9\d|1[0-4]\d)(?:\D|$)')"
        ]
    else:
        last = max(
            LARGEST_NUMBER, *(abs(_delivered(limit or 0, mapping)) for limit in (target.minimum, target.maximum))
        )
        first = -last
    separator = re.escape(decimal_separator)
    plain = _matches(value, rf"[+-]?(?:\d+(?:{separator}\d*)?|{separator}\d+)")
    # A number of four digits or more that begins with zero is a code or a time of the day.
    padded = f"regexp_matches({value}, '^[+-]?0[0-9]{{3}}')"
    return f"{plain} AND NOT {padded} AND {number(value)} BETWEEN {first} AND {last}", rules


def _delivered(limit: float, mapping: ColumnMapping) -> float:
    """A limit of the contract in the delivered unit, rounded away from zero."""
    change = mapping.conversion or UnitConversion()
    exact = (Fraction(limit) - change.offset) * change.denominator / change.numerator
    return float(math.ceil(exact) if exact > 0 else math.floor(exact))


def _allowed_codes(mapping: ColumnMapping, clinic: Clinic) -> list[str]:
    """Delivered codes that the mapping knows; those that stand for too fine a period are not among them."""
    codes = clinic.system.codes.get(mapping.codes or "", {})
    if mapping.is_record_action and not codes:
        return ["upsert", "delete"]
    if mapping.target and mapping.target.name == "service_period" and clinic.legal_basis.service_period == "year":
        return [code for code, period in codes.items() if len(period) == len("2025")]
    return list(codes)


def _mappings(system: System, source: str, header: Iterable[str]) -> list[ColumnMapping]:
    """Lines of the mapping whose columns are all there."""
    there = set(header)
    return [m for m in system.columns if m.source == source and m.source_columns and set(m.source_columns) <= there]


def _mappings_beside(system: System, source: str, header: Iterable[str], name: str) -> list[ColumnMapping]:
    """Lines for a column that this source only passes through: those of other sources with rows of the same base."""
    base = system.base_of(source)[0]
    others = [other for other in system.mapped_sources if other != source and system.base_of(other)[0] == base]
    return [m for other in others for m in _mappings(system, other, header) if name in m.source_columns]


def _joined(columns: Iterable[str]) -> str:
    """A key made of several columns, as harmonise joins it; NULL where a part is missing."""
    return " || '/' || ".join(map(quote_name, columns))


def _matches(value: str, pattern: str) -> str:
    return f"regexp_full_match({value}, {quote_text(pattern)})"
