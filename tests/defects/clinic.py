"""A small sound clinic, and the defects of ``catalogue.yml`` planted in copies of it.

Each defect gets a copy of the clinic to itself: all keys of the copy end in the defect's number. All copies together
are one state, so that the whole catalogue is judged by one run of validate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import yaml

from clinic_outcomes.contract import load_contract
from clinic_outcomes.database import quote_name
from clinic_outcomes.files import write_json
from clinic_outcomes.mapping.thresholds import network_thresholds
from clinic_outcomes.records import ResolveRecord, RowAccount, Threshold, ValidateRecord
from clinic_outcomes.settings import Settings
from clinic_outcomes.validate import load_rules, validate

CLINIC, STATE, DELIVERY = "alder", "00000000000000b2", "000001-full-0123456789abcdef"
CATALOGUE = Path(__file__).with_name("catalogue.yml")
Row = dict[str, Any]
Tables = dict[str, dict[str, Row]]

PRESSURES = {
    "systolic_before_mmhg": 120, "diastolic_before_mmhg": 80, "systolic_peak_mmhg": 140, "diastolic_peak_mmhg": 90,
    "systolic_discharge_mmhg": 122, "diastolic_discharge_mmhg": 81,
}  # fmt: skip
INFUSION = {
    "drug": "ketamine", "dose_mg": 40, "dose_mg_per_kg": 0.5, "route": "intravenous", "infusion_minutes": 45,
    "recovery_minutes": 35, "monitored": "yes", "site_id": "n", "organisation_id": "o", "service_period": "2025",
    **PRESSURES,
}  # fmt: skip
HIGH_PEAK = {"systolic_peak_mmhg": 165, "diastolic_peak_mmhg": 100}
"""Of the session with the hypertension of grade 3."""
EVENT = {"serious": "no", "seriousness_criteria": [], "action_taken": "none", "service_period": "2025"}


def sound_clinic() -> Tables:
    """Rows of a clinic in which no rule finds anything: table → name of the row → columns.

    Ann was referred on day 0, had three infusions of a course, and later a midazolam session in a trial. Bo had one
    session. Answers are those of a-1 and a-4 (GAD-7) and a-2 (PHQ-9, item 9 positive); a-3 is a PCL-5 total.
    """
    tables: Tables = {
        "patient": {
            name: {
                "patient_id": name, "network_token": f"token-{name}", "intake_day": 6, "observed_through_day": 120,
                "age_years": 40, "sex": "female", "veteran": "no", "trauma_types": ["combat", "accident"],
                "symptom_duration_band": "years_1_to_5", "off_label_consent_day": 6,
            }
            for name in ("ann", "bo")
        },
        "organisation": {"o": {"organisation_id": "o", "organisation_status": "operating"}},
        "site": {"n": {"site_id": "n", "organisation_id": "o", "site_status": "operating"}},
        "condition": {
            "k-1": {"condition_id": "k-1", "patient_id": "ann", "diagnosis": "ptsd", "start_day": -400},
            "k-2": {"condition_id": "k-2", "patient_id": "ann", "diagnosis": "mdd", "start_day": -300, "stop_day": -9},
        },
        "medication": {
            "m-1": {
                "medication_id": "m-1", "patient_id": "ann", "medication_class": "ssri", "rxnorm_code": "36437",
                "start_day": -30, "stop_day": 40,
            },
            "m-2": {"medication_id": "m-2", "patient_id": "ann", "medication_class": "benzodiazepine"},
        },
        "prior_treatment": {
            "t-1": {
                "prior_treatment_id": "t-1", "patient_id": "ann", "treatment_class": "ssri", "rxnorm_code": "32937",
                "adequate_trial": "yes", "treatment_outcome": "no_response", "start_day": -300, "stop_day": -60,
            },
            "t-2": {
                "prior_treatment_id": "t-2", "patient_id": "ann", "treatment_class": "trauma_focused_psychotherapy",
                "adequate_trial": "no", "treatment_outcome": "partial_response", "start_day": -200, "stop_day": -90,
            },
        },
        "referral": {
            "r-1": {
                "referral_id": "r-1", "patient_id": "ann", "source_type": "self", "received_day": 0,
                "contacted_day": 1, "consulted_day": 3, "decided_day": 4, "candidacy": "candidate",
                "candidacy_reason": "criteria_met", "service_period": "2025",
            },
            "r-2": {
                "referral_id": "r-2", "patient_id": "ann", "source_type": "network_clinic",
                "referring_clinic_id": "elm", "received_day": 70, "contacted_day": 71, "closing_reason": "declined",
            },
            "r-3": {"referral_id": "r-3", "patient_id": "bo", "source_type": "psychiatry", "received_day": 0},
        },
        "course": {
            "c-1": {
                "course_id": "c-1", "patient_id": "ann", "protocol": "iv_ketamine", "planned_sessions": 3,
                "phase": "induction", "start_day": 10, "service_period": "2025",
            },
            "c-2": {
                "course_id": "c-2", "patient_id": "ann", "protocol": "midazolam_control", "trial_arm": "b",
                "planned_sessions": 2, "phase": "induction", "start_day": 80, "service_period": "2025",
            },
            "c-bo": {
                "course_id": "c-bo", "patient_id": "bo", "protocol": "iv_ketamine", "planned_sessions": 6,
                "phase": "induction", "start_day": 10, "service_period": "2025",
            },
        },
        "session": {
            name: {
                "session_id": name, "patient_id": patient, "course_id": course, "session_day": day,
                "sequence_number": number, **INFUSION, **(HIGH_PEAK if name == "s-2" else {}),
            }
            for name, patient, course, day, number in (
                ("s-1", "ann", "c-1", 10, 1), ("s-2", "ann", "c-1", 13, 2), ("s-3", "ann", "c-1", 16, 3),
                ("s-4", "ann", "c-2", 80, 1), ("s-bo", "bo", "c-bo", 10, 1),
            )
        },
        "disposition": {
            "c-1": {
                "course_id": "c-1", "patient_id": "ann", "disposition": "completed", "disposition_day": 16,
                "censoring_day": 100, "censoring_reason": "lost_to_follow_up",
            },
        },
        "adverse_event": {
            "e-1": {
                "adverse_event_id": "e-1", "patient_id": "ann", "course_id": "c-1", "session_id": "s-1",
                "term": "nausea", "system_class": "gastrointestinal_disorders", "severity": "mild", "grade": 1,
                "onset_day": 10, "onset_minutes": 20, "end_day": 10, "end_minutes": 50, "outcome": "recovered",
                "relatedness": "possible", **EVENT,
            },
            "e-2": {
                "adverse_event_id": "e-2", "patient_id": "ann", "course_id": "c-1", "session_id": "s-2",
                "term": "hypertension", "system_class": "vascular_disorders", "severity": "severe", "grade": 3,
                "onset_day": 13, "onset_minutes": 30, "end_day": 14, "end_minutes": 1500, "outcome": "recovered",
                "relatedness": "probable", **EVENT, "serious": "yes", "seriousness_criteria": ["hospitalisation"],
            },
            "e-3": {
                "adverse_event_id": "e-3", "patient_id": "ann", "term": "fatigue", "severity": "moderate", "grade": 2,
                "onset_day": 20, "outcome": "recovering", "relatedness": "unlikely", **EVENT,
            },
        },
        "assessment": {
            "a-1": {
                "assessment_id": "a-1", "patient_id": "ann", "instrument": "gad_7", "instrument_version": "standard",
                "recall_window": "past_2_weeks", "assessed_day": 6,
            },
            "a-2": {
                "assessment_id": "a-2", "patient_id": "ann", "course_id": "c-1", "session_id": "s-2",
                "instrument": "phq_9", "instrument_version": "standard", "recall_window": "past_2_weeks",
                "assessed_day": 13, "minutes_from_session_start": -30,
            },
            "a-3": {
                "assessment_id": "a-3", "patient_id": "ann", "instrument": "pcl_5", "instrument_version": "weekly",
                "recall_window": "past_week", "assessed_day": 13, "delivered_total": 40,
            },
            "a-4": {
                "assessment_id": "a-4", "patient_id": "ann", "instrument": "gad_7", "instrument_version": "standard",
                "recall_window": "past_2_weeks", "assessed_day": 40, "delivered_total": 7,
            },
            "a-bo": {
                "assessment_id": "a-bo", "patient_id": "bo", "instrument": "phq_9", "instrument_version": "standard",
                "recall_window": "past_2_weeks", "assessed_day": 6, "delivered_total": 12,
            },
        },
        "escalation": {
            "x-1": {
                "escalation_id": "x-1", "patient_id": "ann", "assessment_id": "a-2",
                "escalation_trigger": "phq_9_item_9", "escalation_day": 13, "action_minutes": 20,
                "escalation_action": "clinician_review", "escalation_status": "closed",
            },
            "x-2": {
                "escalation_id": "x-2", "patient_id": "ann", "escalation_trigger": "staff_concern",
                "escalation_day": 50, "escalation_action": "none", "escalation_status": "open",
            },
        },
    }  # fmt: skip
    tables["session"]["s-4"] |= {"drug": "midazolam", "dose_mg": 3.6, "dose_mg_per_kg": 0.045}
    answers = {"a-1": [2, 2, 1, 2, 2, 1, 2], "a-2": [2, 1, 2, 3, 1, 2, 1, 0, 2], "a-4": [1] * 7}
    tables["assessment_item"] = {
        f"{form}/{number}": {"assessment_id": form, "item_number": number, "patient_id": "ann", "item_value": value}
        for form, values in answers.items()
        for number, value in enumerate(values, start=1)
    }
    return tables


@dataclass(frozen=True)
class Defect:
    """One entry of the catalogue: rows changed, copied or left out, the rule to catch it, and the rows it must find.

    ``also`` are rules that the same mistake breaks as well. What hangs on a quarantined row falls with it without
    being named.
    """

    name: str
    table: str
    rule: str
    edit: Mapping[str, Mapping[str, Row]]
    copy: Mapping[str, Mapping[str, Row]]
    drop: Mapping[str, tuple[str, ...]]
    finds: tuple[str, ...]
    also: Mapping[str, tuple[str, ...]]

    def tables(self) -> Tables:
        """The clinic with this defect."""
        tables = sound_clinic()
        for table, copies in self.copy.items():
            for name, changes in copies.items():
                tables[table][name] = tables[table][changes["like"]] | {k: v for k, v in changes.items() if k != "like"}
        for table, edits in self.edit.items():
            for name, changes in edits.items():
                tables[table][name] = tables[table][name] | changes
        for table, names in self.drop.items():
            for name in names:
                del tables[table][name]
        return tables


def load_catalogue() -> tuple[Defect, ...]:
    """All defects, in the catalogue's order."""
    return tuple(_defect(entry) for entry in yaml.safe_load(CATALOGUE.read_text(encoding="utf-8")))


