"""Full exports that lose many records: held, judged by their place in the sequence, accepted by a person."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from clinic_outcomes import ledger
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.records import HeldDelivery, ResolveRecord
from clinic_outcomes.resolve import accept, resolve, resolved_folder
from clinic_outcomes.settings import Settings
from tests.support.arrivals import CLINIC, Delivery, make_clinic, sequences, take_in
from tests.support.harmonised_clinic import rows

THRESHOLDS = {"lost_records_percent": 20, "lost_records_minimum": 5}


def people(numbers: Iterable[int], age: int = 30) -> tuple[str, ...]:
    return tuple(f"P{number},{age}," for number in numbers)


def full(sequence: int, *numbers: int) -> Delivery:
    return Delivery(sequence, "full", {"people.csv": people(numbers, 30 + sequence)})


def delta(sequence: int, *lines: str) -> Delivery:
    return Delivery(sequence, "delta", {"people.csv": lines})


TEN = tuple(range(1, 11))
SEVEN, EIGHT = TEN[:7], TEN[:8]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_clinic(tmp_path / "home", THRESHOLDS)


def arrive(settings: Settings, *deliveries: Delivery) -> ResolveRecord:
    for delivery in deliveries:
        take_in(settings, delivery)
    return resolve(CLINIC, settings)


def held_sequences(record: ResolveRecord) -> list[int]:
    return sequences(held.delivery_id for held in record.held)


def used_lines(settings: Settings, record: ResolveRecord) -> list[tuple[object, ...]]:
    """Sequence and line of every person in force, with the age that the row says."""
    assert record.state_id is not None
    path = resolved_folder(CLINIC, record.state_id, settings) / "patient.parquet"
    return sorted(rows(path, "export_sequence, source_line, age_years", settings))


def test_an_export_that_loses_many_records_is_as_if_not_delivered(settings: Settings) -> None:
    record = arrive(settings, full(1, *TEN), full(2, *SEVEN), delta(3, "P9,60,"))
    assert (sequences(record.deliveries), held_sequences(record)) == ([1, 3], [2])
    assert used_lines(settings, record) == [*((1, line, 31) for line in (2, 3, 4, 5, 6, 7, 8, 9, 11)), (3, 2, 60)]
    assert sequences(part.delivery_id for part in record.account) == [1, 3]

    (held,) = record.held
    assert [(part.file, part.table, part.rows) for part in held.tables] == [("people.csv", "patient", 7)]
    (problem,) = held.problems
    assert (problem.rule, problem.clinic, problem.table) == ("lost_records", CLINIC, "patient")
    assert "lacks 3 of 10 records" in problem.message
    assert "30.0 %, more than 20 %" in problem.message


@pytest.mark.parametrize(
    ("earlier", "export", "is_held"),
    [
        pytest.param([full(1, *TEN)], full(2, *EIGHT), False, id="exactly the share allowed"),
        pytest.param([full(1, *TEN)], full(2, *EIGHT[:7], 11, 12, 13), True, id="new records make up for nothing"),
        pytest.param([full(1, 1, 2, 3, 4)], full(2, 1), False, id="too few to judge"),
        pytest.param([full(1, 1, 2, 3, 4, 5)], full(2, 1), True, id="just enough to judge"),
        pytest.param([full(1, *TEN)], Delivery(2, "full", {"people.csv": ()}), True, id="an empty file loses all"),
        pytest.param([full(1, *TEN)], Delivery(2, "full", {"referrals.csv": ()}), False, id="a table it does not hold"),
        pytest.param([full(1, *TEN)], delta(2, *(f"P{n},,delete" for n in TEN)), False, id="a delta may delete all"),
        pytest.param(
            [full(1, *TEN)],
            Delivery(2, "full", {"people.csv": (*people(SEVEN), "P8,,delete", "P9,,delete", "P10,,delete")}),
            False,
            id="what the export itself deletes is not lost",
        ),
        pytest.param(
            [full(1, *TEN), delta(2, "P8,,delete", "P9,,delete")], full(3, *SEVEN), False, id="deleted before it"
        ),
        pytest.param([full(1, *SEVEN), delta(2, *people((8, 9, 10)))], full(3, *SEVEN), True, id="given by a delta"),
        pytest.param([delta(1, *people(TEN))], full(2, *SEVEN), True, id="nothing but deltas before"),
        pytest.param([full(1, *TEN), full(2, *EIGHT)], full(3, *SEVEN), False, id="compared with the one before alone"),
        pytest.param(
            [Delivery(1, "full", {"people.csv": (*people(EIGHT), ",40,", ",41,", ",42,")})],
            full(2, *EIGHT),
            False,
            id="rows without a key are no records",
        ),
    ],
)  # fmt: skip
def test_what_counts_as_lost(settings: Settings, earlier: list[Delivery], export: Delivery, is_held: bool) -> None:
    record = arrive(settings, *earlier, export)
    assert held_sequences(record) == [export.sequence] * is_held


def test_after_a_held_export_the_next_is_compared_with_what_was_before(settings: Settings) -> None:
    record = arrive(settings, full(1, *TEN), full(2, *SEVEN), full(3, *SEVEN), full(4, *EIGHT))
    assert (sequences(record.deliveries), held_sequences(record)) == ([1, 4], [2, 3])
    # Accepting the newer of them is enough: the older stays held, and is replaced by it in any case.
    accept(CLINIC, record.held[1].delivery_id, "AB", "closed a branch", settings)
    record = resolve(CLINIC, settings)
    assert (sequences(record.deliveries), held_sequences(record)) == ([1, 3, 4], [2])
    assert sequences(record.accepted) == [3]


def test_each_table_that_lost_is_named(settings: Settings) -> None:
    referrals = tuple(f"R{number},P1,0,," for number in range(6))
    before = Delivery(1, "full", {"people.csv": people(TEN), "referrals.csv": referrals})
    record = arrive(settings, before, Delivery(2, "full", {"people.csv": people((1,)), "referrals.csv": referrals[:4]}))
    told = [(p.table, p.message.partition("it lacks ")[2].partition(" records")[0]) for p in record.held[0].problems]
    assert sorted(told) == [("patient", "9 of 10"), ("referral", "2 of 6")]


def test_a_person_accepts(settings: Settings) -> None:
    record = arrive(settings, full(1, *TEN), full(2, *SEVEN), delta(3, "P9,60,"))
    (held,) = record.held
    accept(CLINIC, held.delivery_id, "AB", "closed a branch", settings)
    accepted = resolve(CLINIC, settings)
    assert accepted.state_id != record.state_id
    assert sequences(accepted.deliveries) == [1, 2, 3]
    assert (accepted.held, accepted.accepted) == ((), (held.delivery_id,))
    assert used_lines(settings, accepted) == [*((2, line, 32) for line in range(2, 9)), (3, 2, 60)]
    assert [(a.current, a.superseded, a.deleted) for a in accepted.account] == [(0, 7, 3), (7, 0, 0), (1, 0, 0)]


def test_an_acceptance_is_kept_for_good(settings: Settings) -> None:
    record = arrive(settings, full(1, *TEN), full(2, *SEVEN))
    (used,), (held,) = record.deliveries, record.held
    with pytest.raises(ClinicOutcomesError, match="is not held"):
        accept(CLINIC, used, "AB", "closed a branch", settings)
    with pytest.raises(ClinicOutcomesError, match="no delivery of this id"):
        accept(CLINIC, "../elsewhere", "AB", "closed a branch", settings)
    with ThreadPoolExecutor(2) as pool:
        both = pool.map(lambda _: accept(CLINIC, held.delivery_id, "AB", "closed a branch", settings), range(2))
    assert len(set(both)) == 1
    path = ledger.accept_path(CLINIC, held.delivery_id, settings)
    written = path.read_bytes()
    with pytest.raises(ClinicOutcomesError, match="accepted already: AB, closed a branch"):
        accept(CLINIC, held.delivery_id, "CD", "other words", settings)
    assert path.read_bytes() == written
    assert not [path for path in settings.ledger.rglob("accept.json") if held.delivery_id not in path.parts]


def test_what_is_held_does_not_depend_on_what_came_first(tmp_path: Path) -> None:
    deliveries = [full(1, *TEN), full(2, *SEVEN), full(3, *TEN[1:]), delta(4, *people(SEVEN))]
    seen: set[tuple[str | None, tuple[HeldDelivery, ...]]] = set()
    for number, order in enumerate(itertools.permutations(deliveries)):
        if number % 4:
            continue
        settings = make_clinic(tmp_path / str(number), THRESHOLDS)
        record = arrive(settings, *order)
        seen.add((record.state_id, record.held))
    assert [len(held) for _, held in seen] == [1]


def test_a_late_delivery_can_hold_one_in_use_and_free_one_held(settings: Settings) -> None:
    in_use = arrive(settings, full(3, *SEVEN))
    assert sequences(in_use.deliveries) == [3]
    held = arrive(settings, full(1, *TEN))
    assert (sequences(held.deliveries), held_sequences(held)) == ([1], [3])
    freed = arrive(settings, delta(2, "P10,,delete", "P9,,delete"))
    assert (sequences(freed.deliveries), freed.held) == ([1, 2, 3], ())


def test_a_clinic_may_have_thresholds_of_its_own(tmp_path: Path) -> None:
    strict = make_clinic(tmp_path / "strict", {"lost_records_percent": 5, "lost_records_minimum": 5})
    lenient = make_clinic(tmp_path / "lenient", {"lost_records_percent": 50, "lost_records_minimum": 5})
    network = make_clinic(tmp_path / "network")
    twenty = tuple(range(20))
    for settings, expected in ((strict, [2]), (lenient, []), (network, [2])):
        assert held_sequences(arrive(settings, full(1, *twenty), full(2, *twenty[:15]))) == expected


def test_replaced_rows_are_counted_once(settings: Settings) -> None:
    """The account of what a full export replaced is read again, and made again where a late delivery changes it."""
    arrive(settings, full(1, *TEN), full(3, *EIGHT))
    (kept,) = settings.ledger.rglob("resolve.*.json")
    written = kept.stat().st_mtime_ns
    arrive(settings, delta(4, "P1,70,"))
    assert [path.stat().st_mtime_ns for path in settings.ledger.rglob("resolve.*.json")] == [written]
    record = arrive(settings, delta(2, "P1,50,", "P9,50,"))
    assert len(list(settings.ledger.rglob("resolve.*.json"))) == 2
    assert [(a.current, a.superseded, a.deleted) for a in record.account] == [
        (0, 9, 1),
        (0, 1, 1),
        (7, 1, 0),
        (1, 0, 0),
    ]
