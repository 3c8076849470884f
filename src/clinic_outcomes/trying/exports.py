"""What a file of unknown make is: its format and dialect, and its parts as tables that the readers can read.

A part is a file (CSV, Parquet), a sheet (Excel), a form (REDCap) or the resources of one type (FHIR).
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from clinic_outcomes.admit.header import plain_name
from clinic_outcomes.database import quote_name, quote_path, quote_text
from clinic_outcomes.formats import check_file, excel_package, leftovers, read_header, read_rows_sql
from clinic_outcomes.formats.fhir_names import is_fhir_name
from clinic_outcomes.formats.limits import check_json_lines, check_size, is_archive, refusal
from clinic_outcomes.formats.redcap_writing import INSTRUMENT, ROW_COLUMNS
from clinic_outcomes.mapping import CsvDialect, Source, System, split_suffix
from clinic_outcomes.problems import ClinicOutcomesError, Problem
from clinic_outcomes.receive.telling import told_folder
from clinic_outcomes.settings import Settings

FORMATS = ("csv", "parquet", "excel", "redcap", "fhir")
DICTIONARY_FORMAT = "redcap_dictionary"
DELIMITERS = (",", ";", "\t", "|")
SAMPLE_BYTES, SAMPLE_RECORDS = 400_000, 200
_DECIMAL = re.compile(r"[+-]?\d{1,6}([.,])\d+")


@dataclass(frozen=True)
class Part:
    """A table of a file: its columns, and SQL for each one's values (one column ``value``; NULL or blank is missing).

    ``name`` is fit for a source's name and holds nothing of a person. ``place`` is the sheet, form or resource type as
    delivered; ``place_told`` as it may be told.
    """

    name: str
    place: str | None
    place_told: str | None
    rows: int
    columns: tuple[str, ...]
    values: Mapping[str, str]
    row_columns: tuple[str, ...] = ()
    """Columns of a REDCap export that say whose row it is and stand in every form."""
    lists: frozenset[str] = frozenset()
    """Elements of FHIR resources that may be there several times."""


@dataclass(frozen=True)
class Export:
    """A file: how it may be told, its format, how it is written, its parts, and what lies beside their cells."""

    path: Path
    told: str
    format: str
    csv: CsvDialect | None = None
    parts: tuple[Part, ...] = ()
    remarks: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = field(default=())


def open_exports(
    connection: duckdb.DuckDBPyConnection, paths: Sequence[Path], known_words: frozenset[str], settings: Settings
) -> tuple[Export, ...]:
    """Files, each with its parts, in the order given. ``ClinicOutcomesError`` where one cannot be read at all."""
    problems: list[Problem] = []
    found = []
    for position, path in enumerate(paths, start=1):
        told = told_name(path, known_words, position)
        try:
            found.append(_open(connection, path, told, known_words, settings, f"source_{position}"))
        except ClinicOutcomesError as error:
            problems += [problem.model_copy(update={"file": told}) for problem in error.problems]
        except duckdb.Error:
            # DuckDB's own words quote values.
            problems.append(_unreadable(told))
    if problems:
        raise ClinicOutcomesError(problems)
    return tuple(found)


def told_name(path: Path, known_words: frozenset[str], position: int) -> str:
    """A file's name as it may be told: made of known words, with ``*`` for numbers of it; else its place."""
    stem, name = split_suffix(path.name, FORMATS)
    ending = path.name[len(stem) :] if name else ""
    shown = re.sub(r"[-_. ]?\d{3,}(?:[-_.]?\d+)*", "*", stem)
    return f"{shown}{ending}" if name and _is_plain(shown.replace("*", ""), known_words) else f"file {position}{ending}"


def source_name(text: str, known_words: frozenset[str], otherwise: str) -> str:
    """A name for a source out of a file's, a sheet's or a form's name; ``otherwise`` where that may not be told."""
    words = [word for word in plain_name(text).split("_") if word.strip("0123456789")]
    name = "_".join(words)[:60]
    fits = re.fullmatch(r"[a-z][a-z0-9_]*[a-z0-9]", name) and _is_plain("_".join(words), known_words)
    return name if fits else otherwise


def _is_plain(text: str, known_words: frozenset[str]) -> bool:
    """Whether a name consists of known words, counts and words of deliveries."""
    words = [word for word in plain_name(text).split("_") if word]
    if not re.fullmatch(r"[A-Za-z0-9 ._()-]+", text) or not words:
        return False
    return all(
        (word.strip("0123456789") in known_words and not re.search(r"\d{3}", word)) or told_folder(word) == word
        for word in words
    )


