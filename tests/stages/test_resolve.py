"""Resolve: where every delivered row ends, by histories small enough to decide by hand.

In a history, each line is a delivered row: delivery (sequence and kind), file, key, value, action, and where it must
end. ``?`` is a key that is missing; ``(none)`` a file without rows; ``(no table)`` a delivery without any such file.
``restates`` after ``current`` says that an earlier delivery gave the key already.
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from clinic_outcomes import ledger
from clinic_outcomes.contract import load_contract
from clinic_outcomes.harmonise import harmonise, lake_file
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.records import ResolveRecord, Threshold
from clinic_outcomes.resolve import resolve, resolved_folder
from clinic_outcomes.settings import Settings
from tests.support.harmonised_clinic import CLINIC, admitted, column_types, rows, small_clinic
from tests.support.keys import new_key, with_delivered_keys
from tests.support.short_keys import ANY_KEY

HEAD = f"""\
title: Example
format: csv
sources:
  answers: {{file: 'answers*.csv', required: false}}
  owners: {{file: 'owners*.csv'}}
key_patterns: {{assessment_id: '{ANY_KEY}', patient_id: '{ANY_KEY}', organisation_id: '{ANY_KEY}'}}
"""
COLUMNS = """\
answers,key,assessment_item,assessment_id,,,
answers,item,assessment_item,item_number,,,
answers,person,assessment_item,patient_id,,,
answers,value,assessment_item,item_value,point,,
answers,action,assessment_item,record_action,,action,
owners,owner,organisation,organisation_id,,,
"""
CODES = "action,delete,delete\n"
TABLE = "assessment_item"

HISTORIES = {
    "full, delta, delete, full": """
        1 full  | a | A | 0 |        | superseded
        1 full  | a | B | 1 |        | superseded
        1 full  | a | C | 1 |        | deleted
        1 full  | a | D | 1 |        | deleted
        2 delta | a | A | 2 |        | superseded
        2 delta | a | E | 2 |        | deleted
        3 delta | a | C |   | delete | tombstone
        4 full  | a | A | 3 |        | current, restates
        4 full  | a | B | 1 |        | current, restates
        4 full  | a | F | 4 |        | current
    """,
    "a value comes back": """
        1 full  | a | A | 0 |        | superseded
        2 full  | a | A | 1 |        | superseded
        3 full  | a | A | 0 |        | current, restates
    """,
    "a correction of a correction, others untouched": """
        1 full  | a | A | 0 |        | superseded
        1 full  | a | B | 1 |        | current
        3 delta | a | A | 1 |        | superseded
        7 delta | a | A | 2 |        | current, restates
        7 delta | a | C | 2 |        | current
    """,
    "deleted, then given again": """
        1 full  | a | A | 0 |        | deleted
        2 delta | a | A |   | delete | tombstone
        3 delta | a | A | 1 |        | current, restates
    """,
    "the first that speaks decides, not the last": """
        1 full  | a | A | 0 |        | deleted
        1 full  | a | B | 0 |        | superseded
        2 full  | a | B | 1 |        | deleted
        3 delta | a | A | 2 |        | deleted
        4 full  | a | C | 2 |        | current
    """,
    "a tombstone before the row, and one for a key never seen": """
        1 delta | a | A |   | delete | tombstone
        1 delta | a | Z |   | delete | tombstone
        1 delta | a | Z |   | delete | tombstone
        2 delta | a | A | 1 |        | current
    """,
    "the same row twice, in one file, in two files and in two deliveries": """
        1 full  | a | A | 0 |        | superseded
        1 full  | a | A | 0 |        | duplicate
        1 full  | b | A | 0 |        | duplicate
        1 full  | b | B |   |        | current
        1 full  | b | B |   |        | duplicate
        2 delta | a | A | 0 |        | current, restates
    """,
    "different rows of one key in one delivery": """
        1 full  | a | A | 0 |        | superseded
        1 full  | a | A | 1 |        | superseded
        1 full  | a | B | 0 |        | current
        1 full  | a | B | x |        | current
        1 full  | a | B | 0 |        | duplicate
        1 full  | a | B | y |        | duplicate
        1 full  | a | B |   |        | current
        2 delta | a | A | 2 |        | current, restates
        2 delta | a | A | 3 |        | current, restates
    """,
    "in one delivery a deletion wins, before or after": """
        1 full  | a | A | 0 |        | deleted
        2 delta | a | A | 1 |        | deleted
        2 delta | a | A |   | delete | tombstone
        2 delta | a | B |   | delete | tombstone
        2 delta | b | B | 1 |        | deleted
        2 delta | b | B | 1 |        | duplicate
        2 delta | b | C |   | delete | tombstone
        2 delta | b | C |   |        | deleted
    """,
    "a full export without rows empties its table": """
        1 full  | a | A | 0 |        | deleted
        1 full  | a | B | 0 |        | deleted
        2 full  | a | (none)
    """,
    "a full export without the table says nothing of it": """
        1 full  | a | A | 0 |        | current
        1 full  | a | B | 0 |        | superseded
        2 full  | (no table)
        3 delta | a | B | 1 |        | current, restates
    """,
    "a delta without rows changes nothing": """
        1 full  | a | A | 0 |        | current
        2 delta | a | (none)
    """,
    "a full export between two deltas of a key": """
        1 delta | a | A | 0 |        | deleted
        2 full  | a | B | 0 |        | superseded
        3 delta | a | A | 1 |        | current, restates
        3 delta | a | B | 1 |        | current, restates
    """,
    "rows without a key match nothing, but a full export replaces them": """
        1 full  | a | ? | 0 |        | deleted
        1 full  | a | ? | 0 |        | deleted
        2 full  | a | ? | 0 |        | current
        2 full  | a | ? | 0 |        | current
        2 full  | a | A | 0 |        | current
        3 delta | a | ? | 0 |        | current
        3 delta | a | ? |   | delete | tombstone
    """,
}


@dataclass(frozen=True)
class Row:
    """A delivered row and where it must end."""

    delivery: str
    file: str
    line: int
    key: str
    value: str
    action: str
    ends: str

    @property
    def fate(self) -> str:
        return self.ends.partition(",")[0]


@dataclass(frozen=True)
class History:
    """Deliveries by their sequence and kind, each with the text of its files, and every row of them."""

    deliveries: dict[str, dict[str, str]]
    rows: tuple[Row, ...]


def read_history(text: str) -> History:
    deliveries: dict[str, dict[str, str]] = {}
    found: list[Row] = []
    for line in text.strip().splitlines():
        delivery, *cells = (cell.strip() for cell in line.split("|"))
        files = deliveries.setdefault(" ".join(delivery.split()), {"owners.csv": "owner\nO1\n"})
        if cells[0] == "(no table)":
            continue
        file = f"answers_{cells[0]}.csv"
        text_before = files.setdefault(file, "key,item,person,value,action\n")
        if cells[1] == "(none)":
            continue
        _, key, value, action, ends = cells
        row = Row(" ".join(delivery.split()), file, text_before.count("\n") + 1, key, value, action, ends)
        item = "" if key == "?" else "1"
        files[file] += f"{key},{item},P1,{value},{action}\n"
        found.append(row)
    return History(deliveries, tuple(found))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return new_clinic(tmp_path / "home")


def new_clinic(home: Path) -> Settings:
    settings = small_clinic(home, HEAD, COLUMNS, CODES)
    # One salt for all, so that the same deliveries give the same keys.
    settings.salt_file.parent.mkdir(parents=True)
    settings.salt_file.write_text("5a" * 32)
    return settings


def arrive(settings: Settings, deliveries: dict[str, dict[str, str]], names: list[str]) -> dict[str, str]:
    """Let the named deliveries arrive one after another. Gives the name of each delivery id."""
    ids = {}
    for name in names:
        sequence, kind = name.split()[:2]
        delivery_id = admitted(settings, deliveries[name], int(sequence), kind, folder=name.replace(" ", "-"))
        ids[delivery_id] = name
        harmonise(CLINIC, settings)
    return ids


def resolved_path(settings: Settings, record: ResolveRecord, table: str = TABLE) -> Path:
    assert record.state_id is not None
    return resolved_folder(CLINIC, record.state_id, settings) / f"{table}.parquet"


@pytest.mark.parametrize("history", [read_history(text) for text in HISTORIES.values()], ids=list(HISTORIES))
def test_every_row_ends_where_it_must(history: History, settings: Settings) -> None:
    ids = arrive(settings, history.deliveries, list(history.deliveries))
    record = resolve(CLINIC, settings)

    expected = Counter((row.delivery, row.file, row.fate) for row in history.rows)
    fates = ("current", "superseded", "deleted", "duplicate", "tombstone")
    accounts = [account for account in record.account if account.table == TABLE]
    counted = {(ids[a.delivery_id], a.file, fate): getattr(a, fate) for a in accounts for fate in fates}
    assert {place: count for place, count in counted.items() if count} == expected
    files = {(name, file) for name, files in history.deliveries.items() for file in files if file != "owners.csv"}
    assert {(ids[a.delivery_id], a.file): a.delivered for a in accounts} == {
        place: sum((row.delivery, row.file) == place for row in history.rows) for place in files
    }

    lines = [
        (row.delivery, row.file, row.line, "restates" in row.ends) for row in history.rows if row.fate == "current"
    ]
    path = resolved_path(settings, record)
    found = rows(path, "delivery_id, source_file, source_line, restates", settings)
    assert sorted((ids[str(delivery)], *rest) for delivery, *rest in found) == sorted(lines)


def test_rows_in_force_are_ordered_by_key_then_line(settings: Settings) -> None:
    history = read_history("""
        1 full  | b | C | 0 |        | current
        1 full  | b | A | 1 |        | superseded
        1 full  | a | B | 3 |        | current
        1 full  | a | B | 2 |        | current
        2 delta | a | A | 4 |        | current, restates
    """)
    arrive(settings, history.deliveries, list(history.deliveries))
    record = resolve(CLINIC, settings)
    path = resolved_path(settings, record)
    found = rows(path, "assessment_id, item_value, source_file, source_line", settings)
    expected = {
        "A": [(4, "answers_a.csv", 2)],
        "B": [(3, "answers_a.csv", 2), (2, "answers_a.csv", 3)],
        "C": [(0, "answers_b.csv", 2)],
    }
    keys = {new_key(settings, CLINIC, "assessment_id", key): key for key in expected}
    assert found == [(new, *row) for new, key in sorted(keys.items()) for row in expected[key]]
    stored = dict(load_contract().tables[TABLE].stored_columns)
    del stored["record_action"]
    assert list(column_types(path).items()) == [*stored.items(), ("restates", "BOOLEAN")]


def resolved_bytes(settings: Settings, record: ResolveRecord) -> dict[str, bytes]:
    assert record.state_id is not None
    folder = resolved_folder(CLINIC, record.state_id, settings)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_the_order_of_arrival_leaves_no_trace(tmp_path: Path) -> None:
    history = read_history("""
        1 full  | a | A | 0 |        | superseded
        1 full  | b | B | 1 |        | deleted
        1 full  | b | D | 1 |        | current
        2 delta | a | B |   | delete | tombstone
        2 delta | b | C | 1 |        | current
        2 delta | a | C | 1 |        | duplicate
        3 delta | a | A | 1 |        | current
    """)
    orders = list(itertools.permutations(history.deliveries))
    assert len(orders) == 6
    seen = set()
    for number, names in enumerate(orders):
        settings = new_clinic(tmp_path / str(number))
        for name in names:
            arrive(settings, history.deliveries, [name])
            record = resolve(CLINIC, settings)
        seen.add((record, tuple(resolved_bytes(settings, record).items())))
    assert len(seen) == 1


def test_two_deliveries_of_one_sequence_are_both_left_out(settings: Settings) -> None:
    history = read_history("""
        1 full        | a | A | 0 |  | current
        2 delta       | a | A | 1 |  | left out
        2 delta other | a | A | 2 |  | left out
        3 delta       | a | B | 3 |  | current
    """)
    first, two, other, third = history.deliveries
    ids = arrive(settings, history.deliveries, [first, third])
    before = resolve(CLINIC, settings)
    assert before.conflicts == ()
    ids |= arrive(settings, history.deliveries, [two, other])
    record = resolve(CLINIC, settings)
    assert record.state_id != before.state_id
    assert {ids[i] for i in record.conflicts} == {"2 delta", "2 delta other"}
    assert [ids[i] for i in record.deliveries] == ["1 full", "3 delta"]
    assert {ids[a.delivery_id] for a in record.account} == {"1 full", "3 delta"}
    found = rows(resolved_path(settings, record), "assessment_id, item_value", settings)
    assert sorted(with_delivered_keys(settings, CLINIC, found, "AB")) == [("A", 0), ("B", 3)]


def test_nothing_usable_writes_nothing(settings: Settings) -> None:
    assert resolve(CLINIC, settings) == ResolveRecord(clinic_id=CLINIC, state_id=None)
    history = read_history("1 full | a | A | 0 | | left out\n1 full other | a | A | 1 | | left out")
    ids = arrive(settings, history.deliveries, list(history.deliveries))
    record = resolve(CLINIC, settings)
    assert (record.state_id, record.deliveries, record.account) == (None, (), ())
    assert set(record.conflicts) == set(ids)
    assert not settings.state.exists()


def test_a_state_has_every_table_ever_delivered_and_no_other(settings: Settings) -> None:
    history = read_history("1 full | a | A | 0 | | deleted\n2 full | a | (none)\n3 full | (no table)")
    arrive(settings, history.deliveries, list(history.deliveries))
    record = resolve(CLINIC, settings)
    assert set(resolved_bytes(settings, record)) == {"assessment_item.parquet", "organisation.parquet", "resolve.json"}
    assert rows(resolved_path(settings, record), "*", settings) == []
    kept = ledger.read(resolved_path(settings, record).with_name("resolve.json"), ResolveRecord)
    assert kept == record


def test_the_state_id_follows_deliveries_and_expectations(settings: Settings) -> None:
    history = read_history("1 full | a | A | 0 | | superseded\n2 delta | a | A | 1 | | current")
    first, second = history.deliveries
    arrive(settings, history.deliveries, [first])
    one = resolve(CLINIC, settings)
    written = resolved_path(settings, one).stat().st_mtime_ns
    assert resolve(CLINIC, settings) == one
    assert Threshold(name="lost_records_percent", value=20) in one.thresholds
    assert resolved_path(settings, one).stat().st_mtime_ns == written
    (settings.expectations / "rules.yml").write_text("rules: []\n")
    other_rules = resolve(CLINIC, settings)
    arrive(settings, history.deliveries, [second])
    two = resolve(CLINIC, settings)
    assert len({one.state_id, other_rules.state_id, two.state_id}) == 3
    # The earlier state is still there for whoever reads it.
    assert rows(resolved_path(settings, one), "item_value", settings) == [(0,)]
    assert rows(resolved_path(settings, two), "item_value", settings) == [(1,)]


def test_a_lake_file_that_is_gone_is_named(settings: Settings) -> None:
    history = read_history("1 full | a | A | 0 | | current")
    arrive(settings, history.deliveries, list(history.deliveries))
    (harmonised,) = harmonise(CLINIC, settings)
    path = lake_file(TABLE, CLINIC, harmonised.delivery_id, harmonised.recipe, settings)
    content = path.read_bytes()
    path.unlink()
    with pytest.raises(ClinicOutcomesError) as missing:
        resolve(CLINIC, settings)
    path.write_bytes(content[:100])
    with pytest.raises(ClinicOutcomesError) as cut:
        resolve(CLINIC, settings)
    assert [(p.rule, p.clinic, p.table) for p in missing.value.problems] == [("lake_file_missing", CLINIC, TABLE)]
    assert [(p.rule, p.clinic, p.table) for p in cut.value.problems] == [("resolve", CLINIC, TABLE)]
    assert not [path for path in settings.state.rglob("*") if path.is_file()]
