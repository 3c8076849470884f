"""Which events of a clinic's state a person should know at once.

The rules are over-inclusive on purpose: a call too many costs minutes. All rows in force count, quarantined ones
among them.

- ``serious``: recorded as serious, or with any seriousness criterion, or of grade 4 or worse, or of a severity that is
  life-threatening or fatal, or with a fatal outcome.
- ``fatal`` and ``life_threatening``: the worst of these, by whatever word says so; such an event is serious too.
- ``unclear``: not serious by what could be read, but seriousness, severity or outcome has a code that no mapping knows,
  or the grade is unreadable.
- ``unexpected``: treatment-emergent, of a term that is expected of none of the drugs that the person had up to then,
  and not called unrelated or unlikely to be related. A term that no mapping knows cannot be judged: it is counted.

An event is known by its key; a row without one by its place. Rows of one key are one event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import duckdb

from clinic_outcomes.contract import UNMAPPED
from clinic_outcomes.database import quote_path, text_list
from clinic_outcomes.records import AlertedEvent, AlertRecord

EVENTS, SESSIONS = "adverse_event", "session"
FIELDS = (
    "identity", "adverse_event_id", "patient_id", "delivery_id", "source_file", "source_line", "source_item",
    "quarantined", "term_unmapped", "told_before", "kinds",
)  # fmt: skip


def open_state(connection: duckdb.DuckDBPyConnection, folder: Path) -> frozenset[str]:
    """Make views of events and sessions in force of the state in ``folder``; gives the tables that it holds.

    A table that the clinic never delivered has no rows.
    """
    delivered = set()
    for table, columns in (
        (EVENTS, "adverse_event_id, patient_id, session_id, term, severity, grade, serious, seriousness_criteria, "
                 "outcome, relatedness, onset_day, unreadable_columns, delivery_id, export_sequence, source_file, "
                 "source_line, source_item"),
        (SESSIONS, "session_id, patient_id, session_day, drug"),
    ):  # fmt: skip
        parts = [
            f"SELECT {columns}, {name == 'quarantined'} AS quarantined FROM read_parquet({quote_path(path)})"
            for name in ("accepted", "quarantined")
            if (path := folder / name / f"{table}.parquet").is_file()
        ]
        if parts:
            delivered.add(table)
            connection.execute(f"CREATE TEMP VIEW {table} AS {' UNION ALL '.join(parts)}")
    if SESSIONS not in delivered:
        connection.execute(
            "CREATE TEMP TABLE session (session_id VARCHAR, patient_id VARCHAR, session_day INTEGER, drug VARCHAR, "
            "quarantined BOOLEAN)"
        )
    return frozenset(delivered)


def judge_events(connection: duckdb.DuckDBPyConnection, expected: Mapping[str, Iterable[str]]) -> None:
    """Make table ``judged``: every event in force with its ``kinds``; ``expected`` lists terms by drug."""
    pairs = [(drug, term) for drug in sorted(expected) for term in sorted(expected[drug])]
    connection.execute(
        "CREATE TEMP TABLE expected AS SELECT unnest(?::VARCHAR[]) AS drug, unnest(?::VARCHAR[]) AS term",
        [[drug for drug, _ in pairs], [term for _, term in pairs]],
    )
    connection.execute(f"CREATE TEMP TABLE placed AS {_PLACED}")
    connection.execute(f"CREATE TEMP TABLE judged AS {_JUDGED}")


def new_events(connection: duckdb.DuckDBPyConnection, earlier: Iterable[AlertRecord]) -> tuple[AlertedEvent, ...]:
    """Events of table ``judged`` of some kind of which no earlier alert told, by identity."""
    told = sorted({(e.identity, kind) for record in earlier for e in record.events for kind in e.kinds})
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE told AS SELECT unnest(?::VARCHAR[]) AS identity, unnest(?::VARCHAR[]) AS kind",
        [[identity for identity, _ in told], [kind for _, kind in told]],
    )
    return _fetch(
        connection,
        "identity IN (SELECT identity FROM (SELECT identity, unnest(kinds) AS kind FROM judged) "
        "ANTI JOIN told USING (identity, kind))",
    )


def events_by_identity(connection: duckdb.DuckDBPyConnection, identities: Iterable[str]) -> tuple[AlertedEvent, ...]:
    """Some events of table ``judged``. Table ``told`` must be there."""
    return _fetch(connection, f"list_contains({text_list(identities)}, identity)")


def unmapped_terms(connection: duckdb.DuckDBPyConnection) -> int:
    """Treatment-emergent events whose term no mapping knows."""
    query = "SELECT count(*) FROM judged WHERE is_emergent AND term_unmapped"
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


def _fetch(connection: duckdb.DuckDBPyConnection, condition: str) -> tuple[AlertedEvent, ...]:
    rows = connection.execute(
        "SELECT judged.* EXCLUDE (is_emergent, is_serious), identity IN (SELECT identity FROM told) AS told_before "
        f"FROM judged WHERE {condition} ORDER BY identity"
    )
    names = [column[0] for column in rows.description or ()]
    found = [dict(zip(names, row, strict=True)) for row in rows.fetchall()]
    return tuple(AlertedEvent.model_validate({name: row[name] for name in FIELDS}) for row in found)


_PLACED = f"""
    WITH treated AS (
        SELECT patient_id, count(*) > 0 AS is_treated, min(session_day) AS first_day FROM session GROUP BY patient_id
    ),
    days AS (
        SELECT session_id, min(session_day) AS session_day FROM session GROUP BY session_id
    )
    SELECT
        e.*,
        coalesce(
            e.adverse_event_id, concat_ws('/', e.delivery_id, e.source_file, e.source_line, e.source_item)
        ) AS identity,
        coalesce(e.term = '{UNMAPPED}', true) AS term_unmapped,
        coalesce(e.onset_day, days.session_day) AS event_day,
        coalesce(t.is_treated, false) AND coalesce(e.onset_day >= t.first_day, true) AS is_emergent
    FROM adverse_event AS e
    LEFT JOIN treated AS t USING (patient_id)
    LEFT JOIN days USING (session_id)
