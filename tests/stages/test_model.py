"""The stage model: from accepted rows to marts."""

# ruff: noqa: E501 - a row of a table that is read by eye stays on one line

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest
import yaml

from clinic_outcomes.contract import LOCAL_CODES, load_contract
from clinic_outcomes.contract.dbt_sources import render_dbt_sources
from clinic_outcomes.files import latest, sha256_file
from clinic_outcomes.model import model, prepare
from clinic_outcomes.model.dbt_process import READ_BEFORE, kept_as
from clinic_outcomes.model.inputs import find_deliveries, lay_out
from clinic_outcomes.model.stage import latest_states
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.settings import PROJECT_ROOT, Settings
from tests.support.marts import case_id, check_figure, rows
from tests.support.model_states import copy_home, read_table, small_settings, write_state

DBT_PROJECT = PROJECT_ROOT / "dbt_project"

# alder delivers everything, birch everything but has no referral, cedar neither referrals, questionnaires nor events.
ALDER = {
    "patient": """
        patient_id | age_years | veteran
        A1         | 41        | yes
        A2         | 35        | no
        A3         | 90        | no
        A4         | 52        | -
        A5         | 28        | -
        A6         | 33        | unknown
        """,
    "site": """
        site_id | organisation_id | site_status
        north   | -               | operating
        """,
    "referral": """
        referral_id | patient_id | received_day | contacted_day | consulted_day | decided_day | candidacy
        R1          | A1         | 0            | 1             | 4             | 4           | candidate
        R2          | A2         | 0            | 1             | 3             | 3           | candidate
        R3          | A3         | 0            | 0             | 1             | 2           | candidate
        R4          | A4         | 0            | 2             | 5             | 6           | not_candidate
        R5          | A5         | 0            | -             | -             | -           | -
        R6          | A5         | 30           | 31            | -             | -           | -
        """,
    "course": """
        course_id | patient_id | protocol    | trial_arm | planned_sessions
        K1        | A1         | iv_ketamine | -         | 6
        K2        | A2         | iv_ketamine | -         | 6
        K3        | A3         | sgb         | -         | 1
        K4        | A3         | iv_ketamine | -         | 6
        K6        | A6         | iv_ketamine | -         | 6
        """,
    "session": """
        session_id | patient_id | course_id | session_day | drug        | infusion_minutes | recovery_minutes | monitored | site_id
        S1         | A1         | K1        | 10          | ketamine    | 45               | 30               | yes       | north
        S2         | A1         | K1        | 13          | ketamine    | 40               | 25               | no        | north
        S3         | A2         | K2        | 5           | ketamine    | 50               | 30               | yes       | south
        S4         | A3         | K3        | 3           | ropivacaine | -                | 20.5             | -         | -
        S5         | A3         | K4        | 20          | ketamine    | 45               | 30               | yes       | -
        S6         | A6         | K6        | 0           | ketamine    | -                | -                | unknown   | -
        """,
    # Q1's total contradicts its items, Q2 is after the session of its day, Q5 lacks an answer, Q9 is no PCL-5, Q13 is above 80.
    "assessment": """
        assessment_id | patient_id | instrument | assessed_day | minutes_from_session_start | delivered_total
        Q1            | A1         | pcl_5      | 8            | -                          | 12
        Q2            | A1         | pcl_5      | 10           | 50                         | -
        Q3            | A1         | pcl_5      | 10           | -10                        | -
        Q4            | A1         | pcl_5      | 30           | -                          | -
        Q5            | A1         | pcl_5      | 40           | -                          | 7
        Q6            | A2         | pcl_5      | 5            | -                          | 50
        Q7            | A3         | pcl_5      | 0            | -                          | 45
        Q8            | A3         | pcl_5      | 15           | -                          | 44
        Q9            | A2         | phq_9      | 9            | -                          | 11
        Q10           | A3         | pcl_5      | 25           | -                          | 30
        Q11           | A6         | pcl_5      | 12           | -                          | 33
        Q12           | A4         | pcl_5      | 1            | -                          | 70
        Q13           | A4         | pcl_5      | 2            | -                          | 81
        Q14           | A4         | cadss      | 2            | -                          | -
        Q15           | A4         | gad_7      | 3            | -                          | -
        """,
    "assessment_item": """
        assessment_id | patient_id | answers
        Q1            | A1         | 33333333333333333333
        Q2            | A1         | 11111111111111111111
        Q3            | A1         | 22222222222222222222
        Q4            | A1         | 11111111111111111111
        Q5            | A1         | 0000000000.000000000
        Q14           | A4         | 00000000000000000000000
        """,
    # E3 began before the first session, E7 is of a person never treated.
    "adverse_event": """
        adverse_event_id | patient_id | course_id | session_id | term           | reported_term | system_class      | severity | serious | onset_day | end_day
        E1               | A1         | K1        | S1         | nausea         | N01           | -                 | mild     | no      | 10        | 10
        E2               | A1         | -         | S2         | nausea         | N01           | -                 | moderate | -       | 13        | -
        E3               | A1         | K1        | -          | headache       | H01           | -                 | mild     | no      | 9         | 9
        E4               | A2         | -         | -          | unmapped       | X09           | cardiac_disorders | -        | yes     | -         | -
        E5               | A3         | -         | -          | horner_syndrome| H09           | -                 | mild     | no      | 3         | 4
        E6               | A3         | -         | -          | dizziness      | D01           | unmapped          | mild     | no      | 20        | 20
        E7               | A4         | -         | -          | fatigue        | F01           | -                 | mild     | no      | 2         | -
        E8               | A6         | -         | -          | nausea         | N01           | -                 | mild     | no      | -         | -
        """,
}
BIRCH = {
    "patient": """
        patient_id
        A1
        B2
        B3
        """,
    "referral": "referral_id | patient_id | received_day",
    "course": """
        course_id | patient_id | protocol          | trial_arm
        K1        | A1         | iv_ketamine       | active
        K2        | B2         | midazolam_control | control
        """,
    "session": """
        session_id | patient_id | course_id | session_day | drug      | infusion_minutes | recovery_minutes | monitored
        S1         | A1         | K1        | 7           | ketamine  | 45.25            | 31               | yes
        S2         | B2         | K2        | 7           | midazolam | 45               | 30               | yes
        """,
    "assessment": """
        assessment_id | patient_id | instrument | assessed_day | delivered_total
        Q1            | A1         | pcl_5      | 6            | 61
        Q2            | A1         | pcl_5      | 20           | 51
        Q3            | B2         | pcl_5      | 6            | 55
        """,
    "adverse_event": """
        adverse_event_id | patient_id | course_id | term         | severity | serious | onset_day
        E1               | B2         | K2        | dissociation | mild     | no      | 7
        E2               | A1         | K1        | nausea       | severe   | no      | 8
        E3               | B3         | -         | nausea       | severe   | yes     | 8
        """,
}
CEDAR = {
    "patient": """
        patient_id
        C1
        """,
    "course": """
        course_id | patient_id | protocol
        K1        | C1         | nad_plus
        """,
    "session": """
        session_id | patient_id | course_id | session_day | drug     | infusion_minutes | recovery_minutes | monitored
        S1         | C1         | K1        | 1           | nad_plus | 60               | 30               | yes
        """,
}

