"""Sources made from other sources: columns turned into rows, ticks gathered, rows joined; and Parquet beside CSV."""

from pathlib import Path

import duckdb
import pytest

from clinic_outcomes.formats import check_file, leftovers, read_header, source_rows, sources_of
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
  people: {file: people*.csv}
  people_and_calls:
    from: people
    lists: {traumas: 'trauma_{1..3}'}
    join: [{source: calls, by: [person]}]
  calls: {file: calls*.csv, required: false}
  answers: {from: forms, unpivot: {columns: 'q{01..03}', number: item, value: answer}}
  forms: {file: forms*.csv}
key_patterns: {patient_id: 'p[0-9]', assessment_id: 'f[0-9]', referral_id: 'p[0-9]'}
"""
COLUMNS = """\
source,source_column,table,column,unit,codes,constant
people_and_calls,person,patient,patient_id,,,
people_and_calls,intake,patient,intake_day,day,,
people_and_calls,traumas,patient,trauma_types,,trauma,
people_and_calls,watched,patient,observed_through_day,day,,
people_and_calls,calls.day,,,,,
answers,form,assessment_item,assessment_id,,,
answers,person,assessment_item,patient_id,,,
answers,item,assessment_item,item_number,,,
answers,answer,assessment_item,item_value,point,,
"""
CODES = "codes,source_code,code\ntrauma,1,combat\ntrauma,2,accident\ntrauma,3,disaster\n"
PEOPLE = "person;intake;trauma_1;trauma_2;trauma_3;watched\np1;0;1;0;1;90\np2;4;0;;0;80\np3;1;;1;;70\n"
CALLS = "person;day\np2;3\np9;5\np1;1\n;7\n"
FORMS = "form;person;q01;q02;q03\nf1;p1;4;;0\nf2;p2;n/a;2;3\n"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    folder = tmp_path / "systems" / "made_up"
    folder.mkdir(parents=True)
    for name, text in {"system.yml": SYSTEM, "columns.csv": COLUMNS, "codes.csv": CODES}.items():
        (folder / name).write_text(text)
    return Settings(home=tmp_path, systems=tmp_path / "systems")


@pytest.fixture
def system(settings: Settings) -> System:
    return load_system("made_up", settings)


def rows_of(folder: Path, system: System, source: str, **files: str) -> list[tuple[object, ...]]:
    paths = {}
    for name, text in files.items():
        paths[f"{name}.csv"] = folder / f"{name}.csv"
        paths[f"{name}.csv"].write_text(text)
    with duckdb.connect() as connection:
        return connection.execute(f"FROM {source_rows(connection, paths, system, source).sql}").fetchall()


def test_columns_become_rows_that_have_a_value(tmp_path: Path, system: System) -> None:
    assert rows_of(tmp_path, system, "answers", forms=FORMS) == [
        ("f1", "p1", "1", "4", "forms.csv#answers", 2, 1),
        ("f1", "p1", "3", "0", "forms.csv#answers", 2, 3),
        ("f2", "p2", "2", "2", "forms.csv#answers", 3, 2),
        ("f2", "p2", "3", "3", "forms.csv#answers", 3, 3),
    ]


def test_a_join_keeps_what_has_no_partner_and_says_where_it_is(tmp_path: Path, system: System) -> None:
    assert rows_of(tmp_path, system, "people_and_calls", people=PEOPLE, calls=CALLS) == [
        ("p9", "", "", "", "5", "calls.csv", 3, 1),
        ("", "", "", "", "7", "calls.csv", 5, 1),
        ("p1", "0", "90", "1|3", "1", "people.csv#people_and_calls", 2, 1),
        ("p2", "4", "80", "", "3", "people.csv#people_and_calls", 3, 1),
        ("p3", "1", "70", "2", "", "people.csv#people_and_calls", 4, 1),
    ]


def test_a_source_without_its_file_is_empty(tmp_path: Path, system: System) -> None:
    assert len(rows_of(tmp_path, system, "people_and_calls", people=PEOPLE)) == 3
    assert rows_of(tmp_path, system, "answers", people=PEOPLE) == []


def test_a_base_source_may_have_what_the_derived_ones_use(system: System) -> None:
    assert system.allowed_columns("forms") == ("form", "person", "q01", "q02", "q03")
    assert set(system.allowed_columns("people")) == {"person", "intake", "trauma_1", "trauma_2", "trauma_3", "watched"}
    assert system.allowed_columns("calls") == ("person", "day")
    assert system.base_of("people_and_calls") == ("people", "calls")
    assert system.mapped_sources == ("people_and_calls", "answers")


MISTAKES = {
    "from: people\n": ("from: nobody\n", "no such source: nobody"),
    "from: forms,": ("from: answers,", "the source is made from itself"),
    "columns: 'q{01..03}'": ("columns: 'q'", "expected a range"),
    "{file: forms*.csv}": ("{file: forms*.csv, sheet: Forms}", "sheet is of no format of the system"),
    "{file: people*.csv}": ("{file: people*.csv, from: calls}", "give either file or from"),
}


@pytest.mark.parametrize("line", MISTAKES)
def test_mistakes_in_sources_are_named(settings: Settings, line: str) -> None:
    wrong, message = MISTAKES[line]
    assert line in SYSTEM
    (settings.systems / "made_up" / "system.yml").write_text(SYSTEM.replace(line, wrong))
    with pytest.raises(ClinicOutcomesError) as caught:
        load_system("made_up", settings)
    assert message in str(caught.value)


def write_parquet(path: Path, query: str, options: str = "") -> None:
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet{options})")


def test_parquet_is_read_as_the_systems_csv_would_be(tmp_path: Path, system: System, settings: Settings) -> None:
    path = tmp_path / "people_1.parquet"
    write_parquet(
        path,
        "FROM (VALUES ('p1', 1.5::DECIMAL(4,2), ['a', 'b'], true, 7), ('p2', NULL, NULL, NULL, NULL)) "
        "AS t(person, weight, traumas, served, days)",
    )
    assert sources_of(path.name, system) == ("people",)
    with duckdb.connect() as connection:
        assert check_file(connection, path, system, settings) == 2
        header = read_header(connection, path, system, "people")
        rows = source_rows(connection, {path.name: path}, system, "people")
        found = connection.execute(f"FROM {rows.sql}").fetchall()
        assert leftovers(connection, path, system) == ()
    assert header == ("person", "weight", "traumas", "served", "days")
    assert found == [
        ("p1", "1,50", "a|b", "true", "7", path.name, 2, 1),
        ("p2", "", "", "", "", path.name, 3, 1),
    ]


@pytest.mark.parametrize("query", ["SELECT {'name': 'x'} AS a", "SELECT 'x'::BLOB AS a"])
def test_parquet_with_other_columns_is_refused(tmp_path: Path, system: System, settings: Settings, query: str) -> None:
    path = tmp_path / "people.parquet"
    write_parquet(path, query)
    with duckdb.connect() as connection, pytest.raises(ClinicOutcomesError) as caught:
        check_file(connection, path, system, settings)
    (problem,) = caught.value.problems
    assert (problem.rule, problem.file) == ("parquet_structure", path.name)


def test_what_is_no_parquet_is_refused(tmp_path: Path, system: System, settings: Settings) -> None:
    path = tmp_path / "people.parquet"
    path.write_bytes(b"PAR1 Jane Doe PAR1")
    with duckdb.connect() as connection, pytest.raises(ClinicOutcomesError) as caught:
        check_file(connection, path, system, settings)
    assert "Jane" not in str(caught.value)


def test_metadata_of_parquet_is_left_over(tmp_path: Path, system: System) -> None:
    path = tmp_path / "people.parquet"
    write_parquet(path, "SELECT 'p1' AS person", ", KV_METADATA {author: 'Jane Doe'}")
    with duckdb.connect() as connection:
        (found,) = leftovers(connection, path, system)
    assert found.rule == "metadata_present" and "Jane" not in found.place