"""

_JUDGED = f"""
    WITH expected_events AS (
        SELECT DISTINCT p.identity
        FROM placed AS p
        JOIN session AS s ON s.patient_id = p.patient_id
        JOIN expected AS x ON x.drug = s.drug AND x.term = p.term
        WHERE coalesce(s.session_day <= p.event_day, true)
    ),
    words AS (
        SELECT
            p.*,
            coalesce(grade >= 5, false) OR coalesce(severity = 'fatal', false) OR coalesce(outcome = 'fatal', false)
                OR coalesce(list_contains(seriousness_criteria, 'death'), false) AS is_fatal,
            coalesce(grade = 4, false) OR coalesce(severity = 'life_threatening', false)
                OR coalesce(list_contains(seriousness_criteria, 'life_threatening'), false) AS is_life_threatening,
            coalesce(serious = 'yes', false) OR coalesce(len(seriousness_criteria) > 0, false) AS is_called_serious,
            coalesce('{UNMAPPED}' IN (serious, severity, outcome), false)
                OR coalesce(list_contains(unreadable_columns, 'grade'), false) AS is_unreadable,
            is_emergent AND NOT term_unmapped AND coalesce(relatedness NOT IN ('not_related', 'unlikely'), true)
                AND x.identity IS NULL AS is_unexpected
        FROM placed AS p LEFT JOIN expected_events AS x USING (identity)
    ),
    events AS (
        SELECT
            identity,
            arg_min({{
                'adverse_event_id': adverse_event_id, 'patient_id': patient_id, 'delivery_id': delivery_id,
                'source_file': source_file, 'source_line': source_line, 'source_item': source_item
            }}, (export_sequence, source_file, source_line, source_item)) AS place,
            bool_or(quarantined) AS quarantined,
            bool_or(term_unmapped) AS term_unmapped,
            bool_or(is_emergent) AS is_emergent,
            bool_or(is_fatal) AS is_fatal,
            bool_or(is_life_threatening) AS is_life_threatening,
            bool_or(is_fatal OR is_life_threatening OR is_called_serious) AS is_serious,
            bool_or(is_unreadable) AS is_unreadable,
            bool_or(is_unexpected) AS is_unexpected
        FROM words GROUP BY identity
    )
    SELECT
        identity, unnest(place), quarantined, term_unmapped, is_emergent, is_serious,
        list_filter([
            CASE WHEN is_fatal THEN 'fatal' END,
            CASE WHEN is_life_threatening THEN 'life_threatening' END,
            CASE WHEN is_serious THEN 'serious' END,
            CASE WHEN is_unreadable AND NOT is_serious THEN 'unclear' END,
            CASE WHEN is_unexpected THEN 'unexpected' END
        ], lambda kind: kind IS NOT NULL) AS kinds
    FROM events
"""