def _defect(entry: dict[str, Any]) -> Defect:
    assert set(entry) <= {"defect", "rule", "edit", "copy", "drop", "finds", "also"}, entry["defect"]
    table, rule = entry["rule"].split(".")
    touched = [*entry.get("edit", {}).get(table, {}), *entry.get("copy", {}).get(table, {})]
    return Defect(
        name=entry["defect"],
        table=table,
        rule=rule,
        edit=entry.get("edit", {}),
        copy=entry.get("copy", {}),
        drop=entry.get("drop", {}),
        finds=tuple(entry.get("finds", touched)),
        also=entry.get("also", {}),
    )


@dataclass(frozen=True)
class Place:
    """Where a row of the state comes from: the defect (None for the clinic without any), its table and its name."""

    defect: str | None
    table: str
    row: str


def write_state(settings: Settings, defects: tuple[Defect, ...]) -> dict[tuple[str, int], Place]:
    """Write the sound clinic and a copy with each defect as one resolved state. Gives table and line → place."""
    folder = settings.state / CLINIC / STATE / "resolved"
    folder.mkdir(parents=True)
    copies = [(None, sound_clinic()), *((defect.name, defect.tables()) for defect in defects)]
    places: dict[tuple[str, int], Place] = {}
    account = []
    with duckdb.connect() as connection:
        for table in load_contract().tables:
            rows = []
            for number, (defect, tables) in enumerate(copies):
                for name, row in tables[table].items():
                    line = len(rows) + 2
                    places[table, line] = Place(defect, table, name)
                    rows.append(_stored(table, row, number, line))
            _write(connection, table, rows, folder / f"{table}.parquet")
            account.append(whole_account(table, len(rows)))
    record = ResolveRecord(
        clinic_id=CLINIC,
        state_id=STATE,
        deliveries=(DELIVERY,),
        thresholds=tuple(Threshold(name=n, value=v) for n, v in sorted(network_thresholds(settings).items())),
        account=tuple(account),
    )
    write_json(folder / "resolve.json", record.model_dump(mode="json"))
    return places


