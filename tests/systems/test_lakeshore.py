"""The FHIR system from an export written by hand, three people at two sites, through receive to validate.

Expected values are read off the resources below; nothing here was written by the system's own templates.
"""

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from clinic_outcomes.admit import admit
from clinic_outcomes.formats import write_file
from clinic_outcomes.harmonise import harmonise
from clinic_outcomes.mapping import load_system
from clinic_outcomes.receive import receive
from clinic_outcomes.resolve import resolve
from clinic_outcomes.settings import Settings
from clinic_outcomes.validate import validate
from tests.support.leaks import texts

CLINIC = "lakeshore_by_hand"
OURS = "https://clinic-outcomes.example/fhir"
LOINC, RXNORM = "http://loinc.org", "http://www.nlm.nih.gov/research/umls/rxnorm"
UCUM = "http://unitsofmeasure.org"
ANN, BEN, CAT = (f"pat-00000000000000{n}" for n in ("a1", "b2", "c3"))
COURSE_A, COURSE_B = "crs-00000000000000a1", "crs-00000000000000b2"
SESSION_A, SESSION_B = "ses-00000000000000a1", "ses-00000000000000b2"
FORM_A, FORM_B = "qst-00000000000000a1", "qst-00000000000000b2"
SEEN_ELSEWHERE = "0123456789abcdef" * 2
Resource = dict[str, Any]


def on(day: int, minutes: float | None = None) -> Resource:
    extension: list[Resource] = [{"url": f"{OURS}/StructureDefinition/relative-day", "valueInteger": day}]
    if minutes is not None:
        extension.append({"url": f"{OURS}/StructureDefinition/relative-minutes", "valueDecimal": minutes})
    return {"extension": extension}


def coded(*codes: str, system: str | None = None, name: str = "") -> Resource:
    return {"coding": [{"system": system or f"{OURS}/CodeSystem/{name}", "code": code} for code in codes]}


def to(kind: str, key: str) -> Resource:
    return {"reference": f"{kind}/{key}"}


def quantity(value: float, unit: str, code: str | None = None) -> Resource:
    return {"value": value, "unit": unit, "system": UCUM, "code": code or unit}


def pressure(session: str, person: str, phase: str, systolic: int, diastolic: int) -> Resource:
    return {
        "resourceType": "Observation",
        "id": f"{session}-{phase}",
        "partOf": [to("Procedure", session)],
        "status": "final",
        "category": [coded(phase, name="session-phase")],
        "code": coded("85354-9", system=LOINC),
        "subject": to("Patient", person),
        "component": [
            {"code": coded(code, system=LOINC), "valueQuantity": quantity(value, "mmHg", "mm[Hg]")}
            for code, value in (("8480-6", systolic), ("8462-4", diastolic))
        ],
    }


def intake(person: str, day: int, age: int, through: int, **coded_answers: str) -> Resource:
    components: list[Resource] = [
        {"code": coded("age", name="intake"), "valueInteger": age},
        {"code": coded("observed-through", name="intake"), "_valueDateTime": on(through)},
    ]
    for question, codes in coded_answers.items():
        answer = coded(*codes.split(), name={"veteran": "yes-no", "trauma": "trauma-type"}[question])
        components.append({"code": coded(question, name="intake"), "valueCodeableConcept": answer})
    return {
        "resourceType": "Observation",
        "id": f"{person}-intake",
        "status": "final",
        "code": coded("intake", name="observation"),
        "subject": to("Patient", person),
        "_effectiveDateTime": on(day),
        "component": components,
    }


def course(key: str, person: str, protocol: str, day: int, **more: Any) -> Resource:
    arm = [coded(more["arm"], name="trial-arm")] if "arm" in more else []
    return {
        "resourceType": "CarePlan",
        "id": key,
        "status": "completed",
        "intent": "plan",
        "category": [coded(protocol, name="protocol"), coded("induction", name="course-phase"), *arm],
        "subject": to("Patient", person),
        "period": {"start": "2025", "_start": on(day)},
        "activity": [{"detail": {"status": "scheduled", "scheduledTiming": {"repeat": {"count": 6}}}}],
    }