# Counted by eye from the tables above. A `-` is null.
FIGURES = """
measure                      | clinic_id | dimension    | category                   | numerator | denominator | value      | patients | clinics
patients_referred            | alder     | ''           | ''                         | 5         | -           | 5          | 5        | 1
patients_contacted           | alder     | ''           | ''                         | 5         | -           | 5          | 5        | 1
patients_consulted           | alder     | ''           | ''                         | 4         | -           | 4          | 4        | 1
patients_candidate           | alder     | ''           | ''                         | 3         | -           | 3          | 3        | 1
candidate_share              | alder     | ''           | ''                         | 3         | 5           | 0.6        | 5        | 1
patients_referred_treated    | alder     | ''           | ''                         | 3         | -           | 3          | 3        | 1
patients_referred            | birch     | ''           | ''                         | 0         | -           | 0          | 0        | 0
candidate_share              | birch     | ''           | ''                         | 0         | 0           | -          | 0        | 0
referred_treated_share       | network   | ''           | ''                         | 3         | 5           | 0.6        | 5        | 1
patients_treated             | alder     | ''           | ''                         | 4         | -           | 4          | 4        | 1
patients_treated             | alder     | protocol     | iv_ketamine                | 4         | -           | 4          | 4        | 1
patients_treated             | alder     | protocol     | sgb                        | 1         | -           | 1          | 1        | 1
patients_treated             | alder     | drug         | ketamine                   | 4         | -           | 4          | 4        | 1
patients_treated             | cedar     | protocol     | sgb                        | 0         | -           | 0          | 0        | 0
patients_treated             | network   | ''           | ''                         | 7         | -           | 7          | 7        | 3
sessions_given               | alder     | ''           | ''                         | 6         | -           | 6          | 4        | 1
sessions_given               | alder     | protocol     | iv_ketamine                | 5         | -           | 5          | 4        | 1
sessions_given               | network   | ''           | ''                         | 9         | -           | 9          | 7        | 3
sessions_given               | network   | protocol     | iv_ketamine                | 6         | -           | 6          | 5        | 2
infusion_minutes_mean        | alder     | ''           | ''                         | 180       | 4           | 45         | 3        | 1
infusion_minutes_mean        | network   | ''           | ''                         | 330.25    | 7           | 47.178571  | 6        | 3
recovery_minutes_mean        | alder     | ''           | ''                         | 135.5     | 5           | 27.1       | 3        | 1
recovery_30_minutes_share    | alder     | ''           | ''                         | 3         | 5           | 0.6        | 3        | 1
monitored_share              | alder     | ''           | ''                         | 3         | 4           | 0.75       | 3        | 1
pcl_5_last_paired            | alder     | protocol     | iv_ketamine                | 2         | -           | 2          | 2        | 1
pcl_5_last_paired_share      | alder     | protocol     | iv_ketamine                | 2         | 4           | 0.5        | 4        | 1
pcl_5_last_paired_share      | network   | protocol     | iv_ketamine                | 3         | 5           | 0.6        | 5        | 2
pcl_5_last_baseline          | alder     | protocol     | iv_ketamine                | 84        | 2           | 42         | 2        | 1
pcl_5_last_score             | alder     | protocol     | iv_ketamine                | 50        | 2           | 25         | 2        | 1
pcl_5_last_change            | alder     | protocol     | iv_ketamine                | -34       | 2           | -17        | 2        | 1
pcl_5_last_change            | alder     | protocol     | sgb                        | -1        | 1           | -1         | 1        | 1
pcl_5_last_change            | birch     | trial_arm    | active                     | -10       | 1           | -10        | 1        | 1
pcl_5_last_change            | network   | protocol     | iv_ketamine                | -44       | 3           | -14.666667 | 3        | 2
pcl_5_last_response_share    | network   | protocol     | iv_ketamine                | 2         | 3           | 0.666667   | 3        | 2
pcl_5_course_end_change      | alder     | protocol     | iv_ketamine                | -14       | 1           | -14        | 1        | 1
pcl_5_first_to_last_change   | alder     | ''           | ''                         | -35       | 2           | -17.5      | 2        | 1
pcl_5_first_to_last_paired_share | alder | ''           | ''                         | 2         | 5           | 0.4        | 5        | 1
phq_9_last_paired_share      | alder     | protocol     | iv_ketamine                | 0         | 4           | 0          | 4        | 1
phq_9_last_change            | alder     | protocol     | iv_ketamine                | 0         | 0           | -          | 0        | 0
adverse_events               | alder     | ''           | ''                         | 6         | -           | 6          | 4        | 1
patients_with_any_event      | alder     | ''           | ''                         | 4         | -           | 4          | 4        | 1
any_event_share              | alder     | ''           | ''                         | 4         | 4           | 1          | 4        | 1
any_event_share              | network   | ''           | ''                         | 6         | 6           | 1          | 6        | 2
events_per_patient           | alder     | ''           | ''                         | 6         | 4           | 1.5        | 4        | 1
event_rate_per_100_sessions  | network   | ''           | ''                         | 6         | 6           | 100        | 6        | 2
event_rate_per_100_sessions  | alder     | ''           | ''                         | 4         | 4           | 100        | 4        | 1
event_rate_per_100_sessions  | alder     | term         | nausea                     | 2         | 4           | 50         | 4        | 1
serious_event_share          | alder     | system_class | cardiac_disorders          | 1         | 4           | 0.25       | 4        | 1
severe_event_share           | birch     | ''           | ''                         | 1         | 2           | 0.5        | 2        | 1
end_not_recorded_share       | alder     | ''           | ''                         | 3         | 6           | 0.5        | 4        | 1
events_unmapped_share        | network   | ''           | ''                         | 1         | 8           | 0.125      | 6        | 2
sessions_with_event_share    | alder     | ''           | ''                         | 2         | 6           | 0.333333   | 4        | 1
serious_adverse_events       | network   | ''           | ''                         | 1         | -           | 1          | 1        | 1
patients_with_serious_event  | alder     | system_class | cardiac_disorders          | 1         | -           | 1          | 1        | 1
adverse_events               | alder     | term         | nausea                     | 3         | -           | 3          | 2        | 1
patients_with_any_event      | network   | term         | nausea                     | 3         | -           | 3          | 3        | 2
any_event_share              | alder     | term         | nausea                     | 2         | 4           | 0.5        | 4        | 1
adverse_events               | alder     | system_class | nervous_system_disorders   | 2         | -           | 2          | 1        | 1
adverse_events               | alder     | system_class | gastrointestinal_disorders | 3         | -           | 3          | 2        | 1
any_event_share              | alder     | system_class | psychiatric_disorders      | 0         | 4           | 0          | 4        | 1
any_event_share              | birch     | system_class | cardiac_disorders          | 0         | 2           | 0          | 2        | 1
adverse_events               | birch     | severity     | severe                     | 1         | -           | 1          | 1        | 1
adverse_events               | alder     | severity     | not_recorded               | 1         | -           | 1          | 1        | 1
adverse_events               | alder     | protocol     | sgb                        | 1         | -           | 1          | 1        | 1
any_event_share              | birch     | protocol     | sgb                        | 0         | 0           | -          | 0        | 0
any_event_share              | birch     | trial_arm    | control                    | 1         | 1           | 1          | 1        | 1
rows_delivered               | alder     | table_name   | referral                   | 8         | -           | 8          | 0        | 1
rows_current                 | alder     | table_name   | referral                   | 6         | -           | 6          | 0        | 1
rows_quarantined             | network   | ''           | ''                         | 2         | -           | 2          | 0        | 1
rows_quarantined_share       | alder     | table_name   | referral                   | 2         | 8           | 0.25       | 0        | 1
"""


