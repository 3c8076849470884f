"""Reading and writing flat exports of REDCap projects, on one small enough to check by eye."""

from pathlib import Path

import duckdb
import pytest

from clinic_outcomes.database import quote_name
from clinic_outcomes.formats import check_file, leftovers, read_header, redcap_files, source_rows
from clinic_outcomes.mapping import System, load_system
from clinic_outcomes.mapping.redcap_project import read_project
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.settings import Settings
from tests.support.redcap_projects import make_system

DICTIONARY = """\
field_name,form_name,field_type,field_label,select_choices_or_calculations,identifier
id,person,text,Number,,
about,person,descriptive,Read this,,
colour,person,text,Colour,,y
trauma,person,checkbox,Trauma,"1, War | -9, Not said | A_b, Other",
weight,visit,text,Weight,,
scan,visit,file,Scan,,
ratio,visit,calc,Ratio,[weight] / 2,
minutes,call,text,Minutes,,
"""
EVENTS = """\
arm_num,unique_event_name,form
1,start_arm_1,person
1,visit_arm_1,visit
1,visit_arm_1,call
1,weekly_arm_1,visit
2,start_arm_2,person
2,start_arm_2,visit
2,start_arm_2,call
"""
REPEATING = "event_name,form_name,custom_form_label\nvisit_arm_1,call,\nstart_arm_2,call,\nweekly_arm_1,,\n"
# A record with two forms and a repeated one; a repeating event; two forms in one row; a record of which only keys are
# there. Status is blank where a form was not opened; -99 is a missing-data code.
EXPORT = """\
id;redcap_event_name;redcap_repeat_instrument;redcap_repeat_instance;redcap_data_access_group;redcap_survey_identifier;\
colour;trauma___1;trauma____9;trauma___a_b;person_complete;visit_timestamp;weight;scan;ratio;visit_complete;\
minutes;call_complete
R1;start_arm_1;;;north;;"dark; red";1;0;0;2;;;;;;;
R1;visit_arm_1;;;north;;;;;;;[not completed];70,5;scan.jpg;35,25;;;
R1;visit_arm_1;call;1;north;;;;;;;;;;;;12;2
R1;visit_arm_1;call;2;north;;;;;;;;;;;;;
R1;weekly_arm_1;;1;north;;;;;;;;-99;;;0;;
R2;start_arm_2;;;;s-1;;0;1;0;0;;60;;;1;;
R3;start_arm_2;;;;;;;;;;;;;;;;
"""
PERSON = [
    ("R1", "start_arm_1", "", "north", "", "dark; red", "1", "0", "0", "2", 2),
    ("R2", "start_arm_2", "", "", "s-1", "", "0", "1", "0", "0", 7),
    ("R3", "start_arm_2", "", "", "", "", "", "", "", "", 8),
]
VISIT = [
    ("R1", "visit_arm_1", "", "north", "", "[not completed]", "70,5", "scan.jpg", "35,25", "", 3),
    ("R1", "weekly_arm_1", "1", "north", "", "", "-99", "", "", "0", 6),
    ("R2", "start_arm_2", "", "", "s-1", "", "60", "", "", "1", 7),
]
CALL = [
    ("R1", "visit_arm_1", "1", "north", "", "12", "2", 4),
    ("R1", "visit_arm_1", "2", "north", "", "", "", 5),
]
FORMS = {"person": PERSON, "visit": VISIT, "call": CALL}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    header = EXPORT.splitlines()[0].split(";")
    settings = make_system(tmp_path, DICTIONARY, header, dialect="{delimiter: ';', decimal_separator: ','}")
    (settings.systems / "project" / "instrument_event_mappings.csv").write_text(EVENTS)
    (settings.systems / "project" / "repeating_instruments_events.csv").write_text(REPEATING)
    return settings


@pytest.fixture
def system(settings: Settings) -> System:
    return load_system("project", settings)


