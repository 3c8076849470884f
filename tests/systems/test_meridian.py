"""The workbook behind a web form, written by hand, from landing to accepted rows; values checked by eye."""

import hashlib
import json
from datetime import date
from pathlib import Path

import duckdb
import pytest

from clinic_outcomes.admit import admit
from clinic_outcomes.harmonise import harmonise
from clinic_outcomes.receive import receive
from clinic_outcomes.resolve import resolve
from clinic_outcomes.settings import Settings
from clinic_outcomes.validate import validate
from tests.support.workbooks import Sheets, book, saved

CLINIC = "hollow_oak"
ANNA, BEN, NEW = (f"ME{n:016x}" for n in (0xA1, 0xB2, 0xC3))
FORM_1, FORM_2, FORM_3 = (f"WF{n:016x}" for n in (1, 2, 3))
COURSE, FIRST, SECOND = "CO000000000000000c", "SN0000000000000001", "SN0000000000000002"
SCORE, TOTAL = "QS0000000000000001", "QS0000000000000002"
TOKEN = "0123456789abcdef" * 2

QUESTIONS = [f"q_{n}" for n in range(1, 21)]
SHEETS: Sheets = {
    "Patients": [
        ["person_key", "shared_token", "intake_on", "seen_until", "age", "sex", "veteran", "trauma", "symptoms_since",
         "off_label_consent_on", "removed"],
        [ANNA, TOKEN, 12, 190, 34, "Woman", "No", "Accident/Medical event", "1 to 5 years", 14, 0],
        [BEN, None, None, 40, "90+", "Man", "Yes", None, None, None, 0],
        [NEW, None, None, 3, 51, "Not said", "Don't know", "Disaster", "Not recorded", None, None],
    ],
    "Owners": [["owner", "owner_status", "removed"], ["OWN-01", "Operates", 0]],
    "Sites": [["site", "owner", "site_status", "removed"], ["LOC-01", "OWN-01", "Operates", 0]],
    "Referrals": [
        ["form_key", "person_key", "sent_by", "form_received_on", "closed_because", "service_year", "removed"],
        [FORM_1, ANNA, "Web form", 0, None, 2025, 0],
        [FORM_2, BEN, "Psychiatrist", 0, "Not a candidate", 2025, 0],
        [FORM_3, NEW, "Partner clinic", 0, None, 2025, 0],
    ],
    "Contacts": [["form_key", "first_reached_on"], [FORM_2, 3], [FORM_1, 1]],
    "Consults": [["form_key", "consulted_on"], [FORM_1, 6], [FORM_2, 9]],
    "Candidacy": [
        ["form_key", "decided_on", "candidate", "because"],
        [FORM_1, 6, "Yes", "PTSD and earlier treatment not enough"],
        [FORM_2, 10, "No", "Blood pressure"],
    ],
    "History": [
        ["history_key", "person_key", "diagnosis", "since_day", "until_day", "removed"],
        ["HI0000000000000001", ANNA, "PTSD", -900, None, 0],
    ],
    "Tried before": [
        ["tried_key", "person_key", "kind", "rxnorm", "enough", "helped", "since_day", "until_day", "removed"],
        ["TR0000000000000001", ANNA, "SSRI", 36437, "Yes", "Somewhat", -700, -300, 0],
    ],
    "Medication": [
        ["medication_key", "person_key", "kind", "rxnorm", "since_day", "until_day", "removed"],
        ["RX0000000000000001", ANNA, "SNRI", 39786, -120, None, 0],
    ],
    "Courses": [
        ["course_key", "person_key", "treatment", "sessions_planned", "part", "starts_on", "service_year", "removed"],
        [COURSE, ANNA, "SGB and ketamine", 7, "First series", 15, 2025, 0],
    ],
    "Sessions": [
        ["session_key", "person_key", "course_key", "given_on", "session_no", "drug", "dose_mg", "dose_mg_per_kg",
         "given_by", "infusion_minutes", "recovery_minutes", "monitored", "systolic_before", "diastolic_before",
         "systolic_highest", "diastolic_highest", "systolic_leaving", "diastolic_leaving", "site", "owner",
         "service_year", "removed"],
        [FIRST, ANNA, COURSE, 15, 1, "Ropivacaine", 35, None, "Block", None, 30, "Yes", 124, 78, 128, 80, 122, 77,
         "LOC-01", "OWN-01", 2025, 0],
        [SECOND, ANNA, COURSE, 17, 2, "Ketamine", 32.5, 0.5, "Infusion", 45, 32, "Yes", 121, 76, 139, 88, 125, 79,
         "LOC-01", "OWN-01", 2025, 0],
    ],
    "Scores": [
        ["score_key", "person_key", "course_key", "session_key", "form", "edition", "asks_about", "filled_on",
         "minutes_from_start", "total", "removed", *QUESTIONS],
        [SCORE, ANNA, COURSE, SECOND, "PCL-5", "Weekly", "Past week", 17, -20, None, 0, *([3, 2, 0, 4] * 5)],
        [TOTAL, ANNA, COURSE, None, "GAD-7", "Standard", "Past two weeks", 12, None, 13, 0],
    ],
    "Side effects": [
        ["effect_key", "person_key", "course_key", "session_key", "effect", "how_bad", "grade", "serious",
         "serious_for", "began_on", "began_minutes", "over_on", "over_minutes", "result", "due_to_treatment",
         "what_was_done", "service_year", "removed"],
        ["SE0000000000000001", ANNA, COURSE, SECOND, "Out-of-body feeling", "Mild", 1, "No", None, 17, 12, 17, 60,
         "Recovered", "Certainly", "None", 2025, 0],
    ],
    "Alerts": [
        ["alert_key", "person_key", "score_key", "raised_by", "raised_on", "minutes_to_action", "what_was_done",
         "alert_status", "removed"],
        ["AT0000000000000001", ANNA, SCORE, "Concern of staff", 17, 25, "Safety plan", "Closed", 0],
    ],
    "Endings": [
        ["course_key", "person_key", "ending", "ended_on", "followed_until", "not_followed_because", "removed"],
        [COURSE, ANNA, "Completed", 40, 190, "End of observation", 0],
    ],
}  # fmt: skip
RECORDS = sum(len(rows) - 1 for rows in SHEETS.values())


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "clinics").mkdir()
    (tmp_path / "clinics" / f"{CLINIC}.yml").write_text(
        "title: Hollow Oak\nsystem: meridian\nlegal_basis:\n  basis: safe_harbor\n"
        "  reference: 45 CFR 164.514(b)(2)\n  service_period: year\n"
    )
    return Settings(home=tmp_path / "home", clinics=tmp_path / "clinics")


