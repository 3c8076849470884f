"""Excel workbooks (.xlsx) as clinic systems export them: sheets with a header in row 1 and typed cells below it.

A cell's text is what the system's CSV would have: whole numbers without decimals, others with the system's decimal
separator and 15 significant digits, as the program shows them; truth values as 1 and 0; dates and times as ISO text,
which the gate refuses. Rows without any value are no records, wherever they stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path

import duckdb
import numpy as np
import python_calamine
from python_calamine import CalamineSheet, CalamineWorkbook

from clinic_outcomes.database import quote_name, quote_text
from clinic_outcomes.files import fingerprint
from clinic_outcomes.formats import excel_package
from clinic_outcomes.formats.csv_files import SOURCE_FILE, SOURCE_ITEM, SOURCE_LINE
from clinic_outcomes.formats.excel_writer import write_file
from clinic_outcomes.formats.leftover import Leftover
from clinic_outcomes.formats.limits import refusal
from clinic_outcomes.formats.naming import sources_of
from clinic_outcomes.mapping import System
from clinic_outcomes.settings import Settings

__all__ = ["check_file", "leftovers", "read_header", "read_rows_sql", "write_file"]

ROWS_AT_ONCE = 20_000
_LARGEST_WHOLE = 1e15
"""Whole numbers have 15 digits in a workbook; more are made up."""

Cell = int | float | str | bool | time | date | datetime | timedelta


def check_file(connection: duckdb.DuckDBPyConnection, path: Path, system: System, settings: Settings) -> int:
    """Rows with a value below the headers of all mapped sheets together, the package looked at whole beforehand."""
    excel_package.inspect(path, settings)
    workbook = _open(path)
    count = 0
    for source in sources_of(path.name, system):
        sheet = _sheet(workbook, path, system, source)
        header = _header(path, sheet)
        rows = _rows(sheet)
        blank = [""] * len(next(rows))
        for row in rows:
            if row != blank:
                count += 1
                _check_width(path, row, len(header))
    return count


def read_header(connection: duckdb.DuckDBPyConnection, path: Path, system: System, source: str) -> tuple[str, ...]:
    """Names in the first row of the source's sheet, which must be its header."""
    table = _load(connection, path, system, source)
    found = connection.execute(f"DESCRIBE {quote_name(table)}").fetchall()
    return tuple(str(name) for name, *_ in found if name not in (SOURCE_LINE, SOURCE_ITEM))


def read_rows_sql(
    connection: duckdb.DuckDBPyConnection, path: Path, system: System, source: str, header: tuple[str, ...]
) -> str:
    """Table expression of the rows of the source's sheet; ``source_line`` is the row's number in it.

    The sheet is read into the connection's memory once, and gone when the connection is closed.
    """
    table = _load(connection, path, system, source)
    names = ", ".join(map(quote_name, (*header, SOURCE_LINE, SOURCE_ITEM)))
    return f"(SELECT {names} FROM {quote_name(table)})"


def leftovers(connection: duckdb.DuckDBPyConnection, path: Path, system: System) -> tuple[Leftover, ...]:
    """Sheets that the mapping does not have, and whatever in the package is no cell of a sheet."""
    package = excel_package.inspect(path)
    mapped = [sheet for name in sources_of(path.name, system) if (sheet := system.sources[name].sheet)]
    return (*package.unknown_sheets(mapped), *package.leftovers)


def _open(path: Path) -> CalamineWorkbook:
    try:
        return CalamineWorkbook.from_path(path)
    except (python_calamine.CalamineError, OSError):
        raise refusal(path, "workbook_structure", "the file cannot be read as a workbook") from None


def _sheet(workbook: CalamineWorkbook, path: Path, system: System, source: str) -> CalamineSheet:
    name = system.sources[source].sheet or ""
    try:
        return workbook.get_sheet_by_name(name)
    except python_calamine.WorksheetNotFound:
        advice = "Deliver every sheet of the mapping, with its header alone where there is nothing to tell."
        raise refusal(path, "sheet_missing", f"the workbook has no sheet {name}", advice) from None
    except (python_calamine.CalamineError, ValueError):
        raise refusal(path, "workbook_structure", f"sheet {name} cannot be read") from None


