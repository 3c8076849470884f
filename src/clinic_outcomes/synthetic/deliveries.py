"""What a clinic exports when: the rows it knows at the end of each period, and the mistakes planted in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from clinic_outcomes.contract import UNMAPPED, load_contract
from clinic_outcomes.mapping import System
from clinic_outcomes.records import RowAccount
from clinic_outcomes.synthetic.columns import (
    MISSING,
    Indices,
    Keys,
    Mask,
    Rows,
    code_positions,
    key_space,
    length,
    stack,
    take,
)
from clinic_outcomes.synthetic.known import LOOKUPS, as_of, is_known
from clinic_outcomes.synthetic.plan import SOURCE, record_groups, vanishing_values
from clinic_outcomes.synthetic.programme import Programme
from clinic_outcomes.synthetic.treatment import MINUTE_UNITS
from clinic_outcomes.synthetic.world import World

ITEMS, EVENTS = "assessment_item", "adverse_event"
CORRECTED = {"session": "recovery_minutes", ITEMS: "item_value"}
"""Tables of which some rows are restated later, and the column that is corrected."""
DELETABLE = ("adverse_event", "medication")
"""Tables that no other refers to: a row of theirs can be deleted alone."""
DATE_COLUMNS = (("patient", "intake_day"), ("session", "session_day"), ("referral", "received_day"))
"""Columns of which the first delivered one that has days holds calendar dates in the delivery that must be refused."""
REFUSED_ROWS = 25


class Plant(BaseModel):
    """What is planted on purpose, beside clean rows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    defects: bool = True
    """Answers out of range, answers of no questionnaire, rows given twice, codes that no mapping knows."""
    corrections: bool = True
    """Rows that a later delivery restates or deletes."""
    refused_delivery: bool = True
    """One clinic's last delivery holds calendar dates."""
    serious_cluster: bool = True
    """One clinic of two deliveries has serious events in several people within the sessions of the second."""


@dataclass(frozen=True)
class Period:
    """End of a reporting period, as a day of the clinics' time, which begins on the first of January 2024."""

    last_day: int
    name: str


PERIODS = (Period(455, "2025-03"), Period(546, "2025-06"))
REFUSED_PERIOD = "2025-09"


@dataclass(frozen=True)
class Delivery:
    """One export.

    ``_action`` of a row is 1 where the row deletes, else 0. ``dates`` names a table and its column whose days are
    written as calendar dates.
    """

    sequence: int
    kind: Literal["full", "delta"]
    reporting_period: str
    tables: dict[str, Rows]
    planted: dict[str, int] = field(default_factory=dict)
    dates: tuple[str, str] | None = None


@dataclass(frozen=True)
class Exports:
    """Deliveries of a clinic in order, the rows in force after all usable ones, and the row account to expect."""

    deliveries: tuple[Delivery, ...]
    in_force: dict[str, Rows]
    account: tuple[RowAccount, ...]


@dataclass(frozen=True)
class _Plants:
    """Positions of the rows of the first delivery in which something is planted, by table."""

    deleted: dict[str, Indices] = field(default_factory=dict)
    corrected: dict[str, Indices] = field(default_factory=dict)
    repeated: dict[str, Indices] = field(default_factory=dict)
    out_of_range: Indices = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    orphans: int = 0
    unmapped: int = 0


def make_exports(
    rng: np.random.Generator,
    world: World,
    system: System,
    programme: Programme,
    *,
    periods: tuple[Period, ...],
    mistakes: int,
    plant: Plant,
    refused: bool,
) -> Exports:
    """Cut a clinic's tables into deliveries, with about ``mistakes`` planted of each kind.

    The first is full, as at the end of the first period; each further one is a delta. ``refused`` adds a last
    delivery that the gate must refuse.
    """
    plants = _choose(rng, world, system, periods, mistakes, plant)
    first = as_of(world, periods[0].last_day)
    final = as_of(world, periods[-1].last_day) if len(periods) > 1 else dict(first)
    for table, positions in plants.deleted.items():
        final[table] = take(final[table], ~np.isin(final[table]["_row"], positions))
    start = _first_delivery(rng, world, first, system, programme, plants, periods[0])
    deliveries = [start]
    if len(periods) > 1:
        deliveries.append(_delta(system, first, final, plants, periods[-1]))
    in_force = {table: _present(system, table, rows) for table, rows in final.items()}
    if ITEMS in final:
        spoiled = _still_out_of_range(plants, deliveries)
        in_force[ITEMS] = take(in_force[ITEMS], ~np.isin(in_force[ITEMS]["_row"], spoiled))
    account = tuple(_account(system, deliveries, plants))
    if refused:
        deliveries += _refused(world, len(deliveries) + 1)
    return Exports(tuple(deliveries), in_force, account)