def write_states(settings: Settings) -> None:
    write_state(settings, "alder", ALDER, quarantined={"referral": 2})
    write_state(settings, "birch", BIRCH, reporting_period="2025-06")
    write_state(settings, "cedar", CEDAR)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("model")
    clinics = {"alder": "Alder House", "birch": "Birch Lane", "cedar": "Cedar Hill", "not_yet": "Not Yet"}
    made = small_settings(folder, clinics)
    write_states(made)
    model(made)
    return made


@pytest.mark.parametrize("case", read_table(FIGURES), ids=case_id)
def test_figures_are_those_counted_by_eye(settings: Settings, case: dict[str, str | None]) -> None:
    check_figure(settings, case)


def test_what_a_clinic_does_not_deliver_is_absent(settings: Settings) -> None:
    of_cedar = {m for (m,) in rows(settings, "SELECT DISTINCT measure FROM {agg_figures} WHERE clinic_id = 'cedar'")}
    assert {"patients_treated", "sessions_given", "rows_delivered"} <= of_cedar
    assert of_cedar.isdisjoint({"patients_referred", "pcl_5_last_paired_share", "adverse_events", "any_event_share"})
    tables = rows(
        settings, "SELECT category FROM {agg_figures} WHERE figure_id LIKE 'rows_delivered/cedar/table_name/%'"
    )
    assert sorted(tables) == [("course",), ("patient",), ("session",)]
    coverage = rows(settings, "SELECT table_name FROM {agg_coverage} WHERE clinic_id = 'cedar' AND delivered")
    assert sorted(coverage) == sorted(tables)
    arms = rows(settings, "SELECT DISTINCT clinic_id FROM {agg_figures} WHERE dimension = 'trial_arm' ORDER BY 1")
    assert arms == [("birch",), ("network",)]


