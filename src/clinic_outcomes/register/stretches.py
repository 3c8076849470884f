"""Since which release each count is not known to those who read all releases, for the audit of the next one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from clinic_outcomes.database import quote_path, write_parquet
from clinic_outcomes.register.chain import entry_folder
from clinic_outcomes.register.entries import STRETCHES, Entry
from clinic_outcomes.register.opening import define_keys, releases
from clinic_outcomes.register.refresh import ROOM
from clinic_outcomes.settings import Settings

COLUMNS = {
    **{"cell": "UBIGINT", "value": "DECIMAL(18, 4)", "since": "INTEGER"},
    **{"spare": "DECIMAL(18, 4)", "told": "DECIMAL(18, 4)", "is_known": "BOOLEAN"},
}
HISTORY = """
    SELECT
        count_id,
        clinic_id,
        dimension,
        category,
        since,
        (stretch.value - spare)::DOUBLE AS least,
        told::DOUBLE AS told,
        is_known
    FROM stretch
    INNER JOIN today_cell USING (cell)
    ORDER BY count_id, clinic_id, dimension, category
"""


def find_stretches(
    connection: duckdb.DuckDBPyConnection, entries: Sequence[Entry], settings: Settings, told: str
) -> None:
    """Make the temp table ``stretch`` as it is after a release that tells the cells of the table ``told`` anew.

    Reads ``today_cell`` and ``register_number``; the release before has the rest.
    """
    before = releases(entries)[-1:]
    if before:
        source = f"read_parquet({quote_path(entry_folder(before[0].number, settings) / STRETCHES)})"
        connection.execute(f"CREATE OR REPLACE TEMP TABLE stretch_before AS FROM {source}")
    else:
        columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
        connection.execute(f"CREATE OR REPLACE TEMP TABLE stretch_before ({columns})")
    connection.execute(f"CREATE OR REPLACE TEMP TABLE told_now AS SELECT DISTINCT cell FROM {told}")
    connection.execute((ROOM / "stretches.sql").read_text(encoding="utf-8"))


def write_history(
    connection: duckdb.DuckDBPyConnection, entries: Sequence[Entry], settings: Settings, target: Path
) -> Path | None:
    """Write what earlier releases tell of today's counts, for the audit; None where there is no release yet.

    Reads ``today_cell``, made by ``plan_refresh``. A row a count that an earlier release was built with, or that is
    new: ``since`` which release it is not known, the ``least`` it can be when every release since is to be moved by the
    same amount, what was ``told`` of it last (null: nothing), and whether it ``is_known`` by that today. That today's
    release tells of it, too, is left to the audit.
    """
    if not releases(entries):
        return None
    define_keys(connection)
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE register_number AS SELECT ?::INTEGER AS number", [entries[-1].number + 1]
    )
    find_stretches(connection, entries, settings, "(SELECT NULL::UBIGINT AS cell LIMIT 0)")
    write_parquet(connection, HISTORY, target)
    return target