def _choose(
    rng: np.random.Generator,
    world: World,
    system: System,
    periods: tuple[Period, ...],
    mistakes: int,
    plant: Plant,
) -> _Plants:
    """Choose the rows to spoil among those that the first delivery holds, each for one thing only."""
    free = {
        table: rng.permutation(np.flatnonzero(is_known(world, rows, periods[0].last_day)))
        for table, rows in world.tables.items()
        if table not in LOOKUPS
    }

    def some(table: str) -> Indices:
        taken, free[table] = free[table][:mistakes], free[table][mistakes:]
        return np.sort(taken)

    shared = {table for group in record_groups(system) for table in group.tables}
    deleted: dict[str, Indices] = {}
    corrected: dict[str, Indices] = {}
    if plant.corrections and len(periods) > 1:
        deleted = {t: some(t) for t in DELETABLE if t in free and t not in shared and _can_delete(system, t)}
        corrected = {t: some(t) for t, column in CORRECTED.items() if column in world.tables.get(t, {})}
    if not plant.defects:
        return _Plants(deleted, corrected)
    unmapped = 0
    for table, column in (("condition", "diagnosis"), ("adverse_event", "term")):
        if column in world.tables.get(table, {}):
            spoiled = some(table)
            world.tables[table][column][spoiled] = code_positions(table, column)[UNMAPPED]
            unmapped += len(spoiled)
    return _Plants(
        deleted,
        corrected,
        # A row that shares its record with others is never alone: neither given twice nor of nothing.
        repeated={table: some(table) for table in ("adverse_event", ITEMS) if table in free and table not in shared},
        out_of_range=some(ITEMS) if ITEMS in free else np.zeros(0, dtype=np.int64),
        orphans=min(mistakes, len(free[ITEMS])) if ITEMS in free and ITEMS not in shared else 0,
        unmapped=unmapped,
    )


def _can_delete(system: System, table: str) -> bool:
    return any(mapping.is_record_action and mapping.table == table for mapping in system.columns)


def _first_delivery(
    rng: np.random.Generator,
    world: World,
    first: dict[str, Rows],
    system: System,
    programme: Programme,
    plants: _Plants,
    period: Period,
) -> Delivery:
    tables = dict(first)
    for table, positions in plants.corrected.items():
        tables[table] = _with_mistake(table, tables[table], positions)
    if ITEMS in tables:
        items = tables[ITEMS] = dict(tables[ITEMS])
        highest = np.array([form.maximum_item_value for form in programme.questionnaires])
        form = world.tables["assessment"]["_questionnaire"][items["_assessment"]]
        spoiled = np.isin(items["_row"], plants.out_of_range)
        items["item_value"] = np.where(spoiled, highest[form] + 1, items["item_value"]).astype(np.int32)
        orphans = take(items, np.arange(plants.orphans))
        orphans["assessment_id"] = _keys_of_nothing(rng, system, world, plants.orphans)
        tables[ITEMS] = stack([items, orphans])
    for table, positions in plants.repeated.items():
        again = take(tables[table], np.isin(first[table]["_row"], positions).nonzero()[0])
        tables[table] = stack([tables[table], again])
    return Delivery(
        sequence=1,
        kind="full",
        reporting_period=period.name,
        tables=tables,
        planted={
            "item_out_of_range": len(plants.out_of_range),
            "orphan_answer": plants.orphans,
            "duplicate_row": sum(map(len, plants.repeated.values())),
            "unmapped_code": plants.unmapped,
            "corrected_later": sum(map(len, plants.corrected.values())),
            "deleted_later": sum(map(len, plants.deleted.values())),
        },
    )


def _keys_of_nothing(rng: np.random.Generator, system: System, world: World, count: int) -> Keys:
    """Keys of questionnaires that do not exist."""
    space = key_space(system, load_contract().tables["assessment"].column("assessment_id"))
    drawn = space.draw(rng, 2 * count)
    return drawn[~np.isin(drawn, world.tables["assessment"]["assessment_id"])][:count]


def _with_mistake(table: str, rows: Rows, positions: Indices) -> Rows:
    """Rows as first delivered, before their correction: another recovery time, or a blank answer."""
    column = CORRECTED[table]
    spoiled = np.isin(rows["_row"], positions) & (rows[column] != MISSING)
    mistaken = MISSING if table == ITEMS else rows[column] + 60 * MINUTE_UNITS
    return rows | {column: np.where(spoiled, mistaken, rows[column]).astype(np.int32)}


def _present(system: System, table: str, rows: Rows) -> Rows:
    """Rows that a reader finds: without those that are a cell of a wider record, and have no value."""
    for place, name in vanishing_values(system, table).items():
        if name in rows:
            absent = (rows[name] == MISSING) & (rows["_action"] == 0)
            rows = take(rows, ~(absent & (rows[SOURCE] == place)) if SOURCE in rows else ~absent)
    return rows


