"""Where each delivered row of a table ends: ``tombstone``, ``duplicate``, ``superseded``, ``deleted`` or ``current``.

The rules, in the order in which they are asked:

- A row that is itself a deletion is a ``tombstone``, whether or not its key was ever seen.
- A row whose key and content its delivery gives on an earlier line already is a ``duplicate``. Content is every column
  of the contract, the source codes and the names of the unreadable columns (not what was unreadable in them); files
  count in the order of their names.
- Within one delivery a deletion wins over every row of the same key, wherever it stands: such a row is ``deleted``.
  The order of files says nothing of intent, and what a clinic wants gone must not stay because of it.
- Otherwise the first later delivery that speaks of the key decides. If it deletes the key, or is a full export that
  contains the table but not the key, the row is ``deleted``; if it gives the key again, ``superseded``.
- A row of which no later delivery speaks is in force: ``current``. Several different rows of one key in one delivery
  all are; validation sends them to quarantine.

A row without a whole key cannot be matched with any other: it is no duplicate and no delivery restates or deletes it
by key. Like every row it goes when a later full export replaces its table.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from clinic_outcomes.contract import LINEAGE_COLUMNS, Table
from clinic_outcomes.database import quote_name
from clinic_outcomes.harmonise import lake_rows

FATES = ("current", "superseded", "deleted", "duplicate", "tombstone")
LINE = ("delivery_id", "source_file", "source_line", "source_item")
"""Columns that together name one delivered row."""


def content_columns(table: Table) -> tuple[str, ...]:
    """What a row says, beside where it comes from and whether it deletes."""
    return (*(name for name in table.stored_columns if name not in LINEAGE_COLUMNS), "unreadable_columns")


def decide_fates(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    paths: Sequence[Path],
    replaced_by: int | None = None,
) -> None:
    """Make the view ``fates``: every delivered row with its ``fate``, and ``restates``.

    ``paths`` are those of the deliveries that contain the table, from one full export on and without any other, but for
    the last of them: ``replaced_by`` is its sequence where it is a full export that replaces those before it.
    ``restates`` says that an earlier one of these deliveries gave the row's key already.

    Most keys are given once and need no comparison, so only those given more often are grouped and ordered.
    """
    key = ", ".join(map(quote_name, table.primary_key))
    connection.execute(f"CREATE OR REPLACE TEMP VIEW delivered AS SELECT * FROM {lake_rows(paths)}")
    connection.execute(f"CREATE OR REPLACE TEMP TABLE repeated_key AS {_repeated_keys(key)}")
    connection.execute(f"CREATE OR REPLACE TEMP TABLE spoken AS {_spoken(key)}")
    connection.execute(f"CREATE OR REPLACE TEMP TABLE duplicate AS {_duplicates(table, key)}")
    connection.execute(f"CREATE OR REPLACE TEMP VIEW fates AS {_fates(key, replaced_by)}")


def _repeated_keys(key: str) -> str:
    """Keys that more than one row has. A key with a missing part may be among them: no join will ever match it."""
    return f"SELECT {key} FROM delivered GROUP BY {key} HAVING count(*) > 1"


def _spoken(key: str) -> str:
    """What each delivery says of a repeated key, and which delivery speaks of it next."""
    return f"""
        WITH said AS (
            SELECT {key}, export_sequence, count(*) AS rows_of_key,
                bool_or(record_action = 'delete') AS deletes, bool_or(record_action = 'upsert') AS gives
            FROM delivered SEMI JOIN repeated_key USING ({key})
            GROUP BY {key}, export_sequence
        )
        SELECT {key}, export_sequence, rows_of_key, deletes,
            lead(export_sequence) OVER later AS next_spoken,
            lead(deletes) OVER later AS next_deletes,
            coalesce(bool_or(gives) OVER earlier, false) AS restates
        FROM said
        WINDOW later AS (PARTITION BY {key} ORDER BY export_sequence),
            earlier AS (later ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    """


def _duplicates(table: Table, key: str) -> str:
    """Rows whose delivery gives the same key and content on an earlier line."""
    same = ", ".join(map(quote_name, [*content_columns(table), "delivery_id", "record_action"]))
    return f"""
        SELECT {", ".join(LINE)}
        FROM delivered SEMI JOIN (FROM spoken WHERE rows_of_key > 1) USING ({key}, export_sequence)
        QUALIFY row_number() OVER (PARTITION BY {same} ORDER BY source_file, source_line, source_item) > 1
    """


def _fates(key: str, replaced_by: int | None) -> str:
    next_full = f"CASE WHEN export_sequence < {replaced_by} THEN {replaced_by} END" if replaced_by else "NULL::INTEGER"
    return f"""
        SELECT delivered.*, coalesce(restates, false) AS restates,
            CASE
                WHEN record_action = 'delete' THEN 'tombstone'
                WHEN is_duplicate THEN 'duplicate'
                WHEN deletes THEN 'deleted'
                WHEN {next_full} IS NOT NULL AND ({next_full} < next_spoken OR next_spoken IS NULL) THEN 'deleted'
                WHEN next_deletes THEN 'deleted'
                WHEN next_spoken IS NOT NULL THEN 'superseded'
                ELSE 'current'
            END AS fate
        FROM delivered
        LEFT JOIN spoken USING ({key}, export_sequence)
        LEFT JOIN (SELECT *, true AS is_duplicate FROM duplicate) USING ({", ".join(LINE)})
    """
