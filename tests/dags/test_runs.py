"""A real run of clinic_exports by Airflow: a clinic fails, another arrives, deliveries full of a person's data do not.

Only ids go through XCom, and no value of a refused delivery is in the data home, Airflow's own files or what it said.
"""

import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from clinic_outcomes import CLINIC_STEPS
from clinic_outcomes.pipeline import run_stage
from clinic_outcomes.settings import Settings
from tests.dags.conftest import DAGS
from tests.support.leaks import canaries
from tests.support.planted_formats import CANARIES, FORMATS, add_planted_clinics
from tests.support.two_clinics import EAST, PEOPLE, WEST, drop, make_settings

UNUSABLE = PEOPLE.replace("P1,F,34,0", "Ottilie Quack,F,34,0")


@dataclass
class Run:
    """What a run left behind."""

    settings: Settings
    exit_code: int
    output: str
    database: Path

    def query(self, sql: str) -> list[tuple[str, ...]]:
        with closing(sqlite3.connect(self.database)) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    root = tmp_path_factory.mktemp("run")
    settings = make_settings(root)
    drop(settings, EAST)
    drop(settings, WEST, sequence=1, folder="good")
    drop(settings, WEST, UNUSABLE, sequence=2, folder="with_a_name")
    add_planted_clinics(settings)
    for stage in ("receive", "admit", "harmonise"):
        run_stage(stage, EAST, settings)
    for path in settings.lake.rglob("*.parquet"):
        path.unlink()  # East's rows are lost: its resolve must fail.
    airflow = Path(sys.executable).with_name("airflow")
    # Airflow's files and all temporary ones lie in the data home, as in the demo, so that one search sees them.
    home, temporary = settings.home / "airflow", settings.home / "temporary"
    temporary.mkdir()
    environment = os.environ | {
        "PATH": f"{airflow.parent}{os.pathsep}{os.environ['PATH']}",
        "AIRFLOW_HOME": str(home),
        "TMPDIR": str(temporary),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "CLINIC_OUTCOMES_HOME": str(settings.home),
        "CLINIC_OUTCOMES_CLINICS": str(settings.clinics),
        "CLINIC_OUTCOMES_SYSTEMS": str(settings.systems),
    }

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([airflow, *arguments], env=environment, capture_output=True, text=True, check=False)

    assert call("db", "migrate").returncode == 0
    done = call("dags", "test", "clinic_exports")
    return Run(settings, done.returncode, done.stdout + done.stderr, home / "airflow.db")


def test_the_run_fails_for_the_one_clinic_and_the_other_arrives(run: Run) -> None:
    assert run.exit_code != 0
    states = run.query("SELECT task_id, rendered_map_index, state FROM task_instance WHERE task_id != 'clinics'")
    done = {(task, clinic) for task, clinic, state in states if state == "success" and task != "finish"}
    assert done == {
        *((task, EAST) for task in ("receive", "admit", "harmonise")),
        *((task, clinic) for task in (*CLINIC_STEPS, "notify") for clinic in (WEST, *FORMATS)),
        ("notify", EAST),  # What has not left leaves whatever else is red.
    }
    assert [(task, clinic) for task, clinic, state in states if state == "failed"] == [("resolve", EAST)]
    finished = sorted(state for task, _, state in states if task == "finish")
    assert finished == ["success"] * (1 + len(FORMATS)) + ["upstream_failed"]
    assert (run.settings.state / WEST / "latest" / "validate.json").is_file()
    assert not (run.settings.state / EAST / "latest").exists()


def test_a_problem_that_a_stage_names_is_told_once_and_not_retried(run: Run) -> None:
    assert run.query("SELECT try_number FROM task_instance WHERE state = 'failed'") == [(1,)]
    assert "lake_file_missing: the harmonised rows of delivery 000001-full-" in run.output
    assert f"[clinic {EAST}, table patient]" in run.output


def test_only_the_clinic_with_something_new_updates_the_asset(run: Run) -> None:
    events = run.query("SELECT asset.name, asset_event.extra FROM asset_event JOIN asset ON asset.id = asset_id")
    assert [(name, re.findall(r"\w+_side", extra)) for name, extra in events] == [("accepted", [WEST])]


@pytest.mark.parametrize("clinic", [WEST, *FORMATS])
def test_a_refusal_is_a_warning_and_its_task_is_green(run: Run, clinic: str) -> None:
    warnings = {line for line in run.output.splitlines() if "refused: " in line and "warning" in line}
    told = {line for line in warnings if f"[clinic {clinic}, file " in line}
    assert told
    if clinic == WEST:
        (warning,) = told
        assert f"clinic {WEST}, file people.csv" in warning


def test_nothing_but_ids_goes_through_xcom(run: Run) -> None:
    clinics = [EAST, WEST, *FORMATS]
    values = [value for (value,) in run.query("SELECT value FROM xcom WHERE key = 'return_value'")]
    told = {text.strip("\\") for value in values for text in re.findall(r'"([^"]*)"', value)}
    assert {*clinics} < told
    for text in told - {*clinics}:
        assert re.fullmatch(r"[0-9]{6}-full-[0-9a-f]{16}|unidentified-[0-9a-f]{16}|[0-9a-f]{16}", text), text


def test_no_value_of_a_refused_delivery_is_anywhere_but_in_landing(run: Run) -> None:
    values = {"Ottilie Quack", *CANARIES}
    assert [value for value in values if value in run.output] == []
    # The search reads Airflow's database too, in which a clinic's id is; its logs are what it said.
    found = canaries(run.settings.home, {*values, WEST})
    assert set[str]().union(*found.values()) == {WEST}, found
    assert "airflow/airflow.db" in found and WEST in run.output
