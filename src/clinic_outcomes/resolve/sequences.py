"""What is missing among a clinic's deliveries, and which of them change a period that was declared final."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import duckdb

from clinic_outcomes.contract import Table, load_contract
from clinic_outcomes.database import quote_name, session
from clinic_outcomes.records import HarmoniseRecord, SequenceGap
from clinic_outcomes.resolve.fates import content_columns, decide_fates
from clinic_outcomes.resolve.history import containing, in_force, lake_files, unreadable
from clinic_outcomes.settings import Settings


def sequence_gaps(sequences: Iterable[int]) -> tuple[SequenceGap, ...]:
    """Runs of export sequences that are missing between the lowest and the highest of those given."""
    known = sorted(set(sequences))
    return tuple(SequenceGap(first=low + 1, last=high - 1) for low, high in pairwise(known) if high - low > 1)


def final_period_restatements(used: Sequence[HarmoniseRecord], settings: Settings) -> tuple[str, ...]:
    """Deliveries that change rows although a delivery of lower sequence declared their period, or a later one, final.

    ``used`` is in the order of the sequence. ``ClinicOutcomesError`` where the lake cannot be read.
    """
    found = []
    for number, delivery in enumerate(used):
        earlier = used[:number]
        final = max((e.reporting_period for e in earlier if e.period_status == "final"), default="")
        if delivery.reporting_period <= final and _changes_rows(delivery, earlier, settings):
            found.append(delivery.delivery_id)
    return tuple(found)


def _changes_rows(delivery: HarmoniseRecord, earlier: Sequence[HarmoniseRecord], settings: Settings) -> bool:
    tables = [table for table in load_contract().tables.values() if containing([delivery], table)]
    with session(settings) as connection:
        return any(_changes_table(connection, table, delivery, earlier, settings) for table in tables)


def _changes_table(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    delivery: HarmoniseRecord,
    earlier: Sequence[HarmoniseRecord],
    settings: Settings,
) -> bool:
    """Whether the rows in force, without where they come from, are others with the delivery than without it."""
    before, after = in_force(earlier, table), in_force([*earlier, delivery], table)
    content = ", ".join(map(quote_name, content_columns(table)))
    current = f"SELECT {content} FROM fates WHERE fate = 'current'"
    try:
        decide_fates(connection, table, lake_files(after, table, settings))
        connection.execute(f"CREATE OR REPLACE TEMP TABLE after AS {current}")
        if not before:
            return connection.execute("FROM after LIMIT 1").fetchone() is not None
        decide_fates(connection, table, lake_files(before, table, settings))
        connection.execute(f"CREATE OR REPLACE TEMP TABLE before AS {current}")
        differing = "(FROM after EXCEPT ALL FROM before) UNION ALL (FROM before EXCEPT ALL FROM after)"
        return connection.execute(f"{differing} LIMIT 1").fetchone() is not None
    except duckdb.Error:
        raise unreadable(delivery.clinic_id, table) from None