def session(key: str, person: str, of: str, site: str, owner: str) -> Resource:
    return {
        "resourceType": "Procedure",
        "id": key,
        "basedOn": [to("CarePlan", of)],
        "status": "completed",
        "subject": to("Patient", person),
        "performedDateTime": "2025",
        "performer": [{"actor": to("Organization", owner)}],
        "location": to("Location", site),
    }


def given(key: str, person: str, day: int, drug: str, dose_mg: float, dose_mg_per_kg: float) -> Resource:
    return {
        "resourceType": "MedicationAdministration",
        "id": f"{key}-drug",
        "partOf": [to("Procedure", key)],
        "status": "completed",
        "medicationCodeableConcept": coded(drug, system=RXNORM),
        "subject": to("Patient", person),
        "_effectiveDateTime": on(day),
        "dosage": {
            "route": coded("intravenous", name="route"),
            "dose": quantity(dose_mg, "mg"),
            "rateQuantity": quantity(dose_mg_per_kg, "mg/kg"),
        },
    }


def noted(key: str, person: str, infusion: float, recovery: float) -> Resource:
    def part(code: str, **value: Any) -> Resource:
        return {"code": coded(code, name="session-record")} | value

    return {
        "resourceType": "Observation",
        "id": f"{key}-record",
        "partOf": [to("Procedure", key)],
        "status": "final",
        "code": coded("session-record", name="observation"),
        "subject": to("Patient", person),
        "component": [
            part("number", valueInteger=1),
            part("infusion", valueQuantity=quantity(infusion, "min")),
            part("recovery", valueQuantity=quantity(recovery, "min")),
            part("monitored", valueCodeableConcept=coded("yes", name="yes-no")),
        ],
    }


def form(key: str, person: str, code: str, day: int, recall: str, answers: list[int | None], **more: Any) -> Resource:
    links = {"of": "basedOn", "at": "partOf"}
    kinds = {"of": "CarePlan", "at": "Procedure"}
    numbered: list[Resource] = [
        {"linkId": str(number)} | ({} if answer is None else {"answer": [{"valueInteger": answer}]})
        for number, answer in enumerate(answers, start=1)
    ]
    chosen = (("version", "standard", "questionnaire-version"), ("recall", recall, "recall-window"))
    items: list[Resource] = [
        {"linkId": name, "answer": [{"valueCoding": coded(text, name=of)["coding"][0]}]} for name, text, of in chosen
    ]
    if "total" in more:
        items.append({"linkId": "total", "answer": [{"valueInteger": more["total"]}]})
    return {
        "resourceType": "QuestionnaireResponse",
        "id": key,
        **{links[name]: [to(kinds[name], more[name])] for name in links if name in more},
        "questionnaire": f"http://loinc.org/q/{code}",
        "status": "completed",
        "subject": to("Patient", person),
        "_authored": on(day, more.get("minutes")),
        "item": [*items, *([{"linkId": "answers", "item": numbered}] if numbered else [])],
    }


