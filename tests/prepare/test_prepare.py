"""From an identified export to a delivery: every value of a small export set by hand."""

import json
from pathlib import Path

import pytest

from clinic_outcomes.admit import admit
from clinic_outcomes.prepare import Order, prepare
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.receive import receive
from clinic_outcomes.settings import Settings
from tests.prepare.clinic import CLINIC, PEOPLE, PREPARE, by_person, clinic_key, delivered, token

MILLER, DOE, ROE = (clinic_key("p", "patient_id", mrn) for mrn in ("1001", "1002", "1003"))


def test_people(settings: Settings, order: Order) -> None:
    prepare(order, settings)
    people = by_person(order, "people")
    assert set(people) == {MILLER, DOE, ROE}
    # Day 1 is the day of the referral, 10 January; the export was made on 1 March.
    assert people[MILLER] == {
        "person": MILLER, "token": token("annmiller", "1980-03-31"), "intake": "3", "watched": "51", "age": "44",
        "sex": "F", "traumas": "war",
    }  # fmt: skip
    assert people[DOE] == {
        "person": DOE, "token": token("bobdoe", "1930-01-01"), "intake": "1", "watched": "29", "age": "90+",
        "sex": "", "traumas": "",
    }  # fmt: skip
    # Nobody is told apart by a name alone, and without a day 0 there are no days.
    assert people[ROE] == {
        "person": ROE, "token": "", "intake": "", "watched": "", "age": "", "sex": "M", "traumas": "crash"
    }  # fmt: skip


def test_events(settings: Settings, order: Order) -> None:
    prepare(order, settings)
    (call,) = delivered(order, "calls")
    assert call == {
        "call": clinic_key("r", "referral_id", "77"), "person": MILLER, "received": "1", "from": "self", "year": "2025"
    }  # fmt: skip
    visits = by_person(order, "visits")
    assert visits[MILLER] == {
        "visit": clinic_key("s", "session_id", "9"), "person": MILLER, "course": clinic_key("c", "course_id", "5"),
        "day": "11", "number": "1", "drug": "ket", "dose": "35,5", "site": "SITE-1", "year": "2025",
    }  # fmt: skip
    # A date in another form, a dose in words and a site of no form are left out.
    assert {name: visits[DOE][name] for name in ("day", "dose", "site", "year")} == dict.fromkeys(
        ("day", "dose", "site", "year"), ""
    )
    forms = by_person(order, "forms")
    assert [(forms[person]["q1"], forms[person]["q2"]) for person in (MILLER, DOE)] == [("4", ""), ("", "2")]


def test_the_delivery_is_received_and_passes_the_gate(settings: Settings, order: Order) -> None:
    prepare(order, settings)
    (received,) = receive(CLINIC, settings)
    assert (received.received, received.export_sequence, received.reporting_period) == (True, 3, "2025-02")
    (verdict,) = admit(CLINIC, settings)
    assert verdict.admitted, verdict.problems


def test_it_says_column_by_column_what_it_changed(settings: Settings, order: Order) -> None:
    prepared = prepare(order, settings)
    told = {(change.source, change.column): change for change in prepared.changes}
    assert (told["people", "intake"].values, told["people", "intake"].delivered) == (2, 2)
    assert (told["people", "sex"].values, told["people", "sex"].delivered) == (3, 2)
    assert (told["visits", "day"].values, told["visits", "day"].delivered) == (2, 1)
    assert set(prepared.dropped) == {("people", "phone"), ("people", "note"), ("visits", "therapist")}
    assert prepared.people_without_day_zero == 1
    for value in ("Miller", "1001", "555", "tea", "1980", "quarrel"):
        assert value not in repr(prepared)


def test_nothing_identifying_is_left_anywhere(settings: Settings, order: Order, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in order.export.iterdir()}
    prepare(order, settings)
    assert {path: path.read_bytes() for path in order.export.iterdir()} == before
    outside = [path for path in tmp_path.rglob("*") if path.is_file() and order.export not in path.parents]
    written = [path for path in outside if settings.home in path.parents]
    assert {path.parent for path in written} == {order.out}
    for path in written:
        for value in (b"Miller", b"1001", b"555-0100", b"tea", b"1980", b"01/12/2025", b"Who", b"quarrel"):
            assert value not in path.read_bytes(), path.name


def test_the_same_export_gives_the_same_bytes(settings: Settings, order: Order, tmp_path: Path) -> None:
    prepare(order, settings)
    # Another order of rows is the same export.
    head, *rows = PEOPLE.splitlines(keepends=True)
    (order.export / "people_now.csv").write_text(head + "".join(reversed(rows)))
    again = Order(**{**vars(order), "out": tmp_path / "again"})
    prepare(again, settings)
    assert {p.name: p.read_bytes() for p in again.out.iterdir()} == {
        p.name: p.read_bytes() for p in order.out.iterdir()
    }
    manifest = json.loads((order.out / "manifest.json").read_text())
    assert {file["name"]: file["rows"] for file in manifest["files"]} == {
        "people_3.csv": 3, "calls_3.csv": 1, "visits_3.csv": 2, "forms_3.csv": 2
    }  # fmt: skip


WRONG = {
    "a token of names alone": ("token: [full_name, birth_date]", "token: [full_name, last_name]", "names alone"),
    "a column that is not mapped": ("visits.year:", "visits.years:", "maps no such column"),
    "two ways at once": ("{from: mrn}", "{from: mrn, period_of: mrn}", "give one of"),
}


@pytest.mark.parametrize("case", WRONG)
def test_mistakes_in_the_instructions_are_named(settings: Settings, order: Order, case: str) -> None:
    before, after, message = WRONG[case]
    assert before in PREPARE
    (settings.systems / "made_up" / "prepare.yml").write_text(PREPARE.replace(before, after))
    with pytest.raises(ClinicOutcomesError, match=message):
        prepare(order, settings)


def test_without_its_secret_nothing_is_made(settings: Settings, order: Order) -> None:
    order.clinic_key.write_text("secret")
    with pytest.raises(ClinicOutcomesError, match="key_unreadable"):
        prepare(order, settings)
    assert not list(settings.home.rglob("*"))


def test_an_older_delivery_is_not_overwritten(settings: Settings, order: Order) -> None:
    order.out.mkdir(parents=True)
    with pytest.raises(ClinicOutcomesError, match="out_exists"):
        prepare(order, settings)
