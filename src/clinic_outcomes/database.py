"""DuckDB sessions for the stages that work on files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from clinic_outcomes.settings import Settings


@contextmanager
def session(settings: Settings, *, spill: bool = True) -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-memory DuckDB within the limits of ``settings``, with no network and no extension downloads.

    Without ``spill`` nothing of what it works on is ever written to disk: what does not fit fails.
    """
    if spill:
        settings.scratch.mkdir(parents=True, exist_ok=True)
    connection = duckdb.connect(
        config={
            "threads": settings.threads,
            "memory_limit": f"{settings.memory_limit_mb}MB",
            "temp_directory": str(settings.scratch) if spill else "",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "preserve_insertion_order": True,
        }
    )
    try:
        yield connection
    finally:
        connection.close()


def quote_name(name: str) -> str:
    """A name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def quote_text(text: str | Path) -> str:
    """A text as an SQL string literal."""
    return "'" + str(text).replace("'", "''") + "'"


def quote_path(path: Path) -> str:
    """A path as an SQL string literal, with what DuckDB would read as a pattern made literal."""
    return quote_text(re.sub(r"([*?\[])", r"[\1]", str(path)))


def text_list(texts: Iterable[str]) -> str:
    """Texts as a constant SQL list."""
    return f"[{', '.join(map(quote_text, texts))}]::VARCHAR[]"


def fill_table(
    connection: duckdb.DuckDBPyConnection, table: str, columns: Mapping[str, str], rows: Sequence[tuple[object, ...]]
) -> None:
    """Make ``table``, a name as SQL writes it, of columns with SQL types and a few rows."""
    definition = ", ".join(f"{quote_name(name)} {kind}" for name, kind in columns.items())
    connection.execute(f"CREATE TABLE {table} ({definition})")
    if rows:
        # A list a column: one statement a row takes ten times as long.
        values = ", ".join(f"unnest(?::{kind}[])" for kind in columns.values())
        connection.execute(f"INSERT INTO {table} SELECT {values}", [list(column) for column in zip(*rows, strict=True)])


def write_parquet(connection: duckdb.DuckDBPyConnection, query: str, target: Path) -> None:
    """Write the rows of ``query``, in the order it gives them, to a Parquet file. The query must order them."""
    connection.execute(
        f"COPY ({query}) TO {quote_text(target)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)"
    )