PCL_ANSWERS: list[int | None] = [3, 4, 2, 3, 3, 4, 4, 1, 3, 3, 2, 4, 3, 3, 2, 0, 4, 3, 3, None]
EXPORT: dict[str, list[Resource]] = {
    "Patient_1.ndjson": [
        {
            "resourceType": "Patient",
            "id": ANN,
            "active": True,
            "gender": "female",
            "link": [{"other": to("Patient", SEEN_ELSEWHERE), "type": "seealso"}],
        },
        {"resourceType": "Patient", "id": BEN, "active": True, "gender": "male"},
        {"resourceType": "Patient", "id": CAT, "active": True, "gender": "unknown"},
    ],
    "Organization.ndjson": [
        {"resourceType": "Organization", "id": "org-01", "type": [coded("acquired", name="operating-status")]},
        {"resourceType": "Organization", "id": "org-02", "type": [coded("operating", name="operating-status")]},
    ],
    "Location.ndjson": [
        {
            "resourceType": "Location",
            "id": f"loc-{number}",
            "status": status,
            "managingOrganization": to("Organization", "org-02"),
        }
        for number, status in (("01", "active"), ("02", "inactive"))
    ],
    "Task.ndjson": [
        {
            "resourceType": "Task",
            "id": "ref-00000000000000a1",
            "status": "completed",
            "businessStatus": coded("candidate", name="candidacy"),
            "intent": "order",
            "code": coded("referral", name="task"),
            "for": to("Patient", ANN),
            "authoredOn": "2025",
            "_authoredOn": on(0),
            "input": [{"type": coded("source", name="task-input"), "valueCode": "veterans-service"}],
            "output": [
                {"type": coded("contacted", name="task-output"), "_valueDateTime": on(2)},
                {"type": coded("decided", name="task-output"), "_valueDateTime": on(6)},
                {"type": coded("candidacy-reason", name="task-output"), "valueCode": "criteria-met"},
            ],
        },
        {
            "resourceType": "Task",
            "id": "esc-00000000000000b2",
            "status": "completed",
            "businessStatus": coded("closed", name="escalation-status"),
            "intent": "order",
            "code": {
                "coding": [
                    *coded("escalation", name="task")["coding"],
                    *coded("phq-9-item-9", name="escalation-trigger")["coding"],
                ]
            },
            "focus": to("QuestionnaireResponse", FORM_B),
            "for": to("Patient", BEN),
            "executionPeriod": {"_start": on(21)},
            "output": [
                {"type": coded("action", name="task-output"), "valueCode": "safety-plan"},
                {"type": coded("minutes-to-action", name="task-output"), "valueDecimal": 17.5},
            ],
        },
    ],
    "CarePlan.ndjson": [
        course(COURSE_A, ANN, "ketamine-infusions", 10),
        course(COURSE_B, BEN, "midazolam-control", 20, arm="midazolam-0.045"),
    ],
    "Procedure.ndjson": [
        session(SESSION_A, ANN, COURSE_A, "loc-01", "org-01"),
        session(SESSION_B, BEN, COURSE_B, "loc-02", "org-02"),
    ],
    "MedicationAdministration.ndjson": [
        given(SESSION_A, ANN, 10, "6130", 35.25, 0.5),
        given(SESSION_B, BEN, 20, "6960", 3.6, 0.045),
    ],
    "Observation_1.ndjson": [
        intake(ANN, 7, 39, 200, veteran="yes", trauma="combat accident"),
        noted(SESSION_A, ANN, 42.5, 31),
        pressure(SESSION_A, ANN, "before", 122, 79),
        pressure(SESSION_A, ANN, "peak", 148, 92),
    ],
    "Observation_2.ndjson": [
        intake(BEN, 12, 90, 150),
        pressure(SESSION_B, BEN, "discharge", 118, 76),
    ],
    "QuestionnaireResponse.ndjson.gz": [
        form(FORM_A, ANN, "101697-1", 10, "past-month", PCL_ANSWERS, of=COURSE_A, at=SESSION_A, minutes=-25.5),
        form(FORM_B, BEN, "44249-1", 21, "past-2-weeks", [], total=14),
    ],
    "Condition.ndjson": [
        {
            "resourceType": "Condition",
            "id": "con-00000000000000a1",
            "verificationStatus": coded(
                "confirmed", system="http://terminology.hl7.org/CodeSystem/condition-ver-status"
            ),
            "code": coded("F43.12", system="http://hl7.org/fhir/sid/icd-10-cm"),
            "subject": to("Patient", ANN),
            "_onsetDateTime": on(-900),
        }
    ],
    "MedicationStatement.ndjson": [
        {
            "resourceType": "MedicationStatement",
            "id": "pri-00000000000000a1",
            "status": "completed",
            "statusReason": [coded("no-response", name="treatment-outcome")],
            "category": coded("prior-treatment", name="medication-statement"),
            "medicationCodeableConcept": {
                "coding": [
                    *coded("ssri", name="treatment-class")["coding"],
                    *coded("36437", system=RXNORM)["coding"],
                ]
            },
            "subject": to("Patient", ANN),
            "effectivePeriod": {"_start": on(-400), "_end": on(-200)},
            "reasonCode": [coded("yes", name="adequate-trial")],
        }
    ],
    "AdverseEvent.ndjson": [
        {
            "resourceType": "AdverseEvent",
            "id": "ave-00000000000000a1",
            "actuality": "actual",
            "category": [
                coded("completed", name="record-status"),
                coded("no", name="serious"),
                coded("infusion-slowed", name="action-taken"),
            ],
            "event": coded("dissociation", name="adverse-event-term"),
            "subject": to("Patient", ANN),
            "date": "2025",
            "_date": on(10, 12),
            "severity": {
                "coding": [*coded("moderate", name="severity")["coding"], *coded("2", name="ctcae-grade")["coding"]]
            },
            "outcome": {**on(10, 55.5), **coded("recovered", name="event-outcome")},
            "suspectEntity": [
                {
                    "instance": to("Procedure", SESSION_A),
                    "causality": [{"assessment": coded("probable", name="relatedness")}],
                }
            ],
        }
    ],
    "EpisodeOfCare.ndjson": [
        {
            "resourceType": "EpisodeOfCare",
            "id": COURSE_B,
            "status": "finished",
            "statusHistory": [{"status": "finished", "period": {"_end": on(24)}}],
            "type": [coded("site-closed", name="disposition"), coded("site-closed", name="censoring-reason")],
            "patient": to("Patient", BEN),
            "period": {"_end": on(24)},
        }
    ],
}


