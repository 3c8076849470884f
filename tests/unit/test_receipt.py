"""Receipts as a clinic's staff get them, and the scorecard of each table."""

import csv
import re
from pathlib import Path

import pytest

from clinic_outcomes.files import latest
from clinic_outcomes.pipeline import run_clinic
from clinic_outcomes.receipt import receipt, receipt_folder, scorecard
from clinic_outcomes.settings import Settings
from tests.support.two_clinics import EAST, PEOPLE, WEST, drop, make_settings

# Lines 2 and 3 are at odds and set apart; the ages on lines 4 to 33 are odd in a clinic of adults, and their rows kept.
CROWD = "person,sex,age,intake\nP1,F,34,0\nP1,M,34,0\n" + "".join(f"P{n},F,9,0\n" for n in range(10, 40))
DATED = "person,sex,age,intake\nP1,F,34,2026-03-01\n"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    made = make_settings(tmp_path_factory.mktemp("receipt"))
    drop(made, EAST, CROWD, sequence=1, folder="first")
    drop(made, EAST, DATED, sequence=2, folder="second")
    drop(made, WEST, PEOPLE, sequence=1, folder="one")
    for clinic in (EAST, WEST):
        run_clinic(clinic, made)
    return made


def listed(settings: Settings, clinic: str) -> list[dict[str, str]]:
    with (receipt_folder(clinic, settings) / "receipt.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_the_list_has_every_line(settings: Settings) -> None:
    rows = listed(settings, EAST)
    places = {(row["rule"], int(row["line"])) for row in rows if row["delivery"].startswith("000001")}
    rules = {rule for rule, _ in places}
    assert {line for rule, line in places if "age" in rule} == set(range(4, 34)), rules
    assert len([1 for rule, line in places if line in (2, 3)]) == 2
    (dated,) = [row for row in rows if row["delivery"].startswith("000002")]
    assert (dated["rule"], dated["line"], dated["your_column"]) == ("calendar_date", "2", "intake")
    assert all(row["what_to_do"] and row["what_happened"] for row in rows)
    assert {row["your_column"] for row in rows if "age" in row["rule"]} == {"age"}


def test_the_page_names_the_first_lines_and_how_many(settings: Settings) -> None:
    page = (receipt_folder(EAST, settings) / "receipt.html").read_text(encoding="utf-8")
    assert "4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23 …" in " ".join(page.split())
    assert not re.search(r"(?:src|href)=\"(?!receipt\.csv)", page)
    for value in ("P1", "P10", "2026-03-01"):
        assert value not in page
        assert all(value not in cell for row in listed(settings, EAST) for cell in row.values())


def test_no_cell_of_the_list_begins_like_a_formula(settings: Settings) -> None:
    cells = [cell for clinic in (EAST, WEST) for row in listed(settings, clinic) for cell in row.values()]
    assert cells and not [cell for cell in cells if cell[:1] in ("=", "+", "-", "@", "\t", "\r")]


def test_the_same_deliveries_give_the_same_receipt(settings: Settings) -> None:
    folder = receipt_folder(EAST, settings)
    before = [path.read_bytes() for path in sorted(folder.iterdir())]
    run_clinic(EAST, settings)
    assert [path.read_bytes() for path in sorted(folder.iterdir())] == before


def test_the_scorecard_says_how_each_table_stands(settings: Settings) -> None:
    east = {score.table: score for score in scorecard(EAST, settings)}
    assert (east["patient"].result, east["patient"].rows, east["patient"].quarantined) == ("fail", 32, 2)
    assert {score.result for table, score in east.items() if table != "patient"} == {"not applicable"}
    west = {score.table: score for score in scorecard(WEST, settings)}
    assert (west["patient"].result, west["patient"].quarantined) == ("pass", 0)
    assert west["patient"].held > 0 and west["patient"].broken == 0


def test_what_could_not_be_judged_is_an_error(settings: Settings, tmp_path: Path) -> None:
    state = latest(settings.state / WEST)
    assert state is not None
    drop(settings, WEST, PEOPLE.replace("34", "35"), sequence=2, folder="two")
    rules = settings.expectations
    broken = settings.model_copy(update={"expectations": tmp_path})
    for path in rules.rglob("*"):
        if path.is_file():
            target = tmp_path / path.relative_to(rules)
            target.parent.mkdir(exist_ok=True)
            target.write_text(path.read_text())
    with (tmp_path / "patient.yml").open("a") as stream:
        stream.write(
            "- {rule: impossible, columns: [sex], rows: t.no_such_column = 1, severity: warning, advice: None.}\n"
        )
    assert run_clinic(WEST, broken)[-1].state == "failed"
    results = {score.table: score.result for score in scorecard(WEST, broken)}
    assert results["patient"] == "error"
    (newest,) = [d for d in receipt(WEST, broken)["deliveries"] if d["export_sequence"] == 2]
    assert newest["state"] == "pending"
