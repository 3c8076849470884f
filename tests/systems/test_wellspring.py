"""The REDCap registry from its export to accepted rows: three made-up records, every expected value set by hand."""

import csv
import io
from pathlib import Path
from typing import Any

import duckdb
import pytest

from clinic_outcomes.admit import admit
from clinic_outcomes.harmonise import harmonise
from clinic_outcomes.receive import receive
from clinic_outcomes.resolve import resolve
from clinic_outcomes.settings import PROJECT_ROOT, Settings
from clinic_outcomes.validate import validate
from tests.support.deliveries import deliver

CLINIC = "spring_house"
SYSTEM = PROJECT_ROOT / "systems" / "wellspring"
ANN, BEN, CAT = "W00000000000000a1", "W00000000000000b2", "W00000000000000c3"
START, TREAT = "enrollment_arm_", "treatment_arm_"


def key(kind: str, number: int) -> str:
    return f"W{kind}{number:016x}"


def row(
    record: str, event: str, form: str | None = None, instance: int | None = None, **cells: object
) -> dict[str, str]:
    """One row of the export; a form that repeats is named with its instance."""
    repeated = {"redcap_repeat_instrument": form, "redcap_repeat_instance": instance}
    given = {"record_id": record, "redcap_event_name": event, **repeated, **cells}
    return {name: str(value) for name, value in given.items() if value is not None}


def answers(form: str, values: str) -> dict[str, str]:
    """Items of a questionnaire, a digit each; ``-`` was not asked."""
    return {f"{form}_{n}": "NASK" if value == "-" else value for n, value in enumerate(values, start=1)}


ROWS = [
    row(ANN, START + "1", intake_day=2, watched_through_day=200, age=34, sex=1, served=0, trauma___1=1, trauma___4=1)
    | {f"trauma___{n}": "0" for n in (2, 3, 5, 6, 7, 8, 9, 10, 11)}
    | {"symptom_duration": "3", "consent_day": "2", "network_token": "ab" * 16, "intake_complete": "2"},
    row(ANN, START + "1", "referral", 1, referral_uid=key("R", 1), referral_source=2, referral_day=0)
    | {"referral_contact_day": "1", "referral_consult_day": "2", "referral_decision_day": "2", "referral_year": "2025"}
    | {"referral_candidacy": "1", "referral_reason": "1", "referral_complete": "2"},
    row(ANN, START + "1", "prior_treatment", 1, prior_uid=key("T", 1), prior_class=1, prior_rxcui=36437)
    | {"prior_adequate": "1", "prior_result": "3", "prior_start_day": "-400", "prior_stop_day": "-99"},
    row(ANN, TREAT + "1", "course", 1, course_uid=key("C", 1), course_planned=6, course_stage=1, course_start_day=5)
    | {"course_year": "2025", "course_complete": "2"},
    row(ANN, TREAT + "1", "infusion", 1, infusion_uid=key("I", 1), infusion_course=key("C", 1), infusion_day=5)
    | {"infusion_number": "1", "infusion_drug": "1", "infusion_mg": "35,5", "infusion_mg_kg": "0,5"}
    | {"infusion_route": "1", "infusion_minutes": "45", "recovery_minutes": "30,5", "infusion_monitored": "1"}
    | {"sbp_before": "120", "dbp_before": "80", "sbp_peak": "UNK", "infusion_year": "2025"},
    row(ANN, TREAT + "1", "pcl5", 1, pcl5_uid=key("Q", 1), pcl5_course=key("C", 1), pcl5_infusion=key("I", 1))
    | {"pcl5_form": "1", "pcl5_recall": "1", "pcl5_day": "5", "pcl5_minutes": "-20"}
    | answers("pcl5", "4321043-104321043210"),
    row(BEN, START + "2", intake_day=0, watched_through_day=90, age=51, sex=2, served=1, trauma___1=1),
    row(BEN, TREAT + "2", "course", 1, course_uid=key("C", 2), course_planned=6, course_stage=1, course_start_day=3)
    | {"course_year": "2025"},
    row(BEN, TREAT + "2", "infusion", 1, infusion_uid=key("I", 2), infusion_course=key("C", 2), infusion_day=3)
    | {"infusion_number": "1", "infusion_drug": "2", "infusion_mg": "3,6", "infusion_mg_kg": "0,045"}
    | {"infusion_route": "1", "infusion_minutes": "40", "infusion_year": "2025"},
    row(
        BEN,
        TREAT + "2",
        "phq9",
        1,
        phq9_uid=key("Q", 2),
        phq9_course=key("C", 2),
        phq9_form=1,
        phq9_recall=2,
        phq9_day=10,
    )
    | answers("phq9", "321032102"),
    row(
        BEN,
        TREAT + "2",
        "adverse_event",
        1,
        ae_uid=key("E", 1),
        ae_course=key("C", 2),
        ae_infusion=key("I", 2),
        ae_term=4,
    )
    | {"ae_severity": "1", "ae_serious": "0", "ae_onset_day": "3", "ae_onset_minutes": "12,5", "ae_outcome": "1"}
    | {f"ae_criteria___{n}": "0" for n in range(1, 7)}
    | {"ae_year": "2025"},
    row(BEN, TREAT + "2", "adverse_event", 2, ae_uid=key("E", 2), ae_course=key("C", 2), ae_term=21, ae_severity=3)
    | {"ae_serious": "1", "ae_criteria___3": "1", "ae_criteria___6": "1", "ae_onset_day": "11", "ae_year": "2025"},
    row(BEN, TREAT + "2", "safety_alert", 1, alert_uid=key("X", 1), alert_questionnaire=key("Q", 2), alert_trigger=1)
    | {"alert_day": "10", "alert_minutes": "7,5", "alert_action": "1", "alert_status": "2"},
    row(BEN, TREAT + "2", "course_end", 1, end_course=key("C", 2), end_reason=2, end_day=12, end_censored_day=90)
    | {"end_censored_reason": "1"},
    row(BEN, TREAT + "2", "caps5", 1, caps5_uid=key("Q", 3), caps5_course=key("C", 2), caps5_form=2, caps5_recall=3)
    | {"caps5_day": "17", "caps5_total": "38", "caps5_complete": "2"},
    row(CAT, START + "1", intake_day="NASK", watched_through_day=30, age="90+", sex=9),
    row(
        CAT,
        START + "1",
        "referral",
        1,
        referral_uid=key("R", 2),
        referral_source=1,
        referral_day=0,
        referral_candidacy=2,
    )
    | {"referral_reason": "2", "referral_closed": "4", "referral_decision_day": "9", "referral_year": "2025"},
]