def deliver(settings: Settings, export: dict[str, list[Resource]], folder: str = "first") -> None:
    target = settings.landing / CLINIC / folder
    target.mkdir(parents=True)
    files = []
    for name, resources in export.items():
        data = "".join(json.dumps(resource) + "\n" for resource in resources).encode()
        data = gzip.compress(data) if name.endswith(".gz") else data
        (target / name).write_bytes(data)
        files.append({"name": name, "rows": len(resources), "sha256": hashlib.sha256(data).hexdigest()})
    manifest = {
        "manifest_version": 1,
        "clinic_id": CLINIC,
        "export_sequence": 1,
        "export_kind": "full",
        "reporting_period": "2025-06",
        "files": files,
    }
    (target / "manifest.json").write_text(json.dumps(manifest))


def make_settings(root: Path) -> Settings:
    (root / "clinics").mkdir()
    (root / "clinics" / f"{CLINIC}.yml").write_text(
        "title: By hand\nsystem: lakeshore\nlegal_basis: {basis: safe_harbor, "
        "reference: 45 CFR 164.514(b)(2), service_period: year}\n"
    )
    return Settings(home=root / "home", clinics=root / "clinics")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = make_settings(tmp_path_factory.mktemp("lakeshore"))
    deliver(settings, EXPORT)
    for stage in (receive, admit):
        assert [problem for record in stage(CLINIC, settings) for problem in record.problems] == []
    harmonised = harmonise(CLINIC, settings)
    assert [(record.unmapped, record.unreadable) for record in harmonised] == [((), ())]
    resolve(CLINIC, settings)
    validate(CLINIC, settings)
    return settings


def rows(settings: Settings, table: str, columns: str) -> list[tuple[Any, ...]]:
    path = settings.state / CLINIC / "latest" / "accepted" / f"{table}.parquet"
    order = "source_file, source_line, source_item"
    return duckdb.connect().execute(f"SELECT {columns} FROM read_parquet('{path}') ORDER BY {order}").fetchall()


