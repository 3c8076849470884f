"""The columns of a delivered file against those of the mapping, and which of their names may be told."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import duckdb

from clinic_outcomes.admit.detectors import RULES, VALUE_RULES, plain_text
from clinic_outcomes.admit.drift import advice_for_missing, advice_for_unknown
from clinic_outcomes.admit.header import is_a_header, is_name_like, plain_name
from clinic_outcomes.contract import load_contract
from clinic_outcomes.mapping import System
from clinic_outcomes.problems import Problem

HEADER_LINE = 1

COMMON_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a account additional address age alt birth by card certificate change changed city client code codes "
        "column comment comments contact country county created data date day days description device email "
        "entered extra fax field file fingerprint first flag form free full given hour hours id identifier "
        "image index insurance ip key label last licence license list made maiden marital medical member "
        "middle minute minutes mobile modified month mrn name names network new no note notes nr num number "
        "of old on or other patient person phone photo plan plate policy postal postcode race record ref "
        "reference region remark remarks row score sequence serial set social source ssn start state status "
        "stop street subject sum surname telephone term text time timestamp title to total type unit updated "
        "url user value values vehicle version visit week weeks year years zip ",
    )
)


@dataclass(frozen=True)
class DeliveredColumns:
    """Columns of a base source in one file: all, those that lack, and those the mapping does not have.

    ``unknown`` maps the latter to the rules of values that their names break. ``tellable`` may be named in a problem.
    """

    header: tuple[str, ...]
    missing: tuple[str, ...]
    unknown: Mapping[str, tuple[str, ...]]
    tellable: frozenset[str]


def delivered_columns(
    connection: duckdb.DuckDBPyConnection, header: Sequence[str], source: str, system: System
) -> DeliveredColumns:
    """Compare a header with what the mapping allows."""
    allowed = system.allowed_columns(source)
    unknown = rules_of_names(connection, [name for name in header if name not in allowed])
    tellable = set(header) & set(allowed)
    if is_a_header(header, allowed):
        words = COMMON_WORDS | _words_of(system)
        tellable |= {name for name, rules in unknown.items() if not rules and is_made_of(name, words)}
    return DeliveredColumns(
        tuple(header), tuple(name for name in allowed if name not in header), unknown, frozenset(tellable)
    )


def column_problems(found: DeliveredColumns, source: str, system: System, renamed: Mapping[str, str]) -> list[Problem]:
    """Problems of a file's columns, each with a line of the mapping to add, change or delete."""
    problems = [
        column_problem("column_missing", (name,), line=HEADER_LINE, advice=advice_for_missing(system, source, name))
        for name in found.missing
    ]
    for position, name in enumerate(found.header, start=1):
        shown = (name,) if name in found.tellable else ()
        if name in found.unknown:
            advice = advice_for_unknown(system, source, name, renamed.get(name)) if shown else None
            problems.append(column_problem("column_unknown", shown, HEADER_LINE, position, advice=advice))
        rules = [*found.unknown.get(name, ()), *(["column_name_like"] if is_name_like(name) else [])]
        problems += [column_problem(rule, shown, HEADER_LINE, position) for rule in rules]
    return problems


def column_problem(
    rule: str,
    columns: Sequence[str],
    line: int | None,
    position: int | None = None,
    *,
    table: str | None = None,
    rows: int | None = None,
    advice: str | None = None,
) -> Problem:
    """A problem of a column; of one whose name may not be told, its position is."""
    where = "" if columns or position is None else f" (column {position} of the file)"
    return Problem(
        rule=rule,
        message=RULES[rule].message + where,
        advice=advice or RULES[rule].advice,
        table=table,
        column="+".join(columns) or None,
        rows=rows,
        line=line,
    )


def words_of_contract() -> frozenset[str]:
    """Words of the names of the contract's columns, tables and code lists."""
    contract = load_contract()
    names = [*contract.tables, *contract.code_lists]
    names += [column.name for table in contract.tables.values() for column in table.columns]
    return words_of_names(names)


def words_of_names(names: Iterable[str]) -> frozenset[str]:
    """Words of some names, without the numbers at their ends."""
    return frozenset(word.strip("0123456789") for name in names for word in plain_name(name).split("_"))


def _words_of(system: System) -> frozenset[str]:
    """Words of the names of columns, tables and code lists, of the contract and of the mapping."""
    names = [name for mapping in system.columns for name in (mapping.source, *mapping.source_columns)]
    return words_of_contract() | words_of_names(names)


def is_made_of(name: str, words: frozenset[str]) -> bool:
    """Whether a name consists of known words, with numbers of two digits at most: a person's name does not."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_.]{0,62}", name) or re.search(r"\d{3}", name):
        return False
    return all(word.strip("0123456789") in words or word.isdigit() for word in plain_name(name).split("_"))


def rules_of_names(connection: duckdb.DuckDBPyConnection, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Rules of values that each of some names breaks: without a header, the first row's values stand in its place."""
    if not names:
        return {}
    flags = ", ".join(f"({predicate})" for predicate in VALUE_RULES.values())
    rows = connection.execute(
        f"SELECT name, {flags} FROM (SELECT name, {plain_text('name')} AS text FROM (SELECT unnest(?) AS name))",
        [list(names)],
    ).fetchall()
    return {
        name: tuple(rule for rule, broken in zip(VALUE_RULES, found, strict=True) if broken) for name, *found in rows
    }