def export(folder: Path, text: str | bytes = EXPORT) -> Path:
    path = folder / "data.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read(path: Path, system: System, form: str) -> list[tuple[object, ...]]:
    """Rows of a form with their line."""
    with duckdb.connect() as connection:
        rows = source_rows(connection, {path.name: path}, system, form)
        names = ", ".join(map(quote_name, rows.columns))
        return connection.execute(f"SELECT {names}, source_line FROM {rows.sql}").fetchall()


@pytest.mark.parametrize("form", FORMS)
def test_a_form_has_its_columns_and_the_rows_in_which_it_holds_anything(
    tmp_path: Path, system: System, settings: Settings, form: str
) -> None:
    path = export(tmp_path)
    with duckdb.connect() as connection:
        assert check_file(connection, path, system, settings) == 7
        assert leftovers(connection, path, system) == ()
    assert read(path, system, form) == FORMS[form]


def test_what_no_source_takes_lies_with_the_first_form(tmp_path: Path, settings: Settings) -> None:
    """A column that the dictionary does not know, and a form that the mapping does not: the gate must see both."""
    folder = settings.systems / "project"
    for name in ("system.yml", "columns.csv"):
        lines = (folder / name).read_text().splitlines(keepends=True)
        (folder / name).write_text("".join(line for line in lines if not line.strip().startswith("call")))
    lines = EXPORT.splitlines()
    path = export(tmp_path, "\n".join([f"{lines[0]};nickname", f"{lines[1]};", f"{lines[2]};Bo", f"{lines[3]};"]))
    system = load_system("project", settings)
    with duckdb.connect() as connection:
        header = read_header(connection, path, system, "person")
    assert header[-3:] == ("minutes", "call_complete", "nickname")
    assert [(row[-4:-1], row[-1]) for row in read(path, system, "person")] == [
        (("", "", ""), 2),
        (("", "", "Bo"), 3),
        (("12", "2", ""), 4),
    ]
    assert [row[-1] for row in read(path, system, "visit")] == [3]


@pytest.mark.parametrize("blank", [b"\n", b"\r\n", b"\xef\xbb\xbf\n"])
def test_an_export_without_records_has_the_columns_that_the_mapping_wants(
    tmp_path: Path, system: System, settings: Settings, blank: bytes
) -> None:
    path = export(tmp_path, blank)
    with duckdb.connect() as connection:
        assert check_file(connection, path, system, settings) == 0
        assert read_header(connection, path, system, "call") == system.allowed_columns("call")
    assert read(path, system, "call") == []


BROKEN = {
    "unknown form": ("R1;visit_arm_1;call;1", "R1;visit_arm_1;Jane;1", "names no form", 4),
    "label of a form": ("R1;visit_arm_1;call;2", "R1;visit_arm_1;Call;2", "names no form", 5),
    "two forms": ("north;;;;;;;;;;;;12;2", "north;;Jane;;;;;;;;;;12;2", "holds values of another", 4),
    "no record id": ("id;redcap_event_name", "Number;redcap_event_name", "lacks id", 1),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_redcap_does_not_write_is_refused_with_its_line(
    tmp_path: Path, system: System, settings: Settings, kind: str
) -> None:
    before, after, message, line = BROKEN[kind]
    assert EXPORT.count(before) == 1
    path = export(tmp_path, EXPORT.replace(before, after))
    with duckdb.connect() as connection, pytest.raises(ClinicOutcomesError) as caught:
        check_file(connection, path, system, settings)
    (problem,) = caught.value.problems
    assert (problem.rule, problem.file, problem.line) == ("redcap_structure", "data.csv", line)
    assert message in problem.message and "Jane" not in str(caught.value)


MISTAKES = {
    "data_dictionary.csv": {
        "": "the header lacks",
        "name,form\n": "the header lacks field_name, field_type, form_name, identifier",
        DICTIONARY + "id,call,text,,,\n": "the field is there twice",
        DICTIONARY + "Jane Doe,call,text,,,\n": "have names of",
        DICTIONARY.replace(",call,", ",talk,"): "no such form in data_dictionary.csv",
    },
    "instrument_event_mappings.csv": {
        EVENTS + "1,end_arm_1,farewell\n": "no such form in data_dictionary.csv: farewell"
    },
    "repeating_instruments_events.csv": {"event_name\n": "the header lacks form_name"},
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in MISTAKES.items() for text in texts])
def test_mistakes_in_the_projects_files_are_named_when_the_system_is_loaded(
    settings: Settings, name: str, text: str
) -> None:
    (settings.systems / "project" / name).write_text(text)
    with pytest.raises(ClinicOutcomesError) as caught:
        load_system("project", settings)
    assert MISTAKES[name][text] in str(caught.value)


