"""One clinic a defect: each is named by clinic, file, table, column and rule, never by value, and the rest go on."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from clinic_outcomes.receipt import receipt
from clinic_outcomes.settings import Settings
from clinic_outcomes.status import status
from tests.hostile.cases import CANARY, CSV_CASES
from tests.hostile.format_cases import FORMAT_CASES
from tests.support.leaks import canaries
from tests.support.planted_formats import CANARIES, FORMATS, add_planted_clinics
from tests.support.short_keys import short_keys

PARTS = ("current", "quarantined", "superseded", "deleted", "duplicate", "tombstone")
Deliveries = dict[str, list[dict[str, Any]]]
CASES = CSV_CASES | FORMAT_CASES
VALUES = (CANARY, "ottilie@quack.example", "555-0134", "078-05-1120", "78205-1234", "2026-03-01", "1975-03-01")
"""What must be told nowhere."""


@dataclass(frozen=True)
class Run:
    """A data home in which every clinic was run once, by the command line, and what that said."""

    settings: Settings
    exit_code: int
    said: str


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    root = tmp_path_factory.mktemp("hostile")
    made = Settings(home=root / "home", clinics=root / "clinics", systems=root / "systems")
    add_planted_clinics(made)
    keys = {path.name: short_keys((path / "system.yml").read_text()) for path in made.systems.iterdir()}
    for clinic, case in CASES.items():
        lines = f"title: Clinic {clinic}\nsystem: {case.system}\n" + keys[case.system] + case.extra
        (made.clinics / f"{clinic}.yml").write_text(lines)
        (made.landing / clinic).mkdir(parents=True)
        case.deliver(made.landing / clinic, clinic)
    # Temporary files lie in the home too, so that they are searched.
    (made.home / "temporary").mkdir()
    done = subprocess.run(
        [Path(sys.executable).with_name("clinic-outcomes"), "--home", made.home, "run"],
        capture_output=True, text=True, check=False,
        env=os.environ | {
            "CLINIC_OUTCOMES_CLINICS": str(made.clinics), "CLINIC_OUTCOMES_SYSTEMS": str(made.systems),
            "TMPDIR": str(made.home / "temporary"),
        },
    )  # fmt: skip
    return Run(made, done.returncode, done.stdout + done.stderr)


@pytest.fixture(scope="module")
def settings(run: Run) -> Settings:
    return run.settings


@pytest.fixture(scope="module")
def deliveries(settings: Settings) -> Deliveries:
    """What became of each clinic's deliveries, in the order of their ids."""
    found: Deliveries = {clinic: [] for clinic in (*CASES, *FORMATS)}
    for row in status(settings)["deliveries"]:
        found[row["clinic"]].append(row)
    return found


@pytest.mark.parametrize("clinic", CASES)
def test_the_delivery_ends_where_it_should(deliveries: Deliveries, clinic: str) -> None:
    case, rows = CASES[clinic], deliveries[clinic]
    last = rows[-1]
    assert (last["state"], last["stage"]) == (case.state, case.stage)
    assert last["reason_code"] == case.rule
    if case.state == "refused":
        assert last["tables"] == {} and clinic in json.dumps(last)
    for row in rows:
        for counts in [*row["tables"].values(), *row["files"]]:
            assert counts["delivered"] == sum(counts[part] for part in PARTS)
    quarantined: dict[str, int] = {}
    for row in rows:
        for table, counts in row["tables"].items():
            quarantined[table] = quarantined.get(table, 0) + counts["quarantined"]
    assert {table: count for table, count in quarantined.items() if count} == case.quarantined
    assert sum(row["unmapped"] for row in rows) == case.unmapped


@pytest.mark.parametrize("clinic", [name for name, case in CASES.items() if case.file])
def test_the_problem_names_its_place(settings: Settings, deliveries: Deliveries, clinic: str) -> None:
    case = CASES[clinic]
    record = (settings.ledger / clinic / deliveries[clinic][-1]["delivery"]).glob(
        "receive.json" if case.stage == "receive" else "admit.*.json"
    )
    problems = json.loads(next(record).read_text())["problems"]
    named = [(p["clinic"], p["rule"], p["file"], p["column"]) for p in problems]
    assert (clinic, case.rule, case.file, case.column) in named
    assert all(problem["advice"] for problem in problems)


