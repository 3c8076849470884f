"""The same world as a clinic's own records have it, before anything is de-identified: names, numbers, calendar dates.

Everything is invented. Who is seen in two clinics has the same network token there, and with it the same name, phone
and member number, which is what the network may agree on to make the token from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from clinic_outcomes.contract import Column, load_contract
from clinic_outcomes.database import quote_name, text_list
from clinic_outcomes.mapping import ColumnMapping, System
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.synthetic.columns import MISSING, NO_KEY, Integers, Keys, Rows
from clinic_outcomes.synthetic.world import FIRST_DATE, World

KEPT_KEYS = ("organisation_id", "site_id", "referring_clinic_id")
"""Keys that identify nobody."""
ABSENT = (("patient", "network_token"),)
FIRST_NUMBER = 100_001
IDENTIFIED_FOLDER = "identified"
"""Folder of a FHIR system with the templates of identified resources."""

_FIRST = ("Avery", "Blake", "Casey", "Devon", "Ellis", "Frankie", "Harper", "Jamie", "Kendall", "Logan", "Morgan")
_LAST = ("Abernathy", "Blackwood", "Castellano", "Dunmore", "Eastgate", "Farnsworth", "Greenhalgh", "Hollister")
_STREETS = ("Alder Way", "Birch Lane", "Cedar Court", "Dogwood Drive", "Elm Street", "Fir Avenue", "Grove Road")
EXTRA: Mapping[str, str] = {
    "full_name": (
        f"({text_list(_FIRST)})[(network_token % {len(_FIRST)})::INTEGER + 1] || ' ' || "
        f"({text_list(_LAST)})[(network_token // 16 % {len(_LAST)})::INTEGER + 1]"
    ),
    "birth_date": (
        f"strftime(DATE '{FIRST_DATE}' + _arrival::INTEGER - (_age * 365.25)::INTEGER "
        "- (network_token % 300)::INTEGER - 2, '%Y-%m-%d')"
    ),
    "phone": "'(210) 555-' || lpad((network_token // 32 % 10000)::VARCHAR, 4, '0')",
    "email": "'patient' || (network_token // 64 % 1000000)::VARCHAR || '@example.org'",
    "street": (
        "(network_token // 8 % 990 + 10)::VARCHAR || ' ' || "
        f"({text_list(_STREETS)})[(network_token // 128 % {len(_STREETS)})::INTEGER + 1]"
    ),
    "zip": "'782' || lpad((network_token // 256 % 100)::VARCHAR, 2, '0')",
    "member_no": "lpad((network_token % 10000000000)::VARCHAR, 10, '0')",
}
"""Columns of a patient that identify, with their SQL."""


@dataclass(frozen=True)
class Identities:
    """What the clinic's own records know: day 0 as a day of the clinic's time, age, and the numbers of all keys."""

    arrival: Integers
    age_years: Integers
    keys: Mapping[str, Keys]
    """Name of a table's own key → keys of all its rows, in their order; a row's number is its place."""


def identities(world: World) -> Identities:
    """Identities of everybody in a world."""
    keys = {}
    for name, table in load_contract().tables.items():
        key = table.column(table.primary_key[0])
        if name in world.tables and key.references is None and key.name not in KEPT_KEYS:
            keys[key.name] = world.tables[name][key.name]
    age = world.tables["patient"].get("_age", np.full(len(world.arrival), MISSING, dtype=np.int32))
    return Identities(world.arrival, age, keys)


def identified_system(system: System) -> System:
    """A system whose patients' source has the identifying columns beside its own.

    ``ClinicOutcomesError`` where it writes FHIR and has no templates of identified resources.
    """
    folder, columns = system.folder, system.columns
    if system.format == "fhir":
        folder = folder / IDENTIFIED_FOLDER
        if not (folder / "resources").is_dir():
            raise ClinicOutcomesError(f"system {system.name}: no templates in {IDENTIFIED_FOLDER}/resources")
        # Resources have no element for what only a delivery says.
        columns = tuple(m for m in columns if m.target is None or not _only_delivered(m.target))
    source = next(m.source for m in system.columns if m.table == "patient")
    extra = tuple(ColumnMapping(source, (name,), None, None, None, None, None, None, line=0) for name in EXTRA)
    return replace(system, folder=folder, columns=(*columns, *extra))


def identified_sql(column: Column, rows: Rows, known: Identities) -> tuple[str, Rows] | None:
    """SQL of a column as the clinic's own records have it, and the arrays it reads; None where it is the same."""
    name = quote_name(column.name)
    if _only_delivered(column):
        return "NULL", {}
    if column.is_key and _numbered(column) in known.keys:
        numbers = _numbers(rows[column.name], known.keys[_numbered(column)])
        return f"CASE WHEN {name} > 0 THEN {name}::VARCHAR END", {column.name: numbers}
    if column.unit == "day" and "_patient" in rows:
        arrays = {column.name: rows[column.name], "_arrival": known.arrival[rows["_patient"]]}
        day = f"nullif({name}, {MISSING})"
        return f"strftime(DATE '{FIRST_DATE}' + _arrival::INTEGER + {day}::INTEGER, '%Y-%m-%d')", arrays
    if (column.table, column.name) == ("patient", "age_years"):
        return f"nullif({name}, {MISSING})", {column.name: known.age_years[rows["_patient"]]}
    return None


def extra_columns(rows: Rows, known: Identities) -> tuple[dict[str, str], Rows]:
    """SQL of the identifying columns of patients, and the arrays it reads."""
    patient = rows["_patient"]
    arrays = {
        "network_token": rows["network_token"],
        "_arrival": known.arrival[patient],
        "_age": known.age_years[patient],
    }
    return dict(EXTRA), arrays


def _only_delivered(column: Column) -> bool:
    """Whether it is a column that the clinic's own records do not have."""
    return (column.table, column.name) in ABSENT or column.name == "service_period"


def _numbered(column: Column) -> str:
    return column.references[1] if column.references else column.name


def _numbers(keys: Keys, all_keys: Keys) -> Keys:
    """Number of each key: its place among all, from 100001; keys of nothing come after. 0 for none."""
    order = np.argsort(all_keys, kind="stable")
    place = np.searchsorted(all_keys, keys, sorter=order)
    inside = np.minimum(place, max(len(all_keys) - 1, 0))
    position = order[inside] if len(all_keys) else np.zeros(len(keys), dtype=np.int64)
    known = all_keys[position] == keys if len(all_keys) else np.zeros(len(keys), dtype=np.bool_)
    unknown = FIRST_NUMBER + len(all_keys) + np.arange(len(keys))
    numbers = np.where(known, FIRST_NUMBER + position, unknown).astype(np.uint64)
    return np.where(keys == NO_KEY, np.uint64(0), numbers).astype(np.uint64)
