"""What kind of values the columns of an export have, told without any value.

Counts are told in bands. Codes are told only where the person who asks is allowed to see them (``show_codes``), and
then only those of columns that hold nothing but few short values that occur again and again and that no detector knows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import duckdb

from clinic_outcomes.admit.columns import is_made_of, rules_of_names
from clinic_outcomes.admit.detectors import VALUE_RULES, plain_text
from clinic_outcomes.admit.drift import MOST_CODES
from clinic_outcomes.admit.header import is_name_like
from clinic_outcomes.database import text_list
from clinic_outcomes.mapping.key_patterns import RANDOM_BITS
from clinic_outcomes.trying.exports import DICTIONARY_FORMAT, Export, Part
from clinic_outcomes.trying.key_forms import KeyForm, find_key_form
from clinic_outcomes.trying.synonyms import load_synonyms

FEWEST_OF_A_CODE, LONGEST_CODE, MOST_DIGITS_OF_A_CODE = 5, 20, 4
"""A code that may be shown occurs so often at least, is so long at most, and has no longer number in it."""
LONGEST_MEMBER = 40
RESOURCE_TYPES = tuple(
    re.findall(
        r"\w+",
        "AdverseEvent CarePlan Condition Encounter EpisodeOfCare Location Medication MedicationAdministration "
        "MedicationStatement Observation Organization Patient Practitioner Procedure QuestionnaireResponse "
        "ServiceRequest Task",
    )
)
"""Types of FHIR resources that may be told of a reference."""
LIST_SEPARATORS = ("|", ";", ",", "/")
EMPTY, DATE, WHOLE, DECIMAL, KEY = "empty", "calendar dates", "whole numbers", "decimal numbers", "keys"
CODES, CODE_LIST, TEXT, FREE_TEXT, IDENTIFIER = "codes", "lists of codes", "texts", "free text", "identifiers"
KINDS = (EMPTY, DATE, WHOLE, DECIMAL, KEY, CODES, CODE_LIST, TEXT, FREE_TEXT, IDENTIFIER)
DATE_FORMS = ("%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%Y/%m/%d", "%d-%m-%Y", "%m-%d-%Y", "%Y%m%d", "%d %b %Y")
"""Forms of dates that are tried in this order: where two fit all dates of a column, nobody can tell which is meant."""
_WHOLE = "[+-]?[0-9]{1,18}"
_DECIMAL = "[+-]?[0-9]{1,18}[.,][0-9]+"


@dataclass(frozen=True)
class ColumnProfile:
    """A column: its place in the part (from 1), its name, whether that may be told, and what kind of values it has.

    ``form`` says more of the kind; ``key_pattern`` is the form of its keys, where they have one, with ``key_bits``.
    ``findings`` are rules of the gate that some of its values break. ``codes`` are delivered codes, empty unless they
    were asked for and may be shown.
    """

    position: int
    name: str
    tellable: bool
    kind: str
    form: str
    missing: str
    distinct: str
    identifies: bool = False
    findings: tuple[str, ...] = ()
    key_pattern: str | None = None
    key_bits: float = 0.0
    list_separator: str | None = None
    missing_texts: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    """What the codes stand for, where the export says so."""
    date_form: str | None = None
    references: tuple[str, ...] = ()
    """Types of FHIR resources that its keys refer to."""

    @property
    def told(self) -> str:
        """How the column may be called."""
        return self.name if self.tellable else f"column {self.position}"


@dataclass(frozen=True)
class PartProfile:
    """A part of a file with its columns. ``has_header`` says whether its first line is one, by all that can be seen."""

    export: Export
    part: Part
    has_header: bool
    columns: tuple[ColumnProfile, ...]


def profile_parts(
    connection: duckdb.DuckDBPyConnection, export: Export, *, show_names: bool = False, show_codes: bool = False
) -> tuple[PartProfile, ...]:
    """Every part of an export. A data dictionary has none: it holds no data."""
    if export.format == DICTIONARY_FORMAT:
        return ()
    return tuple(_profile_part(connection, export, part, show_names, show_codes) for part in export.parts)


@dataclass(frozen=True)
class _Measured:
    """Counts of a column's values; ``least`` and ``greatest`` are values and stay here."""

    rows: int
    present: int
    distinct: int
    longest: int
    whole: int
    decimal: int
    most_digits: int
    least: str
    greatest: str
    broken: Mapping[str, int] = field(default_factory=dict)


