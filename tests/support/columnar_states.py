"""Validated states written column by column, for cohorts too large to write as tables by hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import duckdb

from clinic_outcomes.contract import Table, load_contract
from clinic_outcomes.database import quote_name, quote_text, write_parquet
from clinic_outcomes.settings import Settings
from tests.support.model_states import DELIVERY_ID, account_of, keep_records


def write_columnar_state(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    clinic_id: str,
    tables: Mapping[str, str],
    *,
    state_id: str = "00000000000000a1",
    reporting_period: str = "2025-06",
) -> None:
    """A clinic's accepted rows from SQL, with their account and the ledger's record of the one delivery.

    ``tables`` maps a canonical table to a query; columns of the contract that it lacks are null. A table that is left
    out is one that the clinic does not deliver.
    """
    folder = settings.state / clinic_id / state_id
    (folder / "accepted").mkdir(parents=True)
    account = []
    for name, query in tables.items():
        target = folder / "accepted" / f"{name}.parquet"
        write_parquet(connection, accepted_sql(connection, load_contract().tables[name], clinic_id, query), target)
        account.append(account_of(name, _count(connection, target)))
    keep_records(settings, clinic_id, state_id, account, reporting_period)


def accepted_sql(connection: duckdb.DuckDBPyConnection, table: Table, clinic_id: str, query: str) -> str:
    """Rows as validate leaves them: every stored column but ``record_action``, in order of the table's key."""
    given = [str(name) for name, *_ in connection.execute(f"DESCRIBE {query}").fetchall()]
    unknown = set(given) - {column.name for column in table.columns}
    assert not unknown, f"{table.name} has no columns {sorted(unknown)}"
    key = ", ".join(map(quote_name, table.primary_key))
    lineage = {
        "clinic_id": quote_text(clinic_id),
        "delivery_id": quote_text(DELIVERY_ID),
        "export_sequence": "1",
        "source_file": quote_text(f"{table.name}.csv"),
        "source_line": f"1 + row_number() OVER (ORDER BY {key})",
    }
    # As if every code were delivered as the contract writes it.
    coded = {column.source_code_name: quote_name(column.name) for column in table.columns if column.code_list}
    coded = {name: sql for name, sql in coded.items() if sql.strip('"') in given}
    values = {name: quote_name(name) for name in given} | coded | lineage
    selected = ", ".join(
        f"({values.get(name, 'NULL')})::{kind} AS {quote_name(name)}"
        for name, kind in table.stored_columns.items()
        if name != "record_action"
    )
    return f"SELECT {selected} FROM ({query}) ORDER BY {key}"


def _count(connection: duckdb.DuckDBPyConnection, path: Path) -> int:
    found = connection.execute(f"SELECT count(*) FROM read_parquet({quote_text(path)})").fetchone()
    return int(found[0]) if found else 0