@pytest.mark.parametrize(
    ("table", "columns", "expected"),
    [
        (
            "patient",
            "sex, age_years, veteran, list_sort(trauma_types), intake_day, observed_through_day, network_token IS NULL",
            [
                ("female", 39, "yes", ["accident", "combat"], 7, 200, False),
                ("male", 90, None, None, 12, 150, True),
                ("unknown", None, None, None, None, None, True),
            ],
        ),
        ("organisation", "organisation_status", [("acquired",), ("operating",)]),
        ("site", "site_status", [("operating",), ("closed",)]),
        (
            "referral",
            "source_type, received_day, contacted_day, consulted_day, decided_day, candidacy, candidacy_reason, "
            "service_period",
            [("veterans_service", 0, 2, None, 6, "candidate", "criteria_met", "2025")],
        ),
        (
            "course",
            "protocol, trial_arm, planned_sessions, phase, start_day, service_period",
            [
                ("iv_ketamine", None, 6, "induction", 10, "2025"),
                ("midazolam_control", "midazolam_0_045_mg_per_kg", 6, "induction", 20, "2025"),
            ],
        ),
        (
            "session",
            "session_day, sequence_number, drug, dose_mg::VARCHAR, dose_mg_per_kg::VARCHAR, route, "
            "infusion_minutes::VARCHAR, recovery_minutes::VARCHAR, monitored, source_line",
            [
                (10, 1, "ketamine", "35.250", "0.5000", "intravenous", "42.50", "31.00", "yes", 1),
                (20, None, "midazolam", "3.600", "0.0450", "intravenous", None, None, None, 2),
            ],
        ),
        (
            "session",
            "systolic_before_mmhg, diastolic_before_mmhg, systolic_peak_mmhg, diastolic_peak_mmhg, "
            "systolic_discharge_mmhg, diastolic_discharge_mmhg",
            [(122, 79, 148, 92, None, None), (None, None, None, None, 118, 76)],
        ),
        (
            "assessment",
            "instrument, instrument_version, recall_window, assessed_day, minutes_from_session_start::VARCHAR, "
            "delivered_total",
            [
                ("pcl_5", "standard", "past_month", 10, "-25.50", None),
                ("phq_9", "standard", "past_2_weeks", 21, None, 14),
            ],
        ),
        (
            "assessment_item",
            "item_number, item_value, source_line, source_item",
            [(number, answer, 1, number) for number, answer in enumerate(PCL_ANSWERS, start=1)],
        ),
        ("condition", "diagnosis, diagnosis_source_code, start_day, stop_day", [("ptsd", "F43.12", -900, None)]),
        (
            "prior_treatment",
            "treatment_class, rxnorm_code, adequate_trial, treatment_outcome, start_day, stop_day",
            [("ssri", "36437", "yes", "no_response", -400, -200)],
        ),
        (
            "adverse_event",
            "term, severity, grade, serious, onset_day, onset_minutes::VARCHAR, end_day, end_minutes::VARCHAR",
            [("dissociation", "moderate", 2, "no", 10, "12.00", 10, "55.50")],
        ),
        (
            "adverse_event",
            "outcome, relatedness, action_taken, service_period",
            [("recovered", "probable", "infusion_slowed", "2025")],
        ),
        (
            "escalation",
            "escalation_trigger, escalation_day, action_minutes::VARCHAR, escalation_action, escalation_status",
            [("phq_9_item_9", 21, "17.50", "safety_plan", "closed")],
        ),
        (
            "disposition",
            "disposition, disposition_day, censoring_day, censoring_reason",
            [("site_closed", 24, 24, "site_closed")],
        ),
    ],
)
def test_every_value_arrives(settings: Settings, table: str, columns: str, expected: list[tuple[Any, ...]]) -> None:
    assert rows(settings, table, columns) == expected


