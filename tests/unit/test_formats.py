"""Reading CSV: what is read, and what is refused with its line and without its content."""

import json
from pathlib import Path

import duckdb
import pytest

from clinic_outcomes.formats import check_file, read_header, read_rows_sql, sources_of
from clinic_outcomes.mapping import CsvDialect, Source, System
from clinic_outcomes.problems import ClinicOutcomesError, Problem
from clinic_outcomes.settings import Settings
from tests.support.external import external

SETTINGS = Settings(home=Path())


def make_system(**csv: str) -> System:
    return System(
        name="made_up",
        folder=Path(),
        title="Made up",
        description="",
        format="csv",
        other_formats=(),
        csv=CsvDialect(**csv),
        missing=("",),
        list_separator=";",
        sources={
            "visits": Source(file="visits*.csv"),
            "visit_notes": Source(file="visits_notes*.csv"),
            "people": Source(file="people.csv"),
        },
        key_patterns={},
        columns=(),
        codes={},
        fingerprint="",
    )


def read(path: Path, system: System) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    with duckdb.connect() as connection:
        header = read_header(connection, path, system, "visits")
        rows = read_rows_sql(connection, path, system, "visits", header)
        found = connection.execute(f"SELECT * EXCLUDE (source_item) FROM {rows}").fetchall()
        assert check_file(connection, path, system, SETTINGS) == len(found)
    return header, found


def problem_of(path: Path, system: System | None = None) -> Problem:
    system = system or make_system()
    with pytest.raises(ClinicOutcomesError) as caught, duckdb.connect() as connection:
        check_file(connection, path, system, SETTINGS)
    # An error that DuckDB raised quotes the row: it may not be shown as the cause.
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    (problem,) = caught.value.problems
    assert problem.advice and problem.file == path.name
    return problem


READABLE = {
    "plain": (b"a,b\n1,2\n3,4\n", [("1", "2", 2), ("3", "4", 3)]),
    "no_last_line_end": (b"a,b\n1,2\n3,4", [("1", "2", 2), ("3", "4", 3)]),
    "windows_line_ends": (b"a,b\r\n1,2\r\n3,4\r\n", [("1", "2", 2), ("3", "4", 3)]),
    "byte_order_mark": (b"\xef\xbb\xbfa,b\n1,2\n", [("1", "2", 2)]),
    "header_only": (b"a,b\n", []),
    "header_without_line_end": (b"a,b", []),
    "empty_cells": (b'a,b\n"",\n', [("", "", 2)]),
    "text_that_looks_like_null": (b"a,b\nNULL,NaN\n", [("NULL", "NaN", 2)]),
    "zeros_and_blanks_stay": (b"a,b\n007, x \n", [("007", " x ", 2)]),
    "line_end_in_quotes_is_one_record": (b'a,b\n1,"x\ny"\n3,4\n', [("1", "x\ny", 2), ("3", "4", 3)]),
    "accents": ("a,b\né,ʤ\n".encode(), [("é", "ʤ", 2)]),
}


@pytest.mark.parametrize("case", READABLE)
def test_rows_are_read_as_delivered_and_numbered(tmp_path: Path, case: str) -> None:
    content, expected = READABLE[case]
    path = tmp_path / "visits.csv"
    path.write_bytes(content)
    assert read(path, make_system()) == (("a", "b"), expected)


