"""Status and receipt of two small clinics whose every row can be followed by eye."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from clinic_outcomes.cli import main
from clinic_outcomes.pipeline import awaits_model, run_clinic, run_stage
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.receipt import receipt
from clinic_outcomes.settings import Settings
from clinic_outcomes.status import status
from tests.support.deliveries import deliver
from tests.support.two_clinics import EAST, PEOPLE, WEST, drop, make_settings

# Line 2 restates P1 of the first export, 3 repeats line 2, the sex on line 4 is not mapped, 5 and 6 are at odds.
SECOND = "person,sex,age,intake\nP1,F,35,0\nP1,F,35,0\nP3,7,40,1\nP5,F,20,0\nP5,M,20,0\n"
DATED = "person,sex,age,intake\nP1,F,34,2026-03-01\n"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    made = make_settings(tmp_path_factory.mktemp("status"))
    drop(made, EAST, PEOPLE, sequence=1, folder="first")
    drop(made, EAST, PEOPLE, sequence=1, folder="first_again")
    drop(made, EAST, SECOND, sequence=2, folder="second")
    drop(made, EAST, DATED, sequence=3, folder="third")
    (made.landing / EAST / "unfinished").mkdir()
    drop(made, WEST, PEOPLE, sequence=1, folder="one")
    drop(made, WEST, PEOPLE.replace("34", "35"), sequence=1, folder="other_one")
    drop(made, WEST, PEOPLE, sequence=2, folder="two")
    (made.landing / "other" / "box").mkdir(parents=True)
    (made.landing / ".upload").mkdir()
    for clinic in (EAST, WEST):
        events = run_clinic(clinic, made)
        assert [event.state for event in events] == ["done"] * 6, events
    drop(made, WEST, PEOPLE, sequence=3, folder="three")
    return made


@pytest.fixture(scope="module")
def found(settings: Settings) -> dict[str, Any]:
    return status(settings)


def deliveries(found: dict[str, Any], clinic: str) -> list[dict[str, Any]]:
    return [row for row in found["deliveries"] if row["clinic"] == clinic]


def summary(found: dict[str, Any], clinic: str) -> list[tuple[Any, ...]]:
    return [
        ((row["delivery"] or "")[:6], row["state"], row["stage"], row["reason_code"], row["folders"])
        for row in deliveries(found, clinic)
    ]


def counts(delivered: int, **parts: int) -> dict[str, int]:
    names = ("current", "quarantined", "superseded", "deleted", "duplicate", "tombstone")
    return {"delivered": delivered} | {name: parts.get(name, 0) for name in names}


def test_every_delivery_is_listed_with_how_far_it_came(found: dict[str, Any]) -> None:
    assert summary(found, EAST) == [
        ("000001", "accepted", "validate", None, ["first", "first_again"]),
        ("000002", "accepted", "validate", None, ["second"]),
        ("000003", "refused", "admit", "calendar_date", ["third"]),
        ("uniden", "refused", "receive", "manifest_missing", ["unfinished"]),
    ]
    assert sorted(summary(found, WEST), key=lambda row: row[4]) == [
        ("000001", "refused", "resolve", "sequence_conflict", ["one"]),
        ("000001", "refused", "resolve", "sequence_conflict", ["other_one"]),
        ("", "pending", "receive", None, ["three"]),
        ("000002", "accepted", "validate", None, ["two"]),
    ]
    assert summary(found, "other") == [("", "refused", "receive", "clinic_unknown", ["box"])]
    assert {row["clinic"] for row in found["deliveries"]} == {EAST, WEST, "other"}


def test_the_account_follows_every_row(found: dict[str, Any]) -> None:
    first, second, third, _ = deliveries(found, EAST)
    assert first["tables"] == {"patient": counts(2, superseded=1, deleted=1)}
    assert second["tables"] == {"patient": counts(5, current=2, quarantined=2, duplicate=1)}
    assert second["files"] == [{"file": "people.csv", "table": "patient", **second["tables"]["patient"]}]
    assert (third["tables"], third["files"]) == ({}, [])
    assert (first["unmapped"], second["unmapped"]) == (0, 1)


def test_the_shape_is_the_documented_one(found: dict[str, Any]) -> None:
    assert set(found) == {"deliveries", "clinics", "alerts", "release"}
    keys = ["clinic", "delivery", "state", "stage", "reason_code", "reason", "tables", "files", "rows_left_out"]
    assert all(list(row) == [*keys, "folders", "unmapped"] for row in found["deliveries"])
    assert found["release"] is None
    assert found["alerts"] == []


def test_a_reason_names_clinic_file_and_rule(found: dict[str, Any]) -> None:
    reason = deliveries(found, EAST)[2]["reason"]
    assert reason.startswith("calendar_date: ")
    assert f"clinic {EAST}, file people.csv, table patient, column intake, line 2" in reason


def test_a_clinic_is_stale_while_something_newer_than_all_in_use_is_refused(found: dict[str, Any]) -> None:
    east, west = found["clinics"]
    assert (east["clinic"], east["stale"], east["newest_sequence"]) == (EAST, True, 2)
    # What conflicts is older than what is in use.
    assert (west["clinic"], west["stale"], west["newest_sequence"]) == (WEST, False, 2)
    assert east["reporting_period"] == "2026-08" and len(east["state_id"]) == 16


def test_the_receipt_names_line_and_rule_of_everything_wrong(settings: Settings) -> None:
    told = {row["delivery"][:6]: row for row in receipt(EAST, settings)["deliveries"]}
    assert told["000001"]["findings"] == []
    places = [(f["stage"], f["file"], f["table"], f["line"], f["rows"]) for f in told["000002"]["findings"]]
    assert places == [
        ("harmonise", "people.csv", "patient", 4, 1),
        ("validate", "people.csv", "patient", 5, 2),
    ]
    assert told["000002"]["findings"][1]["lines"] == [5, 6]
    assert [f["column"] for f in told["000002"]["findings"]][:2] == ["sex", "patient_id"]
    (dated,) = told["000003"]["findings"]
    assert (dated["rule"], dated["column"], dated["line"]) == ("calendar_date", "intake", 2)
    assert all(f["advice"] and f["message"] for row in told.values() for f in row["findings"])
    assert receipt(WEST, settings)["not_yet_received"] == ["three"]


def test_neither_tells_a_value_or_a_key(settings: Settings, found: dict[str, Any]) -> None:
    said = json.dumps([found, receipt(EAST, settings), receipt(WEST, settings)])
    for value in ("P1", "P5", "2026-03-01", "2026-03"):
        assert value not in said


def test_a_clinic_awaits_model_until_a_build_has_its_state(settings: Settings, tmp_path: Path) -> None:
    assert awaits_model(EAST, settings)
    build = settings.marts / "a_build"
    build.mkdir(parents=True)
    state = (settings.state / EAST / "latest").readlink().name
    (build / "model.json").write_text(
        json.dumps({"build_id": "a_build", "states": {EAST: state, WEST: "older"}, "reporting_period": "2026-08"})
    )
    (settings.marts / "latest").symlink_to("a_build")
    assert not awaits_model(EAST, settings)
    assert awaits_model(WEST, settings)
    assert not awaits_model(EAST, settings.model_copy(update={"home": tmp_path}))


def test_an_unexpected_error_brings_neither_text_nor_context(settings: Settings, tmp_path: Path) -> None:
    broken = settings.model_copy(update={"home": tmp_path / "Ottilie Quack"})
    drop(broken, EAST)
    broken.ledger.write_text("a file where a folder is expected")
    with pytest.raises(ClinicOutcomesError) as caught:
        run_stage("receive", EAST, broken)
    assert caught.value.problems[0].rule == "unexpected_error"
    error: BaseException | None = caught.value
    while error:
        assert "Quack" not in str(error)
        error = error.__cause__ or error.__context__


def people(numbers: Iterable[int]) -> str:
    return "person,sex,age,intake\n" + "".join(f"P{number},F,34,0\n" for number in numbers)


@pytest.fixture
def losing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A clinic whose export 2 has half of its people, and whose export 4 came without 3; WEST has delivered nothing."""
    made = make_settings(tmp_path)
    path = made.clinics / f"{EAST}.yml"
    path.write_text(path.read_text() + "thresholds:\n  lost_records_minimum: {value: 4, reason: a small clinic}\n")
    drop(made, EAST, people(range(1, 7)), sequence=1, folder="first")
    drop(made, EAST, people(range(1, 4)), sequence=2, folder="half")
    monkeypatch.setenv("CLINIC_OUTCOMES_CLINICS", str(made.clinics))
    monkeypatch.setenv("CLINIC_OUTCOMES_SYSTEMS", str(made.systems))
    return made