def test_figures_are_made_of_cells(settings: Settings) -> None:
    query = """
        SELECT role, count_id, clinic_id, dimension, category, CAST(value AS INTEGER), is_count, contributors
        FROM {agg_figure_cells} NATURAL JOIN {agg_cells}
        WHERE figure_id = 'any_event_share/alder/term/nausea' ORDER BY role
        """
    assert rows(settings, query) == [
        ("denominator", "patients_treated", "alder", "", "", 4, True, "patient"),
        ("numerator", "patients_with_any_event", "alder", "term", "nausea", 2, True, "patient"),
        ("remainder", "any_event_share/rest", "alder", "term", "nausea", 2, True, "patient"),
    ]
    # cedar tells of no events, so that the network's people among whom they are counted are not all that were treated.
    query = """
        SELECT count_id, CAST(value AS INTEGER), CAST(largest AS INTEGER), CAST(two_largest AS INTEGER) FROM {agg_cells}
        WHERE count_id LIKE 'patients_treated%' AND clinic_id = 'network' AND dimension = '' ORDER BY 1
        """
    assert rows(settings, query) == [
        ("patients_treated", 7, 4, 6),
        ("patients_treated/by_clinics_of/any_event_share", 6, 4, 6),
    ]


def test_totals_and_why_there_is_none(settings: Settings) -> None:
    query = """
        SELECT assessment_key, total_score, score_status FROM {fct_assessments}
        WHERE assessment_key IN ('alder/Q1', 'alder/Q4', 'alder/Q5', 'alder/Q6', 'alder/Q13', 'alder/Q14', 'alder/Q15')
        ORDER BY length(assessment_key), assessment_key
        """
    assert rows(settings, query) == [
        ("alder/Q1", None, "contradicted"),
        ("alder/Q4", 20, "from_items"),
        ("alder/Q5", None, "missing_item"),
        ("alder/Q6", 50, "delivered_total"),
        ("alder/Q13", None, "total_out_of_range"),
        ("alder/Q14", 0, "from_items"),
        ("alder/Q15", None, "no_score"),
    ]


