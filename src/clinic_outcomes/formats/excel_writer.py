"""Writing a workbook that holds cells and nothing else: no author, no time, the same bytes for the same rows."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import xlsxwriter

from clinic_outcomes.database import quote_name, quote_text, text_list
from clinic_outcomes.mapping import System

ROWS_AT_ONCE = 10_000
LONGEST_TEXT = 32_767
_NUMBER = "0|-?[1-9][0-9]{0,11}|-?(?:0|[1-9][0-9]{0,5})[.][0-9]{0,7}[1-9]"
"""Texts of numbers that a cell gives back as they are, with a point before the decimals."""


def write_file(connection: duckdb.DuckDBPyConnection, path: Path, system: System, rows: Mapping[str, str]) -> int:
    """Write the sheets of some base sources, with their headers in row 1; the number of rows of all of them.

    A column of which every text is a plain number has cells of numbers; the others have texts. What stands for no
    value has no cell, and a row without any value is none. Rows may lie in temporary files beside ``path`` meanwhile.
    """
    count = 0
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".workbook-") as folder:
        workbook = xlsxwriter.Workbook(str(path), {"constant_memory": True, "tmpdir": folder})
        workbook.set_properties({"created": datetime(1980, 1, 1)})
        for source, sql in rows.items():
            sheet = workbook.add_worksheet(system.sources[source].sheet)
            count += _write_sheet(connection, sheet, system, sql)
        workbook.close()
    return count


def _write_sheet(connection: duckdb.DuckDBPyConnection, sheet: Any, system: System, sql: str) -> int:
    header = [str(name) for name, *_ in connection.execute(f"DESCRIBE FROM {sql}").fetchall()]
    for column, name in enumerate(header):
        sheet.write_string(0, column, name)
    values = [_value(name, system) for name in header]
    are_numbers = ", ".join(f"coalesce(bool_and(regexp_full_match({v}, {quote_text(_NUMBER)})), false)" for v in values)
    numbers = connection.execute(f"SELECT {are_numbers} FROM {sql}").fetchone() or ()
    present = " OR ".join(f"({value}) IS NOT NULL" for value in values)
    given = ", ".join(
        f"({value})::DOUBLE" if number else f"CASE WHEN ({value}) IS NOT NULL THEN {quote_name(name)} END"
        for name, value, number in zip(header, values, numbers, strict=True)
    )
    found = connection.execute(f"SELECT {given} FROM {sql} WHERE {present}")
    line = 0
    while batch := found.fetchmany(ROWS_AT_ONCE):
        for row in batch:
            line += 1
            _write_row(sheet, line, row)
    return line


def _write_row(sheet: Any, line: int, row: Sequence[float | str | None]) -> None:
    for column, value in enumerate(row):
        if value is None:
            continue
        if isinstance(value, str):
            if len(value) > LONGEST_TEXT:
                raise ValueError(f"a cell of a workbook holds at most {LONGEST_TEXT} characters")
            sheet.write_string(line, column, value)
        else:
            sheet.write_number(line, column, value)


def _value(name: str, system: System) -> str:
    """SQL of a text with a point before its decimals; NULL where it says that there is no value."""
    column = quote_name(name)
    given = f"CASE WHEN NOT list_contains({text_list(system.missing)}, trim({column})) THEN {column} END"
    return (
        given if system.decimal_separator == "." else f"replace({given}, {quote_text(system.decimal_separator)}, '.')"
    )
