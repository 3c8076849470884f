"""Synthetic clinics through all eight stages: what was planted is what is counted, whatever the order of arrival."""

import csv
import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from clinic_outcomes.mapping import load_clinics
from clinic_outcomes.pipeline import run
from clinic_outcomes.settings import Settings
from clinic_outcomes.status import status
from clinic_outcomes.synthetic import generate
from tests.support.leaks import find

PARTS = ("current", "quarantined", "superseded", "deleted", "duplicate", "tombstone")
TABLES_IN_MARTS = {
    "patient": "dim_patients",
    "site": "dim_sites",
    "referral": "fct_referrals",
    "course": "fct_courses",
    "session": "fct_sessions",
    "assessment": "fct_assessments",
    "adverse_event": "fct_adverse_events",
}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    made = Settings(home=tmp_path_factory.mktemp("road"))
    generate(made.landing, patients=300, seed=7, settings=made, truth=made.home / "landing" / ".truth")
    run(made)
    return made


@pytest.fixture(scope="module")
def truth(settings: Settings) -> dict[str, Any]:
    return json.loads((settings.landing / ".truth" / "truth.json").read_text())


def contents(folder: Path) -> dict[str, str]:
    """File below a folder → SHA-256 of its bytes."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def outcome(settings: Settings) -> dict[str, dict[str, str]]:
    latest = settings.marts / "latest"
    return {name: contents(folder.resolve()) for name, folder in (
        ("core", latest / "core"), ("release", latest / "release"), ("reports", settings.releases / "latest"),
    )}  # fmt: skip


def delivered_rows(settings: Settings) -> Iterator[tuple[str, int, str, int]]:
    """Clinic, sequence, file and rows of every delivered file, counted by Python's own CSV reader."""
    for manifest in sorted(settings.landing.glob("*/*/manifest.json")):
        head = json.loads(manifest.read_text())
        system = load_clinics(settings)[head["clinic_id"]].system
        for entry in head["files"]:
            with (manifest.parent / entry["name"]).open(newline="") as stream:
                rows = sum(1 for _ in csv.reader(stream, delimiter=system.csv.delimiter)) - 1
            yield head["clinic_id"], head["export_sequence"], entry["name"], rows


def test_the_account_adds_up_for_every_file(settings: Settings) -> None:
    accounts: dict[tuple[str, int, str], dict[str, int]] = {}
    for delivery in status(settings)["deliveries"]:
        for line in delivery["files"]:
            accounts[delivery["clinic"], int(delivery["delivery"][:6]), line["file"]] = line
    refused = {
        (d["clinic"], int(d["delivery"][:6])) for d in status(settings)["deliveries"] if d["state"] != "accepted"
    }
    assert len(refused) == 1
    checked = 0
    for clinic, sequence, file, rows in delivered_rows(settings):
        if (clinic, sequence) in refused:
            continue
        line = accounts[clinic, sequence, file]
        assert line["delivered"] == rows == sum(line[part] for part in PARTS), (clinic, sequence, file)
        checked += 1
    assert checked == len(accounts) > 50


def test_the_refused_delivery_left_nothing_outside_landing(settings: Settings) -> None:
    refused = [d for d in status(settings)["deliveries"] if d["state"] == "refused"]
    assert [(d["stage"], d["tables"]) for d in refused] == [("admit", {})]
    planted = re.compile(r"\b\d{4}-\d{2}-\d{2}\b|[\w.]+@[\w.]+\.\w+")
    folder = settings.landing / refused[0]["clinic"] / refused[0]["folders"][0]
    values = {match for path in folder.glob("*.csv") for match in planted.findall(path.read_text())}
    assert values
    assert find(settings.home, planted, values) == {}


def test_what_was_planted_is_what_the_marts_hold(settings: Settings) -> None:
    connection = duckdb.connect()
    planted_folder = settings.landing / ".truth"
    for clinic in load_clinics(settings):
        for table, mart in TABLES_IN_MARTS.items():
            path = next(iter(planted_folder.rglob(f"{clinic}/{table}.parquet")))
            planted = connection.execute(f"SELECT count(*) FROM '{path}'").fetchone()
            counted = connection.execute(
                f"SELECT count(*) FROM '{settings.marts}/latest/core/{mart}.parquet' WHERE clinic_id = ?", [clinic]
            ).fetchone()
            assert planted == counted, (clinic, table)


def test_what_was_planted_is_what_the_figures_count(settings: Settings, truth: dict[str, Any]) -> None:
    figures = {
        (clinic, measure): value
        for clinic, measure, value in duckdb.execute(
            f"SELECT clinic_id, measure, value FROM '{settings.marts}/latest/release/agg_figures.parquet' WHERE dimension = ''"
        ).fetchall()
    }
    names = {
        "referred": "patients_referred",
        "contacted": "patients_contacted",
        "consulted": "patients_consulted",
        "treated": "patients_treated",
        "sessions": "sessions",
        "adverse_events": "adverse_events",
        "patients_with_adverse_event": "patients_with_adverse_event",
    }
    assert len(truth["clinics"]) == 5
    for clinic, counts in truth["clinics"].items():
        for planted, measure in names.items():
            assert figures[clinic, measure] == counts[planted], (clinic, measure)
    for planted, measure in names.items():
        assert figures["network", measure] == sum(counts[planted] for counts in truth["clinics"].values()), measure


def test_running_again_changes_no_byte(settings: Settings) -> None:
    before = outcome(settings)
    assert all(before.values())
    run(settings)
    assert outcome(settings) == before
    assert len([path for path in settings.releases.iterdir() if path.name != "latest"]) == 1


def test_from_scratch_in_another_order_of_arrival_gives_the_same_bytes(settings: Settings, tmp_path: Path) -> None:
    again = Settings(home=tmp_path / "home")
    manifests = sorted(settings.landing.glob("*/*/manifest.json"), reverse=True)
    assert len(manifests) > 6
    for number, manifest in enumerate(manifests):
        # Other folder names, and a release made after half has come: neither may show.
        target = again.landing / manifest.parts[-3] / f"{number:03d}"
        shutil.copytree(manifest.parent, target)
        if number == len(manifests) // 2:
            run(again)
    run(again)
    assert outcome(again) == outcome(settings)