def _open(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    told: str,
    known_words: frozenset[str],
    settings: Settings,
    name: str,
) -> Export:
    if not path.is_file():
        raise refusal(path, "file_missing", "there is no such file", "Name files that exist.")
    check_size(path, settings)
    lower = path.name.lower()
    name = source_name(split_suffix(path.name, FORMATS)[0], known_words, name)
    if lower.endswith((".ndjson", ".ndjson.gz")):
        return _open_fhir(connection, path, told, settings)
    if lower.endswith(".parquet"):
        return _open_table(connection, path, told, "parquet", None, name, settings)
    if lower.endswith(".xlsx"):
        return _open_workbook(connection, path, told, known_words, settings)
    if is_archive(path):
        raise refusal(path, "file_unknown", "the file is an archive", "Unpack it, and try the files in it.")
    if not lower.endswith(".csv"):
        advice = "Name CSV .csv, Parquet .parquet, workbooks .xlsx, FHIR .ndjson."
        raise refusal(path, "file_unknown", "the ending of the file's name is of no known format", advice)
    return _open_csv(connection, path, told, known_words, settings, name)


def _system(format_name: str, sources: dict[str, Source], dialect: CsvDialect | None = None) -> System:
    """A system without a mapping, for the readers."""
    return System(
        name="unknown",
        folder=Path(),
        title="",
        description="",
        format=format_name,
        other_formats=(),
        csv=dialect or CsvDialect(),
        missing=("",),
        list_separator=";",
        sources=sources,
        key_patterns={},
        columns=(),
        codes={},
        fingerprint="",
    )


def _values(header: Sequence[str], rows: str) -> dict[str, str]:
    return {name: f"(SELECT {quote_name(name)} AS value FROM {rows})" for name in header}


def _open_table(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    told: str,
    format_name: str,
    dialect: CsvDialect | None,
    name: str,
    settings: Settings,
) -> Export:
    system = _system(format_name, {"part": Source(file="*")}, dialect)
    rows = check_file(connection, path, system, settings)
    header = read_header(connection, path, system, "part")
    sql = read_rows_sql(connection, path, system, "part", header)
    part = Part(name, None, None, rows, header, _values(header, sql))
    beside = tuple(f"{found.rule}: {found.place}" for found in leftovers(connection, path, system))
    return Export(path, told, format_name, dialect, (part,), leftovers=beside)


def _open_csv(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    told: str,
    known_words: frozenset[str],
    settings: Settings,
    name: str,
) -> Export:
    text = _sample(path)
    dialect = _dialect(text)
    remarks = ("the file begins with a byte order mark, which is passed over",) if text.startswith("\ufeff") else ()
    found = _open_table(connection, path, told, "csv", dialect, name, settings)
    (part,) = found.parts
    header = part.columns
    if {"Variable / Field Name", "Form Name"} <= set(header) or {"field_name", "form_name"} <= set(header):
        return Export(path, told, DICTIONARY_FORMAT, dialect, (part,), remarks)
    complete = [name for name in header if name.endswith("_complete")]
    if not ({"redcap_event_name", INSTRUMENT} & set(header) or (header[0] == "record_id" and complete)):
        return Export(path, told, "csv", dialect, found.parts, remarks, found.leftovers)
    system = _system("csv", {"part": Source(file="*")}, dialect)
    sql = read_rows_sql(connection, path, system, "part", header)
    return Export(path, told, "redcap", dialect, _forms(connection, header, sql, known_words), remarks)


def _sample(path: Path) -> str:
    """The beginning of a text file. ``ClinicOutcomesError`` says the encoding where it is not UTF-8."""
    with path.open("rb") as stream:
        start = stream.read(SAMPLE_BYTES)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in start[:1000]:
        raise refusal(path, "encoding", "the file seems to be UTF-16", "Export the file as UTF-8.", line=1)
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError as error:
        line = start.count(b"\n", 0, error.start) + 1
        message = "the file is not UTF-8: an 8-bit encoding such as Windows-1252"
        raise refusal(path, "encoding", message, "Export the file as UTF-8.", line=line) from None


def _dialect(text: str) -> CsvDialect:
    """The delimiter that gives records most alike, and what stands before the decimals of most numbers."""
    lines = text.removeprefix("\ufeff")
    best: tuple[float, int, str, list[list[str]]] = (0.0, 0, ",", [])
    for delimiter in DELIMITERS:
        reader = csv.reader(io.StringIO(lines, newline=""), delimiter=delimiter)
        try:
            records = [cells for cells, _ in zip(reader, range(SAMPLE_RECORDS), strict=False)]
        except csv.Error:
            continue
        width = len(records[0]) if records else 1
        alike = sum(len(cells) == width for cells in records[:-1] or records) / max(len(records[:-1] or records), 1)
        if width > 1 and (alike, width) > best[:2]:
            best = (alike, width, delimiter, records)
    _, _, delimiter, records = best
    marks = [found[1] for cells in records[1:] for cell in cells if (found := _DECIMAL.fullmatch(cell.strip()))]
    comma = delimiter != "," and marks.count(",") > marks.count(".")
    return CsvDialect(delimiter=delimiter, decimal_separator="," if comma else ".")