def _stored(table: str, row: Row, copy: int, line: int) -> Row:
    keys = {column.name for column in load_contract().tables[table].columns if column.is_key}
    own = {name: f"{value}.{copy:03d}" if name in keys and value is not None else value for name, value in row.items()}
    return {
        "clinic_id": CLINIC, "delivery_id": DELIVERY, "export_sequence": 1, "source_file": f"{table}.csv",
        "source_line": line, "source_item": 1, "unreadable_columns": [], "restates": False, **own,
    }  # fmt: skip


def _write(connection: duckdb.DuckDBPyConnection, table: str, rows: list[Row], target: Path) -> None:
    types = load_contract().tables[table].stored_columns | {"restates": "BOOLEAN"}
    del types["record_action"]
    connection.execute(
        f"CREATE OR REPLACE TABLE t ({', '.join(f'{quote_name(n)} {kind}' for n, kind in types.items())})"
    )
    names = list(types)
    places = ", ".join(f"CAST(? AS {types[name]})" for name in names)
    connection.executemany(f"INSERT INTO t VALUES ({places})", [[row.get(name) for name in names] for row in rows])
    connection.execute(f"COPY t TO '{target}' (FORMAT parquet)")


def whole_account(table: str, rows: int) -> RowAccount:
    """The account of a table of which every row delivered is in force."""
    nothing = dict.fromkeys(("quarantined", "superseded", "deleted", "duplicate", "tombstone"), 0)
    return RowAccount(delivery_id=DELIVERY, file=f"{table}.csv", table=table, delivered=rows, current=rows, **nothing)


