"""Mappings are checked against the contract on loading, and every mistake is named at once."""

from pathlib import Path

import pytest

from clinic_outcomes.contract import load_contract
from clinic_outcomes.contract.new_system import new_system
from clinic_outcomes.mapping import load_clinic, load_clinics, load_system, load_systems
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.recipe import recipe
from clinic_outcomes.settings import PROJECT_ROOT, Settings

SYSTEM = """\
title: Example
format: csv
sources: {people: {file: 'people*.csv'}}
key_patterns: {patient_id: 'P[0-9]{4}'}
"""
COLUMNS = """\
source,source_column,table,column,unit,codes,constant
people,ref,patient,patient_id,,,
people,sex,patient,sex,,sex,
people,weeks,patient,intake_day,week,,
"""
CODES = """\
codes,source_code,code
sex,F,female
sex,M,male
"""


ALPHA = """\
title: Alpha
system: example
short_keys: {reason: study numbers, key_patterns: {patient_id: 'P[0-9]{4}'}}
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(home=tmp_path / "home", clinics=tmp_path / "clinics", systems=tmp_path / "systems")
    made.clinics.mkdir()
    write_system(made, SYSTEM, COLUMNS, CODES)
    (made.clinics / "alpha.yml").write_text(ALPHA)
    return made


def write_system(settings: Settings, head: str, columns: str, codes: str) -> None:
    folder = settings.systems / "example"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "system.yml").write_text(head)
    (folder / "columns.csv").write_text(columns)
    (folder / "codes.csv").write_text(codes)


def mistakes(settings: Settings) -> set[tuple[str | None, int | None, str | None]]:
    with pytest.raises(ClinicOutcomesError) as caught:
        load_clinics(settings)
    return {(problem.file, problem.line, problem.column) for problem in caught.value.problems}


def test_the_projects_own_systems_and_clinics_load() -> None:
    settings = Settings(home=Path("unused"))
    clinics = load_clinics(settings)
    assert len(clinics) == len(list((PROJECT_ROOT / "clinics").glob("*.yml"))) >= 5
    assert len(load_systems(settings)) >= 2


def test_a_line_becomes_a_mapping(settings: Settings) -> None:
    system = load_system("example", settings)
    weeks = system.mappings("people", "patient")[2]
    assert (weeks.source_columns, weeks.target.name, weeks.conversion.numerator) == (("weeks",), "intake_day", 7)
    assert system.codes["sex"] == {"F": "female", "M": "male"}
    assert system.allowed_columns("people") == ("ref", "sex", "weeks")


def test_every_mistake_is_named_at_once(settings: Settings) -> None:
    columns = (
        "source,source_column,table,column,unit,codes,constant\n"
        "persons,ref,patient,patient_id,,,\n"  # 2: no such source
        "people,sex,patient,gender,,sex,\n"  # 3: no such column
        "people,sex,patient,sex,,,\n"  # 4: coded, but no code set
        "people,weeks,patient,intake_day,month,,\n"  # 5: no such conversion
        "people,age,patient,age_years,,,\n"  # 6: unit missing
        "people,consent,patients,off_label_consent_day,day,,\n"  # 7: no such table
        "people,,patient,veteran,,yes_no,\n"  # 8: neither column nor constant, and no such set
        "people,a+b,patient,observed_through_day,day,,\n"  # 9: only keys are joined
    )
    write_system(settings, SYSTEM, columns, CODES + "sex,F,male\nsex,D,diverse\n")
    found = mistakes(settings)
    assert found >= {
        ("example/columns.csv", 2, "source"),
        ("example/columns.csv", 3, "column"),
        ("example/columns.csv", 4, "codes"),
        ("example/columns.csv", 5, "unit"),
        ("example/columns.csv", 6, "unit"),
        ("example/columns.csv", 7, "table"),
        ("example/columns.csv", 8, "source_column"),
        ("example/columns.csv", 8, "codes"),
        ("example/columns.csv", 9, "source_column"),
        ("example/codes.csv", 4, "source_code"),
    }


def test_a_code_outside_its_list_is_a_mistake(settings: Settings) -> None:
    write_system(settings, SYSTEM, COLUMNS, CODES + "sex,D,diverse\nsex,U,unmapped\n")
    assert mistakes(settings) == {("example/codes.csv", 4, "code"), ("example/codes.csv", 5, "code")}


def test_required_columns_and_key_patterns_are_demanded(settings: Settings) -> None:
    write_system(settings, SYSTEM.replace("patient_id", "course_id"), COLUMNS, CODES)
    assert mistakes(settings) == {("example/system.yml", None, "patient_id")}
    write_system(settings, SYSTEM, COLUMNS.replace("people,ref,patient,patient_id,,,\n", ""), CODES)
    assert ("example/columns.csv", None, "patient_id") in mistakes(settings)


def test_a_wrong_header_and_broken_yaml_are_named(settings: Settings) -> None:
    write_system(settings, SYSTEM, COLUMNS.replace("constant", "fixed"), CODES)
    assert ("example/columns.csv", 1, None) in mistakes(settings)
    write_system(settings, SYSTEM + "  - [\n", COLUMNS, CODES)
    assert ("example/system.yml", 5, None) in mistakes(settings)


def test_a_clinic_may_add_codes_within_the_list(settings: Settings) -> None:
    path = settings.clinics / "alpha.yml"
    before = recipe(load_clinic("alpha", settings), settings)
    path.write_text(ALPHA + "overrides: {codes: {sex: {W: female}}}\n")
    assert load_clinic("alpha", settings).system.codes["sex"] == {"F": "female", "M": "male", "W": "female"}
    assert recipe(load_clinic("alpha", settings), settings) != before
    path.write_text(ALPHA + "overrides: {codes: {sex: {W: woman}, colour: {R: red}}}\n")
    assert mistakes(settings) == {
        ("clinics/alpha.yml", None, "overrides.codes.sex"),
        ("clinics/alpha.yml", None, "overrides.codes.colour"),
    }


def test_an_unknown_clinic_or_system_is_an_error(settings: Settings) -> None:
    with pytest.raises(ClinicOutcomesError, match="no clinic beta; known are alpha"):
        load_clinic("beta", settings)
    (settings.clinics / "beta.yml").write_text("title: Beta\nsystem: nowhere\n")
    assert mistakes(settings) == {("clinics/beta.yml", None, "system")}


def test_a_new_system_names_what_is_left_to_fill_in_and_loads_once_it_is(settings: Settings) -> None:
    folder = new_system("fresh", settings)
    with pytest.raises(ClinicOutcomesError) as caught:
        load_system("fresh", settings)
    columns = sum(len(table.columns) + 1 for table in load_contract().tables.values())
    empty = [problem for problem in caught.value.problems if problem.column == "source_column"]
    assert len(empty) == columns

    lines = (folder / "columns.csv").read_text().splitlines()
    filled = [lines[0]]
    for line in lines[1:]:
        cells = line.split(",")
        cells[1] = cells[3]
        filled.append(",".join(cells))
    codes = (folder / "codes.csv").read_text()
    (folder / "codes.csv").write_text(codes + "reported_term,T1,t1\ntrial_arm,A,a\n")
    (folder / "columns.csv").write_text("\n".join(filled) + "\n")
    system = load_system("fresh", settings)
    assert {table for source in system.sources for table in system.tables(source)} == set(load_contract().tables)

    with pytest.raises(ClinicOutcomesError, match="exists already"):
        new_system("fresh", settings)
    with pytest.raises(ClinicOutcomesError, match="lower-case"):
        new_system("No Name", settings)