def command(settings: Settings, *arguments: str) -> int:
    with pytest.raises(SystemExit) as exited:
        main(["--home", str(settings.home), *arguments])
    return int(exited.value.code or 0)


def east(settings: Settings) -> dict[str, Any]:
    (found,) = (clinic for clinic in status(settings)["clinics"] if clinic["clinic"] == EAST)
    return found


def test_a_held_export_is_shown_until_a_person_accepts_it(losing: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(losing, "resolve", EAST) == 0
    run_clinic(EAST, losing)
    assert command(losing, "resolve", EAST, "--strict") == 3
    assert "lost_records: full export" in capsys.readouterr().err
    first, half = deliveries(status(losing), EAST)
    assert (first["state"], half["state"], half["stage"]) == ("accepted", "held", "resolve")
    assert half["reason_code"] == "lost_records"
    assert "lacks 3 of 6 records in force before it, 50.0 %, more than 20 %" in half["reason"]
    assert f"clinic {EAST}, table patient" in half["reason"]
    assert (half["tables"], half["rows_left_out"], first["rows_left_out"]) == ({}, {"patient": 3}, {})
    assert (east(losing)["stale"], east(losing)["newest_sequence"]) == (True, 1)
    (finding,) = receipt(EAST, losing)["deliveries"][1]["findings"]
    assert (finding["stage"], finding["rule"], finding["table"]) == ("resolve", "lost_records", "patient")
    assert finding["advice"]
    assert command(losing, "status") == 0
    assert "\theld\tresolve\t" in capsys.readouterr().out

    assert command(losing, "accept", EAST, half["delivery"], "--by", "AB", "--reason", "a branch closed") == 0
    assert f"{half['delivery']}: accepted" in capsys.readouterr().out
    assert [row["state"] for row in deliveries(status(losing), EAST)] == ["accepted", "pending"]
    assert command(losing, "accept", EAST, half["delivery"], "--by", "AB", "--reason", "a branch closed") == 0
    assert command(losing, "accept", EAST, half["delivery"], "--by", "CD", "--reason", "another") == 1
    run_clinic(EAST, losing)
    first, half = deliveries(status(losing), EAST)
    assert (half["state"], half["tables"]) == ("accepted", {"patient": counts(3, current=3)})
    assert first["tables"] == {"patient": counts(6, superseded=3, deleted=3)}
    assert east(losing)["stale"] is False


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["no-such-delivery", "--by", "AB", "--reason", "a branch closed"], 1),
        (["../../elsewhere", "--by", "AB", "--reason", "a branch closed"], 1),
        (["no-such-delivery", "--reason", "a branch closed"], 2),
        (["no-such-delivery", "--by", "AB"], 2),
        (["no-such-delivery", "--by", "AB", "--reason", ""], 2),
    ],
)
def test_what_cannot_be_accepted(losing: Settings, arguments: list[str], code: int) -> None:
    assert command(losing, "receive", EAST) == 0
    assert command(losing, "accept", EAST, *arguments) == code
    assert not list(losing.home.rglob("accept.json"))