def found_rows(settings: Settings, places: Mapping[tuple[str, int], Place]) -> set[tuple[Place, str]]:
    """Every row that a validated state quarantined or noticed, with each rule that it breaks."""
    folder = settings.state / CLINIC / STATE
    found = set()
    for part in ("quarantined", "notices"):
        for table in load_contract().tables:
            query = f"SELECT source_line, unnest(rules) FROM read_parquet('{folder / part / table}.parquet')"
            found |= {(places[table, line], rule) for line, rule in duckdb.execute(query).fetchall()}
    return found


def expected_rows(defect: Defect, quarantining: frozenset[tuple[str, str]]) -> set[tuple[Place, str]]:
    """The rows that must be found in a defect's copy: what the entry says, and what falls with a quarantined row.

    ``quarantining`` names the rules, table and rule, that set rows apart. References are followed in the contract.
    """
    said = {(Place(defect.name, defect.table, row), defect.rule) for row in defect.finds}
    for name, rows in defect.also.items():
        table, rule = name.split(".")
        said |= {(Place(defect.name, table, row), rule) for row in rows}
    tables = defect.tables()
    fallen = {place for place, rule in said if (place.table, rule) in quarantining}
    for table in load_contract().tables:
        for child, column, rule in _references(table, tables, fallen):
            place = Place(defect.name, table, child)
            said.add((place, f"{column}_{rule}"))
            fallen.add(place)
    return said


def _references(table: str, tables: Tables, fallen: set[Place]) -> Iterator[tuple[str, str, str]]:
    """Rows of a table that refer to a row which has fallen, with the column that does."""
    for column in load_contract().tables[table].columns:
        if column.references:
            parent, key = column.references
            gone = {tables[parent][place.row][key] for place in fallen if place.table == parent}
            for name, row in tables[table].items():
                if row.get(column.name) is not None and row[column.name] in gone:
                    yield name, column.name, "accepted"


@dataclass(frozen=True)
class Judged:
    """The catalogue as validate judged it: its record, every row found with the rule, and the rules that quarantine."""

    record: ValidateRecord
    found: frozenset[tuple[Place, str]]
    quarantining: frozenset[tuple[str, str]]

    def of(self, defect: str | None) -> set[tuple[Place, str]]:
        """What was found in the copy of a defect, or in the sound clinic."""
        return {(place, rule) for place, rule in self.found if place.defect == defect}

    def named(self, defect: Defect) -> set[str]:
        """Rows of the defect's copy that the rule found which must catch it."""
        return {place.row for place, rule in self.of(defect.name) if (place.table, rule) == (defect.table, defect.rule)}


def judge_catalogue(folder: Path) -> Judged:
    """Plant all defects in one state and have the stage judge it."""
    settings = Settings(home=folder / "catalogue")
    places = write_state(settings, load_catalogue())
    record = validate(CLINIC, settings, STATE)
    quarantining = frozenset((rule.table, rule.rule) for rule in load_rules(settings) if rule.quarantines)
    return Judged(record, frozenset(found_rows(settings, places)), quarantining)
