"""Write a delivery as its system exports it: the inverse of the system's mapping, with a manifest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np

from clinic_outcomes.contract import LOCAL_CODES, UNMAPPED, Column, load_contract
from clinic_outcomes.database import quote_name, quote_text
from clinic_outcomes.files import sha256_file
from clinic_outcomes.formats import write_file
from clinic_outcomes.formats.inverse import Part, base_rows, key_columns, mapped_columns, merge
from clinic_outcomes.formats.naming import delivered_name
from clinic_outcomes.mapping import Clinic, ColumnMapping, System
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
    local_codes,
    take,
)
from clinic_outcomes.synthetic.deliveries import Delivery
from clinic_outcomes.synthetic.identified import Identities, extra_columns, identified_sql, identified_system
from clinic_outcomes.synthetic.plan import of_source, table_sources
from clinic_outcomes.synthetic.shaping import decimals, more_decimals
from clinic_outcomes.synthetic.world import FIRST_DATE

UNKNOWN_CODE = "87"
"""Delivered for a code that no mapping is to know, of the form that new codes have unless a system says otherwise."""
PLACE = "_place"


@dataclass(frozen=True)
class Cell:
    """SQL of one delivered column, and the arrays it reads beside those of the rows."""

    sql: str
    arrays: Rows


def write_delivery(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    clinic: Clinic,
    delivery: Delivery,
    known: Identities | None = None,
) -> Manifest:
    """Write the files of one delivery and, last, its manifest. A file without records is left out unless required.

    With ``known`` identities it is the identified export that the delivery would be prepared from.
    """
    system = identified_system(clinic.system) if known else clinic.system
    files = []
    patterns = dict.fromkeys(source.file or "" for source in system.base_sources.values())
    for pattern in patterns:
        bases = [name for name, source in system.base_sources.items() if source.file == pattern]
        required = any(system.sources[name].required for name in bases)
        mapped = [name for name in system.mapped_sources if set(bases).intersection(system.base_of(name))]
        if not required and not any(_rows_of(system, name, delivery) for name in mapped):
            continue
        path = folder / delivered_name(system, pattern, clinic.format, delivery.sequence)
        with _registered(connection, system, mapped, delivery, known) as rows:
            written = base_rows(system, rows)
            records = write_file(connection, path, system, {name: written[name] for name in bases if name in written})
        if not records and not required:
            path.unlink()
            continue
        files.append(ManifestFile(name=path.name, rows=records, sha256=sha256_file(path)))
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


def _rows_of(system: System, source: str, delivery: Delivery) -> dict[str, Rows]:
    """Rows of a delivery that a source says, by table; tables without any are left out."""
    found = {}
    for table, sources in table_sources(system).items():
        for place, own in enumerate(sources):
            if own.source == source and table in delivery.tables:
                rows = delivery.tables[table]
                chosen = take(rows, of_source(rows, sources, place)) if len(sources) > 1 else rows
                if length(chosen):
                    found[table] = chosen
    return found


@contextmanager
def _registered(
    connection: duckdb.DuckDBPyConnection,
    system: System,
    sources: Sequence[str],
    delivery: Delivery,
    known: Identities | None,
) -> Iterator[dict[str, str]]:
    """SQL of the rows of sources, of which DuckDB reads the arrays as long as it lasts."""
    names: list[str] = []
    sql = {}
    for source in sources:
        parts = []
        for table, rows in _rows_of(system, source, delivery).items():
            names.append(f"delivered_rows_{len(names)}")
            part, arrays = _delivered(system, source, table, rows, delivery, names[-1], known)
            connection.register(names[-1], {key: np.ascontiguousarray(values) for key, values in arrays.items()})
            parts.append(part)
        sql[source] = _source_sql(system, source, parts)
    try:
        yield sql
    finally:
        for name in names:
            connection.unregister(name)


def _source_sql(system: System, source: str, parts: Sequence[Part]) -> str:
    """Rows of a source, made of the rows of every table that it feeds."""
    columns = mapped_columns(system, source)
    if not parts:
        nothing = ", ".join(f"NULL::VARCHAR AS {quote_name(name)}" for name in columns)
        return f"(SELECT {nothing} WHERE false)"
    part = merge(parts, key_columns(system), f"system {system.name}: source {source}")
    values = (quote_name(name) if name in part.columns else f"NULL::VARCHAR AS {quote_name(name)}" for name in columns)
    return f"(SELECT {', '.join(values)} FROM {part.sql})"


def _delivered(
    system: System,
    source: str,
    table: str,
    rows: Rows,
    delivery: Delivery,
    name: str,
    known: Identities | None,
) -> tuple[Part, Rows]:
    """The delivered columns that a table's rows give a source, and the arrays that their SQL reads."""
    deletes = bool(rows["_action"].any())
    arrays: Rows = {PLACE: np.arange(length(rows)), "_action": rows["_action"]}
    selected: dict[str, str] = {}
    for mapping in sorted(system.mappings(source, table), key=_is_local):
        for column in mapping.source_columns:
            if column in selected:
                continue
            cell = _cell(mapping, rows, system, delivery, known)
            arrays |= cell.arrays
            sql = _or_missing(cell.sql, system) if mapping.target and not mapping.target.is_key else cell.sql
            if deletes and mapping.target and mapping.target.name not in _key_of(mapping):
                sql = f"CASE WHEN _action = 0 THEN {sql} END"
            selected[column] = f"({sql})::VARCHAR AS {quote_name(column)}"
    if known and table == "patient":
        extra, read = extra_columns(rows, known)
        arrays = read | arrays
        selected |= {column: f"({sql})::VARCHAR AS {quote_name(column)}" for column, sql in extra.items()}
    return Part(f"(SELECT {', '.join(selected.values())} FROM {name})", tuple(selected)), arrays


