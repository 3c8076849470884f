"""FHIR bulk exports: files checked, read by views, and written from rows."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from clinic_outcomes.formats import check_file, leftovers, read_header, source_rows, write_file
from clinic_outcomes.mapping import System, load_system
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.settings import Settings
from tests.support.small_fhir import (
    F1,
    F2,
    P1,
    P2,
    TEMPLATES,
    VIEWS,
    form,
    items,
    make_settings,
    on_day,
    patient,
    write,
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_settings(tmp_path)


@pytest.fixture
def system(settings: Settings) -> System:
    return load_system("made_up", settings)


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


Connection = duckdb.DuckDBPyConnection


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_views_give_rows_with_their_line_and_item(
    tmp_path: Path, connection: Connection, system: System, settings: Settings, suffix: str
) -> None:
    path = write(
        tmp_path,
        f"QuestionnaireResponse_1.ndjson{suffix}",
        form(_authored=on_day(3), item=items(_1=4, _2=0)),
        form(id=F2, subject={"reference": f"Patient/{P2}"}),
        form(id="f00000000000000b3", item=[{"linkId": "7"}, *items(_9=2)]),
    )
    assert check_file(connection, path, system, settings) == 3
    assert leftovers(connection, path, system) == ()
    forms = source_rows(connection, {path.name: path}, system, "forms")
    assert forms.columns == read_header(connection, path, system, "forms") == ("form", "patient", "day")
    assert connection.execute(f"FROM {forms.sql}").fetchall() == [
        (F1, P1, "3", f"{path.name}#forms", 1, 1),
        (F2, P2, "", f"{path.name}#forms", 2, 1),
        ("f00000000000000b3", P1, "", f"{path.name}#forms", 3, 1),
    ]
    answers = source_rows(connection, {path.name: path}, system, "answers")
    assert connection.execute(f"SELECT * EXCLUDE (source_file) FROM {answers.sql}").fetchall() == [
        (F1, P1, "1", "4", 1, 1),
        (F1, P1, "2", "0", 1, 2),
        ("f00000000000000b3", P1, "7", "", 3, 1),
        ("f00000000000000b3", P1, "9", "2", 3, 2),
    ]


def test_values_are_texts_as_in_the_systems_csv(tmp_path: Path, connection: Connection, system: System) -> None:
    languages = [{"language": {"coding": [{"code": "war"}, {"code": "crash"}]}}]
    path = write(
        tmp_path,
        "Patient.ndjson",
        patient(_birthDate=on_day(-2), multipleBirthInteger=70.25, communication=languages),
        patient(id=P2, active=False, multipleBirthInteger=80),
    )
    rows = source_rows(connection, {path.name: path}, system, "patients")
    assert connection.execute(f"SELECT * EXCLUDE (source_file, source_item) FROM {rows.sql}").fetchall() == [
        (P1, "female", "true", "war|crash", "-2", "70,25", 1),
        (P2, "female", "false", "", "", "80", 2),
    ]


def test_rows_keep_their_lines_in_a_large_file(tmp_path: Path, connection: Connection, system: System) -> None:
    count = 30_000
    lines = [form(id=f"f{n:016x}", item=items(_1=n % 5, _2=n % 3)) for n in range(count)]
    path = write(tmp_path, "QuestionnaireResponse.ndjson", *lines)
    rows = source_rows(connection, {path.name: path}, system, "answers")
    connection.execute("SET threads = 4")
    found = connection.execute(f"SELECT form, item, answer, source_line, source_item FROM {rows.sql}").fetchall()
    expected = [
        (f"f{n:016x}", str(item), str(n % modulus), n + 1, item)
        for n in range(count)
        for item, modulus in ((1, 5), (2, 3))
    ]
    assert found == expected


@pytest.mark.parametrize(
    ("lines", "rule", "line"),
    [
        ([patient(), '{"resourceType": "Patient", "name": "Canary"'], "json_structure", 2),
        ([patient(), "Canary"], "json_structure", 2),
        ([patient(), '"Canary"'], "json_structure", 2),
        ([patient(), '[{"resourceType": "Patient"}]'], "json_structure", 2),
        ([patient(), '{"id": NaN}'], "json_structure", 2),
        ([patient(), json.dumps(patient()) + ' {"name": "Canary"}'], "json_structure", 2),
        (["", patient()], "json_structure", 1),
        ([patient(), "  ", patient()], "json_structure", 2),
        ([patient(), '{"resourceType":', '"Patient"}'], "json_structure", 2),
        ([patient(), {"resourceType": "Practitioner", "id": "Canary"}], "json_structure", 2),
        ([patient(), patient(resourceType=["Patient"])], "json_structure", 2),
        ([patient(), {"id": P2}], "json_structure", 2),
        ([patient(gender=["female", "male"])], "json_structure", None),
        (["[" * 500 + "]" * 500], "json_too_deep", 1),
        ([patient(), '{"id": "\ud800"}'.encode("utf-8", "surrogatepass").decode("latin-1")], "json_structure", 2),
    ],
)
def test_what_is_no_resource_a_line_is_refused_with_its_line(
    tmp_path: Path, connection: Connection, system: System, settings: Settings, lines: list[Any], rule: str, line: int
) -> None:
    path = write(tmp_path, "Patient.ndjson", *lines)
    with pytest.raises(ClinicOutcomesError) as refused:
        check_file(connection, path, system, settings)
    assert [(problem.rule, problem.line) for problem in refused.value.problems] == [(rule, line)]
    assert "Canary" not in str(refused.value)


def test_no_resource_is_no_mistake(tmp_path: Path, connection: Connection, system: System, settings: Settings) -> None:
    path = write(tmp_path, "Patient.ndjson")
    assert check_file(connection, path, system, settings) == 0
    assert leftovers(connection, path, system) == ()
    rows = source_rows(connection, {path.name: path}, system, "patients")
    assert connection.execute(f"FROM {rows.sql}").fetchall() == []


def rows(columns: str, *cells: tuple[str | None, ...]) -> str:
    def text(cell: str | None) -> str:
        return "NULL::VARCHAR" if cell is None else f"'{cell}'"

    listed = ", ".join(f"({', '.join(map(text, row))})" for row in cells)
    return f"(FROM (VALUES {listed}) AS given ({columns}))"


FORMS = ("form, patient, day", (F1, P1, "3"), (F2, P2, None))
ANSWERS = ("form, patient, item, answer", (F1, P1, "1", "4"), (F1, P1, "2", None), (F2, P2, "1", "0"))


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_resources_written_give_the_rows_back(
    tmp_path: Path, connection: Connection, system: System, settings: Settings, suffix: str
) -> None:
    path = tmp_path / f"QuestionnaireResponse_1.ndjson{suffix}"
    given = {"forms": rows(*FORMS), "answers": rows(*ANSWERS)}
    assert write_file(connection, path, system, given) == 2
    first = path.read_bytes()
    write_file(connection, path, system, given)
    assert path.read_bytes() == first
    assert sorted(tmp_path.glob(".*")) == []
    assert check_file(connection, path, system, settings) == 2
    assert leftovers(connection, path, system) == ()
    text = gzip.decompress(first) if suffix else first
    assert [json.loads(line) for line in text.splitlines()] == [
        form(_authored=on_day(3), item=[*items(_1=4), {"linkId": "2"}]),
        form(id=F2, subject={"reference": f"Patient/{P2}"}, item=items(_1=0)),
    ]
    for name, cells in (("forms", FORMS[1:]), ("answers", ANSWERS[1:])):
        found = source_rows(connection, {path.name: path}, system, name)
        names = ", ".join(found.columns)
        expected = [tuple(cell or "" for cell in row) for row in cells]
        assert connection.execute(f"SELECT {names} FROM {found.sql}").fetchall() == expected


def test_a_form_given_twice_has_its_answers_in_each(tmp_path: Path, connection: Connection, system: System) -> None:
    path = tmp_path / "QuestionnaireResponse.ndjson"
    given = {"forms": rows(FORMS[0], FORMS[1], FORMS[1]), "answers": rows(ANSWERS[0], *[ANSWERS[1]] * 2)}
    assert write_file(connection, path, system, given) == 2
    one, other = path.read_text().splitlines()
    assert one == other
    assert json.loads(one) == form(_authored=on_day(3), item=items(_1=4))


def test_answers_alone_are_a_resource_of_their_own(tmp_path: Path, connection: Connection, system: System) -> None:
    path = tmp_path / "QuestionnaireResponse.ndjson"
    assert write_file(connection, path, system, {"answers": rows(*ANSWERS)}) == 2
    assert json.loads(path.read_text().splitlines()[1]) == form(
        id=F2, subject={"reference": f"Patient/{P2}"}, item=items(_1=0)
    )


def test_texts_are_quoted_and_numbers_have_a_point(tmp_path: Path, connection: Connection, system: System) -> None:
    path = tmp_path / "Patient.ndjson"
    columns = "patient, sex, veteran, traumas, intake, weight"
    odd = 'a"b\\c\nd\t, é'
    cells = (odd, "female", "true", "war|crash", "-3", "70,5")
    assert write_file(connection, path, system, {"patients": rows(columns, cells)}) == 1
    assert json.loads(path.read_text()) == {
        "resourceType": "Patient",
        "id": odd,
        "active": True,
        "gender": "female",
        "_birthDate": on_day(-3),
        "multipleBirthInteger": 70.5,
        "communication": [{"language": {"coding": [{"code": "war"}, {"code": "crash"}]}}],
    }
    no_number = (P1, None, "maybe", None, "2025-01-31", None)
    write_file(connection, path, system, {"patients": rows(columns, no_number)})
    assert json.loads(path.read_text()) == {
        "resourceType": "Patient",
        "id": P1,
        "active": "maybe",
        "_birthDate": on_day("2025-01-31"),
    }


@pytest.mark.parametrize(
    ("name", "changed", "message"),
    [
        ("patients", None, "file is missing"),
        ("patients", "{", "not readable as JSON"),
        ("patients", json.dumps({"resource": "Patient"}), "select: is missing"),
        ("forms", json.dumps(VIEWS["patients"]), "views of one file are of different resources"),
        ("patients", json.dumps(VIEWS["patients"]).replace('"gender"', '"maritalStatus"'), "does not list"),
        ("patients", json.dumps(VIEWS["patients"]).replace('"sex"', '"gender"'), "no column of its view"),
    ],
)  # fmt: skip
def test_mistakes_in_views_are_told(tmp_path: Path, name: str, changed: str | None, message: str) -> None:
    settings = make_settings(tmp_path, **({f"views/{name}__json": changed} if changed else {}))
    if changed is None:
        (settings.systems / "made_up" / "views" / f"{name}.json").unlink()
    with pytest.raises(ClinicOutcomesError, match=message):
        load_system("made_up", settings)


def test_a_template_must_have_every_column(tmp_path: Path, connection: Connection) -> None:
    template = {name: part for name, part in TEMPLATES["patients"].items() if name != "gender"}
    settings = make_settings(tmp_path, **{"resources/patients__json": json.dumps(template)})
    given = {"patients": rows("patient, sex, veteran, traumas, intake, weight", (P1, *[None] * 5))}
    with pytest.raises(ClinicOutcomesError, match="differ in the columns of patients: sex"):
        write_file(connection, tmp_path / "Patient.ndjson", load_system("made_up", settings), given)
