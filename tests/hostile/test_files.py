"""Hostile content and names: read as they are, refused where they must be, and nowhere repeated."""

import csv
import io
import json
from pathlib import Path

import duckdb
import pytest

from clinic_outcomes.admit import admit
from clinic_outcomes.formats import check_file, read_header, read_rows_sql
from clinic_outcomes.mapping import load_clinic
from clinic_outcomes.receive import landing_folders, receive
from tests.support.deliveries import deliver
from tests.support.external import external
from tests.support.small_clinic import CLINIC, DRUGS, FILES, PEOPLE, make_settings


def naughty() -> list[str]:
    """The list's strings that text files can hold as one kind of line end."""
    texts = json.loads((external("naughty-strings") / "blns.json").read_text(encoding="utf-8"))
    return [text for text in texts if not set(text) & set("\0\r")]


def as_csv(rows: list[list[str]]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    return stream.getvalue()


def test_naughty_strings_are_read_as_delivered(tmp_path: Path) -> None:
    texts, path = naughty(), tmp_path / "people.csv"
    assert len(texts) > 500
    path.write_text(as_csv([["text"], *([text] for text in texts)]), encoding="utf-8", newline="")
    settings = make_settings(tmp_path)
    system = load_clinic(CLINIC, settings).system
    with duckdb.connect() as connection:
        header = read_header(connection, path, system, "people")
        assert check_file(connection, path, system, settings) == len(texts)
        rows = read_rows_sql(connection, path, system, "people", header)
        found = connection.execute(f"SELECT text, source_line FROM {rows}").fetchall()
    assert found == [(text, line) for line, text in enumerate(texts, start=2)]


def test_naughty_strings_in_every_column_are_never_repeated(tmp_path: Path) -> None:
    settings, header = make_settings(tmp_path), PEOPLE.splitlines()[0].split(",")
    texts = naughty()
    people = as_csv([header, *([text] * len(header) for text in texts)])
    deliver(settings.landing / CLINIC / "drop", {"people.csv": people}, CLINIC, rows={"people.csv": len(texts)})
    (received,) = receive(CLINIC, settings)
    assert received.received
    (record,) = admit(CLINIC, settings)
    assert {(p.rule, p.column) for p in record.problems} >= {("key_format", "person"), ("free_text", "colour")}
    kept = "".join(path.read_text() for path in settings.ledger.rglob("*.json"))
    # Short ones are words that any record may hold.
    assert [text for text in texts if len(text) > 12 and (text in kept or json.dumps(text)[1:-1] in kept)] == []


@pytest.mark.parametrize(
    "name",
    ["'; DROP TABLE x; --", "a'b", 'a"b', "*", "[a]", "clinic_id=other", "..a", "a\nb", "\u202egnp", "$(id)", "-rf"],
)
def test_a_folder_s_name_is_only_a_name(tmp_path: Path, name: str) -> None:
    settings = make_settings(tmp_path)
    folder = deliver(settings.landing / CLINIC / name, FILES, CLINIC)
    (settings.landing / CLINIC / "b").mkdir()
    records = receive(CLINIC, settings)
    hidden = name.startswith(".")
    assert sum(record.received for record in records) == (0 if hidden else 1)
    assert [record.admitted for record in admit(CLINIC, settings)] == ([] if hidden else [True])
    assert ((folder,) in landing_folders(CLINIC, settings).values()) is not hidden


def test_a_column_s_name_is_only_a_name(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    naming = "x\"'; DROP TABLE y; --"
    people = as_csv([[*PEOPLE.splitlines()[0].split(","), naming], ["P001", "F", "34", "war", "0", "red", "1"]])
    deliver(settings.landing / CLINIC / "drop", {"people.csv": people}, CLINIC)
    receive(CLINIC, settings)
    (record,) = admit(CLINIC, settings)
    assert [(p.rule, p.column) for p in record.problems] == [("column_unknown", None)]
    assert "DROP" not in record.model_dump_json()


def test_a_cell_of_a_hundred_thousand_characters_and_a_row_of_three_hundred_columns(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    long = PEOPLE.replace("red", "x" * 100_000)
    deliver(settings.landing / CLINIC / "long", {"people.csv": long}, CLINIC, rows={"people.csv": 3})
    wide = as_csv([[*PEOPLE.splitlines()[0].split(","), *(f"c{n}" for n in range(300))]])
    deliver(settings.landing / CLINIC / "wide", FILES | {"people.csv": wide, "drugs.csv": DRUGS}, CLINIC, sequence=2)
    assert [record.received for record in receive(CLINIC, settings)] == [True, True]
    first, second = admit(CLINIC, settings)
    assert [problem.rule for problem in first.problems] == ["free_text"]
    assert [problem.rule for problem in second.problems] == ["column_unknown"] * 300
