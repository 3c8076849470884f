"""What a delivered column may hold, by the mapping: values that it recognises need no detector."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from clinic_outcomes.contract import Column
from clinic_outcomes.database import quote_name, quote_text, text_list
from clinic_outcomes.formats import PLACE
from clinic_outcomes.mapping import Clinic, ColumnMapping, System

LARGEST_NUMBER = 1_000_000
"""Numbers from here on are recognised in no column: they could be 20240131, a telephone number, an SSN."""
FIRST_DATE_SERIAL, LAST_DATE_SERIAL = 36_526, 73_050
"""What spreadsheets make of the years 2000 to 2099; days since day 0 stay below."""

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
    over ``value`` for rules of this column; ``exempt`` exempts values from ``calendar_date``.
    """

    columns: tuple[str, ...]
    table: str | None
    value: str
    recognised: tuple[str, ...] = ()
    members: str | None = None
    rules: dict[str, list[str]] = field(default_factory=dict)
    exempt: str | None = None

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
        scans.append(Scan(columns, next(iter(found.values())), value, recognised=(every,)))
    return scans


def column_scans(clinic: Clinic, source: str, header: Sequence[str]) -> list[Scan]:
    """One scan a delivered column, also of those the mapping does not know."""
    return [_column_scan(clinic, source, header, name) for name in header]


def _column_scan(clinic: Clinic, source: str, header: Sequence[str], name: str) -> Scan:
    system = clinic.system
    mappings = [mapping for mapping in _mappings(system, source, header) if name in mapping.source_columns]
    value = quote_name(name)
    recognised: list[str] = []
    rules: dict[str, list[str]] = {}
    members = exempt = None
    for mapping in mappings:
        target = mapping.target
        if target and target.is_key:
            pattern = system.key_pattern(target)
            recognised += [_matches(_joined(mapping.source_columns), pattern)] if pattern else []
            continue
        codes = _allowed_codes(mapping, clinic)
        if target and target.multiple:
            split = f"list_transform(string_split({value}, {quote_text(system.list_separator)}), lambda m: trim(m))"
            members = f"list_filter({split}, lambda m: m <> '' AND NOT list_contains({text_list(codes)}, m))"
            recognised.append(f"len({members}) = 0")
        elif codes:
            recognised.append(f"{value} IN ({', '.join(map(quote_text, codes))})")
        if target is None or target.code_list:
            continue
        if target.name == "service_period":
            exempt = _TOO_FINE
            rules["service_period_too_fine"] = [_TOO_FINE]
        if target.pattern:
            year_only = target.name == "service_period" and clinic.legal_basis.service_period == "year"
            recognised.append(_matches(value, target.pattern) + (f" AND length({value}) = 4" if year_only else ""))
        elif target.element_type != "VARCHAR":
            condition, found = _number(target, value, system.csv.decimal_separator)
            recognised.append(condition)
            for rule, predicate in found.items():
                rules.setdefault(rule, []).append(predicate)
    table = next((mapping.table for mapping in mappings if mapping.table), None)
    return Scan((name,), table, value, tuple(dict.fromkeys(recognised)), members, rules, exempt)


def _number(target: Column, value: str, decimal_separator: str) -> tuple[str, dict[str, str]]:
    """When a number is recognised, and what numbers of this column must not be."""

    def number(text: str) -> str:
        plain = text if decimal_separator == "." else f"replace({text}, {quote_text(decimal_separator)}, '.')"
        return f"TRY_CAST({plain} AS DOUBLE)"

    rules, limit = dict(_NUMBER_RULES), LARGEST_NUMBER
    if target.unit == "day":
        limit = FIRST_DATE_SERIAL
        rules["calendar_date"] += f" OR {number('value')} BETWEEN {FIRST_DATE_SERIAL} AND {LAST_DATE_SERIAL}"
    elif target.unit == "year":
        # The only years of the contract are ages. A top code such as 90+ is recognised by its code set.
        limit = 90
        rules["age_90_or_over"] = (
            rf"coalesce({number('value')} >= 90, false) OR regexp_matches(value, '(?:^|\D)(?:9\d|1[0-4]\d)(?:\D|$)')"
        )
    return f"abs({number(value)}) < {limit}", rules


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


def _joined(columns: Iterable[str]) -> str:
    """A key made of several columns, as harmonise joins it; NULL where a part is missing."""
    return " || '/' || ".join(map(quote_name, columns))


def _matches(value: str, pattern: str) -> str:
    return f"regexp_full_match({value}, {quote_text(pattern)})"
