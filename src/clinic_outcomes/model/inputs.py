"""The folder of Parquet files that dbt reads: one folder a source, always there, always of the contract's types."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from clinic_outcomes import database, ledger
from clinic_outcomes.contract import Contract
from clinic_outcomes.instruments import chosen_thresholds, instrument_tables, load_instruments, recall_windows
from clinic_outcomes.mapping import Clinic
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.records import RowAccount, ValidateRecord
from clinic_outcomes.settings import Settings

EMPTY = "_empty.parquet"
"""A file of the contract's columns and no rows. Its name sorts before a clinic's, so that its types hold for all."""


@dataclass(frozen=True)
class ClinicState:
    """A clinic and the validated state that a build uses of it; ``stale`` where a later delivery is not in it."""

    clinic: Clinic
    folder: Path
    record: ValidateRecord
    stale: bool

    @property
    def state_id(self) -> str:
        """Id of the state, which is the name of its folder."""
        return self.folder.name


@dataclass(frozen=True)
class Delivery:
    """A delivery that a state is made of."""

    clinic_id: str
    delivery_id: str
    export_sequence: int
    export_kind: str
    reporting_period: str


def find_deliveries(states: Iterable[ClinicState], settings: Settings) -> tuple[Delivery, ...]:
    """The deliveries that the states are made of. ``ClinicOutcomesError`` where the ledger does not know one.

    Sequence, kind and period are those of the manifest, which no recipe changes: a mapping corrected since the
    state was made does not matter.
    """
    found = []
    for state in states:
        clinic_id = state.clinic.clinic_id
        known = {record.delivery_id: record for record in ledger.receive_records(clinic_id, settings)}
        for delivery_id in state.record.deliveries:
            record = known.get(delivery_id)
            if record is None or record.export_sequence is None or record.export_kind is None:
                raise ClinicOutcomesError(f"clinic {clinic_id}: the ledger has no receive record of {delivery_id}")
            found.append(
                Delivery(
                    clinic_id, delivery_id, record.export_sequence, record.export_kind, record.reporting_period or ""
                )
            )
    return tuple(found)


def lay_out(
    folder: Path,
    states: Sequence[ClinicState],
    deliveries: Sequence[Delivery],
    contract: Contract,
    settings: Settings,
) -> None:
    """Write ``folder/<source>/*.parquet`` for every source of the dbt project.

    ``ClinicOutcomesError`` where ``instruments/`` or the choice of threshold sets has mistakes.
    """
    with database.session(settings) as connection:
        for table in contract.tables.values():
            stored = {name: kind for name, kind in table.stored_columns.items() if name != "record_action"}
            (folder / table.name).mkdir(parents=True)
            _write_rows(connection, stored, (), folder / table.name / EMPTY)
            for state in states:
                accepted = state.folder / "accepted" / f"{table.name}.parquet"
                if accepted.is_file():
                    _link(accepted, folder / table.name / f"{state.clinic.clinic_id}.parquet")
        own = _own_inputs(states, deliveries, contract) | _instrument_inputs(settings)
        for name, (columns, rows) in own.items():
            (folder / name).mkdir()
            _write_rows(connection, columns, rows, folder / name / f"{name}.parquet")


_Rows = tuple[Mapping[str, str], Sequence[tuple[object, ...]]]


def _own_inputs(states: Sequence[ClinicState], deliveries: Sequence[Delivery], contract: Contract) -> dict[str, _Rows]:
    """What the pipeline itself tells dbt: name → columns with types, and rows."""
    counts = tuple(name for name, field in RowAccount.model_fields.items() if field.annotation is int)
    texts = tuple(name for name in RowAccount.model_fields if name not in counts)
    return {
        "row_account": (
            {"clinic_id": "VARCHAR"} | dict.fromkeys(texts, "VARCHAR") | dict.fromkeys(counts, "BIGINT"),
            [
                (state.clinic.clinic_id, *(getattr(account, name) for name in (*texts, *counts)))
                for state in states
                for account in state.record.account
            ],
        ),
        "delivery": (
            {
                "clinic_id": "VARCHAR",
                "delivery_id": "VARCHAR",
                "export_sequence": "INTEGER",
                "export_kind": "VARCHAR",
                "reporting_period": "VARCHAR",
            },
            [(d.clinic_id, d.delivery_id, d.export_sequence, d.export_kind, d.reporting_period) for d in deliveries],
        ),
        "clinic": (
            dict.fromkeys(("clinic_id", "clinic_title", "system_title"), "VARCHAR") | {"is_stale": "BOOLEAN"},
            [(state.clinic.clinic_id, state.clinic.title, state.clinic.system.title, state.stale) for state in states],
        ),
        "canonical_table": (
            dict.fromkeys(("table_name", "grain"), "VARCHAR"),
            [(table.name, table.grain) for table in contract.tables.values()],
        ),
    }


def _instrument_inputs(settings: Settings) -> dict[str, _Rows]:
    """What ``instruments/`` says, with the threshold sets in use."""
    instruments = load_instruments(settings)
    return instrument_tables(instruments, chosen_thresholds(instruments, settings), recall_windows())


def _write_rows(
    connection: duckdb.DuckDBPyConnection,
    columns: Mapping[str, str],
    rows: Sequence[tuple[object, ...]],
    target: Path,
) -> None:
    connection.execute("DROP TABLE IF EXISTS input")
    database.fill_table(connection, "input", columns, rows)
    database.write_parquet(connection, "SELECT * FROM input ORDER BY ALL", target)


def _link(source: Path, target: Path) -> None:
    """Make ``target`` the same file as ``source``; a copy where the file system has no hard links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
