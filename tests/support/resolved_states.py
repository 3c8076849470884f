"""Resolved states of a small clinic, written by hand as ASCII tables, for tests of the stage validate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import duckdb

from clinic_outcomes.contract import load_contract
from clinic_outcomes.database import quote_name, quote_text
from clinic_outcomes.files import write_json
from clinic_outcomes.mapping.thresholds import network_thresholds
from clinic_outcomes.records import ResolveRecord, RowAccount, Threshold
from clinic_outcomes.settings import Settings
from tests.support.model_states import read_table

CLINIC = "alder"
STATE = "00000000000000b2"
DELIVERY = "000001-full-0123456789abcdef"


def write_resolved(settings: Settings, tables: Mapping[str, str]) -> Path:
    """Write a resolved state and its record; return the state's folder.

    Cells of a list, ``unreadable_columns`` among them, are written ``[a, b]``. Lineage may be given; by default all
    rows of a table come from lines 2, 3 … of one file of the first delivery, and restate nothing.
    """
    folder = settings.state / CLINIC / STATE
    (folder / "resolved").mkdir(parents=True)
    in_force: Counter[tuple[str, str, str]] = Counter()
    for table, text in tables.items():
        rows = [_complete(table, line, row) for line, row in enumerate(read_table(text), start=2)]
        _write(table, rows, folder / "resolved" / f"{table}.parquet")
        in_force.update((str(row["delivery_id"]), str(row["source_file"]), table) for row in rows)
    account = [_account(*place, rows) for place, rows in sorted(in_force.items())]
    record = ResolveRecord(
        clinic_id=CLINIC,
        state_id=STATE,
        deliveries=(DELIVERY,),
        thresholds=tuple(Threshold(name=n, value=v) for n, v in sorted(network_thresholds(settings).items())),
        account=tuple(account),
    )
    write_json(folder / "resolved" / "resolve.json", record.model_dump(mode="json"))
    return folder


def read_rows(path: Path, columns: str) -> list[tuple[object, ...]]:
    """Rows of a Parquet file in the file's own order."""
    return duckdb.execute(f"SELECT {columns} FROM read_parquet({quote_text(path)})").fetchall()


def _complete(table: str, line: int, row: Mapping[str, str | None]) -> dict[str, str | None]:
    return {
        "clinic_id": CLINIC,
        "delivery_id": DELIVERY,
        "export_sequence": "1",
        "source_file": f"{table}.csv",
        "source_line": str(line),
        "source_item": "1",
        "unreadable_columns": "[]",
        "restates": "false",
        **row,
    }


def _write(table: str, rows: list[dict[str, str | None]], target: Path) -> None:
    stored = load_contract().tables[table].stored_columns | {"restates": "BOOLEAN"}
    del stored["record_action"]
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE t ({', '.join(f'{quote_name(n)} {kind}' for n, kind in stored.items())})")
        for row in rows:
            names = ", ".join(map(quote_name, row))
            places = ", ".join(f"CAST(? AS {stored[name]})" for name in row)
            connection.execute(f"INSERT INTO t ({names}) VALUES ({places})", list(row.values()))
        connection.execute(f"COPY t TO {quote_text(target)} (FORMAT parquet)")


def _account(delivery_id: str, file: str, table: str, rows: int) -> RowAccount:
    return RowAccount(
        delivery_id=delivery_id,
        file=file,
        table=table,
        delivered=rows,
        current=rows,
        quarantined=0,
        superseded=0,
        deleted=0,
        duplicate=0,
        tombstone=0,
    )
