"""Base expectations: what the contract alone says of a table's rows, as ``expectations/base/<table>.yml``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from clinic_outcomes.contract.loader import INSTRUMENT_LIST, UNMAPPED, VERSION_LIST, Column, Contract, Table

HEADER = """\
# Generated from the contract; do not edit.
# Rules that the contract cannot say are in ../<table>.yml and ../across_tables.yml.
"""
READABLE = "readable"
"""The rule that every delivered value was of its column's type."""
CRITICAL = "critical"
WARNING = "warning"


def render_base_expectations(contract: Contract) -> dict[str, str]:
    """The base expectations of every table: file name below ``expectations/base/`` → text."""
    return {
        f"{table.name}.yml": HEADER
        + yaml.safe_dump({"rules": list(_rules(table, contract))}, sort_keys=False, allow_unicode=True, width=110)
        for table in contract.tables.values()
    }


def _rules(table: Table, contract: Contract) -> Iterator[Mapping[str, Any]]:
    yield _unique(table)
    yield _readable(table)
    for column in table.columns:
        if column.required:
            yield _present(column, table)
        if column.minimum is not None or column.maximum is not None:
            yield _in_range(column)
        if contract.codes(column):
            yield _in_code_list(column, contract.codes(column))
        if column.pattern:
            yield _well_formed(column)
        if column.references:
            yield from _references(column)


def _unique(table: Table) -> Mapping[str, Any]:
    key = list(table.primary_key)
    if len(key) == 1:
        check: dict[str, Any] = {
            "expectation": "expect_column_values_to_be_unique",
            "arguments": {"column": key[0]},
        }
    else:
        check = {
            "expectation": "expect_compound_columns_to_be_unique",
            "arguments": {"column_list": list(key), "ignore_row_if": "any_value_is_missing"},
        }
    return {
        "rule": "key_unique",
        "columns": key,
        **check,
        "severity": CRITICAL,
        "advice": f"Deliver {table.grain}: keep the right one of the rows that share {' and '.join(key)}.",
    }


def _present(column: Column, table: Table) -> Mapping[str, Any]:
    identifies = column.references or column.name in table.primary_key
    return {
        "rule": f"{column.name}_present",
        "columns": [column.name],
        "expectation": "expect_column_values_to_not_be_null",
        "arguments": {"column": column.name},
        "severity": CRITICAL if identifies else WARNING,
        "advice": f"Deliver {column.name} in every row: it is required.",
    }


def _readable(table: Table) -> Mapping[str, Any]:
    """One rule for all columns: which of them could not be read, the row says itself."""
    typed = [c.name for c in table.columns if c.code_list is None and (c.sql_type != "VARCHAR" or c.pattern)]
    return {
        "rule": READABLE,
        "columns": [*typed, "record_action"],
        "rows": "len(t.unreadable_columns) > 0",
        "applies_to": "true",
        "severity": WARNING,
        "advice": "Deliver the value as the data dictionary describes its column, or leave it empty where that is "
        "allowed.",
    }


def _in_range(column: Column) -> Mapping[str, Any]:
    limits = {"min_value": _number(column.minimum), "max_value": _number(column.maximum)}
    unit = f" ({column.unit})" if column.unit else ""
    bounds = " and ".join(
        f"{words} {value}"
        for words, value in (("at least", limits["min_value"]), ("at most", limits["max_value"]))
        if value is not None
    )
    return {
        "rule": f"{column.name}_in_range",
        "columns": [column.name],
        "expectation": "expect_column_values_to_be_between",
        "arguments": {"column": column.name} | {name: value for name, value in limits.items() if value is not None},
        "severity": WARNING,
        "advice": f"Correct {column.name}{unit}: it must be {bounds}.",
    }


def _in_code_list(column: Column, codes: tuple[str, ...]) -> Mapping[str, Any]:
    rule = {"rule": f"{column.name}_in_code_list", "columns": [column.name]}
    if column.multiple:
        listed = ", ".join(f"'{code}'" for code in codes)
        check: dict[str, Any] = {"rows": f"NOT list_has_all([{listed}], t.{column.name})"}
    elif column.code_list in (INSTRUMENT_LIST, VERSION_LIST):
        # The table is there when rules are applied: with a file more in instruments/, the rule stays as it is.
        known = f"SELECT i.{column.code_list} FROM reference.{column.code_list} AS i"
        check = {"rows": f"t.{column.name} <> '{UNMAPPED}' AND t.{column.name} NOT IN ({known})"}
    else:
        check = {
            "expectation": "expect_column_values_to_be_in_set",
            "arguments": {"column": column.name, "value_set": list(codes)},
        }
    return {
        **rule,
        **check,
        "severity": WARNING,
        "advice": f"Have the code of {column.name} mapped to the contract's list {column.code_list}.",
    }


def _well_formed(column: Column) -> Mapping[str, Any]:
    return {
        "rule": f"{column.name}_well_formed",
        "columns": [column.name],
        "rows": f"NOT regexp_matches(t.{column.name}, '{column.pattern}')",
        "severity": WARNING,
        "advice": f"Write {column.name} in the contract's form. {column.description}",
    }


def _references(column: Column) -> Iterator[Mapping[str, Any]]:
    parent, key = column.references or ("", "")
    # An optional reference to a table that the clinic never delivered says nothing; a required one is broken.
    condition = {} if column.required else {"only_if_delivered": [parent]}
    yield {
        "rule": f"{column.name}_known",
        "columns": [column.name],
        "rows": f"t.{column.name} IS NOT NULL AND NOT EXISTS "
        f"(SELECT 1 FROM resolved.{parent} AS parent WHERE parent.{key} = t.{column.name})",
        **condition,
        "severity": CRITICAL,
        "advice": f"Deliver the {parent} row that {column.name} names, or correct {column.name}.",
    }
    yield {
        "rule": f"{column.name}_accepted",
        "columns": [column.name],
        "rows": f"t.{column.name} IN (SELECT {key} FROM resolved.{parent} ANTI JOIN accepted.{parent} USING ({key}))",
        **condition,
        "severity": CRITICAL,
        "advice": f"Correct the {parent} row that {column.name} names; this row is accepted together with it.",
    }


def _number(value: float | None) -> float | int | None:
    return int(value) if value is not None and float(value).is_integer() else value
