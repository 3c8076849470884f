"""Harmonise: a system's own names, units and codes become the contract's, and nothing unknown is carried on."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from clinic_outcomes import ledger
from clinic_outcomes.contract import load_contract
from clinic_outcomes.harmonise import harmonise, lake_file
from clinic_outcomes.mapping import load_clinic
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.receive import receive
from clinic_outcomes.recipe import recipe
from clinic_outcomes.records import AdmitRecord, CodeCount, HarmonisedTable, HarmoniseRecord
from clinic_outcomes.settings import Settings
from tests.support.harmonised_clinic import CLINIC, admitted, column_types, rows, small_clinic
from tests.support.keys import new_key, with_delivered_keys

HEAD = """\
title: Example
format: csv
csv: {delimiter: ';', decimal_separator: ','}
missing: ['', 'n/a']
list_separator: '|'
sources:
  people: {file: 'people*.csv'}
  visits: {file: 'visits*.csv', required: false}
  events: {file: 'events*.csv', required: false}
key_patterns:
  patient_id: '[A-Za-z0-9_/.-]{1,40}'
  session_id: '[A-Za-z0-9_/.-]{1,40}'
  course_id: '[A-Za-z0-9_/.-]{1,40}'
  adverse_event_id: '[A-Za-z0-9_/.-]{1,40}'
"""
COLUMNS = """\
people,ref,patient,patient_id,,,
people,weeks_in,patient,intake_day,week,,
people,watched,patient,observed_through_day,day_from_1,,
people,age,patient,age_years,year,top_age,
people,sex,patient,sex,,sex,
people,trauma,patient,trauma_types,,trauma,
people,gone,patient,record_action,,gone,
people,internal_note,,,,,
visits,ref+visit,session,session_id,,,
visits,ref,session,patient_id,,,
visits,ref,session,course_id,,,
visits,day,session,session_day,day,,
visits,,session,drug,,,ketamine
visits,,session,sequence_number,session,,1
visits,grams,session,dose_mg,g,,
visits,micrograms,session,dose_mg_per_kg,ug/kg,,
visits,hours,session,infusion_minutes,hour,,
visits,seconds,session,recovery_minutes,second,,
visits,year,session,service_period,,,
events,event,adverse_event,adverse_event_id,,,
events,ref,adverse_event,patient_id,,,
events,what,adverse_event,reported_term,,terms,
events,what,adverse_event,term,,canonical_terms,
events,level,adverse_event,grade,,,
events,started,adverse_event,onset_day,day,,
"""
CODES = """\
top_age,90+,90
sex,F,female
sex,M,male
trauma,c,combat
trauma,x,accident
trauma,y,accident
gone,0,upsert
gone,1,delete
terms,queasy,queasy
terms,sick,sick
canonical_terms,queasy,nausea
canonical_terms,sick,vomiting
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return small_clinic(tmp_path / "home", HEAD, COLUMNS, CODES)


def csv_text(table: str) -> str:
    """An ASCII table as CSV with semicolons: cells are trimmed, and ``~`` stands for a space that is kept."""
    lines = [line for line in table.strip().splitlines() if line.strip()]
    return "".join(";".join(cell.strip().replace("~", " ") for cell in line.split(":")) + "\n" for line in lines)


def harmonised(settings: Settings, files: dict[str, str], table: str, columns: str) -> list[tuple[object, ...]]:
    admitted(settings, {name: csv_text(text) for name, text in files.items()})
    (record,) = harmonise(CLINIC, settings)
    found = rows(lake_file(table, CLINIC, record.delivery_id, record.recipe, settings), columns, settings)
    return as_delivered(settings, found)