def _delta(system: System, first: dict[str, Rows], final: dict[str, Rows], plants: _Plants, period: Period) -> Delivery:
    """Rows that are new or changed since the first delivery, all that share a record with them, and deletions."""
    changed = {table: _new_or_changed(table, first[table], rows, plants) for table, rows in final.items()}
    for group in record_groups(system):
        members = [table for table in group.tables if table in final]
        touched = np.unique(np.concatenate([final[table][group.key][changed[table]] for table in members]))
        for table in members:
            changed[table] |= np.isin(final[table][group.key], touched)
    tables = {}
    for table, rows in final.items():
        before = first[table]
        deleted = take(before, np.isin(before["_row"], plants.deleted.get(table, [])))
        deleted["_action"] = np.ones(length(deleted), dtype=np.int8)
        tables[table] = stack([take(rows, changed[table]), deleted])
    cluster = int(tables.get(EVENTS, {}).get("_cluster", np.zeros(0)).sum())
    planted = {"serious_cluster": cluster} if cluster else {}
    return Delivery(sequence=2, kind="delta", reporting_period=period.name, tables=tables, planted=planted)


def _new_or_changed(table: str, before: Rows, rows: Rows, plants: _Plants) -> Mask:
    """Rows that a delta must say, each for itself."""
    chosen: Mask = ~np.isin(rows["_row"], before["_row"]) | np.isin(rows["_row"], plants.corrected.get(table, []))
    if table in (*LOOKUPS, "patient"):
        chosen[:] = True
    elif table == "referral":
        chosen |= _changed(before, rows)
    return chosen


def _changed(before: Rows, after: Rows) -> Mask:
    """Rows of ``after`` that were there before with other content."""
    place = np.searchsorted(before["_row"], after["_row"])
    place = np.minimum(place, max(length(before) - 1, 0))
    changed = np.zeros(length(after), dtype=np.bool_)
    if not length(before):
        return changed
    for name, values in after.items():
        if not name.startswith("_"):
            changed |= before[name][place] != values
    changed &= before["_row"][place] == after["_row"]
    return changed


def _refused(world: World, sequence: int) -> list[Delivery]:
    """A delivery of which a column of days holds calendar dates; none where no column has a day yet."""
    known = as_of(world, PERIODS[-1].last_day)
    for table, column in DATE_COLUMNS:
        if column not in known.get(table, {}):
            continue
        rows = take(known[table], np.flatnonzero(known[table][column] != MISSING)[:REFUSED_ROWS])
        if length(rows):
            rows["_arrival"] = world.arrival[rows["_patient"]]
            planted = {"calendar_date": length(rows)}
            return [Delivery(sequence, "delta", REFUSED_PERIOD, {table: rows}, planted, dates=(table, column))]
    return []


def _account(system: System, deliveries: list[Delivery], plants: _Plants) -> list[RowAccount]:
    """The account that the pipeline must come to, delivery and table. File names are the writer's: left empty."""
    account = []
    quarantined = len(_still_out_of_range(plants, deliveries)) + plants.orphans
    told = [{table: _present(system, table, rows) for table, rows in d.tables.items()} for d in deliveries]
    for place, delivery in enumerate(deliveries):
        later = told[place + 1] if place + 1 < len(told) else None
        for table, rows in told[place].items():
            action = rows["_action"]
            restated = np.isin(later[table]["_row"], rows["_row"]) if later else np.zeros(length(rows), dtype=np.bool_)
            after = later[table]["_action"] if later else action
            parts = {
                "quarantined": quarantined if place == 0 and table == ITEMS else 0,
                "superseded": int((restated & (after == 0)).sum()),
                "deleted": int((restated & (after == 1)).sum()),
                "duplicate": len(plants.repeated.get(table, [])) if place == 0 else 0,
                "tombstone": int((action == 1).sum()),
            }
            account.append(
                RowAccount(
                    delivery_id=f"{delivery.sequence:06d}-{delivery.kind}",
                    file="",
                    table=table,
                    delivered=length(rows),
                    current=length(rows) - sum(parts.values()),
                    **parts,
                )
            )
    return account


def _still_out_of_range(plants: _Plants, deliveries: list[Delivery]) -> Indices:
    """Answers planted out of range that no later delivery gives again, with their record and as they should be."""
    later = [delivery.tables[ITEMS]["_row"] for delivery in deliveries[1:] if ITEMS in delivery.tables]
    return plants.out_of_range[~np.isin(plants.out_of_range, np.concatenate([np.zeros(0, dtype=np.int64), *later]))]
