"""Parquet as clinic systems export it: flat columns of texts, numbers, truth values and lists of texts."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from pathlib import Path

import duckdb

from clinic_outcomes.database import quote_name, quote_path, quote_text, text_list, write_parquet
from clinic_outcomes.formats.csv_files import SOURCE_FILE, SOURCE_ITEM, SOURCE_LINE
from clinic_outcomes.formats.leftover import Leftover
from clinic_outcomes.formats.limits import MEGABYTE, check_columns, refusal
from clinic_outcomes.mapping import System
from clinic_outcomes.problems import ClinicOutcomesError, Problem
from clinic_outcomes.settings import Settings

_MAGIC = b"PAR1"
_FOOTER = struct.Struct("<I4s")
LARGEST_FOOTER_BYTES = 16 * MEGABYTE
_NUMBER = re.compile(r"(?:U?(?:TINY|SMALL|BIG|HUGE)?INT(?:EGER)?|FLOAT|DOUBLE|DECIMAL\(.*\))")
_TEXT = re.compile(r"VARCHAR|BOOLEAN|DATE|TIME.*|UUID|ENUM\(.*\)")
_WHOLE = "-?(?:0|[1-9][0-9]{0,17})"
_DECIMAL = "-?(?:0|[1-9][0-9]{0,11})(?:[.][0-9]{1,6})?"
"""Texts of numbers that a type of numbers gives back as the same number, with a point before the decimals."""
_WRITER = r"[A-Za-z][A-Za-z .-]{0,40}(?: version)? v?\d[\w.+-]{0,30}(?: \((?:build )?[\w.+-]{0,60}\))?"
"""What programs that write Parquet call themselves: a name, a version, a build."""


def check_file(connection: duckdb.DuckDBPyConnection, path: Path, system: System, settings: Settings) -> int:
    """Rows of the file, every value of it read once, after what it says of its size."""
    _check_footer(path)
    header = read_header(connection, path, system, "")
    check_columns(path, header, settings)
    _check_sizes(connection, path, settings)
    # A count alone would be answered from the footer, without a look at the values.
    values = ", ".join(f"bit_xor(hash({quote_name(name)}))" for name in header)
    try:
        row = connection.execute(f"SELECT count(*), {values} FROM {_read(path)}").fetchone()
    except duckdb.Error:
        raise _structure_error(path, "the file is broken: its values cannot be read") from None
    return int(row[0]) if row else 0


def read_header(connection: duckdb.DuckDBPyConnection, path: Path, system: System, source: str) -> tuple[str, ...]:
    """Names of the columns, each of a type that has one text."""
    columns = _columns(connection, path)
    folded = [name.casefold() for name in (*columns, SOURCE_FILE, SOURCE_LINE, SOURCE_ITEM, "file_row_number")]
    if len(set(folded)) < len(folded) or any(not name.strip() for name in columns):
        raise _structure_error(path, "a column has no name, or one that another has, letter case apart")
    for place, sql_type in enumerate(columns.values(), start=1):
        if not _is_readable(sql_type):
            raise _structure_error(path, f"column {place} is neither text, number, truth value nor list of texts")
    return tuple(columns)


def read_rows_sql(
    connection: duckdb.DuckDBPyConnection, path: Path, system: System, source: str, header: tuple[str, ...]
) -> str:
    """Table expression of the rows in the file's order; the first is line 2, as below a header."""
    columns = _columns(connection, path)
    texts = ", ".join(f"{_text(name, columns[name], system)} AS {quote_name(name)}" for name in header)
    return f"(SELECT {texts}, file_row_number + 2 AS {SOURCE_LINE}, 1::INTEGER AS {SOURCE_ITEM} FROM {_read(path)})"


def leftovers(connection: duckdb.DuckDBPyConnection, path: Path, system: System) -> tuple[Leftover, ...]:
    """Metadata of the file: none is needed to read it, and the writer's name must be a program's."""
    pairs = connection.execute(f"SELECT count(*) FROM parquet_kv_metadata({quote_path(path)})").fetchone()
    found = [Leftover("metadata_present", "key-value metadata of the file")] if pairs and pairs[0] else []
    writer = connection.execute(
        f"SELECT regexp_full_match(coalesce(created_by, ''), {quote_text(_WRITER)}) OR coalesce(created_by, '') = '' "
        f"FROM parquet_file_metadata({quote_path(path)})"
    ).fetchone()
    if writer and not writer[0]:
        found.append(Leftover("metadata_present", "the name of the program that wrote the file"))
    return tuple(found)


def write_file(connection: duckdb.DuckDBPyConnection, path: Path, system: System, rows: Mapping[str, str]) -> int:
    """Write the rows of one base source; their number.

    A column of which every text is a plain number has a type of numbers, and what stands for no value is NULL.
    """
    (sql,) = rows.values()
    connection.execute(f"CREATE OR REPLACE TEMP TABLE written_rows AS FROM {sql}")
    names = [str(name) for name, *_ in connection.execute("DESCRIBE written_rows").fetchall()]
    types = ", ".join(_sql_type(_number_text(name, system)) for name in names)
    found = connection.execute(f"SELECT count(*), {types} FROM written_rows").fetchone()
    count, *sql_types = found or (0,)
    values = ", ".join(
        f"{_number_text(name, system)}::{sql_type} AS {quote_name(name)}"
        if sql_type
        else f"{_given_text(name, system)} AS {quote_name(name)}"
        for name, sql_type in zip(names, sql_types, strict=True)
    )
    write_parquet(connection, f"SELECT {values} FROM written_rows", path)
    connection.execute("DROP TABLE written_rows")
    return int(count)


