"""Choose the deliveries that count, decide where their rows end, and write the rows in force."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import duckdb

from clinic_outcomes import ledger
from clinic_outcomes.contract import Table, load_contract
from clinic_outcomes.contract.terms import grade_limits_fingerprint
from clinic_outcomes.database import quote_name, session, write_parquet
from clinic_outcomes.files import atomic_folder, canonical_json, fingerprint, fingerprint_files, write_json
from clinic_outcomes.harmonise import lake_rows
from clinic_outcomes.instruments import reference_fingerprint
from clinic_outcomes.mapping import load_clinic
from clinic_outcomes.mapping.lines import RECORD_ACTION
from clinic_outcomes.mapping.thresholds import load_thresholds
from clinic_outcomes.recipe import code_fingerprint
from clinic_outcomes.recipe import recipe as recipe_of
from clinic_outcomes.records import HarmoniseRecord, ReplaceRecord, ResolveRecord, RowAccount, SequenceGap, Threshold
from clinic_outcomes.resolve.fates import decide_fates
from clinic_outcomes.resolve.history import account, containing, in_force, lake_files, unreadable
from clinic_outcomes.resolve.judging import Judgement, judge
from clinic_outcomes.resolve.sequences import final_period_restatements, sequence_gaps
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
    thresholds = dict(load_thresholds(clinic, settings))
    harmonised = ledger.harmonise_records(clinic_id, recipe_of(clinic, settings), settings)
    gaps = _gaps(clinic_id, harmonised, settings)
    usable, conflicts = _without_conflicts(harmonised)
    if not usable:
        return ResolveRecord(clinic_id=clinic_id, state_id=None, conflicts=conflicts, gaps=gaps)
    judgement = judge(usable, thresholds, settings)
    state_id = _state_id(judgement, conflicts, gaps, thresholds, settings)
    folder = resolved_folder(clinic_id, state_id, settings)
    kept = ledger.find(folder / RECORD_FILE, ResolveRecord)
    if kept is not None:
        return kept
    newest = judgement.used[-1]
    with atomic_folder(folder) as temporary:
        record = ResolveRecord(
            clinic_id=clinic_id,
            state_id=state_id,
            recipe=newest.recipe,
            deliveries=tuple(delivery.delivery_id for delivery in judgement.used),
            conflicts=conflicts,
            held=judgement.held,
            accepted=judgement.accepted,
            gaps=gaps,
            reporting_period=newest.reporting_period,
            period_status=newest.period_status,
            final_period_restatements=final_period_restatements(judgement.used, settings),
            thresholds=tuple(Threshold(name=name, value=value) for name, value in sorted(thresholds.items())),
            account=_write_tables(clinic_id, judgement, temporary, settings),
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


def _gaps(clinic_id: str, harmonised: Iterable[HarmoniseRecord], settings: Settings) -> tuple[SequenceGap, ...]:
    """What the gate refused has come, and is shown as refused; what ``receive`` refused has not come whole."""
    received = {r.export_sequence for r in ledger.receive_records(clinic_id, settings) if r.received}
    known = received | {record.export_sequence for record in harmonised}
    return sequence_gaps(sequence for sequence in known if sequence is not None)


def _state_id(
    judgement: Judgement,
    conflicts: Sequence[str],
    gaps: Sequence[SequenceGap],
    thresholds: Mapping[str, int],
    settings: Settings,
) -> str:
    expectations = [path for path in settings.expectations.rglob("*") if path.is_file()]
    parts = {
        "deliveries": sorted([record.delivery_id, record.recipe] for record in judgement.used),
        "conflicts": list(conflicts),
        "held": [held.delivery_id for held in judgement.held],
        "accepted": list(judgement.accepted),
        "gaps": [[gap.first, gap.last] for gap in gaps],
        "thresholds": dict(thresholds),
        "expectations": fingerprint_files(expectations, settings.expectations),
        "instruments": reference_fingerprint(settings),
        "grade_limits": grade_limits_fingerprint(settings),
        "code": code_fingerprint(("resolve", "validate")),
    }
    return fingerprint([canonical_json(parts)])[:16]


def _write_tables(clinic_id: str, judgement: Judgement, folder: Path, settings: Settings) -> tuple[RowAccount, ...]:
    """Write every table's rows in force; account for all rows by table, delivery and file."""
    found: list[RowAccount] = []
    with session(settings) as connection:
        for table in load_contract().tables.values():
            if containing(judgement.used, table):
                try:
                    found += _write_table(connection, table, judgement, folder, settings)
                except duckdb.Error:
                    raise unreadable(clinic_id, table) from None
    return tuple(found)


def _write_table(
    connection: duckdb.DuckDBPyConnection, table: Table, judgement: Judgement, folder: Path, settings: Settings
) -> list[RowAccount]:
    """Write a table's rows in force. What full exports replaced was accounted for when they came."""
    deciding = in_force(judgement.used, table)
    replaced = [record for record in containing(judgement.used, table) if record not in deciding]
    decide_fates(connection, table, lake_files(deciding, table, settings))
    rows = _rows_in_force(table, lake_files(replaced, table, settings))
    write_parquet(connection, rows, folder / f"{table.name}.parquet")
    return [*_replaced_account(judgement.replaced, table), *account(connection, table, deciding)]


def _replaced_account(replaced: Sequence[ReplaceRecord], table: Table) -> list[RowAccount]:
    return [part for record in replaced for told in record.tables if told.table == table.name for part in told.account]


def _rows_in_force(table: Table, replaced: Sequence[Path]) -> str:
    columns = ", ".join(quote_name(name) for name in table.stored_columns if name != RECORD_ACTION)
    key = ", ".join(map(quote_name, table.primary_key))
    order = f"{key}, delivery_id, source_file, source_line, source_item"
    if not replaced:
        return f"SELECT {columns}, restates FROM fates WHERE fate = 'current' ORDER BY {order}"
    # Only the keys in force are looked up among all that was ever given, so that memory does not grow with history.
    return f"""
        WITH current AS (SELECT * FROM fates WHERE fate = 'current'),
        given_before AS (
            SELECT DISTINCT {key} FROM current
            SEMI JOIN (SELECT {key} FROM {lake_rows(replaced)} WHERE record_action = 'upsert') USING ({key})
        )
        SELECT {columns}, restates OR before IS NOT NULL AS restates
        FROM current LEFT JOIN (SELECT *, true AS before FROM given_before) USING ({key})
        ORDER BY {order}
    """
