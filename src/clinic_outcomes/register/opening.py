"""What the register knows of earlier releases, as tables for the SQL beside this file."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from clinic_outcomes.database import quote_path
from clinic_outcomes.register.chain import entry_folder
from clinic_outcomes.register.entries import CELLS, EXACT, FIGURES, TOLD, Entry
from clinic_outcomes.settings import Settings

CELL_COLUMNS = {"cell": "UBIGINT", "part": "UBIGINT", "clinic_id": "VARCHAR", "value": "DECIMAL(18, 4)"}
"""``part`` is the same for a count of the network and for the clinics' counts that are parts of it."""
TOLD_COLUMNS = {"figure_role": "UBIGINT", "cell": "UBIGINT"}
SHOWN_COLUMNS = {
    "figure_id": "VARCHAR",
    "numerator": "DECIMAL(18, 4)",
    "denominator": "BIGINT",
    "value": "DECIMAL(18, 6)",
    "refreshed_in": "INTEGER",
    "shown_value": "DECIMAL(18, 4)",
    "shown_upper": "DECIMAL(18, 4)",
    "shown_step": "DECIMAL(18, 4)",
    "shown_denominator": "BIGINT",
}


def withdrawn_numbers(entries: Sequence[Entry]) -> frozenset[int]:
    """Numbers of the releases that were withdrawn."""
    return frozenset(e.word.about for e in entries if e.word is not None and e.status == "withdrawn")


def final_numbers(entries: Sequence[Entry]) -> frozenset[int]:
    """Numbers of the releases that were made final, whether or not they were withdrawn since."""
    return frozenset(e.word.about for e in entries if e.word is not None and e.status == "final")


def releases(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """The entries that are releases, in order."""
    return tuple(entry for entry in entries if entry.release is not None)


def define_keys(connection: duckdb.DuckDBPyConnection) -> None:
    """Define the macro ``text_key(texts)``: 64 bits of MD5, in place of texts that are long and compared often."""
    connection.execute(
        "CREATE OR REPLACE TEMP MACRO text_key(texts) AS md5_number_lower(array_to_string(texts, chr(31)))"
    )


def open_register(connection: duckdb.DuckDBPyConnection, entries: Sequence[Entry], settings: Settings) -> None:
    """Make the temp tables ``register_cells``, ``register_told`` and ``register_figures`` of verified entries.

    ``register_told`` has a row a release, figure shown anew in it and count that it is made of; ``register_cells`` one
    a release and count of these, and of a clinic that is a part of one. ``register_figures`` has what was shown last
    of each figure, and what was shown last that ``stands``: neither the release nor the one in which the figure was
    last refreshed was withdrawn.
    """
    tables = {
        "register_cells": CELL_COLUMNS,
        "register_told": TOLD_COLUMNS,
        "register_figures": SHOWN_COLUMNS | {"stands": "BOOLEAN"},
    }
    for name, columns in tables.items():
        typed = ", ".join(f"{column} {kind}" for column, kind in columns.items())
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} (entry INTEGER, {typed})")
    withdrawn = sorted(withdrawn_numbers(entries))
    for entry in reversed(releases(entries)):
        _open_entry(connection, entry, withdrawn, settings)


def _open_entry(
    connection: duckdb.DuckDBPyConnection, entry: Entry, withdrawn: Sequence[int], settings: Settings
) -> None:
    """Add an entry to the tables, after all that came later."""
    folder = entry_folder(entry.number, settings)
    figures, exact, cells, told = (
        f"read_parquet({quote_path(folder / name)})" for name in (FIGURES, EXACT, CELLS, TOLD)
    )
    connection.execute(
        f"INSERT INTO register_told BY NAME SELECT {entry.number} AS entry, {', '.join(TOLD_COLUMNS)} FROM {told}"
    )
    connection.execute(
        f"""
        INSERT INTO register_cells BY NAME
        SELECT {entry.number} AS entry, {", ".join(CELL_COLUMNS)}
        FROM {cells}
        WHERE cell IN (SELECT cell FROM {told})
            OR clinic_id <> 'network' AND part IN (SELECT part FROM {told} WHERE clinic_id = 'network')
        """
    )
    connection.execute(
        f"""
        INSERT INTO register_figures BY NAME
        SELECT shown.*
        FROM (
            SELECT
                {entry.number} AS entry,
                {", ".join(SHOWN_COLUMNS)},
                NOT list_contains($withdrawn::INTEGER[], {entry.number})
                AND NOT list_contains($withdrawn::INTEGER[], refreshed_in) AS stands
            FROM {figures} AS figures
            INNER JOIN {exact} AS exact USING (figure_id)
            WHERE status = 'shown'
        ) AS shown
        ANTI JOIN register_figures USING (figure_id, stands)
        """,
        {"withdrawn": withdrawn},
    )
