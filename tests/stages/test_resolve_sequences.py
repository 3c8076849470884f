"""Late and lost deliveries, reopened referrals, and periods that were declared final."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from clinic_outcomes import ledger
from clinic_outcomes.pipeline import run_stage, run_task
from clinic_outcomes.records import ResolveRecord
from clinic_outcomes.resolve import resolve, resolved_folder, sequence_gaps
from clinic_outcomes.settings import Settings
from tests.support.arrivals import CLINIC, Delivery, land, make_clinic, sequences, take_in
from tests.support.harmonised_clinic import rows

Fates = dict[int, tuple[int, int, int, int]]
"""Sequence → rows current, superseded, deleted and tombstones."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_clinic(tmp_path / "home")


def referrals(sequence: int, kind: str, *lines: str) -> Delivery:
    return Delivery(sequence, kind, {"referrals.csv": lines})


def in_force(settings: Settings, record: ResolveRecord) -> list[tuple[object, ...]]:
    assert record.state_id is not None
    path = resolved_folder(CLINIC, record.state_id, settings) / "referral.parquet"
    return sorted(rows(path, "export_sequence, source_line, received_day, closing_reason, restates", settings))


def fates(record: ResolveRecord) -> Fates:
    return {sequences([a.delivery_id])[0]: (a.current, a.superseded, a.deleted, a.tombstone) for a in record.account}