def test_a_system_without_its_dictionary_is_a_mistake(settings: Settings) -> None:
    (settings.systems / "project" / "data_dictionary.csv").unlink()
    with pytest.raises(ClinicOutcomesError, match="file is missing; REDCap exports it"):
        load_system("project", settings)


def test_a_field_that_identifies_or_holds_free_text_cannot_be_carried(settings: Settings) -> None:
    columns = settings.systems / "project" / "columns.csv"
    lines = columns.read_text().splitlines(keepends=True)
    places = {
        name: next(n for n, line in enumerate(lines) if f",{name}," in line) for name in ("colour", "scan", "ratio")
    }
    for name, place in places.items():
        lines[place] = lines[place].replace(",,,,,", ",prior_treatment,rxnorm_code,,,")
        assert name in lines[place] and "rxnorm_code" in lines[place]
    columns.write_text("".join(lines))
    with pytest.raises(ClinicOutcomesError) as caught:
        load_system("project", settings)
    refused = {problem.line for problem in caught.value.problems if "nothing may carry it" in problem.message}
    assert refused == {places["colour"] + 1, places["scan"] + 1}


def test_both_headers_of_a_data_dictionary_are_read(settings: Settings) -> None:
    folder = settings.systems / "project"
    before = read_project(folder)
    names = (
        "Variable / Field Name",
        "Form Name",
        "Field Type",
        "Field Label",
        '"Choices, Calculations, OR Slider Labels"',
        "Identifier?",
    )
    text = "\ufeff" + ",".join(names) + "\r\n" + DICTIONARY.partition("\n")[2]
    (folder / "data_dictionary.csv").write_text(text, encoding="utf-8")
    assert read_project(folder) == before
    assert before.forms == ("person", "visit", "call")


def test_a_choice_that_the_dictionary_has_lost_stays_with_its_checkbox(tmp_path: Path, system: System) -> None:
    dictionary = DICTIONARY.replace("trauma,person,", "trauma,visit,")
    (system.folder / "data_dictionary.csv").write_text(dictionary)
    lines = EXPORT.splitlines()
    path = export(tmp_path, f"{lines[0]};trauma___nask\n{lines[1]};\n{lines[2]};1\n")
    assert [(row[-2], row[-1]) for row in read(path, system, "visit")] == [("", 2), ("1", 3)]
    with duckdb.connect() as connection:
        assert "trauma___nask" not in read_header(connection, path, system, "person")


def written(path: Path, system: System, rows: dict[str, str]) -> list[str]:
    """Lines of an export of forms whose rows are given as SQL."""
    with duckdb.connect() as connection:
        count = redcap_files.write_file(connection, path, system, rows)
    lines = path.read_text().splitlines()
    assert count == len(lines) - 1
    return lines


def values(system: System, form: str, rows: list[dict[str, str]]) -> str:
    """SQL of rows of a form; what is not given is NULL."""
    columns = system.allowed_columns(form)
    cells = [", ".join(f"'{row[name]}'" if name in row else "NULL::VARCHAR" for name in columns) for row in rows]
    return f"(VALUES {', '.join(f'({row})' for row in cells)}) AS t({', '.join(map(quote_name, columns))})"


