"""Writers, and the inverse of derived sources: what is read back is what was given, on tables small enough to check."""

import csv
import hashlib
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest

from clinic_outcomes.formats import base_rows, check_file, leftovers, source_rows, write_file
from clinic_outcomes.formats.inverse import mapped_columns
from clinic_outcomes.mapping import System, load_system
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.settings import Settings

SYSTEM = """\
title: Made up
format: csv
other_formats: [parquet]
csv: {delimiter: ';', decimal_separator: ','}
missing: ['', n/a]
list_separator: '|'
sources:
  people: {file: people*}
  person:
    from: people
    lists: {traumas: 'trauma_{1..3}'}
    join: [{source: calls, by: [person]}, {source: visits, by: [person]}]
  calls: {file: calls*}
  visits: {file: visits*, required: false}
  forms: {file: forms*}
  answers: {from: forms, unpivot: {columns: 'q{01..03}', number: item, value: answer}}
key_patterns: {patient_id: 'p[0-9a-f]{20}', assessment_id: 'f[0-9a-f]{20}'}
"""
COLUMNS = """\
source,source_column,table,column,unit,codes,constant
person,person,patient,patient_id,,,
person,watched,patient,observed_through_day,day,,
person,traumas,patient,trauma_types,,trauma,
person,calls.day,patient,intake_day,day,,
person,calls.by,,,,,
person,visits.day,patient,off_label_consent_day,day,,
forms,form,assessment,assessment_id,,,
forms,person,assessment,patient_id,,,
forms,day,assessment,assessed_day,day,,
forms,,assessment,instrument,,,pcl_5
answers,form,assessment_item,assessment_id,,,
answers,person,assessment_item,patient_id,,,
answers,item,assessment_item,item_number,,,
answers,answer,assessment_item,item_value,point,,
"""
CODES = "codes,source_code,code\ntrauma,1,combat\ntrauma,2,accident\ntrauma,3,disaster\n"
Rows = Sequence[Sequence[str | None]]

PERSONS: Rows = [  # person, watched, traumas, calls.day, calls.by, visits.day
    ("p2", "80", "2", "3", None, None),
    ("p1", "90", "1|3", "1", "x", "5"),
    ("p3", "70", None, None, None, None),
    ("p4", None, "3", None, "y", None),
]
FORMS: Rows = [("f2", "p1", "7"), ("f1", "p1", "0"), ("f3", "p2", None)]  # form, person, day
ANSWERS: Rows = [  # form, person, item, answer
    ("f2", "p1", "1", "4"),
    ("f2", "p1", "3", "0"),
    ("f3", "p2", "2", "2"),
    ("f3", "p2", "1", "1"),
]


@pytest.fixture
def system(tmp_path: Path) -> System:
    folder = tmp_path / "systems" / "made_up"
    folder.mkdir(parents=True)
    for name, text in {"system.yml": SYSTEM, "columns.csv": COLUMNS, "codes.csv": CODES}.items():
        (folder / name).write_text(text)
    return load_system("made_up", Settings(home=tmp_path, systems=tmp_path / "systems"))


def table(rows: Rows, columns: Sequence[str]) -> str:
    """SQL for ``FROM`` of texts."""
    names = ", ".join(f'"{name}"' for name in columns)
    texts = [", ".join(f"'{value}'" if value is not None else "NULL::VARCHAR" for value in row) for row in rows]
    return f"(SELECT * FROM (VALUES {', '.join(f'({row})' for row in texts)}) AS t({names}))"


def deliver(system: System, folder: Path, ending: str, **mapped: Rows) -> dict[str, Path]:
    """Write rows of mapped sources as files of their base sources; the files by name."""
    given = {name: table(rows, mapped_columns(system, name)) for name, rows in mapped.items()}
    paths = {}
    with duckdb.connect() as connection:
        for base, sql in base_rows(system, given).items():
            path = folder / f"{base}{ending}"
            records = write_file(connection, path, system, {base: sql})
            assert records == check_file(connection, path, system, Settings(home=folder))
            paths[path.name] = path
    return paths


def read_back(system: System, paths: dict[str, Path], source: str) -> list[tuple[str | None, ...]]:
    """Rows of a source, in the mapping's columns, as texts; NULL for none."""
    columns = ", ".join(f"""nullif("{name}", '')""" for name in mapped_columns(system, source))
    with duckdb.connect() as connection:
        rows = source_rows(connection, paths, system, source)
        return connection.execute(f"SELECT {columns} FROM {rows.sql}").fetchall()