def _given_text(name: str, system: System) -> str:
    """NULL where a text says that there is no value."""
    text = quote_name(name)
    return f"CASE WHEN NOT list_contains({text_list(system.missing)}, trim({text})) THEN {text} END"


def _number_text(name: str, system: System) -> str:
    """The text with a point before the decimals."""
    text = _given_text(name, system)
    return text if system.decimal_separator == "." else f"replace({text}, {quote_text(system.decimal_separator)}, '.')"


def _sql_type(text: str) -> str:
    """SQL of a column's type; NULL for text, and for a column without a value."""
    return (
        f"CASE WHEN bool_and(regexp_full_match({text}, {quote_text(_WHOLE)})) THEN 'BIGINT' "
        f"WHEN bool_and(regexp_full_match({text}, {quote_text(_DECIMAL)})) "
        f"THEN 'DECIMAL(18,' || max(length(split_part({text}, '.', 2))) || ')' END"
    )


def _check_footer(path: Path) -> None:
    """Refuse what is cut off, and a footer that is longer than any that plain columns need."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        begins = stream.read(len(_MAGIC)) == _MAGIC
        stream.seek(max(size - _FOOTER.size, 0))
        end = stream.read(_FOOTER.size)
    if size < _FOOTER.size + len(_MAGIC) or not begins:
        raise _structure_error(path, "the file is no Parquet, or not whole")
    length, magic = _FOOTER.unpack(end)
    if magic != _MAGIC or length > size - _FOOTER.size - len(_MAGIC):
        raise _structure_error(path, "the file is no Parquet, or not whole")
    if length > LARGEST_FOOTER_BYTES:
        raise refusal(path, "metadata_too_large", "the footer is larger than any that plain columns need")


def _check_sizes(connection: duckdb.DuckDBPyConnection, path: Path, settings: Settings) -> None:
    """Refuse what by its own account comes to more than the settings allow."""
    try:
        rows = connection.execute(f"SELECT num_rows FROM parquet_file_metadata({quote_path(path)})").fetchone()
        sizes = connection.execute(
            f"SELECT sum(total_uncompressed_size), sum(total_compressed_size), min(total_uncompressed_size) "
            f"FROM parquet_metadata({quote_path(path)})"
        ).fetchone()
    except duckdb.Error:
        raise _structure_error(path, "the file cannot be read as Parquet") from None
    unpacked, packed, least = (int(size or 0) for size in sizes or (0, 0, 0))
    if not rows or not 0 <= int(rows[0]) <= settings.most_rows:
        raise refusal(path, "too_many_rows", f"the file has more than {settings.most_rows} rows")
    if least < 0 or unpacked > settings.largest_unpacked_mb * MEGABYTE:
        raise refusal(path, "unpacked_too_large", f"unpacked it is over {settings.largest_unpacked_mb} MB")
    if unpacked > 10 * MEGABYTE and unpacked > packed * settings.largest_ratio:
        raise refusal(path, "unpacked_too_large", f"unpacked it is over {settings.largest_ratio} times as large")


def _columns(connection: duckdb.DuckDBPyConnection, path: Path) -> dict[str, str]:
    """Name and SQL type of each column."""
    try:
        found = connection.execute(f"DESCRIBE SELECT * EXCLUDE (file_row_number) FROM {_read(path)}").fetchall()
    except duckdb.Error:
        raise _structure_error(path, "the file cannot be read as Parquet, or has no column") from None
    return {str(name): str(sql_type) for name, sql_type, *_ in found}


def _read(path: Path) -> str:
    return f"read_parquet({quote_path(path)}, file_row_number = true, hive_partitioning = false, filename = false)"


def _is_readable(sql_type: str) -> bool:
    element = sql_type.removesuffix("[]")
    if element != sql_type:
        return element == "VARCHAR"
    return bool(_NUMBER.fullmatch(sql_type) or _TEXT.fullmatch(sql_type))


def _text(name: str, sql_type: str, system: System) -> str:
    """A value as the system's CSV would have it."""
    column = quote_name(name)
    if sql_type.endswith("[]"):
        text = f"array_to_string({column}, {quote_text(system.list_separator)})"
    elif _NUMBER.fullmatch(sql_type) and system.decimal_separator != ".":
        text = f"replace({column}::VARCHAR, '.', {quote_text(system.decimal_separator)})"
    else:
        text = f"{column}::VARCHAR"
    return f"coalesce({text}, '')"


def _structure_error(path: Path, message: str) -> ClinicOutcomesError:
    return ClinicOutcomesError(
        [
            Problem(
                rule="parquet_structure",
                message=message,
                advice="Export the file again, with plain columns under names of their own.",
                file=path.name,
            )
        ]
    )
