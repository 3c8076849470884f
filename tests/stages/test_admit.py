"""Admit: what a delivery may hold, what it is refused for, and that no value of it is told."""

import csv
from pathlib import Path

import pytest

from clinic_outcomes import ledger
from clinic_outcomes.admit import admit
from clinic_outcomes.admit.header import is_name_like
from clinic_outcomes.mapping import load_clinic
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.receive import receive
from clinic_outcomes.records import AdmitRecord
from clinic_outcomes.settings import Settings
from tests.support.deliveries import deliver
from tests.support.external import external
from tests.support.small_clinic import CLINIC, COLUMNS, DOSES, DRUGS, FILES, PEOPLE, SYSTEM, make_settings


def judge(settings: Settings, files: dict[str, bytes | str], sequence: int = 1) -> AdmitRecord:
    deliver(settings.landing / CLINIC / f"drop_{sequence}", files, CLINIC, sequence=sequence)
    assert all(record.received for record in receive(CLINIC, settings))
    return admit(CLINIC, settings)[-1]


def judge_people(settings: Settings, *rows: str, header: str = PEOPLE.splitlines()[0]) -> AdmitRecord:
    return judge(settings, {"people.csv": "\n".join([header, *rows]) + "\n"})


def told(record: AdmitRecord) -> list[tuple[str, str | None, int | None, int | None]]:
    return [(problem.rule, problem.column, problem.rows, problem.line) for problem in record.problems]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_settings(tmp_path)


def test_a_clean_delivery_is_admitted(settings: Settings) -> None:
    record = judge(settings, FILES)
    assert record.admitted and record.problems == ()
    assert admit(CLINIC, settings) == (record,)


def test_header_alone_is_admitted(settings: Settings) -> None:
    assert judge_people(settings).admitted


# --- values -------------------------------------------------------------------------------------------------------

IDENTIFIERS = {
    "calendar_date": (
        "2024-01-31", "2024/1/31", "2024.01.31", "2024-01-31T15:30:00Z", "2024-01-31 15:30", "20240131",
        "20240131153000", "1/31/2024", "31.01.2024", "31-1-2024", "1/31/24", "31.01.24", "31012024", "01312024",
        "2024-01", "01/2024", "31 January", "31JAN2024", "31-Jan-24", "1st of May", "January 31", "Jan-2024",
        "Sept. 5", "2024-Q3", "Q1 2024", "2024-W05", "2024-W05-3", "2024-031", "seen 2024-01-31 again",
        "2024\u201301\u201331", "\uff12\uff10\uff12\uff14-01-31",
        "2024\u200b-01-31", "2024\u00a001\u00a031",
    ),
    "email": ("jo@example.org", "Jo Q <jo.q+x@mail.example.org>", "JO@EXAMPLE.ORG", "jo\uff20example.org"),
    "phone": (
        "(210) 555-0134", "210-555-0134", "210.555.0134", "210 555 0134", "+1 210 555 0134", "1-210-555-0134",
        "2105550134", "12105550134", "+44 20 7946 0958", "call 210-555-0134 x5", "210\u2011555\u20110134",
    ),
    "ssn": ("078-05-1120", "078 05 1120", "ssn 078-05-1120"),
    "zip_plus_4": ("78205-1234", "San Antonio TX 78205-1234", "78205\u20131234"),
    "free_text": ("x" * 61, "one two three four five six seven eight nine"),
}  # fmt: skip


@pytest.mark.parametrize("rule", IDENTIFIERS)
@pytest.mark.parametrize("column", ["sex", "trauma", "intake", "colour"])
def test_values_that_look_like_identifiers_are_refused(settings: Settings, rule: str, column: str) -> None:
    names = PEOPLE.splitlines()[0].split(",")
    clean = {"person": "P001", "sex": "F", "age": "34", "trauma": "war", "intake": "0", "colour": "red"}
    rows = [clean, *(clean | {column: f'"{value}"'} for value in IDENTIFIERS[rule])]
    record = judge_people(settings, *(",".join(row[name] for name in names) for row in rows))
    # Every one of them, the first on line 3, and none taken for something else.
    assert told(record) == [(rule, column, len(IDENTIFIERS[rule]), 3)] and not record.admitted
    assert not any(value in record.model_dump_json() for value in IDENTIFIERS[rule])