def test_gaps_and_periods_are_shown_a_clinic(losing: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    july = {"people.csv": people(range(1, 7))}
    declare_final(deliver(losing.landing / EAST / "july", july, EAST, 5, period="2026-07"))
    declare_final(deliver(losing.landing / EAST / "july_again", july, EAST, 6, period="2026-07"))
    run_clinic(EAST, losing)
    clinic = east(losing)
    assert (clinic["reporting_period"], clinic["period_status"]) == ("2026-07", "final")
    assert (clinic["gaps"], clinic["final_period_restatements"]) == ([{"first": 3, "last": 4}], 0)
    changed = {"people.csv": people(range(1, 8))}
    deliver(losing.landing / EAST / "july_corrected", changed, EAST, 9, period="2026-07")
    run_clinic(EAST, losing)
    clinic = east(losing)
    assert (clinic["period_status"], clinic["final_period_restatements"]) == ("provisional", 1)
    assert clinic["gaps"] == [{"first": 3, "last": 4}, {"first": 7, "last": 8}]
    capsys.readouterr()
    assert command(losing, "status") == 0
    assert "\t2026-07\tprovisional\t1\t3-4, 7-8\n" in capsys.readouterr().out
    assert command(losing, "resolve", EAST) == 0
    assert "sequence_gap: nothing was received of export sequences 7 to 8" in capsys.readouterr().err


def declare_final(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"period_status": "final"}))


def test_a_clinic_far_behind_the_network_is_told(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    for clinic, period in ((EAST, "2026-08"), (WEST, "2026-01")):
        deliver(settings.landing / clinic / "drop", {"people.csv": PEOPLE}, clinic, period=period)
        run_clinic(clinic, settings)
    # Six months are allowed, August is seven after January.
    assert [(row["clinic"], row["late"]) for row in status(settings)["clinics"]] == [
        (EAST, None),
        (WEST, "the newest delivery is 7 months behind the newest of the network"),
    ]
