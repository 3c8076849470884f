"""The rules of a clinic's state in plain Python, a row at a time: what the stage resolve is compared with."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.support.arrivals import TABLES, Delivery

KEY_PARTS = {"patient": 1, "referral": 1, "assessment": 1, "assessment_item": 2}
"""How many of the first cells of a row are its key; the last cell is the action."""

Place = tuple[int, str, int]
"""A row's export sequence, file and line."""


@dataclass(frozen=True)
class Said:
    """One delivered row."""

    place: Place
    key: tuple[str, ...] | None
    content: tuple[str, ...]
    deletes: bool


@dataclass
class State:
    """Where every row of the used deliveries ended, and what is in force."""

    used: list[int] = field(default_factory=list)
    held: list[int] = field(default_factory=list)
    conflicts: list[int] = field(default_factory=list)
    tables: set[str] = field(default_factory=set)
    fates: dict[tuple[str, Place], str] = field(default_factory=dict)
    in_force: dict[str, dict[object, list[Place]]] = field(default_factory=lambda: defaultdict(dict))
    given: dict[str, set[object]] = field(default_factory=lambda: defaultdict(set))
    restates: set[tuple[str, Place]] = field(default_factory=set)

    def counts(self) -> Counter[tuple[str, int, str, str]]:
        """Rows by table, sequence, file and fate."""
        return Counter((table, place[0], place[1], fate) for (table, place), fate in self.fates.items())


def read(delivery: Delivery) -> dict[str, list[Said]]:
    """A delivery's rows by table, by file and line."""
    found: dict[str, list[Said]] = {}
    for file, lines in sorted(delivery.files.items()):
        table = TABLES[file.split("_")[0].removesuffix(".csv")]
        rows = found.setdefault(table, [])
        for number, line in enumerate(lines, start=2):
            *content, action = line.split(",")
            key = tuple(content[: KEY_PARTS[table]])
            place = (delivery.sequence, file, number)
            rows.append(Said(place, key if all(key) else None, tuple(content), action == "delete"))
    return found


def resolve_by_hand(deliveries: Iterable[Delivery], percent: int, minimum: int) -> State:
    """The state that the rules give for a set of deliveries."""
    ordered = sorted(deliveries, key=lambda delivery: delivery.sequence)
    told = Counter(delivery.sequence for delivery in ordered)
    state = State(conflicts=[delivery.sequence for delivery in ordered if told[delivery.sequence] > 1])
    for delivery in ordered:
        if told[delivery.sequence] > 1:
            continue
        tables = read(delivery)
        full = delivery.kind == "full"
        if full and any(_loses(state, table, rows, percent, minimum) for table, rows in tables.items()):
            state.held.append(delivery.sequence)
            continue
        state.used.append(delivery.sequence)
        for table, rows in tables.items():
            _apply(state, table, rows, full)
    return state


def _loses(state: State, table: str, rows: list[Said], percent: int, minimum: int) -> bool:
    before = {key for key in state.in_force[table] if isinstance(key, tuple)}
    lost = before - {row.key for row in rows}
    return len(before) >= minimum and 100 * len(lost) > percent * len(before)


def _apply(state: State, table: str, rows: list[Said], full: bool) -> None:
    state.tables.add(table)
    deleted = {row.key for row in rows if row.deletes and row.key}
    given: dict[object, list[Place]] = {}
    seen = set()
    for row in rows:
        if row.deletes:
            fate = "tombstone"
        elif row.key and (row.key, row.content) in seen:
            fate = "duplicate"
        elif row.key in deleted:
            fate = "deleted"
        else:
            fate = "current"
            # A row without a key is alone, so its place stands for the key; a number is never a key.
            given.setdefault(row.key or hash(row.place), []).append(row.place)
        if not row.deletes:
            seen.add((row.key, row.content))
        state.fates[table, row.place] = fate
        if fate == "current" and row.key in state.given[table]:
            state.restates.add((table, row.place))
    _replace(state, table, given, deleted, full)
    state.given[table] |= {row.key for row in rows if row.key and not row.deletes}


def _replace(state: State, table: str, given: dict[object, list[Place]], deleted: set[object], full: bool) -> None:
    kept = {}
    for key, places in state.in_force[table].items():
        if key in given:
            fate = "superseded"
        elif key in deleted or full:
            fate = "deleted"
        else:
            kept[key] = places
            continue
        state.fates.update({(table, place): fate for place in places})
    state.in_force[table] = kept | given
