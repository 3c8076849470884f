"""What a full export replaces: the records in force before it, those that it lacks, and where the old rows end.

A full export says of every row before it, back to the full export before that, where the row ends; no later delivery
can change this. So it is counted once, when the export comes, and kept in the ledger: the work of a run is in
proportion to what is new, not to the clinic's whole history.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb

from clinic_outcomes import ledger
from clinic_outcomes.contract import Table, load_contract
from clinic_outcomes.database import quote_name, session
from clinic_outcomes.files import canonical_json, fingerprint
from clinic_outcomes.recipe import code_fingerprint
from clinic_outcomes.records import HarmoniseRecord, ReplacedTable, ReplaceRecord
from clinic_outcomes.resolve.fates import decide_fates
from clinic_outcomes.resolve.history import account, containing, in_force, lake_files, unreadable
from clinic_outcomes.settings import Settings


def replaced_by(export: HarmoniseRecord, earlier: Sequence[HarmoniseRecord], settings: Settings) -> ReplaceRecord:
    """What a full export replaces of the deliveries used before it (given in the order of their sequence).

    ``ClinicOutcomesError`` names clinic and table where the lake cannot be read.
    """
    tables = load_contract().tables.values()
    found = {table.name: in_force(earlier, table) for table in tables if containing([export], table)}
    before = {name: records for name, records in found.items() if records}
    if not before:
        return ReplaceRecord(clinic_id=export.clinic_id, delivery_id=export.delivery_id)
    path = ledger.replace_path(export.clinic_id, export.delivery_id, _name(export, before), settings)
    kept = ledger.find(path, ReplaceRecord)
    if kept is not None:
        return kept
    with session(settings) as connection:
        record = ReplaceRecord(
            clinic_id=export.clinic_id,
            delivery_id=export.delivery_id,
            tables=tuple(
                _replaced(connection, load_contract().tables[name], records, export, settings)
                for name, records in before.items()
            ),
        )
    return ledger.keep(path, record)


def _name(export: HarmoniseRecord, before: Mapping[str, Sequence[HarmoniseRecord]]) -> str:
    """16 hex digits over everything that a full export's record depends on, beside the export itself."""
    parts = {
        "before": {name: [record.delivery_id for record in records] for name, records in before.items()},
        "recipe": export.recipe,
        "code": code_fingerprint(("resolve",)),
    }
    return fingerprint([canonical_json(parts)])[:16]


def _replaced(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    before: Sequence[HarmoniseRecord],
    export: HarmoniseRecord,
    settings: Settings,
) -> ReplacedTable:
    paths = lake_files([*before, export], table, settings)
    try:
        decide_fates(connection, table, paths, replaced_by=export.export_sequence)
        records, lost = _lost_records(connection, table, export.export_sequence)
        return ReplacedTable(
            table=table.name, records_in_force=records, records_lost=lost, account=account(connection, table, before)
        )
    except duckdb.Error:
        raise unreadable(export.clinic_id, table) from None


def _lost_records(connection: duckdb.DuckDBPyConnection, table: Table, sequence: int) -> tuple[int, int]:
    """Keys in force before the export of ``sequence``, and those of them of which it says nothing.

    A key that the export deletes by a row of its own is not lost: the clinic said so. Rows without a whole key are no
    records here, for nothing can tell whether they are there again.
    """
    key = ", ".join(map(quote_name, table.primary_key))
    whole = " AND ".join(f"{quote_name(name)} IS NOT NULL" for name in table.primary_key)
    found = connection.execute(f"""
        WITH said AS (
            SELECT
                bool_or(export_sequence = {sequence}) AS in_export,
                max(export_sequence) FILTER (export_sequence < {sequence}) AS last_said,
                max(export_sequence) FILTER (export_sequence < {sequence} AND record_action = 'delete') AS last_deleted
            FROM delivered WHERE {whole} GROUP BY {key}
        )
        SELECT count(*), count(*) FILTER (NOT in_export)
        FROM said WHERE last_said IS NOT NULL AND (last_deleted IS NULL OR last_deleted < last_said)
    """).fetchone()
    records, lost = found or (0, 0)
    return int(records), int(lost)
