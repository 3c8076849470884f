"""When each person began: the earliest date among the beginnings, or what the register remembers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from clinic_outcomes.admit.recognition import LAST_DAY
from clinic_outcomes.database import quote_name
from clinic_outcomes.harmonise.keyed_hash import keyed_hash
from clinic_outcomes.prepare.columns import CLINIC_SECRET, DAY_ZERO, Maker
from clinic_outcomes.prepare.refusing import refusal
from clinic_outcomes.prepare.register import REGISTERED

_WHOSE = "whose day zero"
"""Column made on the way. No column of an export that is mapped has a space in its name."""
BEGINNINGS = (("referral", "received_day"), ("patient", "intake_day"))
"""Columns of the contract of which the earliest is a person's day 0, unless the instructions say otherwise."""
KNOWN = "(SELECT key, day FROM day_zero WHERE day IS NOT NULL)"
"""SQL of what the register is to remember."""
_KEY = f"left({keyed_hash(CLINIC_SECRET, chr(39) + 'day_zero|' + chr(39) + ' || person')}, 32)"
"""A person's key in the register: of the clinic's key, but not the delivered one."""


@dataclass(frozen=True)
class Beginnings:
    """Counts of people: those without a day 0, and those whose day 0 stays though the export would change it."""

    unknown: int
    kept: int


def find_day_zero(
    connection: duckdb.DuckDBPyConnection, sources: Mapping[str, tuple[str, ...]], maker: Maker, is_delta: bool
) -> Beginnings:
    """Make ``day_zero``: ``person``, ``key`` in the register, and ``day``, NULL where it is not known.

    The table ``registered`` must be there; what it says stays. Else it is the earliest date among the beginnings in
    the export. It is not known where one of them cannot be read, for that could be the earliest. Dates after the
    export are plans, and no beginnings.
    """
    people, dates = [], []
    for place, (source, columns) in enumerate(sources.items()):
        column = person_column(maker, source, columns)
        if column is None:
            continue
        person = maker.text(column)
        people.append(f"SELECT {person} AS person, NULL::DATE AS day, false AS unreadable FROM export_{place}")
        for name in _beginnings(maker, source):
            if name in columns:
                day, text = maker.as_date(name), maker.text(name)
                dates.append(
                    f"SELECT person, day, text IS NOT NULL AND day IS NULL FROM (SELECT {person} AS person, "
                    f"{_plausible(day, maker)} AS day, {text} AS text FROM export_{place})"
                )
    if not dates:
        raise refusal("day_zero_missing", "the export has no date from which days could be counted")
    last = f"DATE '{maker.exported_on}'"
    connection.execute(
        f"CREATE TEMP TABLE found AS SELECT person, {_KEY} AS key, min(day) FILTER (day <= {last}) AS day, "
        f"bool_or(unreadable) AS unreadable FROM ({' UNION ALL '.join([*people, *dates])}) "
        "WHERE person IS NOT NULL GROUP BY person"
    )
    connection.execute(
        "CREATE TEMP TABLE day_zero AS SELECT person, key, "
        "coalesce(registered.day, CASE WHEN NOT found.unreadable THEN found.day END) AS day "
        f"FROM found LEFT JOIN {REGISTERED} AS registered USING (key)"
    )
    # A delta need not have the beginning; only an earlier one is news.
    changed = "found.day < day_zero.day" if is_delta else "found.day <> day_zero.day"
    row = connection.execute(
        f"SELECT count(*) FILTER (day_zero.day IS NULL), count(*) FILTER ({changed}) "
        "FROM day_zero JOIN found USING (person)"
    ).fetchone()
    return Beginnings(*row) if row else Beginnings(0, 0)


def person_column(maker: Maker, source: str, columns: tuple[str, ...]) -> str | None:
    """Column of a source of the export that holds the person's key."""
    for mapping in maker.clinic.system.columns:
        if mapping.source == source and mapping.target and mapping.target.name == "patient_id":
            name = maker.instructions.column_read(source, mapping.source_columns[0])
            return name if name in columns else None
    return None


def dated_rows(maker: Maker, source: str, columns: tuple[str, ...], place: int, is_delta: bool) -> str:
    """Rows of a source with the day 0 of the person; of a delta, without those whose person's day 0 is not known.

    Such a row could restate one that was delivered before, with days that it would lose.
    """
    column = person_column(maker, source, columns)
    if column is None:
        return f"(SELECT *, NULL::DATE AS {quote_name(DAY_ZERO)} FROM export_{place})"
    whose, day = quote_name(_WHOSE), quote_name(DAY_ZERO)
    wanted = f" WHERE {whose} IS NULL OR {day} IS NOT NULL" if is_delta else ""
    return (
        f"(SELECT * EXCLUDE ({whose}) FROM export_{place} "
        f"LEFT JOIN (SELECT person AS {whose}, day AS {day} FROM day_zero) ON {maker.text(column)} = {whose}{wanted})"
    )


def _plausible(day: str, maker: Maker) -> str:
    """A date from which the days until the export can be delivered; NULL for another, such as 1900-01-01."""
    return f"CASE WHEN date_diff('day', {day}, DATE '{maker.exported_on}') < {LAST_DAY} THEN {day} END"


def _beginnings(maker: Maker, source: str) -> list[str]:
    """Columns of a source of the export that a person's day 0 is taken from."""
    places = maker.instructions.day_zero
    delivered = (
        [place.removeprefix(f"{source}.") for place in places if place.startswith(f"{source}.")]
        if places
        else [
            mapping.source_columns[0]
            for mapping in maker.clinic.system.columns
            if mapping.source == source and mapping.target and (mapping.table, mapping.target.name) in BEGINNINGS
        ]
    )
    return [maker.instructions.column_read(source, column) for column in delivered]
