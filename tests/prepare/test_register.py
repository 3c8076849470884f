"""Day 0 is the same in every export of a person: the clinic's register, and what happens without it."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from clinic_outcomes.prepare import Order, Prepared, prepare
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.settings import Settings
from tests.prepare.clinic import by_person, clinic_key, delivered

MILLER, DOE, POE = (clinic_key("p", "patient_id", mrn) for mrn in ("1001", "1002", "1004"))
HEAD = "mrn;full_name;birth_date;phone;intake;sex;traumas;note\n"
# Miller's referral, of 10 January, is not in the delta; Poe is new, and was referred on 2 March.
LATER_PEOPLE = HEAD + "1001;Ann Miller;03/31/1980;;01/12/2025;F;war;\n1004;Cy Poe;01/01/1990;;03/05/2025;M;war;\n"
LATER_CALLS = "call;person;received;from;year\n78;1004;03/02/2025;self;\n"
LATER_VISITS = "visit;person;course;day;number;drug;dose;site\n11;1001;5;03/09/2025;2;ket;35;SITE-1\n"


@pytest.fixture
def first(settings: Settings, order: Order, tmp_path: Path) -> Order:
    """The order of a full export, prepared, that began a register."""
    order = replace(order, register=tmp_path / "days.register")
    prepare(order, settings)
    return order


def later(first: Order, tmp_path: Path, **changes: object) -> Order:
    """The order of the delta that follows."""
    export = tmp_path / "later"
    export.mkdir(exist_ok=True)
    for name, text in {"people": LATER_PEOPLE, "calls": LATER_CALLS, "visits": LATER_VISITS, "forms": FORMS}.items():
        (export / f"{name}.csv").write_text(text)
    order = replace(
        first,
        export=export,
        out=first.out.with_name("000004-delta"),
        export_sequence=4,
        export_kind="delta",
        exported_on=date(2025, 4, 1),
    )
    return replace(order, **changes)


FORMS = "form;person;q1;q2\n"


def registered(order: Order) -> list[list[str]]:
    assert order.register
    return [line.split(",") for line in order.register.read_text().splitlines()[2:]]


def test_a_delta_counts_from_the_day_that_the_full_export_told(
    settings: Settings, first: Order, tmp_path: Path
) -> None:
    order = later(first, tmp_path)
    prepared = prepare(order, settings)
    people = by_person(order, "people")
    # The delta alone would count Miller's days from the intake, two days late.
    assert people[MILLER]["intake"] == by_person(first, "people")[MILLER]["intake"] == "3"
    assert by_person(order, "visits")[MILLER]["day"] == "59"
    assert people[POE]["intake"] == "4"
    assert (prepared.people_without_day_zero, prepared.people_with_day_zero_kept) == (0, 0)
    assert sorted(row[1:] for row in registered(order)) == [
        ["2025-01-10", "3"],
        ["2025-02-01", "3"],
        ["2025-03-02", "4"],
    ]


def test_the_register_tells_nobody(first: Order) -> None:
    assert first.register
    text = first.register.read_text()
    assert first.register.stat().st_mode & 0o077 == 0
    assert not any(value in text for value in ("1001", "Miller", MILLER[1:], "03/31", "1980"))


@pytest.mark.parametrize("register", [None, "elsewhere.register"])
def test_without_a_register_a_delta_is_refused(
    settings: Settings, first: Order, tmp_path: Path, register: str | None
) -> None:
    order = later(first, tmp_path, register=tmp_path / register if register else None)
    with pytest.raises(ClinicOutcomesError, match="register_missing"):
        prepare(order, settings)
    assert not order.out.exists() and not (tmp_path / "elsewhere.register").exists()


def test_rows_of_people_who_never_began_are_left_out_of_a_delta(
    settings: Settings, first: Order, tmp_path: Path
) -> None:
    order = later(first, tmp_path)
    (order.export / "visits.csv").write_text(LATER_VISITS + "12;1009;6;03/10/2025;1;ket;35;SITE-1\n")
    prepared = prepare(order, settings)
    assert prepared.people_without_day_zero == 1
    assert prepared.rows_left_out == (("visits", 1),)
    assert [row["person"] for row in delivered(order, "visits")] == [MILLER]


def test_a_day_zero_never_changes(settings: Settings, first: Order, tmp_path: Path) -> None:
    # A referral of Doe of 20 January is entered late; Miller's is corrected to 11 January, in a full export.
    calls = "call;person;received;from;year\n77;1001;01/11/2025;self;\n79;1002;01/20/2025;self;\n"
    (first.export / "calls_now.csv").write_text(calls)
    order = replace(first, out=first.out.with_name("000004-full"), export_sequence=4)
    prepared = prepare(order, settings)
    assert prepared.people_with_day_zero_kept == 2
    received = {row["person"]: row["received"] for row in delivered(order, "calls")}
    # Day 1 of Doe is still 1 February, twelve days after the referral.
    assert received == {MILLER: "2", DOE: "-11"}
    assert {tuple(row[1:]) for row in registered(order)} == {("2025-01-10", "3"), ("2025-02-01", "3")}


def test_a_beginning_that_cannot_be_read_is_not_passed_over(settings: Settings, order: Order) -> None:
    calls = "call;person;received;from;year\n77;1001;tenth of Jan;self;\n80;1002;02/01/2025;self;\n"
    (order.export / "calls_now.csv").write_text(calls)
    prepared = prepare(order, settings)
    assert prepared.people_without_day_zero == 2  # Miller, and Roe who never had a date
    assert by_person(order, "people")[MILLER]["intake"] == ""
    assert by_person(order, "people")[DOE]["intake"] == "1"


@pytest.mark.parametrize("day", ["01/01/1900", "06/01/2025"])
def test_placeholders_and_plans_are_no_beginnings(settings: Settings, order: Order, day: str) -> None:
    (order.export / "calls_now.csv").write_text(f"call;person;received;from;year\n80;1002;{day};self;\n")
    prepare(order, settings)
    # A plan cannot be the earliest; of a placeholder nobody knows what it stands for.
    assert by_person(order, "people")[DOE]["intake"] == ("1" if day == "06/01/2025" else "")


def test_who_only_plans_to_come_has_not_begun(settings: Settings, order: Order) -> None:
    (order.export / "calls_now.csv").write_text("call;person;received;from;year\n81;1003;06/01/2025;self;\n")
    assert prepare(order, settings).people_without_day_zero == 1
    assert [row["received"] for row in delivered(order, "calls")] == [""]


def test_the_same_export_can_be_prepared_again(settings: Settings, first: Order, tmp_path: Path) -> None:
    order = later(first, tmp_path)
    prepare(order, settings)
    # Poe's referral was entered with a wrong date; the network has not had the delivery yet.
    (order.export / "calls.csv").write_text(LATER_CALLS.replace("03/02/2025", "03/04/2025"))
    again = replace(order, out=order.out.with_name("again"))
    assert prepare(again, settings).people_with_day_zero_kept == 0
    assert by_person(again, "people")[POE]["intake"] == "2"


def test_the_register_is_no_part_of_the_delivery(settings: Settings, order: Order) -> None:
    with pytest.raises(ClinicOutcomesError, match="register_misplaced"):
        prepare(replace(order, register=order.out / "days.register"), settings)
    assert not order.out.exists()


def tampered(order: Order, text: str) -> Order:
    assert order.register
    order.register.write_text(text)
    return order


def test_a_register_that_does_not_fit_is_refused(settings: Settings, first: Order, tmp_path: Path) -> None:
    assert first.register
    text = first.register.read_text()
    other_key = tmp_path / "other.key"
    other_key.write_text("c" * 64)
    wrong = {
        "register_gap": later(first, tmp_path, export_sequence=5),
        "register_ahead": later(first, tmp_path, export_sequence=2),
        "register_foreign": later(first, tmp_path, clinic_key=other_key),
    }
    for rule, order in wrong.items():
        with pytest.raises(ClinicOutcomesError, match=rule):
            prepare(order, settings)
    order = later(first, tmp_path)
    for broken in (
        "", text.rsplit("\n", 2)[0] + "\n", text + text.splitlines()[-1] + "\n",
        text.replace("2025-01-10", "2025-13-10"), text.replace("key,day_zero,export\n", ""),
        "person;day\n", "\xff" * 300,
    ):  # fmt: skip
        with pytest.raises(ClinicOutcomesError, match="register_unreadable"):
            prepare(tampered(order, broken), settings)
    assert not order.out.exists()
    prepare(tampered(order, text), settings)


def test_what_fails_leaves_the_register_as_it_was(settings: Settings, first: Order, tmp_path: Path) -> None:
    assert first.register
    before = first.register.read_bytes()
    order = later(first, tmp_path)
    # The gate refuses a dose that could be a number of a person.
    (order.export / "visits.csv").write_text(LATER_VISITS.replace(";35;", ";350000;"))
    with pytest.raises(ClinicOutcomesError):
        prepare(order, settings)
    assert first.register.read_bytes() == before
    assert sorted(path.name for path in order.out.parent.iterdir()) == [first.out.name]


def test_deletions_need_no_day(settings: Settings, first: Order, tmp_path: Path) -> None:
    order = later(first, tmp_path)
    (order.export / "visits.csv").write_text(LATER_VISITS + "9;;;;;;;\n")
    prepared: Prepared = prepare(order, settings)
    assert prepared.rows_left_out == ()
    assert {row["visit"] for row in delivered(order, "visits")} == {
        clinic_key("s", "session_id", "9"), clinic_key("s", "session_id", "11")
    }  # fmt: skip
