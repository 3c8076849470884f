"""Choose the deliveries that count, decide where their rows end, and write the rows in force."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from clinic_outcomes import ledger
from clinic_outcomes.contract import Table, load_contract
from clinic_outcomes.database import quote_name, session, write_parquet
from clinic_outcomes.files import atomic_folder, canonical_json, fingerprint, fingerprint_files, write_json
from clinic_outcomes.harmonise import lake_file
from clinic_outcomes.mapping import load_clinic
from clinic_outcomes.mapping.systems import RECORD_ACTION
from clinic_outcomes.mapping.thresholds import load_thresholds
from clinic_outcomes.problems import ClinicOutcomesError, Problem
from clinic_outcomes.recipe import code_fingerprint
from clinic_outcomes.recipe import recipe as recipe_of
from clinic_outcomes.records import HarmoniseRecord, ResolveRecord, RowAccount, Threshold
from clinic_outcomes.resolve.fates import FATES, decide_fates
from clinic_outcomes.settings import Settings

RECORD_FILE = "resolve.json"


def resolve(clinic_id: str, settings: Settings) -> ResolveRecord:
    """Write the clinic's current state and return its account, row for row.

    The state has a file for each table that any used delivery contains: the rows in force, without
    ``record_action`` and with ``restates``, which says that an earlier used delivery gave the row's key already.
    A state that is there is not made again. ``ClinicOutcomesError`` names clinic and table where the lake cannot
    be read.
    """
    clinic = load_clinic(clinic_id, settings)
    recipe = recipe_of(clinic)
    thresholds = dict(load_thresholds(clinic, settings))
    used, conflicts = _without_conflicts(ledger.harmonise_records(clinic_id, recipe, settings))
    if not used:
        return ResolveRecord(clinic_id=clinic_id, state_id=None, conflicts=conflicts)
    state_id = _state_id(used, conflicts, thresholds, settings)
    folder = resolved_folder(clinic_id, state_id, settings)
    kept = ledger.find(folder / RECORD_FILE, ResolveRecord)
    if kept is not None:
        return kept
    with atomic_folder(folder) as temporary, session(settings) as connection:
        account = []
        for table in load_contract().tables.values():
            containing = [record for record in used if _contains(record, table)]
            if containing:
                account += _resolve_table(connection, table, containing, temporary, settings)
        record = ResolveRecord(
            clinic_id=clinic_id,
            state_id=state_id,
            deliveries=tuple(delivery.delivery_id for delivery in used),
            conflicts=conflicts,
            thresholds=tuple(Threshold(name=name, value=value) for name, value in sorted(thresholds.items())),
            account=tuple(account),
        )
        write_json(temporary / RECORD_FILE, record.model_dump(mode="json"))
    return record


def resolved_folder(clinic_id: str, state_id: str, settings: Settings) -> Path:
    """Where the resolved tables of a state lie, with ``resolve.json``."""
    return settings.state / clinic_id / state_id / "resolved"


def _without_conflicts(
    records: Sequence[HarmoniseRecord],
) -> tuple[tuple[HarmoniseRecord, ...], tuple[str, ...]]:
    """Deliveries in the order of their sequence, and those of one sequence that say different things."""
    told = Counter(record.export_sequence for record in records)
    used = [record for record in records if told[record.export_sequence] == 1]
    conflicts = [record.delivery_id for record in records if told[record.export_sequence] > 1]
    return tuple(sorted(used, key=lambda record: record.export_sequence)), tuple(sorted(conflicts))


def _state_id(
    used: Sequence[HarmoniseRecord], conflicts: Sequence[str], thresholds: Mapping[str, int], settings: Settings
) -> str:
    expectations = [path for path in settings.expectations.rglob("*") if path.is_file()]
    parts = {
        "deliveries": sorted([record.delivery_id, record.recipe] for record in used),
        "conflicts": list(conflicts),
        "thresholds": dict(thresholds),
        "expectations": fingerprint_files(expectations, settings.expectations),
        "code": code_fingerprint(("resolve", "validate")),
    }
    return fingerprint([canonical_json(parts)])[:16]


def _contains(record: HarmoniseRecord, table: Table) -> bool:
    return any(part.table == table.name for part in record.tables)


def _resolve_table(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    records: Sequence[HarmoniseRecord],
    folder: Path,
    settings: Settings,
) -> list[RowAccount]:
    """Write a table's rows in force and account for every row that the deliveries contain of it."""
    paths = [lake_file(table.name, r.clinic_id, r.delivery_id, r.recipe, settings) for r in records]
    for record, path in zip(records, paths, strict=True):
        if not path.is_file():
            raise ClinicOutcomesError([_missing(record, table)])
    try:
        decide_fates(connection, table, paths, _next_full_export(records))
        write_parquet(connection, _rows_in_force(table), folder / f"{table.name}.parquet")
        return _account(connection, table, records)
    except duckdb.Error:
        # DuckDB quotes values in its messages, so its text goes no further.
        raise ClinicOutcomesError([_unreadable(records[0].clinic_id, table)]) from None


def _next_full_export(records: Sequence[HarmoniseRecord]) -> dict[int, int | None]:
    fulls = sorted(record.export_sequence for record in records if record.export_kind == "full")
    return {
        record.export_sequence: next((full for full in fulls if full > record.export_sequence), None)
        for record in records
    }


def _rows_in_force(table: Table) -> str:
    columns = [quote_name(name) for name in table.stored_columns if name != RECORD_ACTION]
    order = [*map(quote_name, table.primary_key), "delivery_id", "source_file", "source_line", "source_item"]
    return f"SELECT {', '.join(columns)}, restates FROM fates WHERE fate = 'current' ORDER BY {', '.join(order)}"


def _account(
    connection: duckdb.DuckDBPyConnection, table: Table, records: Sequence[HarmoniseRecord]
) -> list[RowAccount]:
    """One account a delivered file. The rows delivered are those that harmonise counted: the record checks the sum."""
    rows = connection.execute(
        "SELECT delivery_id, source_file, fate, count(*) FROM fates GROUP BY delivery_id, source_file, fate"
    ).fetchall()
    counted = {(delivery_id, file, fate): count for delivery_id, file, fate, count in rows}
    return [
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
    ]


def _missing(record: HarmoniseRecord, table: Table) -> Problem:
    return Problem(
        rule="lake_file_missing",
        message=f"the harmonised rows of delivery {record.delivery_id} are not in the lake",
        advice="Remove the delivery's harmonise record from the ledger, so that its rows are derived again.",
        clinic=record.clinic_id,
        table=table.name,
    )


def _unreadable(clinic_id: str, table: Table) -> Problem:
    return Problem(
        rule="resolve",
        message="the harmonised rows of the table cannot be read",
        advice="Remove the table's files from the lake and the harmonise records from the ledger, and run again.",
        clinic=clinic_id,
        table=table.name,
    )