BROKEN = {
    "latin_1": ("a,b\n1,2\n3,Zoë\n".encode("latin-1"), "encoding", 3),
    "utf_16": ("a,b\n1,2\n".encode("utf-16"), "encoding", 1),
    "utf_16_without_mark": ("a,b\n1,2\n".encode("utf-16-le"), "encoding", 1),
    "nul": (b"a,b\n1,Zo\x00\n", "encoding", 2),
    "cut_within_a_character": ("a,b\n1,Zoë".encode()[:-1], "encoding", 2),
    "wrong_encoding_of_header": ("a,Zoë\n1,2\n".encode("latin-1"), "encoding", 1),
    "cell_missing": (b"a,b\n1,2\nZo\n", "csv_structure", 3),
    "cell_too_many": (b"a,b\n1,2\n3,4,Zo\n", "csv_structure", 3),
    "quote_never_closed": (b'a,b\n1,2\n"Zo,4\n', "csv_structure", 3),
    "text_after_quote": (b'a,b\n1,2\n"3"Zo,4\n', "csv_structure", 3),
    "mixed_line_ends": (b"a,b\r\n1,2\n3,4\r\n", "csv_structure", None),
    "quote_in_header_never_closed": (b'a,"Zo\n1,2\n', "csv_structure", 1),
    "column_without_name": (b"a,\n1,2\n", "csv_structure", 1),
    "no_header": (b"\n", "csv_structure", 1),
    "column_twice": (b"a,a\n1,2\n", "column_duplicate", 1),
    "column_twice_but_for_case": (b"a,A\n1,2\n", "column_duplicate", 1),
    "column_of_our_own": (b"a,source_line\n1,2\n", "column_duplicate", 1),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_no_csv_is_refused_with_its_line_and_without_its_content(tmp_path: Path, case: str) -> None:
    content, rule, line = BROKEN[case]
    path = tmp_path / "visits.csv"
    path.write_bytes(content)
    problem = problem_of(path)
    assert (problem.rule, problem.line) == (rule, line)
    assert "Zo" not in problem.model_dump_json()


def test_an_error_far_into_a_file_has_its_line(tmp_path: Path) -> None:
    # 5 MB, so that the text is checked in more than one piece and read by more than one thread.
    path = tmp_path / "visits.csv"
    path.write_bytes(b"a,b\n" + b"1234567890,12345678\n" * 250_000 + b"3,\xff\n")
    assert (problem_of(path).rule, problem_of(path).line) == ("encoding", 250_002)
    path.write_bytes(b"a,b\n" + b"1234567890,12345678\n" * 250_000 + b"3\n")
    assert (problem_of(path).rule, problem_of(path).line) == ("csv_structure", 250_002)


def test_many_rows_keep_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "visits.csv"
    quoted = '"two\nlines"'
    path.write_text("number,text\n" + "".join(f"{n},{quoted if n % 7 == 0 else 'one'}\n" for n in range(2, 300_002)))
    system = make_system()
    with duckdb.connect(config={"threads": 4}) as connection:
        header = read_header(connection, path, system, "visits")
        rows = read_rows_sql(connection, path, system, "visits", header)
        found = connection.execute(f"SELECT count(*), bool_and(number::BIGINT = source_line) FROM {rows}").fetchone()
    assert found == (300_000, True)


def test_the_dialect_of_the_system_is_used(tmp_path: Path) -> None:
    path = tmp_path / "visits.csv"
    path.write_text("a;b\n1,5;'x;y'\n")
    assert read(path, make_system(delimiter=";", quote="'")) == (("a", "b"), [("1,5", "x;y", 2)])


@pytest.mark.parametrize("name", ["vis[it]s.csv", "visits*.csv", "visits?.csv", "it's.csv"])
def test_a_name_is_neither_a_pattern_nor_a_compression(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "person=other"
    folder.mkdir()
    for other in ("visits.csv", "visitsX.csv", "visis.csv"):
        (folder / other).write_text("person\nother\n")
    (folder / name).write_text("person\nthis\n")
    assert read(folder / name, make_system()) == (("person",), [("this", 2)])


def test_a_column_name_is_only_a_name(tmp_path: Path) -> None:
    path = tmp_path / "visits.csv"
    path.write_text('"it\'s ""a""",b;--\n1,2\n')
    assert read(path, make_system()) == (('it\'s "a"', "b;--"), [("1", "2", 2)])


def test_the_source_is_found_by_the_longest_pattern() -> None:
    names = ["visits.csv", "visits_2.csv", "visits_notes_2.csv", "people.csv", "People.csv", "people_2.csv", "x/visits"]
    assert [sources_of(name, make_system()) for name in names] == [
        ("visits",), ("visits",), ("visit_notes",), ("people",), (), (), (),
    ]  # fmt: skip


# All of the suite but location_coordinates, whose JSON tells another number than its CSV.
SPECTRUM = (
    "comma_in_quotes", "empty", "empty_crlf", "escaped_quotes", "json", "newlines", "newlines_crlf",
    "quotes_and_newlines", "simple", "simple_crlf", "utf8",
)  # fmt: skip


@pytest.mark.parametrize("name", SPECTRUM)
def test_csv_spectrum_is_read_as_its_authors_say(name: str) -> None:
    folder = external("csv-spectrum")
    header, rows = read(folder / "csvs" / f"{name}.csv", make_system())
    found = [dict(zip(header, row, strict=False)) for row in rows]
    # The copies have lost their carriage returns, which the JSON of newlines_crlf still tells.
    expected = (folder / "json" / f"{name}.json").read_text(encoding="utf-8").replace("\\r\\n", "\\n")
    assert found == json.loads(expected)
