"""The rules of ``expectations/`` as data: what each one checks, and which SQL finds the rows that break it.

``base/<table>.yml`` is generated from the contract; ``<table>.yml`` and ``across_tables.yml`` are written by hand.
A rule is either a Great Expectations type with its arguments (``expectation``, ``arguments``) or an SQL predicate
that is true for the rows that break it (``rows``), with these names in reach:

- ``t``: the row;
- ``resolved.<table>``: rows in force; ``accepted.<table>``: accepted rows, of tables validated earlier;
- ``derived.answers``: one row an answered questionnaire: ``assessment_id``, ``answered`` (items with a value),
  ``points`` (their sum) and ``fingerprint`` (equal where all answers are);
- ``derived.totals``: ``assessment_id`` and the ``total`` that the answers give, where none of them is missing;
- ``reference.<name>``: the CSV files of ``expectations/``; ``grade_limit``, from the seed of adverse-event terms; and
  ``instrument``, ``instrument_item`` and ``instrument_version``, which come from ``instruments/``;
- ``threshold.<name>()``: a threshold of ``expectations/thresholds.yml``, or what the clinic has instead.

``applies_to`` is a predicate over the rows that the rule speaks of, all rows with a value in each of ``columns``
unless stated: a rule that applies to no row was not checked, which is not the same as held.
``only_if_delivered`` names tables without which the rule does not apply.

``severity`` is ``critical`` where a row cannot be told apart or attached, so that rows of other tables fall with it;
``warning`` where values contradict each other or cannot be; ``notice`` where a value is missing or strange, but
possible. A row that breaks a critical rule or a warning is quarantined; one that breaks a notice is kept.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from clinic_outcomes.contract import Contract, load_contract
from clinic_outcomes.database import quote_name, quote_text
from clinic_outcomes.files import Signature, folder_signature
from clinic_outcomes.mapping.reading import IDENTIFIER, Mistakes, read_yaml
from clinic_outcomes.mapping.thresholds import THRESHOLDS, network_thresholds
from clinic_outcomes.problems import ClinicOutcomesError, Problem
from clinic_outcomes.settings import Settings

ACROSS_TABLES = "across_tables.yml"
Severity = Literal["critical", "warning", "notice"]
NOTICE = "notice"
_ACCEPTED_TABLE = re.compile(r"\baccepted\.([a-z_]+)")
_THRESHOLD = re.compile(r"\bthreshold\.([a-z_]+)\(\)")


@dataclass(frozen=True, eq=False)
class Rule:
    """One rule on the rows of one table. ``advice`` tells the clinic's staff what to do about a row that breaks it."""

    table: str
    rule: str
    columns: tuple[str, ...]
    severity: Severity
    advice: str
    expectation: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    rows: str | None = None
    applies_to: str | None = None
    only_if_delivered: tuple[str, ...] = ()

    @property
    def quarantines(self) -> bool:
        """Whether a row that breaks the rule is set apart."""
        return self.severity != NOTICE

    @property
    def speaks_of(self) -> str:
        """SQL predicate over a row ``t`` of the table, true for the rows that the rule can say anything about."""
        if self.applies_to is not None:
            return self.applies_to
        if self.expectation == "expect_column_values_to_not_be_null":
            return "true"
        return " AND ".join(f"t.{quote_name(column)} IS NOT NULL" for column in self.columns)

    @property
    def broken_by(self) -> str:
        """SQL predicate over a row ``t`` of the table, true for exactly the rows that break the rule."""
        if self.rows is not None:
            return self.rows
        return _BROKEN_BY[self.expectation or ""](self.table, self.arguments)


class _RuleEntry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: str
    table: str | None = None
    columns: tuple[str, ...] = Field(min_length=1)
    expectation: str | None = None
    arguments: dict[str, Any] = {}
    rows: str | None = None
    applies_to: str | None = None
    only_if_delivered: tuple[str, ...] = ()
    severity: Severity
    advice: str = Field(min_length=1)


class _RuleFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: tuple[_RuleEntry, ...]


def load_rules(settings: Settings) -> tuple[Rule, ...]:
    """All rules, by table in the contract's order and then by name. ``ClinicOutcomesError`` lists every mistake."""
    return _remembered_rules(settings.expectations, folder_signature(settings.expectations), settings)


