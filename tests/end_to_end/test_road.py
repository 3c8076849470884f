"""Synthetic clinics through all eight stages: what was planted is what is counted, whatever the order of arrival."""

import csv
import hashlib
import itertools
import json
import re
import shutil
from collections import Counter
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from clinic_outcomes.mapping import load_clinics
from clinic_outcomes.pipeline import run
from clinic_outcomes.settings import Settings
from clinic_outcomes.status import status
from clinic_outcomes.synthetic import generate
from tests.support.delivered import rows_of_file
from tests.support.leaks import canaries

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


def test_the_account_adds_up_for_every_file(settings: Settings) -> None:
    """Each file's rows are counted without the pipeline's readers, of all clinics and formats."""
    clinics, checked = load_clinics(settings), Counter[str]()
    deliveries = status(settings)["deliveries"]
    for delivery in deliveries:
        clinic, account = clinics[delivery["clinic"]], {line["file"]: line for line in delivery["files"]}
        for place, line in account.items():
            assert line["delivered"] == sum(line[part] for part in PARTS), (clinic.clinic_id, place)
        if delivery["state"] != "accepted":
            assert account == {}
            continue
        folder = settings.landing / clinic.clinic_id / delivery["folders"][0]
        listed = {entry["name"] for entry in json.loads((folder / "manifest.json").read_text())["files"]}
        assert listed == {place.partition("#")[0] for place in account}
        for file in sorted(listed):
            sources = tuple(place.partition("#")[2] for place in account if place.partition("#")[0] == file)
            for names, rows in rows_of_file(folder / file, clinic.system, sources):
                places = [f"{file}#{name}" if name else file for name in names]
                assert sum(account[place]["delivered"] for place in places) == rows, (clinic.clinic_id, places)
                checked[clinic.format] += rows > 0
    assert [d["state"] for d in deliveries].count("accepted") == len(deliveries) - 1
    assert set(checked) == {"csv", "parquet", "excel", "redcap", "fhir"} and min(checked.values()) > 10


def test_the_refused_delivery_left_nothing_outside_landing(settings: Settings) -> None:
    refused = [d for d in status(settings)["deliveries"] if d["state"] == "refused"]
    assert [(d["stage"], d["tables"]) for d in refused] == [("admit", {})]
    planted = re.compile(r"\b\d{4}-\d{2}-\d{2}\b|[\w.]+@[\w.]+\.\w+")
    folder = settings.landing / refused[0]["clinic"] / refused[0]["folders"][0]
    values = {match for path in folder.glob("*.csv") for match in planted.findall(path.read_text())}
    assert values
    assert canaries(settings.home, values) == {}


def test_the_report_says_whose_later_delivery_is_not_in_it(settings: Settings) -> None:
    refused = {d["clinic"] for d in status(settings)["deliveries"] if d["state"] == "refused"}
    network = settings.releases / "latest" / "network"
    with (network / "tables" / "coverage.csv").open(newline="", encoding="utf-8-sig") as stream:
        states = {row["clinic_id"]: row["clinic_state"] for row in csv.DictReader(stream)}
    assert states == {clinic: "stale" if clinic in refused else "up to date" for clinic in load_clinics(settings)}
    assert (network / "index.html").read_text().count("a later delivery is not in use") == len(refused) == 1


def test_what_was_planted_is_what_the_marts_hold(settings: Settings) -> None:
    connection = duckdb.connect()
    planted_folder = settings.landing / ".truth"
    for clinic in load_clinics(settings):
        for table, mart in TABLES_IN_MARTS.items():
            path = planted_folder / clinic / f"{table}.parquet"
            if not path.is_file():  # its system delivers no such table
                continue
            planted = connection.execute(f"SELECT count(*) FROM '{path}'").fetchone()
            counted = connection.execute(
                f"SELECT count(*) FROM '{settings.marts}/latest/core/{mart}.parquet' WHERE clinic_id = ?", [clinic]
            ).fetchone()
            assert planted == counted, (clinic, table)


COUNTS = {
    "patients_referred": "referred",
    "patients_contacted": "contacted",
    "patients_consulted": "consulted",
    "patients_candidate": "candidates",
    "patients_treated": "treated",
    "sessions_given": "sessions",
    "adverse_events": "treatment_emergent_events",
    "patients_with_any_event": "patients_with_treatment_emergent_events",
    "serious_adverse_events": "serious_treatment_emergent_events",
}
MEANS = {
    "infusion_minutes_mean": ("infusion_minutes", "sessions_with_infusion_minutes"),
    "recovery_minutes_mean": ("recovery_minutes", "sessions_with_recovery_minutes"),
    "events_per_patient": ("treatment_emergent_events", "treated"),
}


