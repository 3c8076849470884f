"""Which deliveries concern a table, where their rows lie, and how many of them ended where."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from clinic_outcomes.contract import Table
from clinic_outcomes.harmonise import lake_file
from clinic_outcomes.problems import ClinicOutcomesError, Problem
from clinic_outcomes.records import HarmoniseRecord, RowAccount
from clinic_outcomes.resolve.fates import FATES
from clinic_outcomes.settings import Settings


def containing(records: Sequence[HarmoniseRecord], table: Table) -> list[HarmoniseRecord]:
    """The deliveries that contain a table, with or without rows."""
    return [record for record in records if any(part.table == table.name for part in record.tables)]


def in_force(records: Sequence[HarmoniseRecord], table: Table) -> list[HarmoniseRecord]:
    """Of deliveries in the order of their sequence, those that decide a table: from its last full export on."""
    found = containing(records, table)
    fulls = [number for number, record in enumerate(found) if record.export_kind == "full"]
    return found[fulls[-1] :] if fulls else found


def lake_files(records: Sequence[HarmoniseRecord], table: Table, settings: Settings) -> list[Path]:
    """The files of a table's harmonised rows. ``ClinicOutcomesError`` (``lake_file_missing``) where one is gone."""
    paths = []
    for record in records:
        path = lake_file(table.name, record.clinic_id, record.delivery_id, record.recipe, settings)
        if not path.is_file():
            raise ClinicOutcomesError([_missing(record, table)])
        paths.append(path)
    return paths


def account(
    connection: duckdb.DuckDBPyConnection, table: Table, records: Sequence[HarmoniseRecord]
) -> tuple[RowAccount, ...]:
    """One account a delivered file, from the view ``fates``.

    The rows delivered are those that harmonise counted: the record checks the sum.
    """
    rows = connection.execute(
        "SELECT delivery_id, source_file, fate, count(*) FROM fates GROUP BY delivery_id, source_file, fate"
    ).fetchall()
    counted = {(delivery_id, file, fate): count for delivery_id, file, fate, count in rows}
    return tuple(
        RowAccount(
            delivery_id=record.delivery_id,
            file=part.file,
            table=table.name,
            delivered=part.rows,
            quarantined=0,
            **{fate: counted.get((record.delivery_id, part.file, fate), 0) for fate in FATES},
        )
        for record in records
        for part in record.tables
        if part.table == table.name
    )


def unreadable(clinic_id: str, table: Table) -> ClinicOutcomesError:
    """The error of a table whose rows DuckDB cannot read. Its own text quotes values, so it goes no further."""
    problem = Problem(
        rule="resolve",
        message="the harmonised rows of the table cannot be read",
        advice="Remove the table's files from the lake and the harmonise records from the ledger, and run again.",
        clinic=clinic_id,
        table=table.name,
    )
    return ClinicOutcomesError([problem])


def _missing(record: HarmoniseRecord, table: Table) -> Problem:
    return Problem(
        rule="lake_file_missing",
        message=f"the harmonised rows of delivery {record.delivery_id} are not in the lake",
        advice="Remove the delivery's harmonise record from the ledger, so that its rows are derived again.",
        clinic=record.clinic_id,
        table=table.name,
    )