HARMLESS = (
    "red", "P12", "Q-2024", "2024", "120/80", "5.0.1", "1.2.10", "3-4-5-6", "47505003", "300916003", "DSM-5",
    "may", "March", "decline", "marked", "01-701-1015", "HLT_0617", "12345", "12345-67", "-5", "0.25", "@home",
    "PCL-5 week 12", "eight words are not yet a free text", "1/2", "10:30", "C0001-2", "junction 9",
)  # fmt: skip


def test_what_is_no_known_code_is_refused_though_it_looks_like_nothing(settings: Settings) -> None:
    rows = [f"P{number:03},{value},34,{value},0,{value}" for number, value in enumerate(HARMLESS)]
    found = told(judge_people(settings, *rows))
    assert {rule for rule, *_ in found} == {"value_unknown"}
    assert {(column, count) for _, column, count, _ in found} == {
        ("sex", len(HARMLESS)), ("trauma", len(HARMLESS)),
        # Red is a code of this column.
        ("colour", len(HARMLESS) - 1),
    }  # fmt: skip


def test_a_new_code_of_the_system_s_form_is_left_to_harmonise(tmp_path: Path) -> None:
    assert judge_people(make_settings(tmp_path / "digits"), "P001,7,34,war;12,0,9").admitted
    settings = make_settings(tmp_path / "own", system=SYSTEM + "new_code_pattern: 'ZZ-[0-9]{1,3}'\n")
    assert judge_people(settings, "P001,ZZ-9,34,war;ZZ-120,0,ZZ-1").admitted
    record = judge(settings, {"people.csv": PEOPLE.replace("red", "7").replace("crash", "ZZ-9999")}, 2)
    assert told(record) == [("value_unknown", "colour", 1, 2), ("value_unknown", "trauma", 2, 2)]


@pytest.mark.parametrize("pattern", ["[A-Z]{2}", "[0-9]{5}", "Z[0-9]*", "ZZ-.", "A-very-long-prefix-[0-9]"])
def test_the_form_of_new_codes_is_too_narrow_for_a_person(tmp_path: Path, pattern: str) -> None:
    settings = make_settings(tmp_path, system=SYSTEM + f"new_code_pattern: '{pattern}'\n")
    with pytest.raises(ClinicOutcomesError) as caught:
        load_clinic(CLINIC, settings)
    assert [problem.column for problem in caught.value.problems][:1] == ["new_code_pattern"]


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ("20240131", "calendar_date"),
        ("20240131.0", "calendar_date"),
        ("45322", "calendar_date"),  # what a spreadsheet makes of 2024-01-31
        ("1706659200", "calendar_date"),  # seconds since 1970
        ("1706659200000", "calendar_date"),
        ("078051120", "ssn"),
        ("2105550134", "phone"),
        ("18264", "calendar_date"),  # 1950-01-01, the birth of a person of that age
        ("78205", "number_expected"),  # a ZIP code
        ("9999", None),
        ("-14", None),
        ("-20000", None),
        ("3.5", None),
        ("never", "number_expected"),
        ("1e3", "number_expected"),
        ("0314", "number_expected"),  # a month and day, a time of the day, a code: no number of days
        ("007", None),
        ("1000001", "number_expected"),
    ],
)
def test_numbers_that_are_identifiers_in_disguise(settings: Settings, value: str, rule: str | None) -> None:
    record = judge_people(settings, f"P001,F,34,war,{value},red")
    assert told(record) == ([(rule, "intake", 1, 2)] if rule else [])


@pytest.mark.parametrize(
    ("age", "rule"),
    [("89", None), ("90", "age_90_or_over"), ("90.0", "age_90_or_over"), ("103", "age_90_or_over"),
     (">89", "number_expected"), ("over 90", "age_90_or_over"), ("92 years", "age_90_or_over"), ("90+", None),
     ("91+", "age_90_or_over"), ("NA", None), ("", None), ("190", "age_90_or_over"), ("9", None),
     ("1950", "age_90_or_over"), ("-4", "number_expected")],
)  # fmt: skip
def test_ages_of_90_and_over_come_under_one_code_or_not_at_all(settings: Settings, age: str, rule: str | None) -> None:
    record = judge_people(settings, f"P001,F,{age},war,0,red")
    assert told(record) == ([(rule, "age", 1, 2)] if rule else [])