def _profile_part(
    connection: duckdb.DuckDBPyConnection, export: Export, part: Part, show_names: bool, show_codes: bool
) -> PartProfile:
    is_fhir = export.format == "fhir"
    values = {
        name: _counted(connection, position, part.values[name], name) for position, name in enumerate(part.columns)
    }
    measured = {name: _measure(connection, sql) for name, sql in values.items()}
    has_header = is_fhir or not _looks_like_a_row(connection, part, values, measured)
    strange = {} if is_fhir else rules_of_names(connection, part.columns)
    words = load_synonyms().known_words
    found = []
    for position, name in enumerate(part.columns, start=1):
        may_be_shown = has_header and not strange.get(name)
        tellable = is_fhir or (may_be_shown and (show_names or is_made_of(name, words)))
        identifies = not is_fhir and (is_name_like(name) or bool(strange.get(name)))
        column = _describe(connection, values[name], measured[name], position, name)
        types = _types_referred_to(connection, part.values[name]) if name.endswith(".reference") else ()
        codes = _codes(connection, values[name], column) if show_codes and not identifies else ()
        found.append(replace(column, tellable=tellable, identifies=identifies, codes=codes, references=types))
    return PartProfile(export, part, has_header, tuple(found))


def _counted(connection: duckdb.DuckDBPyConnection, position: int, sql: str, name: str) -> str:
    """Distinct texts of a column, trimmed, each with its rows, read once into the memory of the connection."""
    sql = _keys_alone(sql) if name.endswith(".reference") else sql
    table = f"tried_{position}"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {table} AS "
        f"SELECT trim(value) AS value, count(*) AS row_count FROM {sql} GROUP BY 1"
    )
    return table


def _keys_alone(sql: str) -> str:
    """Keys of references, without the type of resource before them."""
    return f"(SELECT regexp_replace(value, '^.*/', '') AS value FROM {sql})"