def _header(path: Path, sheet: CalamineSheet) -> tuple[str, ...]:
    """Names in row 1. Cells without a value at its end have no name, and may have no values either."""
    first = next(_rows(sheet), [])
    texts = [value.strip() if isinstance(value, str) else None for value in first]
    while texts and texts[-1] == "":
        texts.pop()
    names = [text for text in texts if text]
    if not names or len(names) < len(texts):
        raise refusal(
            path, "workbook_structure", f"row 1 of sheet {sheet.name} is no header: each column's name", line=1
        )
    folded = [name.casefold() for name in (*names, SOURCE_FILE, SOURCE_LINE, SOURCE_ITEM)]
    if len(set(folded)) < len(folded):
        raise refusal(
            path, "column_duplicate", f"sheet {sheet.name} has a column name twice, letter case apart", line=1
        )
    return tuple(names)


def _rows(sheet: CalamineSheet) -> Iterator[list[Cell]]:
    """Rows of a sheet from row 1 and column A, however far down and right its cells begin."""
    before = [""] * sheet.start[1] if sheet.start else []
    for row in sheet.iter_rows():
        yield [*before, *row] if before else row


def _check_width(path: Path, row: Sequence[Cell], width: int) -> None:
    if any(value != "" for value in row[width:]):
        raise refusal(path, "workbook_structure", "a cell stands in a column without a name")


def _load(connection: duckdb.DuckDBPyConnection, path: Path, system: System, source: str) -> str:
    """Name of the connection's table with the rows of a sheet; it is read where the connection has none yet."""
    found = path.stat()
    sheet_name = system.sources[source].sheet or ""
    identity = [str(path), str(found.st_size), str(found.st_mtime_ns), sheet_name, system.decimal_separator]
    table = f"sheet_{fingerprint(identity)[:16]}"
    if connection.execute(f"SELECT 1 FROM duckdb_tables() WHERE table_name = {quote_text(table)}").fetchone():
        return table
    sheet = _sheet(_open(path), path, system, source)
    header = _header(path, sheet)
    columns = ", ".join(f"{quote_name(name)} VARCHAR" for name in header)
    # Made under another name, so that a table that is there is whole.
    loading = f"{table}_loading"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {loading} ({columns}, {SOURCE_LINE} BIGINT, {SOURCE_ITEM} INTEGER)"
    )
    rows = _rows(sheet)
    blank = [""] * len(next(rows))
    pending: list[list[Cell]] = []
    lines: list[int] = []
    for line, row in enumerate(rows, start=2):
        if row == blank:
            continue
        pending.append(row)
        lines.append(line)
        if len(pending) == ROWS_AT_ONCE:
            _insert(connection, loading, header, pending, lines, system.decimal_separator)
            pending, lines = [], []
    _insert(connection, loading, header, pending, lines, system.decimal_separator)
    connection.execute(f"ALTER TABLE {loading} RENAME TO {table}")
    return table


def _insert(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    header: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    lines: Sequence[int],
    decimal_separator: str,
) -> None:
    """Rows, a column at a time: one pass over its cells in Python is the least that an untyped column needs."""
    if not rows:
        return
    text = _text_of(decimal_separator)
    columns = zip(*rows, strict=True)
    given = {f"c{n}": _texts(values, text) for n, (values, _) in enumerate(zip(columns, header, strict=False))}
    given[SOURCE_LINE] = np.array(lines, dtype=np.int64)
    connection.register("sheet_rows", given)
    connection.execute(f"INSERT INTO {table} SELECT *, 1 FROM sheet_rows")
    connection.unregister("sheet_rows")


def _texts(values: Sequence[Cell], text: Callable[[Cell], str]) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    column = np.empty(len(values), dtype=object)
    column[:] = [value if type(value) is str else text(value) for value in values]
    return column


@lru_cache(maxsize=4)
def _text_of(decimal_separator: str) -> Callable[[Cell], str]:
    """How a cell that is no text reads as one."""

    @lru_cache(maxsize=65_536)
    def number(value: float) -> str:
        if value == int(value) and abs(value) < _LARGEST_WHOLE:
            return str(int(value))
        shown = f"{value:.15g}"
        if "e" in shown:
            shown = np.format_float_positional(float(shown), trim="-")
        return shown.replace(".", decimal_separator)

    def text(value: Cell) -> str:
        if isinstance(value, bool):
            return "1" if value else "0"
        if isinstance(value, (int, float)):
            return number(value)
        if isinstance(value, timedelta):
            seconds = round(value.total_seconds())
            return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
        return value if isinstance(value, str) else value.isoformat()

    return text
