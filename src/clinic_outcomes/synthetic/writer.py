"""Write a delivery as its system exports it: the inverse of the system's mapping, with a manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np

from clinic_outcomes.contract import LOCAL_CODES, UNMAPPED, Column, load_contract
from clinic_outcomes.database import quote_name, quote_text
from clinic_outcomes.files import sha256_file
from clinic_outcomes.mapping import Clinic, ColumnMapping, Source, System
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.receive.manifest import Manifest, ManifestFile, write_manifest
from clinic_outcomes.synthetic.columns import (
    MISSING,
    NO_KEY,
    Indices,
    Integers,
    Keys,
    Rows,
    code_positions,
    key_space,
    length,
)
from clinic_outcomes.synthetic.deliveries import Delivery
from clinic_outcomes.synthetic.shaping import decimals, more_decimals
from clinic_outcomes.synthetic.world import FIRST_DATE

UNKNOWN_CODE = "ZZ-9"
"""Delivered for a code that no mapping is to know."""
PLACE = "_place"


@dataclass(frozen=True)
class Cell:
    """SQL of one delivered column, and the arrays it reads beside those of the rows."""

    sql: str
    arrays: Rows


def write_delivery(connection: duckdb.DuckDBPyConnection, folder: Path, clinic: Clinic, delivery: Delivery) -> Manifest:
    """Write the files of one delivery and, last, its manifest. A source without rows is left out unless required."""
    files = []
    for name, source in clinic.system.base_sources.items():
        tables = clinic.system.tables(name)
        rows = delivery.tables.get(tables[0]) if tables else None
        count = length(rows) if rows else 0
        if not count and not source.required:
            continue
        path = folder / _file_name(clinic.system, source, delivery)
        _write_source(connection, path, clinic.system, name, rows if count else None, delivery)
        files.append(ManifestFile(name=path.name, rows=count, sha256=sha256_file(path)))
    manifest = Manifest(
        manifest_version=1,
        clinic_id=clinic.clinic_id,
        export_sequence=delivery.sequence,
        export_kind=delivery.kind,
        reporting_period=delivery.reporting_period,
        files=tuple(files),
    )
    write_manifest(folder, manifest)
    return manifest


def _file_name(system: System, source: Source, delivery: Delivery) -> str:
    name = (source.file or "").replace("*", f"_{delivery.sequence}", 1).replace("*", "")
    if any(mark in name for mark in "?[]"):
        raise ClinicOutcomesError(f"system {system.name}: file pattern {source.file} has other wildcards than *")
    return name


def _write_source(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    system: System,
    source: str,
    rows: Rows | None,
    delivery: Delivery,
) -> None:
    """Write the CSV of one source; a header alone without rows."""
    options = (
        f"(FORMAT csv, HEADER true, DELIMITER {quote_text(system.csv.delimiter)}, "
        f"QUOTE {quote_text(system.csv.quote)}, ESCAPE {quote_text(system.csv.quote)}, NULLSTR '')"
    )
    if rows is None:
        names = ", ".join(f"NULL AS {quote_name(name)}" for name in system.allowed_columns(source))
        connection.execute(f"COPY (SELECT {names} WHERE false) TO {quote_text(path)} {options}")
        return
    deletes = bool(rows["_action"].any())
    arrays: Rows = {PLACE: np.arange(length(rows)), "_action": rows["_action"]}
    selected = []
    for name in system.allowed_columns(source):
        mapping = next(m for m in system.columns if m.source == source and name in m.source_columns)
        cell = _cell(mapping, rows, system, delivery)
        arrays |= cell.arrays
        sql = _or_missing(cell.sql, system) if mapping.target and not mapping.target.is_key else cell.sql
        if deletes and mapping.target and mapping.target.name not in _key_of(mapping):
            sql = f"CASE WHEN _action = 0 THEN {sql} END"
        selected.append(f"{sql} AS {quote_name(name)}")
    connection.register("delivered_rows", {key: np.ascontiguousarray(values) for key, values in arrays.items()})
    connection.execute(f"COPY (SELECT {', '.join(selected)} FROM delivered_rows) TO {quote_text(path)} {options}")
    connection.unregister("delivered_rows")


def _key_of(mapping: ColumnMapping) -> tuple[str, ...]:
    return load_contract().tables[mapping.table or ""].primary_key


def _or_missing(sql: str, system: System) -> str:
    """Where there is no value, one of the texts that the system writes for it."""
    tokens = [token for token in system.missing if token]
    if not tokens:
        return sql
    choices = " ".join(
        f"WHEN {PLACE} % {len(tokens) + 1} = {place} THEN {quote_text(token)}" for place, token in enumerate(tokens)
    )
    return f"coalesce(({sql})::VARCHAR, CASE {choices} END)"


def _cell(mapping: ColumnMapping, rows: Rows, system: System, delivery: Delivery) -> Cell:
    """The delivered column that a line of the mapping reads."""
    if mapping.is_record_action:
        return _record_action(mapping, system)
    column = mapping.target
    if column is None or column.name not in rows:
        return Cell("NULL", {})
    values = {column.name: rows[column.name]}
    name = quote_name(column.name)
    if delivery.dates == (mapping.table, column.name):
        first = quote_text(str(FIRST_DATE))
        date = f"strftime({first}::DATE + _arrival::INTEGER + {name}::INTEGER, '%Y-%m-%d')"
        return Cell(date, values | {"_arrival": rows["_arrival"]})
    if column.is_key:
        return Cell(f"CASE WHEN {name} <> {NO_KEY} THEN {key_space(system, column).sql(name)} END", values)
    if column.code_list == LOCAL_CODES:
        raise ClinicOutcomesError(f"{column.table}.{column.name} has local codes, which cannot be generated")
    if column.multiple:
        return _code_lists(column, rows[column.name], system.codes[mapping.codes or ""], system.list_separator)
    if column.code_list:
        return _codes(column, rows[column.name], system.codes[mapping.codes or ""], _turns(rows, column))
    return _number(mapping, column, rows[column.name], system)


def _turns(rows: Rows, column: Column) -> Keys:
    """A number a row by which delivered codes take turns: of its key, so that a row given twice is the same twice."""
    first = load_contract().tables[column.table].primary_key[0]
    return rows[first] if first in rows else np.arange(length(rows), dtype=np.uint64)


def _record_action(mapping: ColumnMapping, system: System) -> Cell:
    codes = system.codes[mapping.codes] if mapping.codes else {"upsert": "upsert", "delete": "delete"}
    texts = {code: source_code for source_code, code in reversed(list(codes.items()))}
    upsert, delete = quote_text(texts["upsert"]), quote_text(texts["delete"])
    return Cell(f"CASE WHEN _action = 0 THEN {upsert} ELSE {delete} END", {})


def _delivered_codes(codes: Mapping[str, str], column: Column) -> list[list[str]]:
    """Delivered codes of each canonical one, in the order of the column's code list."""
    options = [
        [text for text, code in codes.items() if code == wanted] for wanted in code_positions(column.table, column.name)
    ]
    options[code_positions(column.table, column.name)[UNMAPPED]] = [UNKNOWN_CODE]
    return options