@pytest.mark.parametrize(
    ("basis", "period", "rule"),
    [
        ("year", "2025", None),
        ("year", "2025-Q3", "service_period_too_fine"),
        ("year", "2025-03", "service_period_too_fine"),
        ("year", "202503", "service_period_too_fine"),
        ("year", "2025-03-09", "calendar_date"),
        ("quarter", "2025-Q3", None),
        ("quarter", "2025-03", "service_period_too_fine"),
        ("year", "last year", "value_unknown"),
        ("year", "1957", "value_unknown"),
    ],
)
def test_a_service_period_is_as_coarse_as_the_legal_basis_asks(
    tmp_path: Path, basis: str, period: str, rule: str | None
) -> None:
    record = judge(
        make_settings(tmp_path, basis=basis), FILES | {"doses.csv": DOSES.replace("32.5,2025", f"32.5,{period}")}
    )
    assert told(record) == ([(rule, "period", 1, 2)] if rule else [])


def test_a_code_with_a_pattern_may_look_like_a_date_and_others_may_not(settings: Settings) -> None:
    assert "20250131" in DRUGS and judge(settings, FILES).admitted
    record = judge(settings, FILES | {"drugs.csv": DRUGS.replace("20250131", "2025-01-31")}, 2)
    assert told(record) == [("calendar_date", "rxnorm", 1, 3)]


def test_a_long_code_that_the_mapping_knows_is_no_free_text(settings: Settings) -> None:
    known = "ketamine hydrochloride 50 mg/mL solution for injection as a slow infusion"
    assert len(known) > 60 and known in DOSES and judge(settings, FILES).admitted
    record = judge(settings, FILES | {"doses.csv": DOSES.replace(known, f"{known}.")}, 2)
    assert told(record) == [("free_text", "drug", 1, 2)]


def test_a_list_is_looked_at_member_by_member(settings: Settings) -> None:
    many = ";".join(["war", "crash"] * 10)
    assert judge_people(settings, f"P001,F,34,{many},0,red", "P002,F,34,war; 12 ,0,red").admitted
    record = judge(settings, {"people.csv": PEOPLE.replace("war;crash", "war;2024-01-31")}, 2)
    assert told(record) == [("calendar_date", "trauma", 1, 2)]


def test_a_decimal_comma_is_read_as_the_system_writes_it(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, system=SYSTEM + "csv: {delimiter: ';', decimal_separator: ','}\n")
    header, row = PEOPLE.splitlines()[0].replace(",", ";"), "P001;F;{};war;0;red"
    assert judge_people(settings, row.format("89,5"), header=header).admitted
    record = judge(settings, {"people.csv": f"{header}\n{row.format('90,5')}\n"}, 2)
    assert told(record) == [("age_90_or_over", "age", 1, 2)]


# --- keys ---------------------------------------------------------------------------------------------------------


def test_a_key_that_changes_type_is_refused(settings: Settings) -> None:
    record = judge_people(settings, "P001,F,34,war,0,red", "2.0,F,34,war,0,red", "3.0,F,34,war,0,red")
    assert told(record) == [("key_format", "person", 2, 3)]
    assert record.problems[0].table == "patient"


def test_a_key_made_of_two_columns_is_matched_as_one(settings: Settings) -> None:
    record = judge(settings, FILES | {"doses.csv": DOSES.replace("P001,2,8", "P001,200,8")})
    assert told(record) == [("key_format", "person+number", 1, 3)]


def test_a_key_that_is_an_identifier_is_told_as_such_first(settings: Settings) -> None:
    record = judge_people(settings, "jo@example.org,F,34,war,0,red")
    assert told(record) == [("email", "person", 1, 2), ("key_format", "person", 1, 2)]


def test_a_missing_key_is_no_wrong_key(settings: Settings) -> None:
    assert judge_people(settings, "NA,F,34,war,0,red", ",F,34,war,0,red").admitted


# --- columns ------------------------------------------------------------------------------------------------------


def test_columns_are_the_mapping_s_in_any_order(settings: Settings) -> None:
    record = judge_people(settings, "red,0,war,34,F,P001", header="colour,intake,trauma,age,sex,person")
    assert record.admitted


