"""A search for values that must not have left landing, through every format the pipeline writes."""

import functools
import gzip
import io
import json
import re
import sqlite3
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import duckdb

DEEPEST = 4


def texts(path: Path) -> Iterator[str]:
    """Everything a file says: its bytes as text, and its content decoded where the format hides it."""
    yield from _decoded(path.read_bytes(), path.name, 0)
    if path.suffix == ".parquet":
        connection, place = _reader(), [str(path)]
        yield from _rows(connection.execute("FROM read_parquet(?)", place))
        yield from _rows(connection.execute("SELECT key, value FROM parquet_kv_metadata(?)", place))
        yield from _rows(connection.execute("SELECT created_by FROM parquet_file_metadata(?)", place))
        # Also minima and maxima, which a row that was filtered out may have left behind.
        statistics = "path_in_schema, stats_min, stats_max, stats_min_value, stats_max_value"
        yield from _rows(connection.execute(f"SELECT {statistics} FROM parquet_metadata(?)", place))
    elif path.suffix == ".duckdb":
        yield from _duckdb_texts(path)
    elif path.suffix in (".db", ".sqlite"):
        yield from _sqlite_texts(path)


@functools.cache
def _reader() -> duckdb.DuckDBPyConnection:
    """One connection for all Parquet files: a home has thousands of small ones."""
    return duckdb.connect(config={"threads": 1})


def _decoded(data: bytes, name: str, depth: int) -> Iterator[str]:
    """Bytes as text, in each encoding that could hide one, and what is packed in them. Pickles are read as text."""
    yield data.decode("utf-8", "replace")
    yield data.decode("latin-1")
    if b"\0" in data:
        yield data.decode("utf-16-le", "replace")
        yield data[1:].decode("utf-16-le", "replace")
    if depth >= DEEPEST:
        return
    if data[:2] == b"\x1f\x8b":
        with suppress(OSError, EOFError, zlib.error):
            yield from _decoded(gzip.decompress(data), name, depth + 1)
    elif data[:4] == b"PK\x03\x04" and zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            yield archive.comment.decode("latin-1")
            for member in archive.namelist():
                yield member
                yield from _decoded(archive.read(member), member, depth + 1)
    elif data.lstrip()[:1] in (b"{", b"[", b'"') or name.endswith((".json", ".jsonl", ".ndjson", ".log")):
        yield from _json_texts(data)


def _json_texts(data: bytes) -> Iterator[str]:
    """Texts of JSON, a document or one a line, with escapes resolved: ``\\u00fc`` hides an ü."""
    text = data.decode("utf-8", "replace")
    try:
        yield "\n".join(_strings(json.loads(text)))
    except ValueError:
        for line in text.splitlines():
            with suppress(ValueError):
                yield "\n".join(_strings(json.loads(line)))


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
    else:
        yield str(value)


def _text(cell: object) -> str:
    return "\n".join(_strings(cell)) if isinstance(cell, dict | list) else str(cell)


def _rows(cursor: duckdb.DuckDBPyConnection) -> Iterator[str]:
    while rows := cursor.fetchmany(50_000):
        # Texts as they are: their representation would escape quotes and what is not printable.
        yield "\n".join([_text(cell) for row in rows for cell in row])


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
            for row in connection.execute(f'SELECT * FROM "{name}"'):
                for cell in row:
                    # A value that an application pickled or packed is bytes here.
                    yield from _decoded(cell, name, 0) if isinstance(cell, bytes) else (str(cell),)


def outside_landing(home: Path) -> Iterator[Path]:
    """Files below ``home`` but not in ``landing/``."""
    for path in sorted(home.rglob("*")):
        if not path.is_symlink() and path.is_file() and home / "landing" not in path.parents:
            yield path


def find(home: Path, pattern: re.Pattern[str], wanted: set[str] | None = None) -> dict[str, set[str]]:
    """File → matches of ``pattern`` (of those, only ``wanted`` ones) anywhere below ``home`` but in ``landing/``."""
    found: dict[str, set[str]] = {}
    for path in outside_landing(home):
        matches = {match for text in texts(path) for match in pattern.findall(text)}
        matches = matches if wanted is None else matches & wanted
        if matches:
            found[str(path.relative_to(home))] = matches
    return found


def canaries(home: Path, values: Iterable[str]) -> dict[str, set[str]]:
    """File → those of some values, letter case apart, that its name or content holds anywhere outside landing."""
    wanted = {value.casefold() for value in values}
    found: dict[str, set[str]] = {}
    for path in outside_landing(home):
        name = str(path.relative_to(home))
        for text in (name, *texts(path)):
            folded = text.casefold()
            if held := {value for value in wanted if value in folded}:
                found.setdefault(name, set()).update(held)
    return found