def header() -> list[str]:
    """Columns of the export, from REDCap's dictionary as Python's own reader has it."""
    with (SYSTEM / "data_dictionary.csv").open(newline="") as stream:
        fields = list(csv.DictReader(stream))
    names = ["record_id", "redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance"]
    for form in dict.fromkeys(field["Form Name"] for field in fields):
        for field in fields:
            name, kind = field["Variable / Field Name"], field["Field Type"]
            if field["Form Name"] != form or name == "record_id" or kind == "descriptive":
                continue
            choices = field["Choices, Calculations, OR Slider Labels"].split(" | ")
            names += [f"{name}___{c.split(',')[0]}" for c in choices] if kind == "checkbox" else [name]
        names.append(f"{form}_complete")
    return names


def export(rows: list[dict[str, str]]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, header(), delimiter=";", restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def make_settings(root: Path) -> Settings:
    (root / "clinics").mkdir()
    (root / "clinics" / f"{CLINIC}.yml").write_text("title: Spring House\nsystem: wellspring\n")
    return Settings(home=root / "home", systems=SYSTEM.parent, clinics=root / "clinics", threads=1)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = make_settings(tmp_path_factory.mktemp("wellspring"))
    files: dict[str, bytes | str] = {"registry_1.csv": export(ROWS)}
    deliver(settings.landing / CLINIC / "first", files, CLINIC, rows={"registry_1.csv": len(ROWS)})
    assert [record.problems for record in receive(CLINIC, settings)] == [()]
    assert [record.problems for record in admit(CLINIC, settings)] == [()]
    (record,) = harmonise(CLINIC, settings)
    assert record.unmapped == () and record.unreadable == ()
    resolve(CLINIC, settings)
    validate(CLINIC, settings)
    return settings


def accepted(settings: Settings, table: str, columns: str) -> list[tuple[Any, ...]]:
    path = settings.home / "state" / CLINIC / "latest" / "accepted" / f"{table}.parquet"
    with duckdb.connect() as connection:
        return connection.execute(f"SELECT {columns} FROM '{path}' ORDER BY source_line, source_item").fetchall()


EXPECTED = {
    (
        "patient",
        "intake_day, observed_through_day, age_years, sex, veteran, trauma_types::VARCHAR, off_label_consent_day",
    ): [
        (2, 200, 34, "female", "no", "[accident, combat]", 2),
        (0, 90, 51, "male", "yes", "[combat]", None),
        (None, 30, 90, "unknown", None, None, None),
    ],
    (
        "referral",
        "source_type, received_day, contacted_day, decided_day, candidacy, candidacy_reason, closing_reason",
    ): [
        ("primary_care", 0, 1, 2, "candidate", "criteria_met", None),
        ("self", 0, None, 9, "not_candidate", "no_ptsd", "not_candidate"),
    ],
    ("prior_treatment", "treatment_class, rxnorm_code, adequate_trial, treatment_outcome, start_day, stop_day"): [
        ("ssri", "36437", "yes", "no_response", -400, -99),
    ],
    # The event that a course was entered in says both the protocol and the arm of the trial.
    ("course", "protocol, trial_arm, planned_sessions, phase, start_day, service_period, source_file, source_line"): [
        ("iv_ketamine", "ketamine_0_5_mg_per_kg", 6, "induction", 5, "2025", "registry_1.csv#course", 5),
        ("midazolam_control", "midazolam_0_045_mg_per_kg", 6, "induction", 3, "2025", "registry_1.csv#course", 9),
    ],
    (
        "session",
        "session_day, drug, dose_mg::VARCHAR, dose_mg_per_kg::VARCHAR, recovery_minutes::VARCHAR, systolic_peak_mmhg",
    ): [
        (5, "ketamine", "35.500", "0.5000", "30.50", None),
        (3, "midazolam", "3.600", "0.0450", None, None),
    ],
    (
        "assessment",
        "instrument, instrument_version, recall_window, assessed_day, minutes_from_session_start::VARCHAR, "
        "delivered_total",
    ): [
        ("pcl_5", "standard", "past_month", 5, "-20.00", None),
        ("phq_9", "standard", "past_2_weeks", 10, None, None),
        ("caps_5", "clinician_past_week", "past_week", 17, None, 38),
    ],
    (
        "adverse_event",
        "term, severity, serious, seriousness_criteria::VARCHAR, onset_day, onset_minutes::VARCHAR, outcome",
    ): [
        ("dizziness", "mild", "no", None, 3, "12.50", "recovered"),
        ("suicidal_ideation", "severe", "yes", "[hospitalisation, important_medical_event]", 11, None, None),
    ],
    (
        "escalation",
        "escalation_trigger, escalation_day, action_minutes::VARCHAR, escalation_action, escalation_status",
    ): [
        ("phq_9_item_9", 10, "7.50", "clinician_review", "closed"),
    ],
    ("disposition", "disposition, disposition_day, censoring_day, censoring_reason"): [
        ("dropped_out", 12, 90, "end_of_observation"),
    ],
}


@pytest.mark.parametrize(("table", "columns"), EXPECTED)
def test_accepted_rows_are_what_the_registry_says(settings: Settings, table: str, columns: str) -> None:
    assert accepted(settings, table, columns) == EXPECTED[table, columns]


def test_answers_become_rows_and_what_was_not_asked_none(settings: Settings) -> None:
    found = accepted(settings, "assessment_item", "source_line, item_number, item_value")
    digits = {7: "4321043-104321043210", 11: "321032102"}
    assert found == [
        (line, number, int(value))
        for line, text in digits.items()
        for number, value in enumerate(text, start=1)
        if value != "-"
    ]


def test_nothing_is_quarantined_and_keys_hold_together(settings: Settings) -> None:
    quarantined = list((settings.home / "state" / CLINIC / "latest" / "quarantined").glob("*.parquet"))
    assert quarantined
    with duckdb.connect() as connection:
        counts = [connection.execute(f"SELECT count(*) FROM '{path}'").fetchone() for path in quarantined]
    assert set(counts) == {(0,)}
    patients = {key for (key,) in accepted(settings, "patient", "patient_id")}
    assert len(patients) == 3 and not patients & {ANN, BEN, CAT}
    for table in ("referral", "course", "session", "assessment", "assessment_item", "adverse_event", "disposition"):
        assert {key for (key,) in accepted(settings, table, "patient_id")} <= patients


def test_an_entry_taken_back_goes_and_one_said_again_replaces(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    first: dict[str, bytes | str] = {"registry_1.csv": export(ROWS)}
    deliver(settings.landing / CLINIC / "first", first, CLINIC, rows={"registry_1.csv": len(ROWS)})
    changes = [
        row(BEN, TREAT + "2", "adverse_event", 1, ae_uid=key("E", 1), ae_void=1),
        row(ANN, TREAT + "1", "infusion", 1, infusion_uid=key("I", 1), infusion_course=key("C", 1), infusion_day=5)
        | {"infusion_drug": "1", "infusion_mg": "40", "infusion_void": "0"},
    ]
    second: dict[str, bytes | str] = {"registry_2.csv": export(changes)}
    deliver(settings.landing / CLINIC / "second", second, CLINIC, sequence=2, kind="delta", rows={"registry_2.csv": 2})
    receive(CLINIC, settings)
    assert [record.problems for record in admit(CLINIC, settings)] == [(), ()]
    harmonise(CLINIC, settings)
    resolve(CLINIC, settings)
    validate(CLINIC, settings)
    assert accepted(settings, "adverse_event", "term") == [("suicidal_ideation",)]
    assert sorted(accepted(settings, "session", "drug, dose_mg::VARCHAR")) == [
        ("ketamine", "40.000"),
        ("midazolam", "3.600"),
    ]


@pytest.mark.parametrize(
    ("cells", "rule"),
    [
        ({"intake_day": "2025-03-04"}, "calendar_date"),
        ({"trauma___1": "Jane Doe, jane@example.org"}, "email"),
        ({"record_id": "17"}, "key_format"),
    ],
)
def test_what_identifies_does_not_pass(tmp_path: Path, cells: dict[str, str], rule: str) -> None:
    settings = make_settings(tmp_path)
    files: dict[str, bytes | str] = {"registry.csv": export([ROWS[0] | cells])}
    deliver(settings.landing / CLINIC / "first", files, CLINIC, rows={"registry.csv": 1})
    assert [record.received for record in receive(CLINIC, settings)] == [True]
    (record,) = admit(CLINIC, settings)
    assert rule in {problem.rule for problem in record.problems}
