"""Schema drift: columns added, removed, renamed and retyped are refused with the line of the mapping to change."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from clinic_outcomes.admit import admit, explain
from clinic_outcomes.cli import app
from clinic_outcomes.problems import Problem
from clinic_outcomes.receive import receive
from clinic_outcomes.settings import Settings
from tests.stages.test_admit import judge
from tests.support.deliveries import deliver
from tests.support.small_clinic import CLINIC, COLUMNS, FILES, PEOPLE, make_settings

# Lines of columns.csv in the small clinic: 1 header, 2 person, 3 sex, 4 age, 5 trauma, 6 intake, 7 colour.
HEADER = PEOPLE.splitlines()[0]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_settings(tmp_path)


def problems(settings: Settings, people: str) -> list[Problem]:
    return list(judge(settings, {"people.csv": people}).problems)


def test_an_added_column_comes_with_a_line_that_would_take_it(settings: Settings) -> None:
    (found,) = problems(settings, f"{HEADER},observed_through\nP001,F,34,war,0,red,90\n")
    assert (found.rule, found.column) == ("column_unknown", "observed_through")
    assert "columns.csv: people,observed_through,patient,observed_through_day,day,," in found.advice


def test_an_added_column_like_no_other_may_be_allowed_and_carried_nowhere(settings: Settings) -> None:
    (found,) = problems(settings, f"{HEADER},row_number\nP001,F,34,war,0,red,1\n")
    assert found.advice.endswith("columns.csv: people,row_number,,,,,")


def test_an_added_column_that_identifies_is_only_to_be_left_out(settings: Settings) -> None:
    found = problems(settings, f"{HEADER},last_name\nP001,F,34,war,0,red,\n")
    assert {problem.rule for problem in found} == {"column_unknown", "column_name_like"}
    assert all("columns.csv" not in problem.advice for problem in found)


def test_a_removed_column_comes_with_the_line_to_delete(settings: Settings) -> None:
    (found,) = problems(settings, "person,sex,age,trauma,intake\nP001,F,34,war,0\n")
    assert (found.rule, found.column) == ("column_missing", "colour")
    assert "line 7: people,colour,,,,colour," in found.advice


def test_a_renamed_column_comes_with_the_line_under_its_new_name(settings: Settings) -> None:
    missing, unknown = problems(settings, HEADER.replace("intake", "intake_day") + "\nP001,F,34,war,0,red\n")
    assert (missing.rule, missing.column, unknown.rule, unknown.column) == (
        "column_missing", "intake", "column_unknown", "intake_day",
    )  # fmt: skip
    assert "intake under a new name" in unknown.advice
    assert "line 6: people,intake_day,patient,intake_day,day,," in unknown.advice


def test_two_renamed_columns_are_told_apart_by_what_they_hold(settings: Settings) -> None:
    header = "person,gender,age,trauma,start_day,colour"
    found = problems(settings, f"{header}\nP001,F,34,war,0,red\nP002,M,35,war,3,red\n")
    advice = {problem.column: problem.advice for problem in found if problem.rule == "column_unknown"}
    # Neither name is like the old one, so nothing is claimed.
    assert all("under a new name" not in text for text in advice.values())
    header = "person,sex_code,age,trauma,intake_no,colour"
    found = problems(make_settings(settings.home / "again"), f"{header}\nP001,3,34,war,F,red\nP002,5,35,war,M,red\n")
    advice = {problem.column: problem.advice for problem in found if problem.rule == "column_unknown"}
    # The name is like it and the values are of another kind.
    assert "under a new name" not in advice["intake_no"]


def test_a_number_column_that_now_holds_codes(settings: Settings) -> None:
    found = problems(settings, f"{HEADER}\nP001,F,young,war,0,red\nP002,F,old,war,0,red\nP003,M,40,war,0,red\n")
    (age,) = found
    assert (age.rule, age.column, age.rows) == ("number_expected", "age", 2)
    assert "add set age_top_code to codes.csv" in age.advice
    assert age.advice.endswith("line 4 of columns.csv: people,age,patient,age_years,year,age_top_code,")


def test_a_single_wrong_number_is_no_drift(settings: Settings) -> None:
    rows = "".join(f"P00{number},F,40,war,0,red\n" for number in range(1, 9))
    (age,) = problems(settings, f"{HEADER}\n{rows}P009,F,young,war,0,red\n")
    assert "Most values" not in age.advice


def test_keys_of_another_form_and_codes_of_another_set(settings: Settings) -> None:
    found = {p.column: p.advice for p in problems(settings, f"{HEADER}\nX-1,female,40,war,0,red\n")}
    assert "correct patient_id in key_patterns" in (found["person"] or "")
    assert "Most values are not in set sex" in (found["sex"] or "")


# --- explained ----------------------------------------------------------------------------------------------------

NAME = "Ottilie Quack"


def test_explain_tells_file_column_rule_rows_and_line_and_no_value(settings: Settings) -> None:
    deliver(settings.landing / CLINIC / "one", FILES, CLINIC, sequence=1)
    deliver(settings.landing / CLINIC / "two", {"people.csv": PEOPLE.replace("red", NAME)}, CLINIC, sequence=2)
    receive(CLINIC, settings)
    found = explain(CLINIC, None, settings)
    assert [verdict["admitted"] for verdict in found["deliveries"]] == [True, False]
    assert found["legal_basis"]["basis"] == "expert_determination"
    assert found["legal_basis"]["shortest_cadence_days"] == 28
    (problem,) = found["deliveries"][1]["problems"]
    assert {name: problem[name] for name in ("file", "column", "rule", "rows", "line")} == {
        "file": "people.csv", "column": "colour", "rule": "value_unknown", "rows": 1, "line": 2,
    }  # fmt: skip
    assert NAME not in json.dumps(found)
    one = admit(CLINIC, settings)[0].delivery_id
    assert [verdict["delivery"] for verdict in explain(CLINIC, one, settings)["deliveries"]] == [one]


def test_the_command_line_explains(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLINIC_OUTCOMES_HOME", str(settings.home))
    monkeypatch.setenv("CLINIC_OUTCOMES_SYSTEMS", str(settings.systems))
    monkeypatch.setenv("CLINIC_OUTCOMES_CLINICS", str(settings.clinics))
    deliver(settings.landing / CLINIC / "one", {"people.csv": PEOPLE.replace("red", NAME)}, CLINIC)
    receive(CLINIC, settings)
    shown = CliRunner().invoke(app, ["admit", "--explain", CLINIC])
    assert shown.exit_code == 0 and "value_unknown\t1\t2\t" in shown.stdout and NAME not in shown.stdout
    told = json.loads(CliRunner().invoke(app, ["admit", "--explain", "--json", CLINIC]).stdout)
    assert told["deliveries"][0]["problems"][0]["column"] == "colour"
    assert CliRunner().invoke(app, ["admit", "--explain"]).exit_code == 2
    assert CliRunner().invoke(app, ["admit", "--explain", CLINIC, "000009-full-0"]).exit_code == 1


# --- small areas --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("basis", "area", "refused"),
    [("safe_harbor", "782", False), ("safe_harbor", "036", True), ("safe_harbor", "893", True),
     ("safe_harbor", "000", False), ("safe_harbor", "78205", True), ("safe_harbor", "", False),
     ("expert_determination", "036", False), ("expert_determination", "7820", True)],
)  # fmt: skip
def test_three_digits_of_a_zip_code_and_not_of_a_small_area(
    tmp_path: Path, basis: str, area: str, refused: bool
) -> None:
    settings = make_settings(tmp_path, columns=COLUMNS.replace("people,colour,,,,colour,", "people,zip3,,,,,"))
    for path in (settings.systems / "small" / "codes.csv",):
        path.write_text(
            "\n".join(line for line in path.read_text().splitlines() if not line.startswith("colour")) + "\n"
        )
    clinic = settings.clinics / f"{CLINIC}.yml"
    clinic.write_text(clinic.read_text().replace("expert_determination", basis))
    found = problems(settings, HEADER.replace("colour", "zip3") + f"\nP001,F,34,war,0,{area}\n")
    assert [problem.rule for problem in found] == (["small_area"] if refused else [])
