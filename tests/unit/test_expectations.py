"""The rules in ``expectations/``: not stale, well formed, and judged alike by Great Expectations and their SQL."""

import shutil
import socket
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
import yaml

from clinic_outcomes.contract import load_contract
from clinic_outcomes.contract.base_expectations import render_base_expectations
from clinic_outcomes.mapping.thresholds import network_thresholds
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.settings import PROJECT_ROOT, Settings
from clinic_outcomes.validate import Rule, load_rules
from clinic_outcomes.validate.quarantine import open_state

EXPECTATIONS = PROJECT_ROOT / "expectations"
RULES = load_rules(Settings(home=PROJECT_ROOT / "var"))

# One sound row a table, each column of which some rule looks at has a value.
SOUND = {
    "organisation": {"organisation_id": "org", "organisation_status": "operating"},
    "site": {"site_id": "site", "organisation_id": "org", "site_status": "operating"},
    "patient": {
        "patient_id": "ann", "intake_day": 0, "observed_through_day": 90, "age_years": 40, "sex": "female",
        "veteran": "yes", "trauma_types": ["combat", "unmapped"], "symptom_duration_band": "years_1_to_5",
        "off_label_consent_day": 3,
    },
    "condition": {
        "condition_id": "k", "patient_id": "ann", "diagnosis": "ptsd", "start_day": -400, "stop_day": -400,
    },
    "course": {
        "course_id": "c", "patient_id": "ann", "protocol": "iv_ketamine", "planned_sessions": 6,
        "phase": "induction", "start_day": 5, "service_period": "2025-Q3",
    },
    "medication": {
        "medication_id": "m", "patient_id": "ann", "medication_class": "ssri", "rxnorm_code": "36437",
        "start_day": -30, "stop_day": 4,
    },
    "prior_treatment": {
        "prior_treatment_id": "t", "patient_id": "ann", "treatment_class": "ssri", "rxnorm_code": "36437",
        "adequate_trial": "yes", "treatment_outcome": "no_response", "start_day": -300, "stop_day": -30,
    },
    "referral": {
        "referral_id": "r", "patient_id": "ann", "source_type": "self", "received_day": 0, "contacted_day": 5,
        "consulted_day": 6, "decided_day": 6, "candidacy": "candidate", "candidacy_reason": "criteria_met",
        "closing_reason": "declined", "service_period": "2025",
    },
    "disposition": {
        "course_id": "c", "patient_id": "ann", "disposition": "completed", "disposition_day": 40,
        "censoring_day": 40, "censoring_reason": "unmapped",
    },
    "session": {
        "session_id": "s", "patient_id": "ann", "course_id": "c", "session_day": 5, "sequence_number": 1,
        "drug": "ketamine", "dose_mg": "40.5", "dose_mg_per_kg": "0.5", "route": "intravenous",
        "infusion_minutes": "45", "recovery_minutes": "30", "monitored": "yes", "systolic_before_mmhg": 120,
        "diastolic_before_mmhg": 80, "systolic_peak_mmhg": 140, "diastolic_peak_mmhg": 90,
        "systolic_discharge_mmhg": 120, "diastolic_discharge_mmhg": 80, "site_id": "site",
        "organisation_id": "org", "service_period": "2025",
    },
    "adverse_event": {
        "adverse_event_id": "e", "patient_id": "ann", "course_id": "c", "session_id": "s", "term": "nausea",
        "system_class": "gastrointestinal_disorders", "severity": "mild", "grade": 1, "serious": "no",
        "seriousness_criteria": [], "onset_day": 5, "onset_minutes": "20", "end_day": 5, "end_minutes": "20",
        "outcome": "recovered", "relatedness": "possible", "action_taken": "none", "service_period": "2025",
    },
    "assessment": {
        "assessment_id": "a", "patient_id": "ann", "course_id": "c", "session_id": "s", "instrument": "pcl_5",
        "instrument_version": "standard", "recall_window": "past_month", "assessed_day": 5,
        "minutes_from_session_start": "-30", "delivered_total": 80,
    },
    "assessment_item": {"assessment_id": "a", "item_number": 20, "patient_id": "ann", "item_value": 4},
    "escalation": {
        "escalation_id": "x", "patient_id": "ann", "assessment_id": "a", "escalation_trigger": "staff_concern",
        "escalation_day": 5, "action_minutes": "10", "escalation_action": "clinician_review",
        "escalation_status": "closed",
    },
}  # fmt: skip
# Rules written by hand are broken one by one in tests/defects.
BASE = tuple(
    rule
    for rule in RULES
    if rule.rule
    in {entry["rule"] for entry in yaml.safe_load((EXPECTATIONS / "base" / f"{rule.table}.yml").read_text())["rules"]}
)
QUARANTINED_PARENT = "quarantined"