def test_a_session_has_the_owner_at_its_time_whoever_owns_the_site_now(settings: Settings) -> None:
    owners = dict(rows(settings, "organisation", "organisation_status, organisation_id"))
    sites = dict(rows(settings, "site", "site_status, site_id"))
    assert rows(settings, "session", "organisation_id, site_id") == [
        (owners["acquired"], sites["operating"]),
        (owners["operating"], sites["closed"]),
    ]
    assert rows(settings, "site", "organisation_id") == [(owners["operating"],)] * 2


def test_nothing_is_quarantined(settings: Settings) -> None:
    folder = settings.state / CLINIC / "latest" / "quarantined"
    counts = [duckdb.connect().execute(f"SELECT count(*) FROM '{p}'").fetchone() for p in folder.glob("*.parquet")]
    assert len(counts) >= 10 and set(counts) == {(0,)}


HIDDEN = {
    "Patient_1.ndjson": ({"name": [{"family": "Canary"}]}, "element_unknown", "Patient.name"),
    "Organization.ndjson": ({"name": "Canary Centers"}, "element_unknown", "Organization.name"),
    "Location.ndjson": ({"address": {"city": "Canary"}}, "element_unknown", "Location.address"),
    "Task.ndjson": ({"note": [{"text": "Canary"}]}, "element_unknown", "Task.note"),
    "CarePlan.ndjson": ({"contained": [{"id": "Canary"}]}, "element_unknown", "CarePlan.contained"),
    "Procedure.ndjson": ({"text": {"div": "Canary"}}, "element_unknown", "Procedure.text"),
    "MedicationAdministration.ndjson": ({"device": [{"display": "Canary"}]}, "element_unknown", "device"),
    "Observation_2.ndjson": ({"valueString": "Canary"}, "element_unknown", "Observation.valueString"),
    "QuestionnaireResponse.ndjson.gz": ({"author": {"display": "Canary"}}, "element_unknown", "author"),
    "Condition.ndjson": ({"_onsetDateTime": {"extension": [{"url": "Canary"}]}}, "element_value", "extension.url"),
    "MedicationStatement.ndjson": ({"meta": {"source": "Canary"}}, "element_unknown", "MedicationStatement.meta"),
    "AdverseEvent.ndjson": ({"recorder": {"identifier": {"value": "Canary"}}}, "element_unknown", "recorder"),
    "EpisodeOfCare.ndjson": ({"canary": "Canary"}, "element_unknown", "a name that FHIR does not know"),
}


def test_what_hides_in_any_resource_is_refused_and_found_nowhere(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    export = {
        name: [*resources[:-1], resources[-1] | HIDDEN[name][0]] if name in HIDDEN else resources
        for name, resources in EXPORT.items()
    }
    deliver(settings, export)
    (received,) = receive(CLINIC, settings)
    assert received.problems == ()
    (refused,) = admit(CLINIC, settings)
    assert not refused.admitted
    problems = {(problem.file, problem.rule, problem.line): problem.message for problem in refused.problems}
    for name, (_, rule, told) in HIDDEN.items():
        assert told in problems[name, rule, len(export[name])]
    assert harmonise(CLINIC, settings) == ()
    for path in settings.home.rglob("*"):
        if path.is_file() and settings.landing not in path.parents:
            assert not any("canary" in text.lower() for text in texts(path)), path


def test_templates_give_back_every_column_of_every_view(tmp_path: Path) -> None:
    system = load_system("lakeshore", make_settings(tmp_path))
    files = {source.file or "" for source in system.base_sources.values()}
    assert len(files) == 13
    with duckdb.connect() as connection:
        for file in sorted(files):
            sources = [name for name, source in system.base_sources.items() if source.file == file]
            nothing = {
                name: f"(SELECT {', '.join(f'NULL::VARCHAR AS {c}' for c in system.allowed_columns(name))} WHERE false)"
                for name in sources
            }
            assert write_file(connection, tmp_path / file.replace("*", ""), system, nothing) == 0
