"""A search for values that must not have left landing, through every format the pipeline writes."""

import gzip
import re
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb


def texts(path: Path) -> Iterator[str]:
    """Everything a file says: its bytes as text, and its content decoded where the format hides it."""
    yield path.read_bytes().decode("latin-1")
    if path.suffix == ".parquet":
        yield from _rows(duckdb.connect().execute("FROM read_parquet(?)", [str(path)]))
        yield from _rows(duckdb.connect().execute("SELECT key, value FROM parquet_kv_metadata(?)", [str(path)]))
    elif path.suffix == ".duckdb":
        yield from _duckdb_texts(path)
    elif path.suffix in (".db", ".sqlite"):
        yield from _sqlite_texts(path)
    elif path.suffix == ".gz":
        yield gzip.decompress(path.read_bytes()).decode("latin-1")
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield from (archive.read(name).decode("latin-1") for name in archive.namelist())


def _rows(cursor: duckdb.DuckDBPyConnection) -> Iterator[str]:
    while rows := cursor.fetchmany(50_000):
        yield "\n".join(str(row) for row in rows)


def _duckdb_texts(path: Path) -> Iterator[str]:
    with duckdb.connect(str(path), read_only=True) as connection:
        tables = connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables ORDER BY ALL"
        ).fetchall()
        for schema, name in tables:
            yield from _rows(connection.execute(f'FROM "{schema}"."{name}"'))


def _sqlite_texts(path: Path) -> Iterator[str]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in names:
            yield "\n".join(str(row) for row in connection.execute(f'SELECT * FROM "{name}"'))


def find(home: Path, pattern: re.Pattern[str], wanted: set[str] | None = None) -> dict[str, set[str]]:
    """File → matches of ``pattern`` (of those, only ``wanted`` ones) anywhere below ``home`` but in ``landing/``."""
    found: dict[str, set[str]] = {}
    for path in sorted(home.rglob("*")):
        if path.is_symlink() or not path.is_file() or home / "landing" in path.parents:
            continue
        matches = {match for text in texts(path) for match in pattern.findall(text)}
        matches = matches if wanted is None else matches & wanted
        if matches:
            found[str(path.relative_to(home))] = matches
    return found