def test_what_was_read_is_written_and_read_again(tmp_path: Path, system: System) -> None:
    rows = {}
    for form, found in FORMS.items():
        columns = system.allowed_columns(form)
        rows[form] = values(system, form, [dict(zip(columns, row[:-1], strict=True)) for row in found])
    path = tmp_path / "data_again.csv"
    lines = written(path, system, rows)
    assert lines[0] == EXPORT.splitlines()[0]
    assert len(lines) == 8
    for form, found in FORMS.items():
        # A form of which nothing says whether it is complete, is.
        assert read(path, system, form) == [(*row[:-2], row[-2] or "2", row[-1]) for row in found]


def test_events_and_instances_that_are_not_given_come_from_the_project(tmp_path: Path, system: System) -> None:
    rows = {
        "call": values(
            system,
            "call",
            [
                {"id": "B", "minutes": "5"},
                {"id": "A", "minutes": "6"},
                {"id": "B", "minutes": "7"},
                {"id": "B", "minutes": "8", "redcap_repeat_instance": "4"},
                {"minutes": "9"},
            ],
        ),
        "visit": values(system, "visit", [{"id": "A", "weight": "60"}, {"id": "C", "weight": "70"}]),
        "person": values(
            system,
            "person",
            [
                {"id": "B", "colour": "red", "redcap_event_name": "start_arm_1"},
                {"id": "A", "colour": "blue", "redcap_event_name": "start_arm_2"},
            ],
        ),
    }
    lines = written(tmp_path / "data.csv", system, rows)
    header = lines[0].split(";")
    kept = [*header[:4], "colour", "person_complete", "weight", "visit_complete", "minutes", "call_complete"]
    assert [";".join(line.split(";")[header.index(name)] for name in kept) for line in lines[1:]] == [
        "B;start_arm_1;;;red;2;;;;",
        "B;visit_arm_1;call;4;;;;;8;2",
        "B;visit_arm_1;call;5;;;;;5;2",
        "B;visit_arm_1;call;6;;;;;7;2",
        "A;start_arm_2;;;blue;2;60;2;;",
        "A;start_arm_2;call;1;;;;;6;2",
        "C;visit_arm_1;;;;;70;2;;",
        ";visit_arm_1;call;1;;;;;9;2",
    ]


def test_instances_of_a_repeating_event_are_counted(tmp_path: Path, system: System) -> None:
    weekly = [{"id": "A", "weight": weight, "redcap_event_name": "weekly_arm_1"} for weight in ("60", "61")]
    path = tmp_path / "data.csv"
    written(path, system, {"visit": values(system, "visit", weekly)})
    assert [row[:3] for row in read(path, system, "visit")] == [("A", "weekly_arm_1", "1"), ("A", "weekly_arm_1", "2")]


def test_two_rows_for_one_place_are_both_written(tmp_path: Path, system: System) -> None:
    given = [{"id": "A", "colour": "red"}, {"id": "A", "colour": "blue"}]
    path = tmp_path / "data.csv"
    written(path, system, {"person": values(system, "person", given)})
    assert [row[5] for row in read(path, system, "person")] == ["red", "blue"]


def test_without_rows_there_is_a_header(tmp_path: Path, system: System) -> None:
    assert written(tmp_path / "data.csv", system, {}) == [EXPORT.splitlines()[0]]


def test_the_same_rows_give_the_same_bytes(tmp_path: Path, system: System) -> None:
    nothing = ", ".join(
        f"NULL::VARCHAR AS {name}" for name in system.allowed_columns("call") if name not in ("id", "minutes")
    )
    many = f"(SELECT 'R' || (i * 7 % 999) AS id, i::VARCHAR AS minutes, {nothing} FROM range(20000) AS t(i))"
    contents = []
    for name in ("data_1.csv", "data_2.csv"):
        written(tmp_path / name, system, {"call": many})
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1] and contents[0].count(b"\n") == 20001