def test_a_renamed_column_is_missing_and_unknown(settings: Settings) -> None:
    record = judge_people(settings, "P001,F,34,war,0,red", header="person,sex,age,trauma,intake,hue")
    assert told(record) == [("column_missing", "colour", None, 1), ("column_unknown", None, None, 1)]


def test_a_column_in_other_case_is_another_column(settings: Settings) -> None:
    record = judge_people(settings, "P001,F,34,war,0,red", header="Person,sex,age,trauma,intake,colour")
    assert told(record) == [("column_missing", "person", None, 1), ("column_unknown", "Person", None, 1)]


def test_an_extra_column_is_scanned_too_and_told_after_what_it_holds(settings: Settings) -> None:
    record = judge_people(
        settings, "P001,F,34,war,0,red,x", "P002,F,34,war,0,red,2024-01-31", header=f"{PEOPLE.splitlines()[0]},extra"
    )
    assert told(record) == [("calendar_date", "extra", 1, 3), ("column_unknown", "extra", None, 1)]


@pytest.mark.parametrize("name", ["Ottilie Quack", "jo@example.org", "2024-01-31", "078-05-1120"])
def test_an_unknown_column_whose_name_may_be_a_value_is_told_by_position(settings: Settings, name: str) -> None:
    record = judge_people(settings, "P001,F,34,war,0,red,x", header=f"{PEOPLE.splitlines()[0]},{name}")
    assert name not in record.model_dump_json()
    assert record.problems[-1].rule == "column_unknown" and record.problems[-1].column is None
    assert "column 7" in record.problems[-1].message


def test_a_file_without_header_shows_nothing_of_its_first_row(settings: Settings) -> None:
    record = judge_people(settings, "P002,M,51,war,0,blue", header="P001,Ottilie,34,Quack,0,red")
    rules = [rule for rule, *_ in told(record)]
    assert rules == ["column_missing"] * 6 + ["column_unknown"] * 6
    assert not any(word in record.model_dump_json() for word in ("Ottilie", "Quack", "P001", '"red"', '"34"'))


@pytest.mark.parametrize(
    "name",
    ["name", "Name", "first_name", "LastName", "PATIENT NAME", "patient_full_name", "surname", "dob", "DOB",
     "date_of_birth", "birthDate", "BRTHDTC", "birth_date", "email", "e-mail", "contact_email", "phone", "home_phone",
     "phone_number", "telephone", "fax", "ssn", "mrn", "MRN_no", "address", "address_line_1", "address2", "street",
     "zip", "zip_code", "ZipCode", "postcode", "mother_maiden_name", "emergency_contact_name", "ip_address"],
)  # fmt: skip
def test_a_column_s_name_that_tells_of_a_person(name: str) -> None:
    assert is_name_like(name)


@pytest.mark.parametrize(
    "name",
    ["drug_name", "instrument_name", "test_name", "file_name", "site_name", "birth_sex", "sex", "age", "client_no",
     "phone_screen_day", "email_opt_in", "patient_ref", "zip3", "zip_code_3", "addressed", "named_day", "dose_mg",
     "streetlight", "first_visit", "person", "username_hash"],
)  # fmt: skip
def test_a_column_s_name_that_only_sounds_like_it(name: str) -> None:
    assert not is_name_like(name)


def test_a_name_like_column_is_refused_even_where_the_mapping_allows_it(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, columns=COLUMNS.replace("people,colour", "people,last_name"))
    header = PEOPLE.splitlines()[0].replace("colour", "last_name")
    record = judge_people(settings, "P001,F,34,war,0,red", header=header)
    assert told(record) == [("column_name_like", "last_name", None, 1)]


# --- the verdict --------------------------------------------------------------------------------------------------


def test_all_problems_are_told_at_once_people_before_columns(settings: Settings) -> None:
    people = "person,sex,age,trauma,intake,email\n2.0,F,95,war,2024-01-31,jo@example.org\nP002,M,96,war,0,x\n"
    doses = DOSES.replace("2025", "2025-Q1")
    record = judge(settings, FILES | {"people.csv": people, "doses.csv": doses})
    assert [
        (problem.rule, problem.file, problem.column, problem.rows, problem.line) for problem in record.problems
    ] == [
        ("calendar_date", "people.csv", "intake", 1, 2),
        ("email", "people.csv", "email", 1, 2),
        ("age_90_or_over", "people.csv", "age", 2, 2),
        ("key_format", "people.csv", "person", 1, 2),
        ("column_name_like", "people.csv", "email", None, 1),
        ("service_period_too_fine", "doses.csv", "period", 2, 2),
        ("column_missing", "people.csv", "colour", None, 1),
        ("column_unknown", "people.csv", "email", None, 1),
    ]
    assert all(problem.clinic == CLINIC and problem.message and problem.advice for problem in record.problems)