def as_delivered(settings: Settings, found: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    """Rows with keys as these tests deliver them; keys of visits are made of two columns."""
    people, events = [f"P{n}" for n in range(1, 10)], [f"E{n}" for n in range(1, 10)]
    visits = [f"{person}/{visit}" for person in people for visit in range(1, 10)]
    return with_delivered_keys(settings, CLINIC, found, [*people, *events, *visits])


def only_record(settings: Settings) -> HarmoniseRecord:
    (record,) = harmonise(CLINIC, settings)
    return record


PEOPLE = "ref : weeks_in : watched : age : sex : trauma : gone : internal_note\n"
VISITS = "ref : visit : day : grams : micrograms : hours : seconds : year\n"
EVENTS = "event : ref : what : level : started\n"


def test_units_codes_lists_and_actions_of_people(settings: Settings) -> None:
    people = (
        PEOPLE
        + """
        P1 : 2     : 1   : 34    : F       : c         : 0   : seen
        P2 : 0,5   : 31  : 90+   : ~M~     : y|c|x     : 1   :
        P3 : 1,0   : n/a : 034   : n/a     :           :     :
        P4 : 1/7   : 0   : 34,5  : f       : c| q |q   : yes :
    """
    )
    found = harmonised(
        settings,
        {"people.csv": people},
        "patient",
        "patient_id, intake_day, observed_through_day, age_years, sex, sex_source_code, trauma_types,"
        "trauma_types_source_code, record_action, unreadable_columns, source_line",
    )
    two = ["accident", "combat"]
    assert found == [
        ("P1", 14, 0, 34, "female", "F", ["combat"], ["c"], "upsert", [], 2),
        # Half a week is three and a half days: no whole day. Two delivered codes may mean the same.
        ("P2", None, 30, 90, "male", "M", two, ["c", "x", "y"], "delete", ["intake_day"], 3),
        ("P3", 7, None, 34, None, None, None, None, "upsert", [], 4),
        # Codes are matched as they are written; what is not known is not kept.
        (
            *("P4", None, -1, None, "unmapped", None, ["combat", "unmapped"], ["c"], "upsert"),
            *(["age_years", "intake_day", "record_action"], 5),
        ),
    ]


def test_quantities_in_other_units_are_exact_and_rounded_once(settings: Settings) -> None:
    visits = (
        VISITS
        + """
        P1 : 1 : 0    : 0,035    : 500    : 0,75     : 1800   : 2023
        P1 : 2 : 7    : 0,0355555 : 512,35 : 1,234567 : 100    : 2023-Q2
        P1 : 3 : 7,0  : ,04      : 512,349999999 : -0,5  : 0,3 : 2023-5
        P2 :   : +9   : 1.000    : 5e2    : 1_000    : 0x1f   : Smith
        P2 : 2 : 9,5  : 99999999999 : --5  : 1 2      : 0,29999 : 20233
    """
    )
    found = harmonised(
        settings,
        {"people.csv": PEOPLE, "visits.csv": visits},
        "session",
        "session_id, session_day, sequence_number, drug, drug_source_code, dose_mg, dose_mg_per_kg, infusion_minutes,"
        "recovery_minutes, service_period, len(unreadable_columns)",
    )
    d = Decimal
    first = (1, "ketamine", None)
    assert found == [
        ("P1/1", 0, *first, d("35.000"), d("0.5000"), d("45.00"), d("30.00"), "2023", 0),
        # 35.5555 mg -> 35.556; 0.51235 mg/kg -> 0.5124; 74.07402 min -> 74.07; 100 s = 1.6667 min -> 1.67
        ("P1/2", 7, *first, d("35.556"), d("0.5124"), d("74.07"), d("1.67"), "2023-Q2", 0),
        # 0.512349999999 rounds down; 0.3 s = 0.005 min rounds away from zero.
        ("P1/3", 7, *first, d("40.000"), d("0.5123"), d("-30.00"), d("0.01"), None, 1),
        # No visit number, so no key. Points, exponents, underscores and hexadecimals are no decimal notation here.
        (None, 9, *first, None, None, None, None, None, 5),
        ("P2/2", None, *first, None, None, None, d("0.00"), None, 5),
    ]
    assert only_record(settings).unreadable == (
        CodeCount(file="visits.csv", table="session", column="session_day", rows=1, first_line=6),
        CodeCount(file="visits.csv", table="session", column="dose_mg", rows=2, first_line=5),
        CodeCount(file="visits.csv", table="session", column="dose_mg_per_kg", rows=2, first_line=5),
        CodeCount(file="visits.csv", table="session", column="infusion_minutes", rows=2, first_line=5),
        CodeCount(file="visits.csv", table="session", column="recovery_minutes", rows=1, first_line=5),
        CodeCount(file="visits.csv", table="session", column="service_period", rows=3, first_line=4),
    )


def test_quantities_in_the_contracts_unit_round_half_away_from_zero(tmp_path: Path) -> None:
    columns = (
        "visits,visit,session,session_id,,,\nvisits,visit,session,patient_id,,,\nvisits,visit,session,course_id,,,\n"
    )
    columns += "visits,day,session,session_day,day,,\nvisits,drug,session,drug,,drugs,\n"
    columns += "visits,mg,session,dose_mg,mg,,\nvisits,minutes,session,infusion_minutes,minute,,\n"
    head = "title: Example\nformat: csv\nsources: {visits: {file: visits.csv}}\n"
    keys = (f"{name}: '[A-Za-z0-9_/.-]{{1,40}}'" for name in ("session_id", "patient_id", "course_id"))
    head += f"key_patterns: {{{', '.join(keys)}}}\n"
    settings = small_clinic(tmp_path / "home", head, columns, "drugs,K,ketamine\n")
    text = "visit,day,drug,mg,minutes\nV1,1,K,35.0005,-0.005\n"
    text += "V2,2.0,K,35.00049999999999999999999999,1234567.5\nV3,2.5,K,.5,5.\n"
    admitted(settings, {"visits.csv": text})
    record = only_record(settings)
    path = lake_file("session", CLINIC, record.delivery_id, record.recipe, settings)
    d = Decimal
    assert rows(path, "session_day, dose_mg, infusion_minutes, unreadable_columns", settings) == [
        (1, d("35.001"), d("-0.01"), []),
        # DECIMAL(8,2) holds six digits before the point.
        (2, d("35.000"), None, ["infusion_minutes"]),
        (None, d("0.500"), d("5.00"), ["session_day"]),
    ]


def test_local_codes_are_a_closed_list_too(settings: Settings) -> None:
    events = (
        EVENTS
        + """
        E1 : P1 : queasy       : 2   : 3
        E2 : P1 : Jane Doe     : two : -4
        E3 : P1 : sick         :     :
        E4 : P2 : Jane Doe     : 3   :
    """
    )
    found = harmonised(
        settings,
        {"people.csv": PEOPLE, "events.csv": events},
        "adverse_event",
        "adverse_event_id, reported_term, reported_term_source_code, term, term_source_code, grade, onset_day",
    )
    assert found == [
        ("E1", "queasy", "queasy", "nausea", "queasy", 2, 3),
        ("E2", "unmapped", None, "unmapped", None, None, -4),
        ("E3", "sick", "sick", "vomiting", "sick", None, None),
        ("E4", "unmapped", None, "unmapped", None, 3, None),
    ]
    record = only_record(settings)
    assert record.unmapped == (
        CodeCount(file="events.csv", table="adverse_event", column="reported_term", rows=2, first_line=3),
        CodeCount(file="events.csv", table="adverse_event", column="term", rows=2, first_line=3),
    )
    kept = [path for top in (settings.lake, settings.ledger) for path in top.rglob("*") if path.is_file()]
    assert len(kept) >= 4
    for path in kept:
        text = path.read_bytes() if path.suffix == ".json" else repr(rows(path, "*", settings)).encode()
        assert b"Jane" not in text, path.name


def test_every_stored_column_has_the_contracts_type_and_place(settings: Settings) -> None:
    admitted(settings, {"people.csv": csv_text(PEOPLE), "events.csv": csv_text(EVENTS + "E1:P1:sick:1:1")})
    record = only_record(settings)
    assert record.tables == (
        HarmonisedTable(file="people.csv", table="patient", rows=0),
        HarmonisedTable(file="events.csv", table="adverse_event", rows=1),
    )
    for name in ("patient", "adverse_event"):
        path = lake_file(name, CLINIC, record.delivery_id, record.recipe, settings)
        assert list(column_types(path).items()) == list(load_contract().tables[name].stored_columns.items())
    assert not (settings.lake / "session").exists()


def test_all_files_of_a_table_are_in_it_by_file_and_line(settings: Settings) -> None:
    admitted(
        settings,
        {
            "people_b.csv": csv_text(PEOPLE + "P9:::::::\nP1:::::::"),
            "people_c.csv": csv_text(PEOPLE + "P5:::::::"),
            "people_a.csv": csv_text(PEOPLE + "P7:::::::\nP8::::Z:::"),
        },
    )
    record = only_record(settings)
    path = lake_file("patient", CLINIC, record.delivery_id, record.recipe, settings)
    assert as_delivered(settings, rows(path, "source_file, source_line, patient_id", settings)) == [
        ("people_a.csv", 2, "P7"),
        ("people_a.csv", 3, "P8"),
        ("people_b.csv", 2, "P9"),
        ("people_b.csv", 3, "P1"),
        ("people_c.csv", 2, "P5"),
    ]
    assert [(part.file, part.rows) for part in record.tables] == [
        ("people_a.csv", 2),
        ("people_b.csv", 2),
        ("people_c.csv", 1),
    ]
    assert record.unmapped == (CodeCount(file="people_a.csv", table="patient", column="sex", rows=1, first_line=3),)


def test_a_large_file_keeps_its_order_and_its_bytes(settings: Settings) -> None:
    count = 300_000
    lines = "".join(f"E{i};P1;queasy;1;{i % 9}\n" for i in range(count))
    admitted(settings, {"people.csv": csv_text(PEOPLE), "events.csv": csv_text(EVENTS) + lines})
    record = only_record(settings)
    path = lake_file("adverse_event", CLINIC, record.delivery_id, record.recipe, settings)
    found = rows(path, "adverse_event_id, source_line", settings)
    assert [line for _, line in found] == [i + 2 for i in range(count)]
    for i in (0, 1, 150_000, count - 1):
        assert found[i][0] == new_key(settings, CLINIC, "adverse_event_id", f"E{i}")
    assert len({key for key, _ in found}) == count
    first = path.read_bytes()
    (settings.ledger / CLINIC / record.delivery_id / f"harmonise.{record.recipe}.json").unlink()
    assert only_record(settings) == record
    assert path.read_bytes() == first


def test_only_admitted_deliveries_and_each_once(settings: Settings) -> None:
    delivery_id = admitted(settings, {"people.csv": csv_text(PEOPLE + "P1:::::::")})
    for path in (settings.ledger / CLINIC / delivery_id).glob("admit.*.json"):
        path.write_text(path.read_text().replace('"admitted": true', '"admitted": false'))
    assert harmonise(CLINIC, settings) == ()
    assert not settings.lake.exists()
    second = admitted(settings, {"people.csv": csv_text(PEOPLE + "P2:::::::")}, sequence=2)
    record = only_record(settings)
    assert record.delivery_id == second
    path = lake_file("patient", CLINIC, second, record.recipe, settings)
    written = path.stat().st_mtime_ns
    assert only_record(settings) == record
    assert path.stat().st_mtime_ns == written


def test_a_file_that_cannot_be_read_is_named_without_its_content(settings: Settings) -> None:
    text = csv_text(PEOPLE + "Jane Doe:::::::").replace(";sex", ";Jane Doe")
    admitted(settings, {"people.csv": text})
    with pytest.raises(ClinicOutcomesError) as caught:
        harmonise(CLINIC, settings)
    (problem,) = caught.value.problems
    assert (problem.clinic, problem.file, problem.table) == (CLINIC, "people.csv", "patient")
    assert "Jane" not in str(caught.value)
    assert caught.value.__suppress_context__
    assert not list(settings.ledger.rglob("harmonise.*"))
    assert not [path for path in settings.lake.rglob("*") if path.is_file()]


def test_no_clinics_own_key_leaves_the_stage_and_one_person_has_one_key(settings: Settings) -> None:
    admitted(
        settings,
        {"people.csv": csv_text(PEOPLE + "P1:::::::"), "events.csv": csv_text(EVENTS + "E1:P1:sick:1:1")},
    )
    record = only_record(settings)
    patient, event = (
        rows(lake_file(name, CLINIC, record.delivery_id, record.recipe, settings), "patient_id", settings)
        for name in ("patient", "adverse_event")
    )
    assert patient == event == [(new_key(settings, CLINIC, "patient_id", "P1"),)]
    lake = b"".join(path.read_bytes() for path in settings.lake.rglob("*.parquet"))
    assert b"P1" not in lake and b"E1" not in lake


def test_another_salt_is_another_recipe_and_other_keys(settings: Settings) -> None:
    admitted(settings, {"people.csv": csv_text(PEOPLE + "P1:::::::")})
    first = only_record(settings)
    settings.salt_file.write_text("ab" * 32 + "\n")
    assert harmonise(CLINIC, settings) == ()
    delivered = receive(CLINIC, settings)[0].delivery_id
    under = recipe(load_clinic(CLINIC, settings), settings)
    assert under != first.recipe
    ledger.keep(
        ledger.admit_path(CLINIC, delivered, under, settings),
        AdmitRecord(clinic_id=CLINIC, delivery_id=delivered, recipe=under, admitted=True),
    )
    second = only_record(settings)
    path = lake_file("patient", CLINIC, delivered, second.recipe, settings)
    # The first half of HMAC-SHA256 under the salt abab...ab, by hand with another tool:
    # printf 'alder|patient_id|P1' | openssl dgst -sha256 -mac HMAC -macopt hexkey:$(printf 'ab%.0s' {1..32})
    assert rows(path, "patient_id", settings) == [("81f9b2c183874d8b4b47fa644f660ffa",)]


@pytest.mark.parametrize("content", ["", "Jane Doe", "ab" * 31])
def test_a_salt_that_is_lost_or_spoiled_stops_the_stage(settings: Settings, content: str) -> None:
    admitted(settings, {"people.csv": csv_text(PEOPLE + "P1:::::::")})
    harmonise(CLINIC, settings)
    settings.salt_file.write_text(content)
    with pytest.raises(ClinicOutcomesError) as caught:
        harmonise(CLINIC, settings)
    assert [problem.rule for problem in caught.value.problems] == ["salt_unreadable"]
    settings.salt_file.unlink()
    with pytest.raises(ClinicOutcomesError) as caught:
        harmonise(CLINIC, settings)
    assert [problem.rule for problem in caught.value.problems] == ["salt_missing"]


def test_the_salt_is_readable_to_its_owner_alone(settings: Settings) -> None:
    admitted(settings, {"people.csv": csv_text(PEOPLE + "P1:::::::")})
    assert settings.salt_file.stat().st_mode & 0o777 == 0o600
