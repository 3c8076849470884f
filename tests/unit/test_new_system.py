"""Folders of new systems: what is written for each format, and that they load once a person has decided the rest."""

import csv
import json
from pathlib import Path

import pytest

from clinic_outcomes.contract.new_system import new_system
from clinic_outcomes.mapping import load_system
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.settings import Settings

DICTIONARY = """\
field_name,form_name,field_type,field_label,select_choices_or_calculations,text_validation_type_or_show_slider_number,identifier
record_id,intake,text,Number,,,
surname,intake,text,Surname,,,y
intake_day,intake,text,Day,,integer,
sex,intake,radio,Sex,"1, Female | 2, Male | 7, Somebody else",,
veteran,intake,yesno,Served,,,
remarks,intake,notes,Remarks,,,
trauma,intake,checkbox,Trauma,"1, Combat | 2, Accident",,
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "systems").mkdir()
    return Settings(home=tmp_path / "home", systems=tmp_path / "systems", threads=1)


def lines(folder: Path, name: str = "columns.csv") -> list[str]:
    return (folder / name).read_text().splitlines()[1:]


def test_a_workbook_of_the_contract_has_a_sheet_a_table(settings: Settings) -> None:
    head = (new_system("fresh", settings, "excel") / "system.yml").read_text()
    assert "  patient: {file: 'export*.xlsx', sheet: patient, required: false}" in head


@pytest.mark.parametrize(("format_name", "wanted"), [("redcap", "data dictionary"), ("fhir", "NDJSON")])
def test_some_formats_are_made_of_what_the_system_exports(settings: Settings, format_name: str, wanted: str) -> None:
    with pytest.raises(ClinicOutcomesError, match=wanted):
        new_system("fresh", settings, format_name)
    assert not list(settings.systems.iterdir())


def test_files_of_another_format_are_refused_and_nothing_is_left(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "patients.csv"
    path.write_text("patient_id,sex\nP1,F\n")
    with pytest.raises(ClinicOutcomesError, match="the files are of format csv"):
        new_system("fresh", settings, "parquet", [path])
    path.write_text("P1,34\nP2,35\n")
    with pytest.raises(ClinicOutcomesError, match="looks like values"):
        new_system("fresh", settings, "csv", [path])
    assert not list(settings.systems.iterdir())


def test_columns_of_an_export_are_filled_in_decided_or_left_out(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "patients_3.csv"
    rows = "".join(f"P{n:016x},{'FM'[n % 2]},Quack{'abcdefghij'[n]},{n}\n" for n in range(10))
    path.write_text("patient_key,sex,surname,xyz\n" + rows)
    folder = new_system("fresh", settings, "csv", [path])
    assert lines(folder) == [
        "patients,patient_key,patient,patient_id,,,",
        "patients,sex,patient,sex,,sex,",
        "patients,xyz,,,,,",
    ]
    # Canonical codes stand for themselves, to be replaced: delivered ones are written only where asked for.
    assert lines(folder, "codes.csv") == [
        "sex,female,female",
        "sex,male,male",
        "sex,other,other",
        "sex,unknown,unknown",
    ]
    system = load_system("fresh", settings)
    assert system.key_patterns == {"patient_id": "P[0-9a-f]{16}"}
    shown = new_system("shown", settings, "csv", [path], show_codes=True)
    assert lines(shown, "codes.csv") == ["sex,F,female", "sex,M,male"]
    assert "Quack" not in "".join(file.read_text() for file in (*folder.iterdir(), *shown.iterdir()))


def test_a_code_with_two_meanings_gets_two_sets(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "dictionary.csv"
    header = DICTIONARY.partition("\n")[0]
    path.write_text(
        f"{header}\nrecord_id,intake,text,,,,\nveteran,intake,yesno,,,,\n"
        'prior_treatment_id,prior_treatment,text,,,,\nadequate_trial,prior_treatment,radio,,"1, No | 2, Yes",,\n'
    )
    folder = new_system("fresh", settings, "redcap", [path])
    assert "intake,veteran,patient,veteran,,yes_no," in lines(folder)
    assert "prior_treatment,adequate_trial,prior_treatment,adequate_trial,,yes_no_2," in lines(folder)
    codes = [line for line in lines(folder, "codes.csv") if line.startswith("yes_no")]
    assert codes == ["yes_no,1,yes", "yes_no,0,no", "yes_no_2,1,no", "yes_no_2,2,yes"]


def test_a_redcap_project_has_a_source_a_form_from_its_dictionary(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "dictionary.csv"
    path.write_text(DICTIONARY)
    folder = new_system("fresh", settings, "redcap", [path])
    assert (folder / "data_dictionary.csv").read_text() == DICTIONARY
    assert lines(folder) == [
        "intake,record_id,patient,patient_id,,,",
        "intake,intake_day,patient,intake_day,day,,",
        "intake,sex,patient,sex,,sex,",
        "intake,veteran,patient,veteran,,yes_no,",
        "intake,trauma___1,,,,,",
        "intake,trauma___2,,,,,",
        "intake,intake_complete,,,,,",
    ]
    # A dictionary holds no data of anyone: choices are matched by their labels, and what is like none is left open.
    with (folder / "codes.csv").open(newline="") as stream:
        assert [tuple(row) for row in csv.reader(stream)][1:] == [
            ("sex", "1", "female"),
            ("sex", "2", "male"),
            ("sex", "7", ""),
            ("yes_no", "1", "yes"),
            ("yes_no", "0", "no"),
        ]
    with pytest.raises(ClinicOutcomesError, match="code is not in the column's code list"):
        load_system("fresh", settings)
    codes = (folder / "codes.csv").read_text()
    (folder / "codes.csv").write_text(codes.replace("sex,7,", "sex,7,other"))
    assert load_system("fresh", settings).sources["intake"].form == "intake"


def test_fhir_has_a_view_a_type_and_elements_that_identify_nobody(settings: Settings, tmp_path: Path) -> None:
    patient = {
        "resourceType": "Patient",
        "name": [{"family": "Quackenbusch"}],
        "birthDate": "1950-07-01",
        "gender": "female",
    }
    plan = {"resourceType": "CarePlan", "status": "active"}
    ids = [f"pat-{n:016x}" for n in range(1, 13)]
    (tmp_path / "Patient.ndjson").write_text("".join(json.dumps(patient | {"id": each}) + "\n" for each in ids))
    (tmp_path / "CarePlan.ndjson").write_text(
        "".join(
            json.dumps(plan | {"id": f"crs-{n:016x}", "subject": {"reference": f"Patient/{each}"}}) + "\n"
            for n, each in enumerate(ids, start=1)
        )
    )
    files = [tmp_path / "Patient.ndjson", tmp_path / "CarePlan.ndjson"]
    folder = new_system("fresh", settings, "fhir", files, show_codes=True)
    assert sorted(lines(folder, "elements.csv")) == [
        "CarePlan,CarePlan.id,key,course_id",
        "CarePlan,CarePlan.status,constant,active",
        "CarePlan,CarePlan.subject.reference,reference,Patient/patient_id",
        "Patient,Patient.gender,codes,sex",
        "Patient,Patient.id,key,patient_id",
    ]
    view = json.loads((folder / "views" / "care_plan.json").read_text())
    assert {"name": "patient_id", "path": "subject.getReferenceKey(Patient)"} in view["select"][0]["column"]
    everything = "".join(path.read_text() for path in folder.rglob("*.*") if path.is_file())
    assert "Quackenbusch" not in everything and "1950" not in everything

    # What a person decides: the protocol, which this export does not say, and what a status may be.
    for name, old, new in (
        ("elements.csv", "CarePlan.status,constant,active", "CarePlan.status,constant,active completed"),
        ("columns.csv", "care_plan,,course,protocol,,protocol,", "care_plan,,course,protocol,,,iv_ketamine"),
    ):
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))
    codes = [line for line in (folder / "codes.csv").read_text().splitlines() if not line.startswith("protocol,")]
    (folder / "codes.csv").write_text("\n".join(codes) + "\n")
    system = load_system("fresh", settings)
    assert system.tables("care_plan") == ("course",) and system.tables("patient") == ("patient",)
