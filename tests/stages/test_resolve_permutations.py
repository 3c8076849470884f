"""Any order of arrival gives the same state, and the state is what the rules say, worked out in plain Python."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from clinic_outcomes.model import model
from clinic_outcomes.records import ResolveRecord, RowAccount, ValidateRecord
from clinic_outcomes.resolve import resolve, resolved_folder
from clinic_outcomes.settings import PROJECT_ROOT, Settings
from clinic_outcomes.validate import validate
from tests.support.arrivals import CLINIC, Delivery, make_clinic, sequences, take_in
from tests.support.harmonised_clinic import rows
from tests.support.state_model import State, resolve_by_hand

PERCENT, MINIMUM = 40, 2
FATES = ("current", "superseded", "deleted", "duplicate", "tombstone")
SMALL = settings(
    deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow], print_blob=False
)

ACTION = st.sampled_from(["", "", "", "delete"])


def line(*cells: Sequence[str]) -> st.SearchStrategy[str]:
    return st.tuples(*(st.sampled_from(cell) for cell in cells), ACTION).map(",".join)


ROWS = {
    "people.csv": line(["P1", "P2", "P3", "P4", ""], ["30", "40"]),
    "referrals.csv": line(["R1", "R2", "R3"], ["P1", "P2"], ["0", "5"], ["", "lost"]),
    "questionnaires.csv": line(["Q1", "Q2", "Q3"], ["P1", "P2"], ["1", "2"]),
    "answers_a.csv": line(["Q1", "Q2"], ["1", "2", ""], ["P1", "P2"], ["0", "1", "9"]),
    "answers_b.csv": line(["Q1", "Q2"], ["1", "2"], ["P1", "P2"], ["0", "1"]),
}


@st.composite
def histories(draw: st.DrawFn) -> list[Delivery]:
    """Three or four deliveries, the first usually full; now and then two of one sequence that differ."""
    kinds = draw(st.tuples(*[st.sampled_from(["full", "delta"])] * 3))
    sequences_drawn = draw(st.sampled_from([(1, 2, 3, 4), (1, 2, 4), (1, 3, 4, 5), (1, 2, 3, 3), (2, 3, 5, 6)]))
    found = []
    for sequence, kind in zip(sequences_drawn, ("full", *kinds), strict=False):
        names = draw(st.sets(st.sampled_from(sorted(ROWS)), min_size=2))
        files = {name: tuple(draw(st.lists(ROWS[name], min_size=1, max_size=6))) for name in sorted(names)}
        # Each delivery has a row of its own, so that no two of one sequence are the same.
        own_row = f"P{len(found) + 1},{len(found) + 50},"
        found.append(Delivery(sequence, kind, files | {"people_b.csv": (own_row,)}))
    return found


def new_clinic(home: str, number: int = 0) -> Settings:
    made = make_clinic(Path(home) / str(number), {"lost_records_percent": PERCENT, "lost_records_minimum": MINIMUM})
    return made.model_copy(update={"expectations": PROJECT_ROOT / "expectations"})


def check_account(account: Sequence[RowAccount], state: State) -> None:
    """Every row of every used delivery is in the account, where the rules say."""
    counted = Counter(
        {
            (a.table, *sequences([a.delivery_id]), a.file, fate): getattr(a, fate) + (fate == "current") * a.quarantined
            for a in account
            for fate in FATES
        }
    )
    assert +counted == state.counts()
    delivered = {(a.table, *sequences([a.delivery_id]), a.file): a.delivered for a in account}
    assert sum(delivered.values()) == len(state.fates)
    for place, rows_delivered in delivered.items():
        assert rows_delivered == sum(state.counts()[*place, fate] for fate in FATES)


def check_resolved(clinic: Settings, record: ResolveRecord, state: State) -> None:
    assert sequences(record.deliveries) == state.used
    assert [sequences([held.delivery_id])[0] for held in record.held] == state.held
    assert sequences(record.conflicts) == state.conflicts
    check_account(record.account, state)
    if record.state_id is None:
        assert not state.used
        return
    folder = resolved_folder(CLINIC, record.state_id, clinic)
    assert {path.stem for path in folder.glob("*.parquet")} == state.tables
    for table in state.tables:
        found = rows(folder / f"{table}.parquet", "export_sequence, source_file, source_line, restates", clinic)
        in_force = [place for places in state.in_force[table].values() for place in places]
        assert sorted(found) == sorted((*place, (table, place) in state.restates) for place in in_force)


@given(histories().flatmap(st.permutations))
@settings(SMALL, max_examples=20)
def test_after_each_arrival_the_state_is_what_the_rules_say(arriving: list[Delivery]) -> None:
    with tempfile.TemporaryDirectory() as home:
        clinic = new_clinic(home)
        for number, delivery in enumerate(arriving):
            take_in(clinic, delivery, f"drop_{number}")
            state = resolve_by_hand(arriving[: number + 1], PERCENT, MINIMUM)
            check_resolved(clinic, resolve(CLINIC, clinic), state)
        event(f"held: {len(state.held)}, conflicts: {len(state.conflicts)}")


def outcome(clinic: Settings, record: ValidateRecord) -> dict[str, bytes]:
    """Every byte of the state: rows resolved, accepted and quarantined, and the records of both stages."""
    if record.state_id is None:
        return {}
    folder = clinic.state / CLINIC / record.state_id
    assert (clinic.state / CLINIC / "latest").readlink().name == record.state_id
    parts = [path for part in ("resolved", "accepted", "quarantined") for path in (folder / part).iterdir()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in [*parts, folder / "validate.json"]}


@given(histories(), st.data())
@settings(SMALL, max_examples=6)
def test_any_order_of_arrival_gives_the_same_bytes(deliveries: list[Delivery], data: st.DataObject) -> None:
    arriving = data.draw(st.permutations(deliveries), label="order of arrival")
    again = data.draw(st.sampled_from([None, *deliveries]), label="arrives once more, renamed")
    at_the_end = data.draw(st.booleans(), label="stages run only at the end")
    with tempfile.TemporaryDirectory() as home:
        by_sequence = new_clinic(home, 0)
        for number, delivery in enumerate(sorted(deliveries, key=lambda d: (d.sequence, d.kind))):
            take_in(by_sequence, delivery, f"in_sequence_{number}")
        expected = outcome(by_sequence, validate(CLINIC, by_sequence))

        clinic = new_clinic(home, 1)
        for number, delivery in enumerate([*arriving, *([again] if again else [])]):
            take_in(clinic, delivery, f"other_name_{number}")
            if not at_the_end:
                account = validate(CLINIC, clinic).account
                check_account(account, resolve_by_hand(arriving[: number + 1], PERCENT, MINIMUM))
        record = validate(CLINIC, clinic)
        assert outcome(clinic, record) == expected
        check_account(record.account, resolve_by_hand(deliveries, PERCENT, MINIMUM))


ROAD = (
    Delivery(
        1,
        "full",
        {
            "people.csv": ("P1,30,", "P2,40,", "P3,50,"),
            "referrals.csv": ("R1,P1,0,lost,", "R2,P2,0,,", "R3,P3,0,,"),
            "questionnaires.csv": ("Q1,P1,0,", "Q2,P2,0,"),
            "answers_a.csv": ("Q1,1,P1,4,", "Q1,2,P1,3,", "Q2,1,P2,2,"),
        },
    ),
    Delivery(2, "delta", {"referrals.csv": ("R1,P1,1,,", "R2,,,,delete"), "answers_a.csv": ("Q1,1,P1,0,",)}),
    Delivery(3, "full", {"people.csv": ("P1,31,", "P3,50,"), "questionnaires.csv": ("Q1,P1,0,",)}),
    Delivery(5, "delta", {"people.csv": ("P2,42,", "P3,,delete")}, "2026-09"),
)


def test_any_order_of_arrival_gives_the_same_marts(tmp_path: Path) -> None:
    """The same state, byte by byte, and so the same build; the marts are made of the one that came out of order."""
    seen = []
    for number, order in enumerate([(0, 1, 2, 3), (3, 1, 2, 0)]):
        clinic = new_clinic(str(tmp_path), number)
        for place in order:
            take_in(clinic, ROAD[place], f"drop_{number}_{place}")
            if number:
                validate(CLINIC, clinic)
        record = validate(CLINIC, clinic)
        check_account(record.account, resolve_by_hand(ROAD, PERCENT, MINIMUM))
        seen.append((record.state_id, outcome(clinic, record)))
    assert seen[0] == seen[1]
    model(clinic)
    referral = clinic.marts / "latest" / "core" / "fct_referrals.parquet"
    assert rows(referral, "received_day", clinic) == [(1,)], "R1 reopened by 2; R2 deleted by 2; P3 of R3 deleted by 5"