def test_adverse_events_are_judged(settings: Settings) -> None:
    expected = """
        event | course   | class                                                | emergent | resolved | reported
        E1    | alder/K1 | gastrointestinal_disorders                           | True     | True     | N01
        E2    | alder/K1 | gastrointestinal_disorders                           | True     | False    | N01
        E3    | alder/K1 | nervous_system_disorders                             | False    | True     | H01
        E4    | alder/K2 | cardiac_disorders                                    | True     | False    | X09
        E5    | alder/K3 | nervous_system_disorders                             | True     | True     | H09
        E6    | alder/K4 | nervous_system_disorders                             | True     | True     | D01
        E7    | -        | general_disorders_and_administration_site_conditions | False    | False    | F01
        E8    | alder/K6 | gastrointestinal_disorders                           | True     | False    | N01
        """
    query = """
        SELECT split_part(adverse_event_key, '/', 2), course_key, system_class,
            CASE WHEN is_treatment_emergent THEN 'True' ELSE 'False' END,
            CASE WHEN is_resolved THEN 'True' ELSE 'False' END, reported_term
        FROM {fct_adverse_events} WHERE clinic_id = 'alder' ORDER BY 1
        """
    assert rows(settings, query) == [tuple(row.values()) for row in read_table(expected)]


def test_people_and_sites(settings: Settings) -> None:
    people = rows(settings, "SELECT patient_key FROM {dim_patients} WHERE patient_id = 'A1' ORDER BY 1")
    assert people == [("alder/A1",), ("birch/A1",)]
    sites = rows(settings, "SELECT site_key, is_listed FROM {dim_sites} ORDER BY 1")
    assert sites == [("alder/north", True), ("alder/south", False)]


def test_the_record_says_what_was_built(settings: Settings) -> None:
    record = model(settings)
    assert latest(settings.marts) == settings.marts / record.build_id
    assert record.states == dict.fromkeys(("alder", "birch", "cedar"), "00000000000000a1")
    assert record.reporting_period == "2025-06"
    assert {node.node for node in record.nodes} >= {
        "model.clinic_outcomes.agg_figures",
        "seed.clinic_outcomes.measures",
    }
    assert {node.status for node in record.nodes} == {"success", "pass"}


def test_the_warehouse_holds_only_what_can_still_be_read(settings: Settings) -> None:
    with duckdb.connect(str(settings.warehouse / "outcomes.duckdb"), read_only=True) as connection:
        kinds = connection.execute("SELECT DISTINCT table_schema, table_type FROM information_schema.tables ORDER BY 1")
        assert kinds.fetchall() == [(name, "BASE TABLE") for name in ("core", "reference", "release")]
    assert [path.name for path in settings.warehouse.iterdir()] == ["outcomes.duckdb"]