def broken(rule: Rule) -> list[dict[str, object]]:
    """What makes the sound row of the rule's table break the rule, said apart from the rule's own text."""
    if rule.rule == "key_unique":
        return [{}]
    if rule.rule == "readable":
        return [{"unreadable_columns": [column]} for column in rule.columns]
    name = rule.columns[0]
    kind = rule.rule.removeprefix(f"{name}_")
    column = load_contract().tables[rule.table].column(name)
    if kind == "in_range":
        assert column.minimum is not None and column.maximum is not None
        return [{name: int(column.minimum) - 1}, {name: int(column.maximum) + 1}]
    value = {
        "present": None,
        "in_code_list": ["combat", "no_such_code"] if column.multiple else "no_such_code",
        "well_formed": "2025-Q5",
        "known": "nobody",
        "accepted": QUARANTINED_PARENT,
    }[kind]
    return [{name: value}]


def store(connection: duckdb.DuckDBPyConnection, table: str, rows: list[dict[str, object]], target: Path) -> None:
    stored = load_contract().tables[table].stored_columns | {"restates": "BOOLEAN"}
    connection.execute(f"CREATE OR REPLACE TABLE t ({', '.join(f'{name} {kind}' for name, kind in stored.items())})")
    for line, row in enumerate(rows, start=2):
        row = {"unreadable_columns": [], "source_line": line} | row
        places = ", ".join(f"CAST(? AS {stored[name]})" for name in row)
        connection.execute(f"INSERT INTO t ({', '.join(row)}) VALUES ({places})", list(row.values()))
    connection.execute(f"COPY t TO '{target}' (FORMAT parquet)")


def bo(table: str) -> list[dict[str, object]]:
    """The second person's sound rows that broken rows of others point at."""
    keys = {"patient": "patient_id", "course": "course_id", "session": "session_id", "assessment": "assessment_id"}
    if table not in keys:
        return []
    own = {"patient_id": "bo", "course_id": "c-bo", "session_id": "s-bo", "assessment_id": "a-bo"}
    return [{**SOUND[table], **{name: value for name, value in own.items() if name in SOUND[table]}}]


@dataclass(frozen=True)
class Judged:
    """Of every rule: whether it held, the lines that its SQL finds, and the lines made to break it.

    Line 2 of each table is sound.
    """

    held: dict[Rule, bool]
    found: dict[Rule, set[int]]
    made: dict[Rule, set[int]]


def judge(folder: Path, *, with_broken_rows: bool) -> Judged:
    """Write sound rows, and broken ones if asked for, and have every rule judge them."""
    from clinic_outcomes.validate.duckdb_engine import Expectations, broken_rules

    judged = Judged({}, {}, {})
    with duckdb.connect() as connection:
        for table in SOUND:
            rows = [SOUND[table], *bo(table)]
            for rule in (rule for rule in BASE if rule.table == table and with_broken_rows):
                judged.made[rule] = set()
                for change in broken(rule):
                    rows.append({**SOUND[table], **change})
                    judged.made[rule].add(len(rows) + 1)
            if with_broken_rows and len(load_contract().tables[table].primary_key) == 1:
                rows.append({**SOUND[table], load_contract().tables[table].primary_key[0]: QUARANTINED_PARENT})
            store(connection, table, rows, folder / f"{table}.parquet")
        open_state(connection, folder, Settings(home=folder), network_thresholds(Settings(home=folder)))
        for table in SOUND:
            sound = f"SELECT * FROM resolved.{table} WHERE source_line <= {2 + len(bo(table))}"
            connection.execute(f"CREATE VIEW accepted.{table} AS {sound}")
        with closing(Expectations(connection)) as expectations:
            for table in SOUND:
                rules = [rule for rule in RULES if rule.table == table]
                failed = broken_rules(rules, expectations.evaluate("alder", table, rules))
                for rule in rules:
                    judged.held[rule] = rule not in failed
                    query = f"SELECT source_line FROM resolved.{table} AS t WHERE {rule.broken_by}"
                    judged.found[rule] = {line for (line,) in connection.execute(query).fetchall()}
    return judged