def _is_local(mapping: ColumnMapping) -> bool:
    """Whether it is a term of the clinic's own, which stands beside the code that the same text means."""
    return mapping.target is not None and mapping.target.code_list == LOCAL_CODES


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


def _cell(mapping: ColumnMapping, rows: Rows, system: System, delivery: Delivery, known: Identities | None) -> Cell:
    """The delivered column that a line of the mapping reads."""
    if mapping.is_record_action:
        return _record_action(mapping, system)
    column = mapping.target
    if column is None or column.name not in rows:
        return Cell("NULL", {})
    identified = identified_sql(column, rows, known) if known else None
    if identified:
        return Cell(*identified)
    values = {column.name: rows[column.name]}
    name = quote_name(column.name)
    if delivery.dates == (mapping.table, column.name):
        first = quote_text(str(FIRST_DATE))
        date = f"strftime({first}::DATE + _arrival::INTEGER + {name}::INTEGER, '%Y-%m-%d')"
        return Cell(date, values | {"_arrival": rows["_arrival"]})
    if column.is_key:
        return Cell(f"CASE WHEN {name} <> {NO_KEY} THEN {key_space(system, column).sql(name)} END", values)
    if column.code_list == LOCAL_CODES:
        return _local_codes(column, rows[column.name], system.codes[mapping.codes or ""])
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


def _local_codes(column: Column, values: Integers, codes: Mapping[str, str]) -> Cell:
    """Delivered text of each of the clinic's own codes, the first that means it."""
    texts = [next(text for text, code in codes.items() if code == wanted) for wanted in local_codes(codes)]
    name = f"{column.name}_code"
    place = np.where(values == MISSING, 0, values + 1).astype(np.int32)
    return Cell(f"[{', '.join(map(quote_text, texts))}][{quote_name(name)}]", {name: place})


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
        if system.decimal_separator != ".":
            sql = f"replace({sql}, '.', {quote_text(system.decimal_separator)})"
    replaced = {code: text for text, code in reversed(list(system.codes.get(mapping.codes or "", {}).items()))}
    if replaced:
        cases = " ".join(f"WHEN {name} = {int(code)} THEN {quote_text(text)}" for code, text in replaced.items())
        sql = f"CASE {cases} ELSE {sql}::VARCHAR END"
    return Cell(sql, {column.name: values})