@functools.lru_cache(maxsize=16)
def _remembered_rules(folder: Path, _signature: Signature, settings: Settings) -> tuple[Rule, ...]:
    contract = load_contract()
    mistakes = Mistakes()
    thresholds = network_thresholds(settings)
    found: dict[tuple[str, str], Rule] = {}
    for path, table in _rule_files(contract, folder):
        content = read_yaml(path, _RuleFile, mistakes)
        for entry in content.rules if content else ():
            for name in sorted(set(_THRESHOLD.findall(f"{entry.rows} {entry.applies_to}")) - set(thresholds)):
                mistakes.add(path, f"there is no threshold {name}", column=entry.rule)
            rule = _checked(entry, table or entry.table, contract, path, mistakes)
            if rule and (rule.table, rule.rule) in found:
                mistakes.add(path, f"table {rule.table} has two rules of this name", column=rule.rule)
            elif rule:
                found[rule.table, rule.rule] = rule
    if mistakes.problems:
        raise ClinicOutcomesError(mistakes.problems)
    order = list(contract.tables)
    return tuple(sorted(found.values(), key=lambda rule: (order.index(rule.table), rule.rule)))


def rule_problem(clinic_id: str, rule: Rule, message: str) -> Problem:
    """A fault of the rule itself, met while validating a clinic."""
    return Problem(
        rule=rule.rule,
        message=message,
        clinic=clinic_id,
        table=rule.table,
        column=rule.columns[0],
        advice="This is a fault of the rule, not of the delivery: correct it in expectations/.",
    )


def _rule_files(contract: Contract, folder: Path) -> list[tuple[Path, str | None]]:
    files: list[tuple[Path, str | None]] = [(folder / "base" / f"{table}.yml", table) for table in contract.tables]
    apart = (ACROSS_TABLES, THRESHOLDS)
    files += [(path, path.stem) for path in sorted(folder.glob("*.yml")) if path.name not in apart]
    return [*files, (folder / ACROSS_TABLES, None)]


def _checked(entry: _RuleEntry, table: str | None, contract: Contract, path: Path, mistakes: Mistakes) -> Rule | None:
    if table is None or table not in contract.tables:
        mistakes.add(path, "the contract has no such table", column=table or entry.rule)
        return None
    wrong = [
        f"the table has no column {name}"
        for name in sorted(set(entry.columns) - set(contract.tables[table].stored_columns))
    ]
    if not IDENTIFIER.fullmatch(entry.rule):
        wrong.append("a rule is named with lower-case letters, digits and _")
    if (entry.rows is None) == (entry.expectation is None):
        wrong.append("a rule has either rows or an expectation")
    if entry.expectation is not None and entry.expectation not in _BROKEN_BY:
        wrong.append(f"expectation must be one of {', '.join(sorted(_BROKEN_BY))}, or give rows")
    earlier = list(contract.tables)[: list(contract.tables).index(table)]
    for other in sorted(set(_ACCEPTED_TABLE.findall(f"{entry.rows} {entry.applies_to}")) - set(earlier)):
        wrong.append(f"accepted.{other} is not validated before {table}")
    for message in wrong:
        mistakes.add(path, message, column=entry.rule)
    if wrong:
        return None
    return Rule(**{**entry.model_dump(), "table": table})


def _literal(value: object) -> str:
    return quote_text(value) if isinstance(value, str) else str(value)


def _is_null(_table: str, arguments: Mapping[str, Any]) -> str:
    return f"t.{quote_name(arguments['column'])} IS NULL"


def _outside(_table: str, arguments: Mapping[str, Any]) -> str:
    column = f"t.{quote_name(arguments['column'])}"
    limits = (("<", arguments.get("min_value")), (">", arguments.get("max_value")))
    return " OR ".join(f"{column} {operator} {_literal(value)}" for operator, value in limits if value is not None)


def _not_in_set(_table: str, arguments: Mapping[str, Any]) -> str:
    return f"t.{quote_name(arguments['column'])} NOT IN ({', '.join(map(_literal, arguments['value_set']))})"


def _below(_table: str, arguments: Mapping[str, Any]) -> str:
    operator = "<" if arguments.get("or_equal") else "<="
    return f"t.{quote_name(arguments['column_A'])} {operator} t.{quote_name(arguments['column_B'])}"


def _shared(table: str, arguments: Mapping[str, Any]) -> str:
    columns: Sequence[str] = arguments.get("column_list") or [arguments["column"]]
    names = [quote_name(column) for column in columns]
    given = " AND ".join(f"{name} IS NOT NULL" for name in names)
    key = ", ".join(names)
    repeated = f"SELECT {key} FROM resolved.{quote_name(table)} WHERE {given} GROUP BY {key} HAVING count(*) > 1"
    row_key = ", ".join(f"t.{name}" for name in names)
    return f"({row_key}) IN ({repeated})"


_BROKEN_BY: Mapping[str, Callable[[str, Mapping[str, Any]], str]] = {
    "expect_column_values_to_not_be_null": _is_null,
    "expect_column_values_to_be_between": _outside,
    "expect_column_values_to_be_in_set": _not_in_set,
    "expect_column_values_to_be_unique": _shared,
    "expect_compound_columns_to_be_unique": _shared,
    "expect_column_pair_values_a_to_be_greater_than_b": _below,
}
"""The expectation types in use, each with the SQL that finds all rows that break it: Great Expectations itself
names a few hundred at most."""