def _check_delivered(used: Integers | Indices, options: list[list[str]], column: Column) -> None:
    codes = list(code_positions(column.table, column.name))
    lacking = [codes[place] for place in used.tolist() if not options[place]]
    if lacking:
        raise ClinicOutcomesError(
            f"{column.table}.{column.name}: the system has no delivered code for {', '.join(lacking)}; "
            "add it to codes.csv or leave it out of synthetic.yml"
        )


def _codes(column: Column, values: Integers, codes: Mapping[str, str], turns: Keys) -> Cell:
    """Delivered code of each row; where several mean one canonical code, they take turns."""
    options = _delivered_codes(codes, column)
    present = values[values != MISSING]
    _check_delivered(np.unique(present), options, column)
    counts = np.array([max(len(texts), 1) for texts in options])
    first = np.cumsum([0, *[len(texts) for texts in options[:-1]]])
    safe = np.maximum(values, 0)
    chosen = first[safe] + (turns % counts[safe].astype(np.uint64)).astype(np.int64) + 1
    name = f"{column.name}_code"
    texts = ", ".join(quote_text(text) for texts in options for text in texts)
    place = np.where(values == MISSING, 0, chosen).astype(np.int32)
    return Cell(f"[{texts}][{quote_name(name)}]", {name: place})


def _code_lists(column: Column, values: Integers, codes: Mapping[str, str], separator: str) -> Cell:
    """Delivered lists of codes, in the order of the mapping."""
    options = _delivered_codes(codes, column)
    distinct, place = np.unique(values, return_inverse=True)
    texts = []
    for bits in distinct.tolist():
        members = [] if bits == MISSING else [code for code in range(len(options)) if bits >> code & 1]
        _check_delivered(np.array(members, dtype=np.int64), options, column)
        texts.append(separator.join(options[member][0] for member in members))
    name = f"{column.name}_codes"
    choices = ", ".join(quote_text(text) for text in texts)
    return Cell(f"nullif([{choices}][{quote_name(name)}], '')", {name: (place + 1).astype(np.int32)})


def _number(mapping: ColumnMapping, column: Column, values: Integers, system: System) -> Cell:
    """A number in the delivered unit, written without trailing zeros, or the digits of a pattern text."""
    name, places = quote_name(column.name), decimals(column)
    if mapping.conversion:
        conversion = mapping.conversion
        zero = conversion.offset * 10**places
        wide = (values.astype(np.int64) - zero) * conversion.denominator
        more = more_decimals(mapping)
        wide, places = wide * 10**more, places + more
        values = np.where(values == MISSING, MISSING, wide // conversion.numerator)
    sql = f"nullif({name}, {MISSING})"
    if places:
        unit = f"0.{'1'.rjust(places, '0')}::DECIMAL({places + 1},{places})"
        sql = f"rtrim(rtrim(({sql}::DECIMAL(18,0) * {unit})::VARCHAR, '0'), '.')"
        if system.csv.decimal_separator != ".":
            sql = f"replace({sql}, '.', {quote_text(system.csv.decimal_separator)})"
    replaced = {code: text for text, code in reversed(list(system.codes.get(mapping.codes or "", {}).items()))}
    if replaced:
        cases = " ".join(f"WHEN {name} = {int(code)} THEN {quote_text(text)}" for code, text in replaced.items())
        sql = f"CASE {cases} ELSE {sql}::VARCHAR END"
    return Cell(sql, {column.name: values})