CASES: dict[str, tuple[list[Delivery], list[tuple[object, ...]], Fates]] = {
    "closed, then reopened by a delta with new values": (
        [
            referrals(1, "full", "R1,P1,0,lost,", "R2,P2,3,,"),
            referrals(2, "delta", "R1,P1,1,,"),
        ],
        [(1, 3, 3, None, False), (2, 2, 1, None, True)],
        {1: (1, 1, 0, 0), 2: (1, 0, 0, 0)},
    ),
    "closed by a delta, reopened by a full export": (
        [
            referrals(1, "full", "R1,P1,0,,"),
            referrals(2, "delta", "R1,P1,0,lost,"),
            referrals(3, "full", "R1,P1,2,,"),
        ],
        [(3, 2, 2, None, True)],
        {1: (0, 1, 0, 0), 2: (0, 1, 0, 0), 3: (1, 0, 0, 0)},
    ),
    "deleted, then reopened by a full export": (
        [
            referrals(1, "full", "R1,P1,0,,", "R2,P2,3,,"),
            referrals(2, "delta", "R1,,,,delete"),
            referrals(3, "full", "R1,P1,4,,", "R2,P2,3,,"),
        ],
        [(3, 2, 4, None, True), (3, 3, 3, None, True)],
        {1: (0, 1, 1, 0), 2: (0, 0, 0, 1), 3: (2, 0, 0, 0)},
    ),
    "absent from a full export, then reopened by a delta": (
        [
            referrals(1, "full", "R1,P1,0,,", "R2,P2,3,,"),
            referrals(2, "full", "R2,P2,3,,"),
            referrals(3, "delta", "R1,P1,5,,"),
        ],
        [(2, 2, 3, None, True), (3, 2, 5, None, True)],
        {1: (0, 1, 1, 0), 2: (1, 0, 0, 0), 3: (1, 0, 0, 0)},
    ),
    "a full export of lower sequence than deltas that are here": (
        [
            referrals(1, "full", "R1,P1,0,,", "R2,P2,3,,"),
            referrals(2, "full", "R1,P1,1,,", "R2,P2,4,,", "R3,P3,5,,"),
            referrals(3, "delta", "R1,P1,7,lost,"),
            referrals(4, "delta", "R2,,,,delete"),
        ],
        [(2, 4, 5, None, False), (3, 2, 7, "not_reached", True)],
        {1: (0, 2, 0, 0), 2: (1, 1, 1, 0), 3: (1, 0, 0, 0), 4: (0, 0, 0, 1)},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_in_any_order_of_arrival(name: str, tmp_path: Path) -> None:
    """So also: the deletion or the correction first, then the row that it speaks of."""
    deliveries, expected, expected_fates = CASES[name]
    orders = list(itertools.permutations(deliveries))
    for number, order in enumerate([*orders[:2], *orders[-2:]]):
        settings = make_clinic(tmp_path / str(number))
        for delivery in order:
            take_in(settings, delivery)
            record = resolve(CLINIC, settings)
        assert in_force(settings, record) == expected
        assert fates(record) == expected_fates


def test_until_the_original_comes_the_correction_stands_alone(settings: Settings) -> None:
    take_in(settings, referrals(2, "delta", "R1,P1,1,,", "R9,,,,delete"))
    assert in_force(settings, resolve(CLINIC, settings)) == [(2, 2, 1, None, False)]
    take_in(settings, referrals(1, "full", "R1,P1,0,,", "R9,P1,0,,"))
    assert in_force(settings, resolve(CLINIC, settings)) == [(2, 2, 1, None, True)]


@pytest.mark.parametrize(
    ("known", "gaps"),
    [
        ([], []),
        ([7], []),
        ([3, 1, 2], []),
        ([2, 5, 5, 9], [(3, 4), (6, 8)]),
        ([1, 3], [(2, 2)]),
    ],
)
def test_gaps(known: list[int], gaps: list[tuple[int, int]]) -> None:
    assert [(gap.first, gap.last) for gap in sequence_gaps(known)] == gaps


def test_a_gap_is_reported_and_holds_nothing_up(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for sequence in (2, 3, 7):
        take_in(settings, referrals(sequence, "full", "R1,P1,0,,"))
    record = resolve(CLINIC, settings)
    assert [(gap.first, gap.last) for gap in record.gaps] == [(4, 6)]
    assert sequences(record.deliveries) == [2, 3, 7]
    outcome = run_stage("resolve", CLINIC, settings)
    assert outcome.refusals == ()
    assert [problem.rule for problem in outcome.warnings] == ["sequence_gap"]
    assert "export sequences 4 to 6" in outcome.warnings[0].message
    monkeypatch.setattr(Settings, "from_environment", lambda *_: settings)
    run_task("resolve", CLINIC)
    assert "sequence_gap: nothing was received of export sequences 4 to 6" in caplog.text
    for sequence in (4, 6):
        take_in(settings, referrals(sequence, "full", "R1,P1,0,,"))
    late = resolve(CLINIC, settings)
    assert [(gap.first, gap.last) for gap in late.gaps] == [(5, 5)]
    assert late.state_id != record.state_id


def test_what_the_gate_refused_is_no_gap(settings: Settings) -> None:
    for sequence in (1, 3):
        take_in(settings, referrals(sequence, "full", "R1,P1,0,,"))
    land(settings, referrals(2, "full", "R1,P1,1,,"))
    run_stage("receive", CLINIC, settings)
    record = resolve(CLINIC, settings)
    assert (sequences(record.deliveries), record.gaps) == ([1, 3], ())


def declared(sequence: int, period: str, status: str | None, kind: str, *lines: str) -> Delivery:
    return Delivery(sequence, kind, {"referrals.csv": lines}, period, status)


def test_a_period_is_provisional_until_declared_final(settings: Settings) -> None:
    take_in(settings, declared(1, "2026-07", None, "full", "R1,P1,0,,"))
    assert (resolve(CLINIC, settings).reporting_period, resolve(CLINIC, settings).period_status) == (
        "2026-07",
        "provisional",
    )
    take_in(settings, declared(1, "2026-07", "provisional", "full", "R1,P1,0,,"), "said_explicitly")
    assert len(resolve(CLINIC, settings).deliveries) == 1
    take_in(settings, declared(2, "2026-07", "final", "full", "R1,P1,0,,"))
    record = resolve(CLINIC, settings)
    assert (record.reporting_period, record.period_status) == ("2026-07", "final")
    assert record.final_period_restatements == ()
    statuses = [kept.period_status for kept in ledger.receive_records(CLINIC, settings)]
    assert statuses == ["provisional", "final"]


def test_one_sequence_provisional_and_final_is_a_conflict(settings: Settings) -> None:
    take_in(settings, declared(1, "2026-07", "provisional", "full", "R1,P1,0,,"))
    take_in(settings, declared(1, "2026-07", "final", "full", "R1,P1,0,,"), "final")
    record = resolve(CLINIC, settings)
    assert (record.deliveries, sequences(record.conflicts)) == ((), [1, 1])


def test_a_manifest_knows_no_other_status(settings: Settings) -> None:
    land(settings, declared(1, "2026-07", "closed", "full", "R1,P1,0,,"))
    (refusal,) = run_stage("receive", CLINIC, settings).refusals
    assert (refusal.rule, refusal.column) == ("manifest_invalid", "period_status")


def test_a_restatement_of_a_final_period_is_counted(tmp_path: Path) -> None:
    history = [
        declared(1, "2026-06", "provisional", "full", "R1,P1,0,,", "R2,P1,9,,"),
        declared(2, "2026-07", "final", "full", "R1,P1,0,,", "R2,P1,9,,"),
        declared(3, "2026-08", None, "delta", "R1,P1,1,,"),  # a later period
        declared(4, "2026-07", None, "delta", "R1,P1,1,,"),  # the same period, but nothing changes
        declared(5, "2026-07", None, "delta", "R1,P1,2,,"),  # restates
        declared(6, "2026-06", None, "full", "R1,P1,2,,"),  # an earlier period loses R2
        declared(7, "2026-05", "final", "delta", "R7,,,,delete"),  # deletes what is not there
        declared(8, "2026-05", None, "delta", "R1,,,,delete"),  # deletes
        Delivery(9, "delta", {"people.csv": ()}, "2026-05"),  # a new table without rows
        Delivery(10, "delta", {"people.csv": ("P1,30,",)}, "2026-05"),  # a new table
    ]
    for number, order in enumerate((history, history[::-1])):
        settings = make_clinic(tmp_path / str(number))
        for delivery in order:
            take_in(settings, delivery)
        record = resolve(CLINIC, settings)
        assert sequences(record.final_period_restatements) == [5, 6, 8, 10]
        assert json.loads(record.model_dump_json())["period_status"] == "provisional"