def put(settings: Settings, content: bytes, records: int = RECORDS, sequence: int = 1) -> None:
    folder = settings.landing / CLINIC / f"drop_{sequence}"
    folder.mkdir(parents=True)
    (folder / "workbook.xlsx").write_bytes(content)
    entry = {"name": "workbook.xlsx", "rows": records, "sha256": hashlib.sha256(content).hexdigest()}
    manifest = {
        "manifest_version": 1,
        "clinic_id": CLINIC,
        "export_sequence": sequence,
        "export_kind": "full",
        "reporting_period": "2025-08",
        "files": [entry],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))


def accepted(settings: Settings, table: str, columns: str) -> list[tuple[object, ...]]:
    folder = settings.state / CLINIC / "latest" / "accepted"
    with duckdb.connect() as connection:
        return connection.execute(
            f"SELECT {columns} FROM read_parquet('{folder}/{table}.parquet') ORDER BY source_line, source_item"
        ).fetchall()


def run(settings: Settings) -> None:
    (received,) = receive(CLINIC, settings)
    assert received.received, received.problems
    (admitted,) = admit(CLINIC, settings)
    assert admitted.admitted, admitted.problems
    harmonise(CLINIC, settings)
    resolve(CLINIC, settings)
    record = validate(CLINIC, settings)
    assert not [account for account in record.account if account.quarantined], record


