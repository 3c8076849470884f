"""Translate every admitted delivery of a clinic that was not translated under its current recipe yet."""

from __future__ import annotations

from pathlib import Path

import duckdb

from clinic_outcomes import ledger
from clinic_outcomes.contract import UNMAPPED, Column, Table, load_contract
from clinic_outcomes.database import quote_name, quote_text, session, write_parquet
from clinic_outcomes.files import atomic_file
from clinic_outcomes.formats import PLACE, delivered_sources, source_rows, sources_of
from clinic_outcomes.harmonise.keys import rekeyed, set_salt, write_key_table
from clinic_outcomes.harmonise.lake import lake_file, lake_rows
from clinic_outcomes.harmonise.rows import Origin, canonical_rows
from clinic_outcomes.mapping import Clinic, load_clinic
from clinic_outcomes.mapping.lines import RECORD_ACTION
from clinic_outcomes.problems import ClinicOutcomesError, Problem
from clinic_outcomes.receive import delivery_files
from clinic_outcomes.recipe import recipe as recipe_of
from clinic_outcomes.records import CodeCount, HarmonisedTable, HarmoniseRecord, ReceiveRecord
from clinic_outcomes.salt import load_salt
from clinic_outcomes.settings import Settings


def harmonise(clinic_id: str, settings: Settings) -> tuple[HarmoniseRecord, ...]:
    """Harmonise the clinic's admitted deliveries; return the records of all of them under the current recipe.

    A delivery that has its record already is not read again. ``ClinicOutcomesError`` names clinic, file and table
    of a file that cannot be read; the record of a delivery is kept only after all its tables are written.
    """
    clinic = load_clinic(clinic_id, settings)
    recipe = recipe_of(clinic, settings)
    received = {record.delivery_id: record for record in ledger.receive_records(clinic_id, settings)}
    kept = []
    for admitted in ledger.admit_records(clinic_id, recipe, settings):
        if not admitted.admitted:
            continue
        path = ledger.harmonise_path(clinic_id, admitted.delivery_id, recipe, settings)
        record = ledger.find(path, HarmoniseRecord)
        if record is None:
            record = ledger.keep(path, _harmonise_delivery(clinic, recipe, received[admitted.delivery_id], settings))
        kept.append(record)
    return tuple(kept)


def _harmonise_delivery(clinic: Clinic, recipe: str, delivery: ReceiveRecord, settings: Settings) -> HarmoniseRecord:
    paths = delivery_files(delivery, settings)
    tables: list[HarmonisedTable] = []
    unmapped: list[CodeCount] = []
    unreadable: list[CodeCount] = []
    with session(settings) as connection:
        set_salt(connection, load_salt(settings))
        for table in load_contract().tables.values():
            sources = [
                source
                for source in delivered_sources(list(paths), clinic.system)
                if table.name in clinic.system.tables(source)
            ]
            if not sources:
                continue
            target = lake_file(table.name, clinic.clinic_id, delivery.delivery_id, recipe, settings)
            try:
                files = _write_table(connection, table, sources, paths, clinic, delivery, target)
                tables += _row_counts(connection, table, files, target)
                unmapped += _unmapped_counts(connection, table, target)
                unreadable += _unreadable_counts(connection, table, target)
            except duckdb.Error:
                # DuckDB quotes delivered values in its messages, so its text goes no further.
                raise ClinicOutcomesError([_cannot_read(clinic, table, sources, paths)]) from None
    return HarmoniseRecord.model_validate(
        {
            "clinic_id": clinic.clinic_id,
            "delivery_id": delivery.delivery_id,
            "recipe": recipe,
            "export_sequence": delivery.export_sequence,
            "export_kind": delivery.export_kind,
            "reporting_period": delivery.reporting_period,
            "period_status": delivery.period_status,
            "tables": tables,
            "unmapped": unmapped,
            "unreadable": unreadable,
        }
    )


def _write_table(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    sources: list[str],
    paths: dict[str, Path],
    clinic: Clinic,
    delivery: ReceiveRecord,
    target: Path,
) -> list[str]:
    """Write the canonical rows of all sources of a table, by file, line and item, with their keys re-keyed.

    Returns ``source_file`` of every file that could have given rows.
    """
    queries: list[str] = []
    files: list[str] = []
    for source in sources:
        delivered = source_rows(connection, paths, clinic.system, source)
        origin = Origin(clinic.clinic_id, delivery.delivery_id, delivery.export_sequence or 0, source)
        queries.append(canonical_rows(delivered.sql, clinic.system, table, origin))
        files += delivered.files
    rows = "\nUNION ALL\n".join(queries)
    keys = {column.name: column for column in table.columns if column.is_key}
    write_key_table(connection, f"({rows})", keys, clinic.clinic_id)
    ordered = f"{rekeyed(rows, table.stored_columns, keys)} ORDER BY {', '.join(PLACE)}"
    with atomic_file(target) as temporary:
        write_parquet(connection, ordered, temporary)
    return files


def _row_counts(
    connection: duckdb.DuckDBPyConnection, table: Table, files: list[str], target: Path
) -> list[HarmonisedTable]:
    counts: dict[str, int] = dict(
        connection.execute(f"SELECT source_file, count(*) FROM {lake_rows([target])} GROUP BY ALL").fetchall()
    )
    return [HarmonisedTable(file=file, table=table.name, rows=counts.get(file, 0)) for file in files]


def _unmapped_counts(connection: duckdb.DuckDBPyConnection, table: Table, target: Path) -> list[CodeCount]:
    coded = [column for column in table.columns if column.code_list]
    return [
        count for column in coded for count in _counts(connection, table, column.name, _is_unmapped(column), target)
    ]


def _is_unmapped(column: Column) -> str:
    name = quote_name(column.name)
    return f"list_contains({name}, {quote_text(UNMAPPED)})" if column.multiple else f"{name} = {quote_text(UNMAPPED)}"


def _unreadable_counts(connection: duckdb.DuckDBPyConnection, table: Table, target: Path) -> list[CodeCount]:
    names = connection.execute(
        f"SELECT DISTINCT unnest(unreadable_columns) AS name FROM {lake_rows([target])} ORDER BY name"
    ).fetchall()
    order = [column.name for column in table.columns] + [RECORD_ACTION]
    found = sorted((name for (name,) in names), key=order.index)
    return [
        count
        for name in found
        for count in _counts(connection, table, name, f"list_contains(unreadable_columns, {quote_text(name)})", target)
    ]


def _counts(
    connection: duckdb.DuckDBPyConnection, table: Table, column: str, condition: str, target: Path
) -> list[CodeCount]:
    """Rows of each file for which ``condition`` holds, with the first line of them."""
    found = connection.execute(
        f"SELECT source_file, count(*), min(source_line) FROM {lake_rows([target])} "
        f"WHERE {condition} GROUP BY source_file ORDER BY source_file"
    ).fetchall()
    return [
        CodeCount(file=file, table=table.name, column=column, rows=rows, first_line=line) for file, rows, line in found
    ]


def _cannot_read(clinic: Clinic, table: Table, sources: list[str], paths: dict[str, Path]) -> Problem:
    bases = {base for source in sources for base in clinic.system.base_of(source)}
    return Problem(
        rule="harmonise",
        message="delivered files cannot be read into the table",
        advice="Deliver the files again in the system's format.",
        clinic=clinic.clinic_id,
        file=", ".join(name for name in sorted(paths) if bases.intersection(sources_of(name, clinic.system))),
        table=table.name,
    )
