"""Finding the rows that break a rule, and setting them apart.

Inside the DuckDB session, ``resolved``, ``accepted`` and ``reference`` hold what rules may read, and
``quarantine.<table>`` the number of each quarantined row within its resolved file, with the rules it breaks.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from clinic_outcomes.contract import Table, load_contract
from clinic_outcomes.database import quote_name, quote_text, write_parquet
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.records import RuleCount
from clinic_outcomes.validate.rules import Rule, rule_problem


def open_state(connection: duckdb.DuckDBPyConnection, resolved: Path, instruments: Path) -> frozenset[str]:
    """Bring a resolved state and the instruments into the session; return the tables the clinic ever delivered.

    A table that was never delivered is there without rows, so that rules may name every table.
    """
    for schema in ("resolved", "accepted", "quarantine", "reference"):
        connection.execute(f"CREATE SCHEMA {schema}")
    connection.execute(
        f"CREATE TABLE reference.instrument AS FROM read_csv({quote_text(instruments)}, header = true, columns = {{"
        "'instrument': 'VARCHAR', 'items': 'INTEGER', 'item_minimum': 'INTEGER', 'item_maximum': 'INTEGER'})"
    )
    delivered = set()
    for table in load_contract().tables.values():
        path = resolved / f"{table.name}.parquet"
        if path.is_file():
            delivered.add(table.name)
            rows = f"SELECT * FROM read_parquet({quote_text(path)}, file_row_number = true)"
            connection.execute(f"CREATE VIEW resolved.{quote_name(table.name)} AS {rows}")
            continue
        columns = ", ".join(f"NULL::{kind} AS {quote_name(name)}" for name, kind in table.stored_columns.items())
        for schema in ("resolved", "accepted"):
            connection.execute(f"CREATE VIEW {schema}.{quote_name(table.name)} AS SELECT {columns} WHERE false")
    return frozenset(delivered)


def find_rows(
    connection: duckdb.DuckDBPyConnection,
    clinic_id: str,
    table: Table,
    rules: Sequence[Rule],
    broken: Sequence[Rule],
) -> list[RuleCount]:
    """Fill ``quarantine.<table>`` with every row that breaks one of the ``broken`` rules; count rows for all rules.

    ``ClinicOutcomesError`` where Great Expectations found a rule broken and its SQL finds no row.
    """
    name = quote_name(table.name)
    found = " UNION ALL ".join(
        f"SELECT t.file_row_number, {quote_text(rule.rule)} AS rule FROM resolved.{name} AS t WHERE {rule.broken_by}"
        for rule in broken
    )
    connection.execute(f"CREATE TABLE quarantine.{name} (file_row_number BIGINT, rules VARCHAR[])")
    if broken:
        try:
            connection.execute(
                f"INSERT INTO quarantine.{name} "
                f"SELECT file_row_number, list(rule ORDER BY rule) FROM ({found}) GROUP BY file_row_number"
            )
        except duckdb.Error:
            problem = rule_problem(clinic_id, broken[0], "the rows that break the table's rules could not be found")
            raise ClinicOutcomesError([problem]) from None
    rows: dict[str, int] = dict(
        connection.execute(
            f"SELECT rule, count(*) FROM (SELECT unnest(rules) AS rule FROM quarantine.{name}) GROUP BY rule"
        ).fetchall()
    )
    disagreeing = [rule for rule in broken if rule.rule not in rows]
    if disagreeing:
        message = "Great Expectations found the rule broken, but its SQL finds no row"
        raise ClinicOutcomesError([rule_problem(clinic_id, rule, message) for rule in disagreeing])
    return [
        RuleCount(rule=rule.rule, table=table.name, column=rule.columns[0], rows=rows.get(rule.rule, 0))
        for rule in rules
    ]


def write_rows(connection: duckdb.DuckDBPyConnection, table: Table, accepted: Path, set_apart: Path) -> None:
    """Write the table's accepted and quarantined rows, and make ``accepted.<table>`` what rules of children read.

    Both keep the order of the resolved file, which is total.
    """
    name = quote_name(table.name)
    columns = ", ".join(f"t.{quote_name(column)}" for column in table.stored_columns if column != "record_action")
    good = accepted / f"{table.name}.parquet"
    write_parquet(
        connection,
        f"SELECT {columns} FROM resolved.{name} AS t ANTI JOIN quarantine.{name} USING (file_row_number) "
        "ORDER BY t.file_row_number",
        good,
    )
    write_parquet(
        connection,
        f"SELECT {columns}, q.rules, coalesce(t.restates, false) AS contested "
        f"FROM resolved.{name} AS t JOIN quarantine.{name} AS q USING (file_row_number) ORDER BY t.file_row_number",
        set_apart / f"{table.name}.parquet",
    )
    connection.execute(f"CREATE VIEW accepted.{name} AS SELECT * FROM read_parquet({quote_text(good)})")


def count_rows(connection: duckdb.DuckDBPyConnection, table: Table) -> dict[tuple[str, str, str], int]:
    """Quarantined rows of the table by delivery, file and table."""
    name = quote_name(table.name)
    counts = connection.execute(
        f"SELECT t.delivery_id, t.source_file, count(*) FROM resolved.{name} AS t "
        f"SEMI JOIN quarantine.{name} USING (file_row_number) GROUP BY ALL"
    ).fetchall()
    return {(delivery, file, table.name): rows for delivery, file, rows in counts}
