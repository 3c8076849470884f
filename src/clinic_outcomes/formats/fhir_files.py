"""FHIR R4 as bulk exports deliver it: NDJSON, plain or gzip, of one type of resource a file.

A source is a view of the resources of a file, by SQL on FHIR. NDJSON has no header: ``source_line`` is the number of
the line, the first being 1, and ``source_item`` counts the rows that the view makes of a line's resource.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb

from clinic_outcomes.database import quote_name, quote_path, quote_text
from clinic_outcomes.formats.csv_files import SOURCE_ITEM, SOURCE_LINE
from clinic_outcomes.formats.fhir_elements import element_leftovers
from clinic_outcomes.formats.fhir_writing import write_resources
from clinic_outcomes.formats.leftover import Leftover
from clinic_outcomes.formats.limits import check_json_lines
from clinic_outcomes.formats.naming import sources_of
from clinic_outcomes.mapping import System
from clinic_outcomes.mapping.fhir import FhirMapping
from clinic_outcomes.problems import ClinicOutcomesError, Problem
from clinic_outcomes.settings import Settings
from clinic_outcomes.sql_on_fhir import ViewColumn, compile_view

_MANY_ROWS = {"forEach", "forEachOrNull", "repeat", "unionAll"}


def check_file(connection: duckdb.DuckDBPyConnection, path: Path, system: System, settings: Settings) -> int:
    """Number of resources: every line is one, of the type of the file's views, and every view can read it."""
    lines = check_json_lines(path, settings)
    fhir, sources = _fhir(system), sources_of(path.name, system)
    resource = fhir.resource(sources[0])
    wrong = f"resource->>'resourceType' IS DISTINCT FROM {quote_text(resource)}"
    try:
        row = connection.execute(
            f"SELECT count(*), min(source_line) FILTER ({wrong}) FROM {_resources(path)}"
        ).fetchone()
    except duckdb.Error:
        raise _structure_error(path, "the line is not one JSON object", _first_unreadable(path)) from None
    count, line = row or (0, None)
    if count != lines or _has_empty_line(path):
        raise _structure_error(path, "the line is empty, or not one JSON object", _first_unreadable(path))
    if line is not None:
        raise _structure_error(path, f"the line is no {resource}", int(line))
    for source in sources:
        _check_view(connection, path, source, fhir)
    return int(count)


def read_header(connection: duckdb.DuckDBPyConnection, path: Path, system: System, source: str) -> tuple[str, ...]:
    """Columns of the source's view."""
    return tuple(column.name for column in compile_view(_fhir(system).views[source], "resources").columns)


def read_rows_sql(
    connection: duckdb.DuckDBPyConnection, path: Path, system: System, source: str, header: tuple[str, ...]
) -> str:
    """Table expression of the view's rows, in the order of the lines and of the elements in each."""
    view = _fhir(system).views[source]
    compiled = compile_view(view, _resources(path), carry=(SOURCE_LINE,))
    columns = {column.name: column for column in compiled.columns}
    texts = ", ".join(f"{_text(columns[name], system)} AS {quote_name(name)}" for name in header)
    rows = f"SELECT {texts}, {SOURCE_LINE} FROM ({compiled.sql})"
    if not _gives_many_rows(view):
        return f"(SELECT *, 1::INTEGER AS {SOURCE_ITEM} FROM ({rows}))"
    # Windows without an order follow that of the input, and need no sort.
    numbered = (
        f"SELECT *, row_number() OVER () AS row_place, "
        f"lag({SOURCE_LINE}) OVER () IS DISTINCT FROM {SOURCE_LINE} AS is_first FROM ({rows})"
    )
    begun = "max(CASE WHEN is_first THEN row_place END) OVER (ROWS UNBOUNDED PRECEDING)"
    names = ", ".join(map(quote_name, header))
    return f"(SELECT {names}, {SOURCE_LINE}, (row_place - {begun} + 1)::INTEGER AS {SOURCE_ITEM} FROM ({numbered}))"


def leftovers(connection: duckdb.DuckDBPyConnection, path: Path, system: System) -> tuple[Leftover, ...]:
    """Elements of the resources that the system's list does not allow."""
    resource = _fhir(system).resource(sources_of(path.name, system)[0])
    return element_leftovers(connection, _resources(path), resource, system)


def write_file(connection: duckdb.DuckDBPyConnection, path: Path, system: System, rows: Mapping[str, str]) -> int:
    """Write the resources that the views read these rows from; their number."""
    return write_resources(connection, path, system, rows)


def _fhir(system: System) -> FhirMapping:
    if system.fhir is None:
        raise ClinicOutcomesError(f"system {system.name} exports no FHIR")
    return system.fhir


def _resources(path: Path) -> str:
    """Table expression of the lines of a file as JSON, numbered in the file's order."""
    return (
        f"(SELECT json AS resource, row_number() OVER () AS {SOURCE_LINE} FROM read_ndjson_objects({quote_path(path)}))"
    )


def _text(column: ViewColumn, system: System) -> str:
    """A value as the system's CSV would have it."""
    name = quote_name(column.name)
    if column.collection:
        text = f"array_to_string({name}, {quote_text(system.list_separator)})"
    elif column.sql_type.startswith("DECIMAL"):
        # Its type has more decimals than the number.
        text = f"rtrim(rtrim({name}::VARCHAR, '0'), '.')"
        if system.decimal_separator != ".":
            text = f"replace({text}, '.', {quote_text(system.decimal_separator)})"
    else:
        text = f"{name}::VARCHAR"
    return f"coalesce({text}, '')"


def _gives_many_rows(part: Any) -> bool:
    if isinstance(part, Mapping):
        return bool(_MANY_ROWS & part.keys()) or any(map(_gives_many_rows, part.values()))
    return isinstance(part, list) and any(map(_gives_many_rows, part))


def _check_view(connection: duckdb.DuckDBPyConnection, path: Path, source: str, fhir: FhirMapping) -> None:
    """Compute every column once: a view fails where a resource has two values for one column."""
    compiled = compile_view(fhir.views[source], _resources(path), carry=(SOURCE_LINE,))
    values = ", ".join(f"count({quote_name(column.name)})" for column in compiled.columns)
    try:
        connection.execute(f"SELECT {values} FROM ({compiled.sql})").fetchall()
    except duckdb.Error:
        message = f"a resource has several values where the view of source {source} has room for one"
        raise _structure_error(path, message, None) from None


def _lines(path: Path) -> Iterator[bytes]:
    with gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb") as stream:
        yield from stream


def _has_empty_line(path: Path) -> bool:
    return any(not line.strip() for line in _lines(path))


def _first_unreadable(path: Path) -> int | None:
    """First line that is not one JSON object, by a reader of JSON other than DuckDB's."""
    for number, line in enumerate(_lines(path), start=1):
        try:
            if not isinstance(json.loads(line, parse_constant=_refuse_constant), dict):
                return number
        except ValueError:
            return number
    return None


def _refuse_constant(name: str) -> None:
    raise ValueError("NaN and Infinity are no JSON")


def _structure_error(path: Path, message: str, line: int | None) -> ClinicOutcomesError:
    return ClinicOutcomesError(
        [
            Problem(
                rule="json_structure",
                message=message,
                advice="Export the file again: one resource a line, all of one type, as its view expects.",
                file=path.name,
                line=line,
            )
        ]
    )