def _forms(
    connection: duckdb.DuckDBPyConnection, header: tuple[str, ...], sql: str, known_words: frozenset[str]
) -> tuple[Part, ...]:
    """Forms of a REDCap export: the columns of a form end with its status, ``<form>_complete``."""
    row_columns = tuple(name for name in header if name in ROW_COLUMNS or name == header[0])
    parts: list[Part] = []
    own: list[str] = []
    cells = [name for name in header if name not in (*row_columns, INSTRUMENT)]
    for position, name in enumerate(cells):
        own.append(name)
        if not name.endswith("_complete") and position + 1 < len(cells):
            continue
        form = name.removesuffix("_complete") if name.endswith("_complete") else "rest"
        held = " OR ".join(f"trim({quote_name(column)}) <> ''" for column in own)
        rows = f"(SELECT * FROM {sql} WHERE {held})"
        count = connection.execute(f"SELECT count(*) FROM {rows}").fetchone() or (0,)
        slug = source_name(form, known_words, f"form_{len(parts) + 1}")
        told = form if slug == form else f"form {len(parts) + 1}"
        columns = (*row_columns, *own)
        parts.append(Part(slug, form, told, int(count[0]), columns, _values(columns, rows), row_columns))
        own = []
    return tuple(parts)


def _open_workbook(
    connection: duckdb.DuckDBPyConnection, path: Path, told: str, known_words: frozenset[str], settings: Settings
) -> Export:
    package = excel_package.inspect(path, settings)
    sources = {f"sheet_{n}": Source(file="*", sheet=sheet.name) for n, sheet in enumerate(package.sheets, start=1)}
    parts, remarks = [], []
    for position, (key, sheet) in enumerate(zip(sources, package.sheets, strict=True), start=1):
        alone = _system("excel", {key: sources[key]})
        try:
            rows = check_file(connection, path, alone, settings)
            header = read_header(connection, path, alone, key)
        except ClinicOutcomesError as error:
            remarks.append(f"sheet {position}: {error.problems[0].rule}; it is no table with a header in row 1")
            continue
        sql = read_rows_sql(connection, path, alone, key, header)
        slug = source_name(sheet.name, known_words, key)
        shown = sheet.name if slug != key else f"sheet {position}"
        parts.append(Part(slug, sheet.name, shown, rows, header, _values(header, sql)))
        if sheet.hidden:
            remarks.append(f"sheet {position} is hidden")
    beside = tuple(f"{found.rule}: {found.place}" for found in package.leftovers)
    return Export(path, told, "excel", None, tuple(parts), tuple(remarks), beside)


def _open_fhir(connection: duckdb.DuckDBPyConnection, path: Path, told: str, settings: Settings) -> Export:
    check_json_lines(path, settings)
    resources = f"(SELECT json AS resource FROM read_ndjson_objects({quote_path(path)}))"
    types = connection.execute(
        f"SELECT resource->>'resourceType', count(*), json_group_structure(resource) FROM {resources} "
        "GROUP BY 1 ORDER BY 1"
    ).fetchall()
    parts, strange = [], 0
    for kind, rows, structure in types:
        if kind is None or not re.fullmatch(r"[A-Z][A-Za-z]{2,40}", kind):
            raise refusal(path, "json_structure", "a line is no FHIR resource", "Deliver one resource a line.")
        columns, lists, unknown = _elements(json.loads(structure))
        strange += unknown
        own = f"(SELECT resource FROM {resources} WHERE resource->>'resourceType' = {quote_text(kind)})"
        values = {name: _element_values(own, name, lists) for name in columns}
        parts.append(Part(plain_name(kind), kind, kind, int(rows), tuple(columns), values, lists=frozenset(lists)))
    remarks = (f"{strange} elements have names that FHIR does not know, which are not told",) if strange else ()
    return Export(path, told, "fhir", None, tuple(parts), remarks)


def _elements(structure: Any) -> tuple[list[str], set[str], int]:
    """Paths of elements that hold values, paths that are lists, and how many names FHIR does not know."""
    columns: list[str] = []
    lists: set[str] = set()
    unknown = 0

    def visit(node: Any, path: str) -> None:
        nonlocal unknown
        if isinstance(node, list):
            lists.add(path)
            visit(node[0] if node else None, path)
        elif isinstance(node, dict):
            for name, child in node.items():
                if name == "resourceType" and not path:
                    continue
                if not is_fhir_name(name):
                    unknown += 1
                    continue
                visit(child, f"{path}.{name}" if path else name)
        elif path:
            columns.append(path)

    visit(structure, "")
    return columns, lists, unknown


def _element_values(resources: str, path: str, lists: set[str]) -> str:
    """Values of an element in all resources, one row each, and one without a value for a resource without any."""
    names = path.split(".")
    steps = [f"{name}[*]" if ".".join(names[: n + 1]) in lists else name for n, name in enumerate(names)]
    found = f"json_extract_string(resource, {quote_text('$.' + '.'.join(steps))})"
    if not any(step.endswith("[*]") for step in steps):
        return f"(SELECT {found} AS value FROM {resources})"
    return f"(SELECT unnest(CASE WHEN len({found}) > 0 THEN {found} ELSE [NULL] END) AS value FROM {resources})"


def _unreadable(told: str) -> Problem:
    return Problem(
        rule="file_unreadable",
        message="the file cannot be read as what it seems to be, or is larger than the memory",
        advice="Try a part of it; more memory may help (CLINIC_OUTCOMES_MEMORY_LIMIT_MB).",
        file=told,
    )