def test_two_runs_at_once_one_started_early_make_the_same_bytes_with_other_threads(
    settings: Settings, tmp_path: Path
) -> None:
    other = copy_home(settings, tmp_path / "home").model_copy(update={"threads": 1})
    with prepare(other) as dbt, ThreadPoolExecutor(2) as pool:
        early, late = pool.submit(model, other, dbt), pool.submit(model, other)
    assert early.result() == late.result() == model(settings)
    with duckdb.connect(str(other.warehouse / "outcomes.duckdb"), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM core.fct_sessions").fetchone() == (9,)
    assert sorted(path.name for path in other.marts.iterdir()) == sorted([early.result().build_id, "latest"])
    first, second = latest(settings.marts), latest(other.marts)
    assert first is not None
    assert second is not None
    names = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert len(names) == 1 + len(list((DBT_PROJECT / "models/marts").rglob("*.sql")))  # model.json beside them
    assert names == sorted(path.relative_to(second) for path in second.rglob("*") if path.is_file())
    assert [name for name in names if sha256_file(first / name) != sha256_file(second / name)] == []
    with prepare(other) as dbt:
        assert model(other, dbt) == early.result()  # there is nothing to build, and dbt is never told to
    assert [path.name for path in other.warehouse.iterdir()] == ["outcomes.duckdb"]


def test_no_state_no_build(tmp_path: Path) -> None:
    empty = small_settings(tmp_path, {"alder": "Alder House"})
    with pytest.raises(ClinicOutcomesError, match="no clinic has a validated state yet"):
        model(empty)
    assert not empty.marts.exists()


def test_a_failed_test_names_the_node_and_no_value(settings: Settings, tmp_path: Path) -> None:
    other = copy_home(settings, tmp_path / "home")
    # The account says one row more than there is, and a session is of a person the clinic never listed.
    broken = BIRCH | {"session": (BIRCH["session"] + "S9|Jane Doe|K2|9|midazolam|45|30|yes")}
    write_state(other, "birch", broken, state_id="00000000000000b2")
    with pytest.raises(ClinicOutcomesError) as caught:
        model(other)
    assert "refers_to_fct_sessions_patient_key" in str(caught.value)
    assert "Jane Doe" not in str(caught.value)
    assert not (other.marts / "latest").exists()
    assert list(other.warehouse.iterdir()) == []


def test_dbt_sources_are_those_of_the_contract() -> None:
    committed = (DBT_PROJECT / "models/staging/_sources.yml").read_text(encoding="utf-8")
    assert committed == render_dbt_sources(load_contract()), "run `clinic-outcomes contract`"


def test_seeds_cover_the_contract() -> None:
    contract = load_contract()
    term = contract.tables["adverse_event"].column("term")
    assert term.code_list not in (None, LOCAL_CODES)
    seed = duckdb.read_csv(str(DBT_PROJECT / "seeds/adverse_event_terms.csv"), header=True)
    terms = seed.select("term, label, system_class").fetchall()
    assert {term: label for term, label, _ in terms} == contract.code_lists["adverse_event_term"]
    assert {system_class for _, _, system_class in terms} <= set(contract.code_lists["system_class"])


def test_unit_tests_of_the_models_pass(tmp_path: Path) -> None:
    """dbt's own unit tests, beside the models, over the tables of a build that has no rows.

    Its tests of rows are left out: every other build runs them.
    """
    empty = small_settings(tmp_path, {"alder": "Alder House"})
    write_state(empty, "alder", {"patient": "patient_id"})
    states = latest_states(empty)
    lay_out(tmp_path / "inputs", states, find_deliveries(states, empty), load_contract(), empty)
    # As the stage sets it, so that what dbt read of its project before stays valid.
    environment = os.environ | {
        "CLINIC_OUTCOMES_INPUTS": "inputs",
        "CLINIC_OUTCOMES_WAREHOUSE": "outcomes.duckdb",
        "CLINIC_OUTCOMES_THREADS": str(empty.threads),
        "CLINIC_OUTCOMES_MEMORY_LIMIT_MB": str(empty.memory_limit_mb),
        "CLINIC_OUTCOMES_SCRATCH": "duckdb",
    }
    read_before = DBT_PROJECT / "target" / kept_as(environment)
    if read_before.is_file():
        (tmp_path / "target").mkdir()
        shutil.copy(read_before, tmp_path / "target" / READ_BEFORE)
    folders = ["--project-dir", DBT_PROJECT, "--profiles-dir", DBT_PROJECT, "--target-path", tmp_path / "target"]
    dbt = [sys.executable, "-m", "dbt.cli.main", "--no-use-colors", "--no-version-check", "--log-path", tmp_path]
    run = subprocess.run(
        [*dbt, "build", "--exclude-resource-type", "test", *folders],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-3000:]
    written = sum(
        len((yaml.safe_load(path.read_text()) or {}).get("unit_tests", ()))
        for path in DBT_PROJECT.rglob("models/**/*.yml")
    )
    assert len(re.findall(r"PASS .*::", run.stdout)) == written > 0, run.stdout[-6000:]
