"""From an identified export to a delivery: every value of a small export set by hand."""

import csv
import hashlib
import hmac
import json
from datetime import date
from pathlib import Path

import pytest

from clinic_outcomes.admit import admit
from clinic_outcomes.prepare import Order, prepare
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.receive import receive
from clinic_outcomes.settings import Settings

CLINIC = "alder"
SYSTEM = """\
title: Made up
format: csv
csv: {delimiter: ';', decimal_separator: ','}
missing: ['', n/a]
list_separator: '|'
sources:
  people: {file: people*.csv}
  calls: {file: calls*.csv, required: false}
  visits: {file: visits*.csv}
  forms: {file: forms*.csv}
  answers: {from: forms, unpivot: {columns: 'q{1..2}', number: item, value: answer}}
key_patterns:
  patient_id: 'p[0-9a-f]{16}'
  network_token: '[0-9a-f]{32}'
  course_id: 'c[0-9a-f]{16}'
  session_id: 's[0-9a-f]{16}'
  referral_id: 'r[0-9a-f]{16}'
  assessment_id: 'f[0-9a-f]{16}'
  site_id: 'SITE-[0-9]'
  organisation_id: 'ORG-[0-9]'
"""
COLUMNS = """\
source,source_column,table,column,unit,codes,constant
people,person,patient,patient_id,,,
people,token,patient,network_token,,,
people,intake,patient,intake_day,day_from_1,,
people,watched,patient,observed_through_day,day_from_1,,
people,age,patient,age_years,year,top_age,
people,sex,patient,sex,,sex,
people,traumas,patient,trauma_types,,trauma,
calls,call,referral,referral_id,,,
calls,person,referral,patient_id,,,
calls,received,referral,received_day,day_from_1,,
calls,from,referral,source_type,,from,
calls,year,referral,service_period,,,
visits,visit,session,session_id,,,
visits,person,session,patient_id,,,
visits,course,session,course_id,,,
visits,day,session,session_day,day_from_1,,
visits,number,session,sequence_number,session,,
visits,drug,session,drug,,drug,
visits,dose,session,dose_mg,mg,,
visits,site,session,site_id,,,
visits,year,session,service_period,,,
answers,form,assessment_item,assessment_id,,,
answers,person,assessment_item,patient_id,,,
answers,item,assessment_item,item_number,,,
answers,answer,assessment_item,item_value,point,,
"""
CODES = """\
codes,source_code,code
top_age,90+,90
sex,F,female
sex,M,male
trauma,war,combat
trauma,crash,accident
from,self,self
drug,ket,ketamine
"""
PREPARE = """\
dates: ['%m/%d/%Y']
columns:
  people.person: {from: mrn}
  people.token: {token: [full_name, birth_date]}
  people.age: {born: birth_date, at: intake}
  visits.year: {period_of: day}
"""
# Miller was referred on 10 January and came on 12 January; Doe came without a referral; Roe has no date at all.
PEOPLE = """\
mrn;full_name;birth_date;phone;intake;sex;traumas;note
1001;Ann Miller;03/31/1980;555-0100;01/12/2025;F;war|quarrel;likes tea
1002;Bob Doe;01/01/1930;;02/01/2025;X;n/a;
1003;Roe;;;n/a;M;crash;
"""
CALLS = "call;person;received;from;year\n77;1001;01/10/2025;self;01/10/2025\n"
VISITS = """\
visit;person;course;day;number;drug;dose;site;therapist
9;1001;5;01/20/2025;1;ket;35,5;SITE-1;Dr. Who
10;1002;6;31.01.2025;1;ket;lots;North;Dr. Who
"""
FORMS = "form;person;q1;q2\n31;1001;4;\n32;1002;n/a;2\n"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    folder = tmp_path / "systems" / "made_up"
    folder.mkdir(parents=True)
    (tmp_path / "clinics").mkdir()
    files = {"system.yml": SYSTEM, "columns.csv": COLUMNS, "codes.csv": CODES, "prepare.yml": PREPARE}
    for name, text in files.items():
        (folder / name).write_text(text)
    (tmp_path / "clinics" / f"{CLINIC}.yml").write_text("title: Alder\nsystem: made_up\n")
    return Settings(home=tmp_path / "home", systems=tmp_path / "systems", clinics=tmp_path / "clinics")


@pytest.fixture
def order(tmp_path: Path, settings: Settings) -> Order:
    export = tmp_path / "export"
    export.mkdir()
    for name, text in {"people": PEOPLE, "calls": CALLS, "visits": VISITS, "forms": FORMS}.items():
        (export / f"{name}_now.csv").write_text(text)
    (export / "readme.txt").write_text("not of the system")
    for name, digit in {"clinic": "a", "network": "b"}.items():
        (tmp_path / f"{name}.key").write_text(digit * 64 + "\n")
    return Order(
        clinic_id=CLINIC,
        export=export,
        out=settings.landing / CLINIC / "000003-full",
        clinic_key=tmp_path / "clinic.key",
        network_key=tmp_path / "network.key",
        exported_on=date(2025, 3, 1),
        export_sequence=3,
        export_kind="full",
        reporting_period="2025-02",
    )


def clinic_key(prefix: str, column: str, text: str, digits: int = 16) -> str:
    secret = bytes.fromhex("a" * 64)
    return prefix + hmac.new(secret, f"{column}|{text}".encode(), hashlib.sha256).hexdigest()[:digits]


def token(*parts: str) -> str:
    message = "network_token|" + "\x1f".join(parts)
    return hmac.new(bytes.fromhex("b" * 64), message.encode(), hashlib.sha256).hexdigest()[:32]


def delivered(order: Order, name: str) -> list[dict[str, str]]:
    with (order.out / f"{name}_3.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter=";"))
    return sorted(rows, key=lambda row: sorted(row.items()))


def by_person(order: Order, name: str) -> dict[str, dict[str, str]]:
    return {row["person"]: row for row in delivered(order, name)}


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
    assert not list(settings.home.rglob('*'))


def test_an_older_delivery_is_not_overwritten(settings: Settings, order: Order) -> None:
    order.out.mkdir(parents=True)
    with pytest.raises(ClinicOutcomesError, match="out_exists"):
        prepare(order, settings)