def test_what_was_planted_is_what_the_figures_count(settings: Settings, truth: dict[str, Any]) -> None:
    figures = {
        (clinic, measure): (numerator, denominator, value)
        for clinic, measure, numerator, denominator, value in duckdb.execute(
            "SELECT clinic_id, measure, numerator, denominator, value "
            f"FROM '{settings.marts}/latest/release/agg_figures.parquet' WHERE dimension = ''"
        ).fetchall()
    }
    planted: dict[str, dict[str, Any]] = dict(truth["clinics"])
    names = {*COUNTS.values(), *itertools.chain(*MEANS.values())}
    planted["network"] = {name: sum(Decimal(c[name]) for c in truth["clinics"].values()) for name in names}
    assert len(planted) == 13
    for clinic, counts in planted.items():
        for measure, name in COUNTS.items():
            assert figures[clinic, measure][0] == Decimal(counts[name]), (clinic, measure)
        for measure, (total, people) in MEANS.items():
            assert figures[clinic, measure][:2] == (Decimal(counts[total]), Decimal(counts[people])), (clinic, measure)
        rate = 100 * Decimal(counts["treatment_emergent_events"]) / Decimal(counts["sessions"])
        expected = rate.quantize(Decimal("0.000001"), ROUND_HALF_UP)
        assert figures[clinic, "event_rate_per_100_sessions"][2] == expected, clinic


def test_scores_planted_are_scores_told_of_each_protocol(settings: Settings, truth: dict[str, Any]) -> None:
    """Everybody of the synthetic clinics is treated under one protocol: baseline and last score, a protocol."""
    figures = {
        (clinic, protocol, measure): (numerator, denominator)
        for clinic, protocol, measure, numerator, denominator in duckdb.execute(
            "SELECT clinic_id, category, measure, numerator, denominator "
            f"FROM '{settings.marts}/latest/release/agg_figures.parquet' WHERE dimension = 'protocol'"
        ).fetchall()
    }
    planted: dict[tuple[str, str], Counter[str]] = {}
    for clinic, counts in truth["clinics"].items():
        for protocol, own in counts["pcl_5_by_protocol"].items():
            planted[clinic, protocol] = Counter(own)
            planted.setdefault(("network", protocol), Counter()).update(own)
    assert len(planted) > 20
    for (clinic, protocol), own in planted.items():
        people = own["paired_patients"]
        found = {
            quantity: figures[clinic, protocol, f"pcl_5_last_{quantity}"]
            for quantity in ("paired", "baseline", "score", "change")
        }
        before, after = own["paired_baseline_points"], own["paired_last_points"]
        assert found == {
            "paired": (people, None),
            "baseline": (before, people),
            "score": (after, people),
            "change": (after - before, people),
        }, (clinic, protocol)
        # Due are all who were watched beyond the day of the first session.
        assert people <= figures[clinic, protocol, "pcl_5_last_paired_share"][1] <= own["treated"]


def test_planted_defects_end_where_they_should(settings: Settings, truth: dict[str, Any]) -> None:
    checked, clinics = 0, set()
    for delivery in status(settings)["deliveries"]:
        if delivery["state"] != "accepted":
            continue
        clinics.add(delivery["clinic"])
        clinic, sequence = delivery["clinic"], int(delivery["delivery"][:6])
        planted = next(d for d in truth["clinics"][clinic]["deliveries"] if d["sequence"] == sequence)
        for line in planted["account"]:
            if line["table"] not in delivery["tables"]:
                assert line["delivered"] == 0, (clinic, sequence, line["table"])
                continue
            found = delivery["tables"][line["table"]]
            assert {part: found[part] for part in ("delivered", *PARTS)} == {
                part: line[part] for part in ("delivered", *PARTS)
            }, (clinic, sequence, line["table"])
            checked += line["quarantined"] > 0 or line["duplicate"] > 0
    assert checked >= len(clinics) == len(truth["clinics"]) == 12


def test_running_again_changes_no_byte(settings: Settings) -> None:
    before = outcome(settings)
    assert all(before.values())
    run(settings)
    assert outcome(settings) == before
    assert len([path for path in settings.releases.iterdir() if path.name != "latest"]) == 1


def test_from_scratch_in_another_order_of_arrival_gives_the_same_bytes(settings: Settings, tmp_path: Path) -> None:
    # Keys depend on the network's secret, and on nothing else that is the home's own.
    again = Settings(home=tmp_path / "home", salt=settings.salt_file)
    manifests = sorted(settings.landing.glob("*/*/manifest.json"), reverse=True)
    assert len(manifests) > 6
    for number, manifest in enumerate(manifests):
        # Other folder names, and a release of some clinics made after half has come: neither may show.
        target = again.landing / manifest.parts[-3] / f"{number:03d}"
        shutil.copytree(manifest.parent, target)
        if number == len(manifests) // 2:
            come = sorted({path.parts[-3] for path in manifests[: number + 1]})
            run(again, come[:4], workers=2)
            assert len(status(again)["deliveries"]) > 4
    run(again)
    assert outcome(again) == outcome(settings)
