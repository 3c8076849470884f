"""The receipt as the clinic's own staff get it: a page that says what to do, and a list with every line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
from jinja2 import Environment, PackageLoader, StrictUndefined

from clinic_outcomes.database import quote_name, quote_text
from clinic_outcomes.files import atomic_file, write_text
from clinic_outcomes.mapping import Clinic, load_clinic
from clinic_outcomes.receipt.findings import (
    CONTESTED_ADVICE,
    SET_APART,
    broken_rows,
    own_columns,
    place_of,
    receipt,
)
from clinic_outcomes.receipt.scorecard import score_tables
from clinic_outcomes.settings import Settings
from clinic_outcomes.status import read_clinic
from clinic_outcomes.validate import load_rules

PAGE, LIST = "receipt.html", "receipt.csv"
LIST_COLUMNS = (
    "delivery", "file", "part", "line", "item", "your_column", "table", "column", "rule", "what_happened", "rows",
    "what_to_do",
)  # fmt: skip
STATES = {
    "accepted": "in use",
    "refused": "refused: nothing of it is used",
    "held": "held: not used until a person of the network accepts it",
    "pending": "not worked on yet, or stopped on the way",
}


def receipt_folder(clinic_id: str, settings: Settings) -> Path:
    """Where the clinic's receipt lies."""
    return settings.home / "receipts" / clinic_id


def write_receipt(clinic_id: str, settings: Settings) -> Path:
    """Write ``receipt.html`` and ``receipt.csv`` of a clinic into its folder, which is returned.

    The list has a line for every row that breaks a rule, and one for every other finding. ``ClinicOutcomesError`` as
    ``receipt`` raises it.
    """
    clinic = load_clinic(clinic_id, settings)
    found = receipt(clinic_id, settings)
    folder = receipt_folder(clinic_id, settings)
    folder.mkdir(parents=True, exist_ok=True)
    _write_list(folder / LIST, clinic, found, settings)
    environment = Environment(
        loader=PackageLoader("clinic_outcomes.receipt"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    page = environment.get_template("receipt.html").render(
        receipt=found,
        scores=score_tables(read_clinic(clinic, settings)),
        states=STATES,
        list_name=LIST,
    )
    write_text(folder / PAGE, page)
    return folder


def _write_list(target: Path, clinic: Clinic, found: dict[str, Any], settings: Settings) -> None:
    """Write the list with DuckDB: rows that break a rule come from the state's files, the rest from the findings."""
    other = [
        [
            delivery["delivery"], finding["file"], finding["part"], finding["line"], None,
            finding["your_column"], finding["table"], finding["column"], finding["rule"], finding["message"],
            finding["rows"], finding["advice"],
        ]
        for delivery in found["deliveries"]
        for finding in delivery["findings"]
        if finding["stage"] != "validate"
    ]  # fmt: skip
    columns = ", ".join(
        f"{quote_name(name)} {'BIGINT' if name in ('line', 'item', 'rows') else 'VARCHAR'}" for name in LIST_COLUMNS
    )
    with broken_rows(clinic.clinic_id, settings) as connection, atomic_file(target) as temporary:
        connection.execute(f"CREATE TEMP TABLE listed ({columns})")
        _insert(connection, "listed", other)
        _told_rules(connection, clinic, settings)
        connection.execute(
            "INSERT INTO listed SELECT broken.delivery_id, told.file, told.part, source_line, source_item, "
            "told.your_column, broken.table_name, told.column, broken.rule, told.what_happened, 1, told.what_to_do "
            "FROM broken JOIN told USING (table_name, source_file, rule, outcome)"
        )
        connection.execute(
            f"COPY (FROM listed ORDER BY ALL) TO {quote_text(temporary)} (FORMAT csv, HEADER true, NULLSTR '')"
        )


def _told_rules(connection: duckdb.DuckDBPyConnection, clinic: Clinic, settings: Settings) -> None:
    """Make table ``told``: the words for each file, rule and outcome that the broken rows have."""
    rules = {(rule.table, rule.rule): rule for rule in load_rules(settings)}
    told = []
    groups = connection.execute(
        "SELECT DISTINCT table_name, source_file, rule, outcome FROM broken ORDER BY ALL"
    ).fetchall()
    for table, label, name, outcome in groups:
        file, part, source = place_of(label, clinic.system)
        rule = rules.get((table, name))
        column = ", ".join(rule.columns) if rule else None
        advice = f"{rule.advice if rule else ''} {CONTESTED_ADVICE if outcome == 'contested' else ''}".strip()
        own = own_columns(clinic.system, source, table, column)
        told.append([table, label, name, outcome, file, part, own, column, SET_APART[outcome], advice])
    names = (
        "table_name", "source_file", "rule", "outcome", "file", "part", "your_column", "column", "what_happened",
        "what_to_do",
    )  # fmt: skip
    connection.execute(f"CREATE TEMP TABLE told ({', '.join(f'{quote_name(name)} VARCHAR' for name in names)})")
    _insert(connection, "told", told)


def _insert(connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows in one go: a list a column."""
    if rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        connection.execute(f"INSERT INTO {table} SELECT {', '.join(['unnest(?)'] * len(columns))}", columns)