def test_nothing_is_counted_twice_and_nothing_is_lost(settings: Settings, deliveries: Deliveries) -> None:
    twice = deliveries["delivered_twice"]
    assert len(twice) == 1 and len(twice[0]["folders"]) == 2
    conflict = deliveries["sequence_conflict"]
    assert [row["state"] for row in conflict] == ["accepted", "refused", "refused"]
    contested = settings.state / "correction_invalid" / "latest" / "quarantined" / "assessment_item.parquet"
    rows = duckdb.execute(f"SELECT item_number, item_value, contested FROM '{contested}'").fetchall()
    assert rows == [(2, 5, True)]
    accepted = duckdb.execute(
        f"SELECT item_number FROM '{contested.parents[1]}/accepted/assessment_item.parquet' ORDER BY 1"
    )
    assert accepted.fetchall() == [(1,), (1,)]


def test_a_receipt_tells_the_clinic_line_and_rule(settings: Settings) -> None:
    text = json.dumps(receipt("score_out_of_range", settings), default=str)
    assert "answers.csv" in text and "item_value" in text
    unmapped = json.dumps(receipt("unmapped_code", settings), default=str)
    assert "visits.csv" in unmapped and "drug" in unmapped


@pytest.mark.parametrize("clinic", [name for name, case in CASES.items() if case.state == "held"])
def test_an_export_that_loses_most_is_held_and_says_what_it_lacks(
    settings: Settings, deliveries: Deliveries, clinic: str
) -> None:
    first, second = deliveries[clinic]
    assert (first["state"], first["tables"]["patient"]["current"]) == ("accepted", 10)
    assert second["rows_left_out"]["patient"] == 2
    resolved = json.loads((settings.state / clinic / "latest" / "resolved" / "resolve.json").read_text())
    ((held,), (problem,)) = resolved["held"], resolved["held"][0]["problems"]
    assert held["delivery_id"] == second["delivery"]
    assert (problem["clinic"], problem["rule"], problem["table"]) == (clinic, "lost_records", "patient")
    assert "lacks 8 of 10 records" in problem["message"]


@pytest.mark.parametrize(
    ("clinic", "file", "part", "line"),
    [
        ("workbook_out_of_range", "book.xlsx", "sheet Answers", 3),
        ("registry_out_of_range", "registry.csv", "form gad7", 3),
        ("bulk_out_of_range", "QuestionnaireResponse.ndjson", "view answers", 1),
    ],
)
def test_a_receipt_names_the_sheet_form_or_view(
    settings: Settings, clinic: str, file: str, part: str, line: int
) -> None:
    (delivery,) = receipt(clinic, settings)["deliveries"]
    (found,) = delivery["findings"]
    assert (found["file"], found["part"], found["line"], found["table"]) == (file, part, line, "assessment_item")


def test_deliveries_full_of_a_persons_data_are_refused(deliveries: Deliveries) -> None:
    for clinic in FORMATS:
        found = {(row["state"], row["stage"], row["reason_code"]) for row in deliveries[clinic]}
        assert {(state, stage) for state, stage, _ in found} == {("refused", "admit"), ("refused", "receive")}, clinic
        assert all(row["tables"] == {} for row in deliveries[clinic])


def test_no_value_is_told_and_none_is_anywhere_but_in_landing(run: Run, deliveries: Deliveries) -> None:
    values = {*VALUES, *CANARIES}
    told = json.dumps([deliveries, [receipt(clinic, run.settings) for clinic in deliveries]], default=str)
    for value in values:
        assert value not in told and value not in run.said
    # The search reads all that was written on the way: what a clinic is called is everywhere.
    found = canaries(run.settings.home, {*values, "workbook_good"})
    assert set[str]().union(*found.values()) == {"workbook_good"}, found
    assert {Path(name).parts[0] for name in found} >= {
        "ledger", "lake", "state", "receipts", "warehouse", "marts", "releases",
    }  # fmt: skip


def test_the_run_tells_each_refusal(run: Run) -> None:
    assert run.exit_code == 0
    for clinic, case in CASES.items():
        if case.rule:
            assert re.search(rf"{case.rule}: .*\[clinic {clinic}\b", run.said), clinic


def test_the_other_clinics_are_reported_as_usual(settings: Settings) -> None:
    coverage = settings.marts / "latest" / "release" / "dim_clinics.parquet"
    reported = {row[0] for row in duckdb.execute(f"SELECT clinic_id FROM '{coverage}'").fetchall()}
    # Of these an earlier delivery is in use.
    usable = {name for name, case in CASES.items() if case.state in ("accepted", "held")} | {"sequence_conflict"}
    assert reported == usable