def lines(path: Path) -> list[list[str]]:
    with path.open(newline="") as stream:
        return list(csv.reader(stream, delimiter=";"))


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_what_is_read_is_what_was_given(tmp_path: Path, system: System, ending: str) -> None:
    paths = deliver(system, tmp_path, ending, person=PERSONS, forms=FORMS, answers=ANSWERS)
    assert sorted(paths) == [f"{name}{ending}" for name in ("calls", "forms", "people", "visits")]
    assert read_back(system, paths, "person") == PERSONS
    assert read_back(system, paths, "forms") == FORMS
    assert sorted(read_back(system, paths, "answers")) == sorted(ANSWERS)


def test_a_form_and_its_answers_are_one_row(tmp_path: Path, system: System) -> None:
    paths = deliver(system, tmp_path, ".csv", forms=FORMS, answers=ANSWERS)
    assert lines(paths["forms.csv"]) == [
        ["form", "person", "day", "q01", "q02", "q03"],
        ["f2", "p1", "7", "4", "", "0"],
        ["f1", "p1", "0", "", "", ""],
        ["f3", "p2", "", "1", "2", ""],
    ]


def test_ticks_and_joined_rows_lie_where_they_came_from(tmp_path: Path, system: System) -> None:
    paths = deliver(system, tmp_path, ".csv", person=PERSONS)
    people = [dict(zip(lines(paths["people.csv"])[0], row, strict=True)) for row in lines(paths["people.csv"])[1:]]
    ticks = [(row["person"], row["trauma_1"], row["trauma_2"], row["trauma_3"]) for row in people]
    assert ticks == [("p2", "0", "1", "0"), ("p1", "1", "0", "1"), ("p3", "0", "0", "0"), ("p4", "0", "0", "1")]
    assert sorted(lines(paths["calls.csv"])[1:]) == [["p1", "1", "x"], ["p2", "3", ""], ["p4", "", "y"]]
    # A row only where any of its columns has a value.
    assert lines(paths["visits.csv"])[1:] == [["p1", "5"]]


def test_rows_given_twice_stay_two(tmp_path: Path, system: System) -> None:
    paths = deliver(system, tmp_path, ".csv", forms=[*FORMS, FORMS[1]], answers=[*ANSWERS, *ANSWERS[:2]])
    forms = [row[0] for row in lines(paths["forms.csv"])[1:]]
    assert sorted(forms) == ["f1", "f1", "f2", "f2", "f3"]
    assert sorted(read_back(system, paths, "answers")) == sorted([*ANSWERS, *ANSWERS[:2]])


def test_sources_that_share_no_column_are_refused(tmp_path: Path, system: System) -> None:
    folder = tmp_path / "systems" / "made_up"
    (folder / "columns.csv").write_text(
        COLUMNS.replace("forms,form,", "forms,form_no,").replace("forms,person,", "forms,who,")
    )
    other = load_system("made_up", Settings(home=tmp_path, systems=tmp_path / "systems"))
    with pytest.raises(ClinicOutcomesError, match="source forms: what is made of it shares no column"):
        deliver(other, tmp_path, ".csv", forms=FORMS, answers=ANSWERS)


NUMBERS: Rows = [("1", "1,5", "01", "a", None), ("-20", "2", "2", "1,5", "n/a"), (None, "n/a", "3", "2", "")]


def test_parquet_columns_of_plain_numbers_are_typed(tmp_path: Path, system: System) -> None:
    path = tmp_path / "people.parquet"
    with duckdb.connect() as connection:
        rows = {"people": table(NUMBERS, "vwxyz")}
        assert write_file(connection, path, system, rows) == 3
        first = hashlib.sha256(path.read_bytes()).hexdigest()
        write_file(connection, path, system, rows)
        assert hashlib.sha256(path.read_bytes()).hexdigest() == first
        types = {name: kind for name, kind, *_ in connection.execute(f"DESCRIBE FROM '{path}'").fetchall()}
        found = connection.execute(f"SELECT * FROM '{path}'").fetchall()
        assert leftovers(connection, path, system) == ()
    assert types == {"v": "BIGINT", "w": "DECIMAL(18,1)", "x": "VARCHAR", "y": "VARCHAR", "z": "VARCHAR"}
    assert [[None if v is None else str(v) for v in row] for row in found] == [
        ["1", "1.5", "01", "a", None],
        ["-20", "2.0", "2", "1,5", None],
        [None, None, "3", "2", None],
    ]