def test_great_expectations_and_the_sql_agree_on_sound_rows(tmp_path: Path) -> None:
    judged = judge(tmp_path, with_broken_rows=False)
    assert [f"{rule.table}.{rule.rule}" for rule, held in judged.held.items() if not held] == []
    assert [f"{rule.table}.{rule.rule}" for rule, lines in judged.found.items() if lines] == []
    assert len(judged.held) == len(RULES)


def test_great_expectations_and_the_sql_agree_on_a_broken_row_of_every_base_rule(tmp_path: Path) -> None:
    judged = judge(tmp_path, with_broken_rows=True)
    assert [f"{rule.table}.{rule.rule}" for rule in BASE if judged.held[rule]] == []
    for rule in BASE:
        assert judged.made[rule] and judged.made[rule] <= judged.found[rule], f"{rule.table}.{rule.rule}"
        if rule.rule != "key_unique":  # there the sound row has a double
            assert 2 not in judged.found[rule], f"{rule.table}.{rule.rule}"


def test_the_base_expectations_are_what_the_contract_gives() -> None:
    rendered = render_base_expectations(load_contract())
    committed = {path.name: path.read_text() for path in (EXPECTATIONS / "base").iterdir()}
    assert committed == rendered


def test_what_the_contract_asks_of_a_column_is_a_base_rule() -> None:
    names = {(rule.table, rule.rule) for rule in RULES}
    asked = 0
    for table in load_contract().tables.values():
        assert {(table.name, "key_unique"), (table.name, "readable")} <= names
        for column in table.columns:
            for wanted, kind in (
                (column.required, "present"),
                (column.minimum is not None, "in_range"),
                (column.code_list not in (None, "local"), "in_code_list"),
                (column.pattern is not None, "well_formed"),
                (column.references is not None, "known"),
                (column.references is not None, "accepted"),
            ):
                asked += bool(wanted)
                assert ((table.name, f"{column.name}_{kind}") in names) == bool(wanted), f"{column.name}_{kind}"
    assert asked > 150


def test_every_rule_says_what_to_do() -> None:
    assert [f"{rule.table}.{rule.rule}" for rule in RULES if not rule.advice.endswith(".")] == []


def test_every_mistake_in_a_rule_file_is_named_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "expectations"
    shutil.copytree(EXPECTATIONS, folder)
    (folder / "site.yml").write_text(
        """
rules:
- {rule: Bad Name, columns: [site_id], rows: "false", severity: warning, advice: A.}
- {rule: no_column, columns: [site_name], rows: "false", severity: warning, advice: A.}
- {rule: both, columns: [site_id], rows: "false", expectation: expect_x, severity: warning, advice: A.}
- {rule: regex, columns: [site_id], expectation: expect_column_values_to_match_regex, severity: warning, advice: A.}
- {rule: child, columns: [site_id], rows: EXISTS (FROM accepted.session), severity: warning, advice: A.}
- {rule: key_unique, columns: [site_id], rows: "false", severity: warning, advice: A.}
- {rule: limit, columns: [site_id], rows: threshold.no_such_limit() > 0, severity: notice, advice: A.}
"""
    )
    (folder / "clinic.yml").write_text('rules: [{rule: a, columns: [a], rows: "false", severity: loud, advice: A.}]')
    (folder / "base" / "course.yml").unlink()
    with pytest.raises(ClinicOutcomesError) as caught:
        load_rules(Settings(home=tmp_path, expectations=folder))
    assert {(problem.file, problem.column) for problem in caught.value.problems} == {
        ("expectations/site.yml", "Bad Name"),
        ("expectations/site.yml", "no_column"),
        ("expectations/site.yml", "both"),
        ("expectations/site.yml", "regex"),
        ("expectations/site.yml", "child"),
        ("expectations/site.yml", "key_unique"),
        ("expectations/site.yml", "limit"),
        ("expectations/clinic.yml", "rules.0.severity"),
        ("base/course.yml", None),
    }


def test_great_expectations_sends_nothing_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    from clinic_outcomes.validate.duckdb_engine import Expectations

    def refuse(*_: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with duckdb.connect() as connection, closing(Expectations(connection)) as expectations:
        connection.execute("CREATE SCHEMA resolved; CREATE VIEW resolved.site AS SELECT 'n' AS site_id")
        rules = [rule for rule in RULES if (rule.table, rule.rule) == ("site", "site_id_present")]
        assert expectations.evaluate("alder", "site", rules).success