def _types_referred_to(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[str, ...]:
    """Types of resources that references are to, of those that may be told."""
    rows = connection.execute(
        f"SELECT DISTINCT split_part(value, '/', 1) AS type FROM {sql} WHERE list_contains(?, type) ORDER BY type",
        [list(RESOURCE_TYPES)],
    ).fetchall()
    return tuple(kind for (kind,) in rows)


def _values(sql: str) -> str:
    """Distinct values trimmed, with how often each occurs; what only ever means nothing is no value."""
    missing = text_list(load_synonyms().missing)
    return (
        f"(SELECT CASE WHEN NOT list_contains({missing}, trim(value)) THEN trim(value) END AS value, "
        f"sum(row_count) AS row_count FROM {sql} GROUP BY 1)"
    )


def _measure(connection: duckdb.DuckDBPyConnection, sql: str) -> _Measured:
    row = connection.execute(
        f"""
        SELECT coalesce(sum(row_count), 0), coalesce(sum(row_count) FILTER (value IS NOT NULL), 0), count(value),
            coalesce(max(length(value)), 0),
            coalesce(sum(row_count) FILTER (regexp_full_match(value, '{_WHOLE}')), 0),
            coalesce(sum(row_count) FILTER (regexp_full_match(value, '{_DECIMAL}')), 0),
            coalesce(max(length(regexp_replace(value, '[^0-9].*$', ''))), 0),
            coalesce(min(value), ''), coalesce(max(value), '')
        FROM {_values(sql)}
        """
    ).fetchone()
    *counts, least, greatest = row or (0, 0, 0, 0, 0, 0, 0, "", "")
    rows, present, distinct, longest, whole, decimal, most_digits = map(int, counts)
    return _Measured(rows, present, distinct, longest, whole, decimal, most_digits, least, greatest)


def _broken_rules(connection: duckdb.DuckDBPyConnection, sql: str) -> dict[str, int]:
    """Rules of the gate for values of every kind, with the rows that break each."""
    rules = ", ".join(f"coalesce(sum(row_count) FILTER ({predicate}), 0)" for predicate in VALUE_RULES.values())
    counts = connection.execute(
        f"SELECT {rules} FROM (SELECT *, {plain_text('value')} AS text FROM {_values(sql)})"
    ).fetchone()
    return {rule: int(count) for rule, count in zip(VALUE_RULES, counts or (), strict=False) if count}


def _common(one: str, other: str) -> str:
    """What two texts begin with alike; of the least and the greatest of many, what all of them begin with."""
    length = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return one[:length]


def _describe(
    connection: duckdb.DuckDBPyConnection, sql: str, measured: _Measured, position: int, name: str
) -> ColumnProfile:
    key = None
    if measured.distinct > 1 and not measured.decimal:
        beginning = _common(measured.least, measured.greatest)
        key = find_key_form(connection, _values(sql), beginning if measured.distinct >= FEWEST_OF_A_CODE else "")
    if not (key and key.bits >= RANDOM_BITS):
        # What is random in a form of its own may look like anything by chance.
        measured = replace(measured, broken=_broken_rules(connection, sql))
    separator = _list_separator(connection, sql, measured)
    kind, form = _kind(measured, key, separator)
    return ColumnProfile(
        position=position,
        name=name,
        tellable=False,
        kind=kind,
        form=form,
        missing=_share(measured.rows - measured.present, measured.rows),
        distinct=_band(measured.distinct),
        findings=tuple(measured.broken),
        key_pattern=key.pattern if key else None,
        key_bits=key.bits if key else 0.0,
        list_separator=separator if kind == CODE_LIST else None,
        missing_texts=_missing_texts(connection, sql),
        date_form=_date_form(connection, sql) if kind == DATE else None,
    )


def _date_form(connection: duckdb.DuckDBPyConnection, sql: str) -> str | None:
    """The first form that all dates of a column have, a time of day after them apart."""
    day = "regexp_replace(value, '[T ][0-9]{2}:[0-9]{2}.*$', '')"
    fits = ", ".join(f"bool_and(try_strptime({day}, '{form}') IS NOT NULL)" for form in DATE_FORMS)
    row = connection.execute(f"SELECT {fits} FROM {_values(sql)} WHERE value IS NOT NULL").fetchone() or ()
    return next((form for form, fit in zip(DATE_FORMS, row, strict=True) if fit), None)


def _kind(measured: _Measured, key: KeyForm | None, separator: str | None) -> tuple[str, str]:
    """Kind of the values, and what more may be said of it."""
    present, broken = measured.present, dict(measured.broken)
    if not present:
        return EMPTY, ""
    if key and key.bits >= RANDOM_BITS:
        return KEY, key.pattern
    if 10 * broken.pop("calendar_date", 0) >= 9 * present:
        return DATE, ""
    broken.pop("free_text", None)
    worst = max(broken, key=lambda rule: broken[rule], default=None)
    if worst and 2 * broken[worst] >= present:
        return IDENTIFIER, worst
    if measured.whole + measured.decimal == present:
        return (DECIMAL, "") if measured.decimal else (WHOLE, f"up to {measured.most_digits} digits")
    return _kind_of_text(measured, key, separator)


def _kind_of_text(measured: _Measured, key: KeyForm | None, separator: str | None) -> tuple[str, str]:
    """Kind of values that are neither numbers nor dates."""
    recurs = measured.distinct <= 2 or 2 * measured.distinct <= measured.present
    is_short = measured.distinct <= MOST_CODES and measured.longest <= LONGEST_CODE
    if is_short and recurs and not measured.broken and not separator:
        return CODES, f"{measured.distinct} of them"
    if separator and measured.broken.keys() <= {"free_text"}:
        return CODE_LIST, f"parted by {separator}"
    if key:
        return KEY, key.pattern
    return (FREE_TEXT if measured.distinct > MOST_CODES or "free_text" in measured.broken else TEXT), ""


def _list_separator(connection: duckdb.DuckDBPyConnection, sql: str, measured: _Measured) -> str | None:
    """What parts the members of lists of codes: few members, each short, in values of which some hold several."""
    if not measured.present or measured.decimal or measured.whole == measured.present:
        return None
    for separator in LIST_SEPARATORS:
        row = connection.execute(
            f"""
            SELECT count(DISTINCT member), coalesce(max(length(member)), 0), max(several)
            FROM (SELECT trim(unnest(string_split(value, $1))) AS member, contains(value, $1)::INTEGER AS several
                FROM {_values(sql)} WHERE value IS NOT NULL)
            """,
            [separator],
        ).fetchone() or (0, 0, 0)
        if row[2] and row[0] <= MOST_CODES and row[1] <= LONGEST_MEMBER:
            return separator
    return None


def _codes(connection: duckdb.DuckDBPyConnection, sql: str, column: ColumnProfile) -> tuple[str, ...]:
    """Delivered codes, most alike in their order; none where any value of the column is rare, long or suspicious."""
    if column.kind not in (CODES, CODE_LIST, WHOLE) or set(column.findings) - {"free_text"}:
        return ()
    member = f"trim(unnest(string_split(value, '{column.list_separator}')))" if column.list_separator else "value"
    found = connection.execute(
        f"SELECT member, sum(row_count) FROM (SELECT {member} AS member, row_count FROM {_values(sql)} "
        "WHERE value IS NOT NULL) GROUP BY member ORDER BY member"
    ).fetchall()
    shown = len(found) <= MOST_CODES and all(
        len(text) <= LONGEST_CODE
        and count >= FEWEST_OF_A_CODE
        and not re.search(rf"\d{{{MOST_DIGITS_OF_A_CODE + 1}}}", text)
        for text, count in found
    )
    return tuple(text for text, _ in found) if shown else ()


def _missing_texts(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[str, ...]:
    """Texts of the list of those that mean nothing, which the column has."""
    known = text_list(text for text in load_synonyms().missing if text)
    found = connection.execute(
        f"SELECT DISTINCT trim(value) FROM {sql} WHERE list_contains({known}, trim(value)) ORDER BY 1"
    ).fetchall()
    return tuple(text for (text,) in found)


def _looks_like_a_row(
    connection: duckdb.DuckDBPyConnection, part: Part, values: Mapping[str, str], measured: Mapping[str, _Measured]
) -> bool:
    """Whether the names are rather values: one is a number or a date, or one occurs in its own column."""
    names = [name for name in part.columns if name not in part.row_columns]
    strange = rules_of_names(connection, names)
    if any(name.strip("+-").replace(".", "").replace(",", "").isdigit() for name in names):
        return True
    if any("calendar_date" in strange.get(name, ()) for name in names):
        return True
    for name in names:
        if measured[name].present:
            row = connection.execute(f"SELECT count(*) FROM {values[name]} WHERE value = $1", [name.strip()]).fetchone()
            if row and row[0]:
                return True
    return False


def _share(part: int, whole: int) -> str:
    """A share in bands, so that no small count of people can be told from it."""
    if not part:
        return "none"
    if part == whole:
        return "all"
    bands: Sequence[tuple[int, str]] = ((5, "under 5 %"), (25, "5 to 25 %"), (50, "25 to 50 %"), (75, "50 to 75 %"))
    return next((text for limit, text in bands if 100 * part < limit * whole), "over 75 %")


def _band(count: int) -> str:
    bands = ((0, "0"), (1, "1"), (5, "2 to 5"), (30, "6 to 30"), (100, "31 to 100"), (1000, "101 to 1,000"))
    return next((text for limit, text in bands if count <= limit), "over 1,000")