def test_no_value_is_kept(settings: Settings) -> None:
    canaries = ("ottilie@quack.example", "210-555-0134", "078-05-1120", "78205-1234", "1931-04-05", "Ottilie")
    rows = [f"{canary},{canary},{canary},{canary},{canary},{canary}" for canary in canaries]
    record = judge_people(settings, *rows)
    kept = "".join(path.read_text() for path in settings.ledger.rglob("*.json"))
    assert not record.admitted and {column for _, column, *_ in told(record)} == set(PEOPLE.splitlines()[0].split(","))
    assert not any(canary in kept for canary in canaries)


def test_a_refused_file_refuses_its_delivery_and_no_other(settings: Settings) -> None:
    good, bad = judge(settings, FILES), judge(settings, FILES | {"people.csv": PEOPLE.replace("red", "jo@ex.org")}, 2)
    assert [record.admitted for record in admit(CLINIC, settings)] == [True, False]
    assert admit(CLINIC, settings) == (good, bad)


def test_a_corrected_mapping_judges_again(tmp_path: Path) -> None:
    refused = judge(make_settings(tmp_path, basis="year"), FILES | {"doses.csv": DOSES.replace("2025", "2025-Q1")})
    settings = make_settings(tmp_path, basis="quarter")
    receive(CLINIC, settings)
    (admitted,) = admit(CLINIC, settings)
    assert (refused.admitted, admitted.admitted) == (False, True)
    assert ledger.admit_records(CLINIC, refused.recipe, settings) == (refused,)


def test_what_was_not_received_or_has_gone_is_not_judged(settings: Settings) -> None:
    folder = deliver(settings.landing / CLINIC / "drop", FILES, CLINIC, rows={"people.csv": 9})
    receive(CLINIC, settings)
    assert admit(CLINIC, settings) == ()
    folder.rename(settings.home / "purged")
    deliver(folder, FILES, CLINIC)
    receive(CLINIC, settings)
    folder.rename(settings.home / "purged_too")
    assert admit(CLINIC, settings) == ()


def test_the_delivered_line_counts_a_quoted_line_end_once(settings: Settings) -> None:
    record = judge_people(settings, 'P001,F,34,war,0,"red\nish"', "P002,F,34,war,0,jo@example.org")
    assert told(record) == [("email", "colour", 1, 3), ("value_unknown", "colour", 1, 2)]


def test_a_published_trial_is_refused_for_its_dates(tmp_path: Path) -> None:
    folder = external("cdiscpilot") / "as_published"
    columns = COLUMNS
    for ours, theirs in (("person", "USUBJID"), ("sex", "SEX"), ("age", "AGE")):
        columns = columns.replace(f"people,{ours},", f"people,{theirs},")
    system = SYSTEM.replace("patient_id: 'P\\d{3}'", "patient_id: '\\d{2}-\\d{3}-\\d{4}'")
    settings = make_settings(tmp_path, columns=columns, system=system)
    record = judge(settings, {"people.csv": (folder / "dm.csv").read_bytes()})
    assert record.problems[0].rule == "calendar_date"

    with (folder / "dm.csv").open(newline="") as stream:
        subjects = list(csv.DictReader(stream))
    dates = {
        column: sum(row[column][:4].isdigit() and row[column][4:5] == "-" for row in subjects) for column in subjects[0]
    }
    # Names that are made of no known words could be a person's: their place is told instead.
    places = {f"(column {place} of the file)": name for place, name in enumerate(subjects[0], start=1)}
    found = {
        problem.column or places[problem.message[problem.message.index("(") :]]: problem.rows
        for problem in record.problems
        if problem.rule == "calendar_date"
    }
    assert found == {column: rows for column, rows in dates.items() if rows}
    assert dates["BRTHDTC"] == 306
