"""CSV as clinic systems export it: UTF-8 with a header, in the system's dialect."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path

import duckdb

from clinic_outcomes.database import quote_name, quote_path, quote_text
from clinic_outcomes.formats.leftover import Leftover
from clinic_outcomes.formats.limits import check_columns, refusal
from clinic_outcomes.mapping import System
from clinic_outcomes.problems import ClinicOutcomesError, Problem
from clinic_outcomes.settings import Settings

SOURCE_FILE = "source_file"
SOURCE_LINE = "source_line"
SOURCE_ITEM = "source_item"
LONGEST_HEADER_BYTES = 1_000_000
CHUNK_BYTES = 1 << 22

# The beginning of DuckDB's message; what follows quotes the row and may not be passed on.
_TOO_LONG = "Maximum line size of"
_ERROR_LINE = re.compile(r"Invalid Input Error: CSV Error on Line: (\d+)\b")


def read_header(connection: duckdb.DuckDBPyConnection, path: Path, system: System, source: str) -> tuple[str, ...]:
    """Names of the delivered columns, from the first record."""
    return header_of(path, system)


def header_of(path: Path, system: System) -> tuple[str, ...]:
    """Names in the first record of a CSV file, whatever its sources."""
    with path.open("rb") as stream:
        start = stream.read(LONGEST_HEADER_BYTES)
    if b"\0" in start.partition(b"\n")[0]:
        raise _encoding_error(path, 1)
    # What is cut off at the end may be half a character, and is no part of the header.
    text = start.removeprefix(codecs.BOM_UTF8).decode("utf-8", errors="surrogateescape")
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=system.csv.delimiter, quotechar=system.csv.quote, strict=True
    )
    try:
        header = tuple(next(reader, []))
    except csv.Error:
        raise _structure_error(path, "the header is not readable as CSV", 1) from None
    if any("\udc80" <= character <= "\udcff" for name in header for character in name):
        raise _encoding_error(path, 1)
    if not header or any(not name.strip() for name in header):
        raise _structure_error(path, "the header has a column without a name", 1)
    # Letter case does not tell two names apart in SQL.
    folded = [name.casefold() for name in (*header, SOURCE_FILE, SOURCE_LINE, SOURCE_ITEM)]
    if len(set(folded)) < len(folded):
        raise ClinicOutcomesError(
            [
                Problem(
                    rule="column_duplicate",
                    message=f"the header has a column name twice, or {SOURCE_FILE}, {SOURCE_LINE} or {SOURCE_ITEM}",
                    advice="Give each column a name of its own, letter case apart.",
                    file=path.name,
                    line=1,
                )
            ]
        )
    return header


def read_rows_sql(
    connection: duckdb.DuckDBPyConnection, path: Path, system: System, source: str, header: tuple[str, ...]
) -> str:
    """Table expression of the rows in the file's order, numbered.

    DuckDB keeps the file's order through the row number, which it counts in one thread while it reads.
    """
    return numbered_rows(path, system, header)


def leftovers(connection: duckdb.DuckDBPyConnection, path: Path, system: System) -> tuple[Leftover, ...]:
    """Nothing: a CSV file has no other place than its cells."""
    return ()


def write_file(connection: duckdb.DuckDBPyConnection, path: Path, system: System, rows: Mapping[str, str]) -> int:
    """Write the rows of one base source in the system's dialect; their number."""
    (sql,) = rows.values()
    delimiter, mark = quote_text(system.csv.delimiter), quote_text(system.csv.quote)
    options = f"FORMAT csv, HEADER true, DELIMITER {delimiter}, QUOTE {mark}, ESCAPE {mark}, NULLSTR ''"
    written = connection.execute(f"COPY (FROM {sql}) TO {quote_text(path)} ({options})").fetchone()
    return int(written[0]) if written else 0


def numbered_rows(path: Path, system: System, header: tuple[str, ...]) -> str:
    """Table expression of all records below the header, with their line; each gives one item."""
    return (
        f"(SELECT *, row_number() OVER () + 1 AS {SOURCE_LINE}, 1::INTEGER AS {SOURCE_ITEM} "
        f"FROM {_read_csv(path, system, header)})"
    )


def check_file(connection: duckdb.DuckDBPyConnection, path: Path, system: System, settings: Settings) -> int:
    """Rows below the header. Text that is no UTF-8 never reaches DuckDB, which may break down on it."""
    header = header_of(path, system)
    check_columns(path, header, settings)
    _check_encoding(path)
    try:
        row = connection.execute(f"SELECT count(*) FROM {_read_csv(path, system, header)}").fetchone()
    except duckdb.Error as error:
        found = _ERROR_LINE.match(str(error))
        line = int(found.group(1)) if found else None
        if _TOO_LONG in str(error):
            raise refusal(path, "cell_too_large", "a record is over 2 MB", line=line) from None
        raise _structure_error(path, "quotes, delimiters or line ends are broken here", line) from None
    return int(row[0]) if row else 0


def _read_csv(path: Path, system: System, header: tuple[str, ...]) -> str:
    types = ", ".join(f"{quote_text(name)}: 'VARCHAR'" for name in header)
    names = ", ".join(map(quote_text, header))
    options = {
        "columns": f"{{{types}}}",
        "auto_detect": "false",
        "header": "true",
        "delim": quote_text(system.csv.delimiter),
        "quote": quote_text(system.csv.quote),
        "escape": quote_text(system.csv.quote),
        "comment": "''",
        "encoding": "'utf-8'",
        "compression": "'none'",
        "force_not_null": f"[{names}]",
        "strict_mode": "true",
        "null_padding": "false",
        "ignore_errors": "false",
        # Neither the folder's nor the file's name may add a column.
        "hive_partitioning": "false",
        "filename": "false",
    }
    written = ", ".join(f"{name} = {value}" for name, value in options.items())
    selected = ", ".join(map(quote_name, header))
    return f"(SELECT {selected} FROM read_csv({quote_path(path)}, {written}))"


def _check_encoding(path: Path) -> None:
    """Read the file once: UTF-8 throughout, without NUL."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    line = 1
    with path.open("rb") as stream:
        while True:
            chunk = stream.read(CHUNK_BYTES)
            pending = len(decoder.getstate()[0])
            nul = chunk.find(b"\0")
            try:
                decoder.decode(chunk if nul < 0 else chunk[:nul], final=not chunk)
            except UnicodeDecodeError as error:
                raise _encoding_error(path, line + chunk.count(b"\n", 0, max(error.start - pending, 0))) from None
            if nul >= 0:
                raise _encoding_error(path, line + chunk.count(b"\n", 0, nul))
            if not chunk:
                return
            line += chunk.count(b"\n")


def _encoding_error(path: Path, line: int) -> ClinicOutcomesError:
    return ClinicOutcomesError(
        [
            Problem(
                rule="encoding",
                message="the file is not UTF-8 text",
                advice="Export the file as UTF-8.",
                file=path.name,
                line=line,
            )
        ]
    )


def _structure_error(path: Path, message: str, line: int | None) -> ClinicOutcomesError:
    return ClinicOutcomesError(
        [
            Problem(
                rule="csv_structure",
                message=message,
                advice="Export the file again; every row needs the header's number of cells.",
                file=path.name,
                line=line,
            )
        ]
    )