def test_a_workbook_comes_through_as_it_was_written(settings: Settings) -> None:
    put(settings, saved(book(SHEETS)))
    run(settings)
    assert accepted(
        settings,
        "referral",
        "source_type, received_day, contacted_day, consulted_day, decided_day, candidacy, candidacy_reason, "
        "closing_reason, service_period, source_file, source_line",
    ) == [
        ("self", 0, 1, 6, 6, "candidate", "criteria_met", None, "2025", "workbook.xlsx#pathway", 2),
        ("psychiatry", 0, 3, 9, 10, "not_candidate", "uncontrolled_hypertension", "not_candidate", "2025",
         "workbook.xlsx#pathway", 3),
        ("network_clinic", 0, None, None, None, None, None, None, "2025", "workbook.xlsx#pathway", 4),
    ]  # fmt: skip
    assert accepted(settings, "patient", "intake_day, age_years, sex, veteran, trauma_types, observed_through_day") == [
        (12, 34, "female", "no", ["accident", "medical"], 190),
        (None, 90, "male", "yes", None, 40),
        (None, 51, "unknown", "unknown", ["disaster"], 3),
    ]
    columns = "session_day, sequence_number, drug, dose_mg::VARCHAR, route, systolic_peak_mmhg"
    assert accepted(settings, "session", columns) == [
        (15, 1, "ropivacaine", "35.000", "injection_block", 128),
        (17, 2, "ketamine", "32.500", "intravenous", 139),
    ]  # fmt: skip
    assert accepted(settings, "assessment", "instrument, recall_window, assessed_day, delivered_total") == [
        ("pcl_5", "past_week", 17, None),
        ("gad_7", "past_2_weeks", 12, 13),
    ]
    assert accepted(settings, "assessment_item", "item_number, item_value") == [
        (n, [3, 2, 0, 4][(n - 1) % 4]) for n in range(1, 21)
    ]
    assert accepted(settings, "adverse_event", "term, severity, onset_minutes::INTEGER, relatedness") == [
        ("dissociation", "mild", 12, "definite")
    ]
    assert accepted(settings, "prior_treatment", "treatment_class, rxnorm_code, start_day") == [("ssri", "36437", -700)]
    assert accepted(settings, "course", "protocol, planned_sessions, phase") == [("sgb_ketamine", 7, "induction")]
    assert accepted(settings, "disposition", "disposition, disposition_day") == [("completed", 40)]


def test_a_step_without_its_referral_is_not_lost(settings: Settings) -> None:
    stray = SHEETS | {"Contacts": [*SHEETS["Contacts"], ["WF00000000000000ff", 2]]}
    put(settings, saved(book(stray)), RECORDS + 1)
    for stage in (receive, admit, harmonise, resolve):
        stage(CLINIC, settings)
    (account,) = [account for account in validate(CLINIC, settings).account if account.quarantined]
    assert (account.table, account.quarantined) == ("referral", 1)


@pytest.mark.parametrize(
    ("sheet", "row", "column", "value", "rule"),
    [
        ("Referrals", 1, 3, date(2025, 3, 4), "calendar_date"),
        ("Consults", 1, 1, 45720, "calendar_date"),
        ("Patients", 1, 0, "Ottilie Quack", "key_format"),
        ("Contacts", 1, 0, "Ottilie Quack", "key_format"),
        ("Patients", 1, 7, "ottilie.quack@example.org", "email"),
        ("Sessions", 1, 8, "123-45-6789", "ssn"),
    ],
)
def test_an_identifier_in_a_typed_cell_is_refused(
    settings: Settings, sheet: str, row: int, column: int, value: object, rule: str
) -> None:
    changed = [list(cells) for cells in SHEETS[sheet]]
    changed[row][column] = value
    put(settings, saved(book(SHEETS | {sheet: changed})))
    assert [record.received for record in receive(CLINIC, settings)] == [True]
    (record,) = admit(CLINIC, settings)
    assert rule in {problem.rule for problem in record.problems}
    assert not record.admitted and "Quack" not in record.model_dump_json()
