"""Elements of FHIR resources against the list of those that a system may deliver."""

import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from clinic_outcomes.formats import Leftover, leftovers
from clinic_outcomes.mapping import System, load_system
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.settings import Settings
from tests.support.small_fhir import DAY, ELEMENTS, P1, P2, form, items, make_settings, on_day, patient, write


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


NARRATIVE = {"status": "generated", "div": "<div>Canary</div>"}
HIDDEN = {
    "text": (patient(text=NARRATIVE), "element_unknown", "Patient.text"),
    "name": (patient(name=[{"family": "Canary"}]), "element_unknown", "Patient.name"),
    "telecom": (patient(telecom=[{"value": "Canary"}]), "element_unknown", "Patient.telecom"),
    "address": (patient(address=[{"line": ["Canary"], "city": "Canary"}]), "element_unknown", "Patient.address"),
    "photo": (patient(photo=[{"data": "Canary"}]), "element_unknown", "Patient.photo"),
    "identifier": (patient(identifier=[{"value": "Canary"}]), "element_unknown", "Patient.identifier"),
    "contained": (patient(contained=[patient(id="Canary")]), "element_unknown", "Patient.contained"),
    "meta": (patient(meta={"source": "Canary"}), "element_unknown", "Patient.meta"),
    "birth date": (patient(birthDate="1960-01-31"), "element_unknown", "Patient.birthDate"),
    "extension": (patient(extension=[{"url": "Canary"}]), "element_unknown", "Patient.extension"),
    "url of an extension": (
        patient(_birthDate={"extension": [{"url": "Canary", "valueInteger": 1}]}),
        "element_value",
        "Patient._birthDate.extension.url",
    ),
    "value of an extension": (
        patient(_birthDate={"extension": [{"url": DAY, "valueString": "Canary"}]}),
        "element_unknown",
        "Patient._birthDate.extension.valueString",
    ),
    "id of an element": (patient(_birthDate={"id": "Canary"}), "element_unknown", "Patient._birthDate.id"),
    "modifier": (patient(modifierExtension=[{"url": "Canary"}]), "element_unknown", "Patient.modifierExtension"),
    "comment": (patient(fhir_comments=["Canary"]), "element_unknown", "Patient.fhir_comments"),
    "beside a value": (
        patient(_gender={"fhir_comments": ["Canary"]}),
        "element_unknown",
        "Patient._gender",
    ),
    "display": (form(subject={"display": "Canary"}), "element_unknown", "QuestionnaireResponse.subject.display"),
    "text of an item": (
        form(item=[{"linkId": "1", "text": "Canary"}]),
        "element_unknown",
        "QuestionnaireResponse.item.text",
    ),
    "text of an answer": (
        form(item=[{"linkId": "1", "answer": [{"valueString": "Canary"}]}]),
        "element_unknown",
        "QuestionnaireResponse.item.answer.valueString",
    ),
    "item in an item": (
        form(item=[{"linkId": "1", "item": [{"text": "Canary"}]}]),
        "element_unknown",
        "QuestionnaireResponse.item.item",
    ),
    "note": (form(note=[{"text": "Canary"}]), "element_unknown", "QuestionnaireResponse.note"),
    "a name of its own": (
        patient(Canary={"x": 1}),
        "element_unknown",
        "in Patient, a name that FHIR does not know",
    ),
    "a name with a point": (
        form(**{"subject.reference": "Canary"}),
        "element_unknown",
        "in QuestionnaireResponse, a name that FHIR does not know",
    ),
    "a name in other letters": (
        patient(Gender="Canary"),
        "element_unknown",
        "in Patient, a name that FHIR does not know",
    ),
    "strange object for an object": (
        form(subject={"Canary": 1}),
        "element_unknown",
        "in QuestionnaireResponse.subject, a name that FHIR does not know",
    ),
    "only names of their own": (
        form(subject={"Canary": 1, "Canary2": {"Canary": 3}}),
        "element_unknown",
        "in QuestionnaireResponse.subject, a name that FHIR does not know",
    ),
    "key": (patient(id="Canary"), "element_value", "Patient.id"),
    "key with more": (patient(id=f"{P1}Canary"), "element_value", "Patient.id"),
    "reference": (
        form(subject={"reference": "Patient/Canary"}),
        "element_value",
        "QuestionnaireResponse.subject.reference",
    ),
    "absolute reference": (
        form(subject={"reference": f"https://canary.example/Patient/{P1}"}),
        "element_value",
        "QuestionnaireResponse.subject.reference",
    ),
    "code": (patient(gender="Canary"), "element_value", "Patient.gender"),
    "list for a value": (patient(gender=["female", "Canary"]), "element_value", "Patient.gender"),
    "object for a value": (patient(gender={"text": "Canary"}), "element_value", "Patient.gender"),
    "strange object for a value": (patient(gender={"Canary": 1}), "element_value", "Patient.gender"),
    "value for an object": (form(subject="Canary"), "element_value", "QuestionnaireResponse.subject"),
    "list in a list": (form(item=[[{"linkId": "Canary"}]]), "element_value", "QuestionnaireResponse.item"),
    "date": (form(authored="2025-01-31"), "element_value", "QuestionnaireResponse.authored"),
    "month": (form(authored="2025-01"), "element_value", "QuestionnaireResponse.authored"),
    "year of birth": (form(authored="1895"), "element_value", "QuestionnaireResponse.authored"),
    "day as text": (
        form(_authored=on_day("3")),
        "element_value",
        "QuestionnaireResponse._authored.extension.valueInteger",
    ),
    "day as a date": (
        form(_authored=on_day(45_000)),
        "element_value",
        "QuestionnaireResponse._authored.extension.valueInteger",
    ),
    "number as a date": (patient(multipleBirthInteger=20250131), "element_value", "Patient.multipleBirthInteger"),
    "digits after a point": (
        patient(multipleBirthInteger=1.2125551234),
        "element_value",
        "Patient.multipleBirthInteger",
    ),
    "truth as text": (patient(multipleBirthInteger=True), "element_value", "Patient.multipleBirthInteger"),
    "long link id": (form(item=[{"linkId": "123456789"}]), "element_value", "QuestionnaireResponse.item.linkId"),
    "given twice": (
        json.dumps(patient(again="Canary")).replace("again", "gender"),
        "element_unknown",
        "an element that is null or given twice",
    ),
    "given twice, nested": (
        json.dumps(form(item=[{"linkId": "1", "again": "Canary"}])).replace("again", "linkId"),
        "element_unknown",
        "an element that is null or given twice",
    ),
    "null": (patient(gender=None), "element_unknown", "an element that is null or given twice"),
}  # fmt: skip


@pytest.mark.parametrize("place", HIDDEN)
def test_nothing_hides_in_a_resource(tmp_path: Path, connection: Connection, system: System, place: str) -> None:
    resource, rule, told = HIDDEN[place]
    text = resource if isinstance(resource, str) else json.dumps(resource)
    is_patient = '"Patient",' in text[:40]
    name, clean = (
        ("Patient.ndjson", patient()) if is_patient else ("QuestionnaireResponse.ndjson", form(item=items(_1=2)))
    )
    path = write(tmp_path, name, clean)
    assert leftovers(connection, path, system) == ()
    path = write(tmp_path, name, text, clean)
    found = leftovers(connection, path, system)
    assert (rule, told) in {(leftover.rule, leftover.place) for leftover in found}
    assert "Canary" not in repr(found)
    path = write(tmp_path, name, clean, text, clean)
    lines = {leftover.line for leftover in leftovers(connection, path, system) if leftover.place == told}
    assert lines == {2}


def test_values_that_are_allowed_pass(tmp_path: Path, connection: Connection, system: System) -> None:
    new_code = "42"  # a code that the mapping does not know yet, of the form that new codes have
    path = write(
        tmp_path,
        "Patient.ndjson",
        patient(gender=new_code, multipleBirthInteger=99.123456, _birthDate=on_day(-36_500)),
        json.dumps(patient(id=P2, gender="male"), indent=None, separators=(" , ", " : ")),
        json.dumps(patient(id=P2, gender="male")).replace("male", "m\\u0061le"),
    )
    assert leftovers(connection, path, system) == ()


def test_a_file_of_nothing_but_strange_things_is_refused(
    tmp_path: Path, connection: Connection, system: System
) -> None:
    path = write(tmp_path, "QuestionnaireResponse.ndjson", form(subject={"Canary": 1}, item=[{"x" * 1000: "Canary"}]))
    strange = "a name that FHIR does not know"
    assert set(leftovers(connection, path, system)) == {
        Leftover("element_unknown", f"in QuestionnaireResponse.subject, {strange}", 1, 1),
        Leftover("element_unknown", f"in QuestionnaireResponse.item, {strange}", 1, 1),
        Leftover("element_value", "QuestionnaireResponse.subject"),
        Leftover("element_value", "QuestionnaireResponse.item", 1, 1),
    }


def test_an_element_is_told_once_with_its_rows(tmp_path: Path, connection: Connection, system: System) -> None:
    names = {"name": [{"family": "Canary", "given": ["Canary", "Canary"]}]}
    path = write(tmp_path, "Patient.ndjson", patient(), patient(**names), patient(), patient(**names))
    assert leftovers(connection, path, system) == (Leftover("element_unknown", "Patient.name", 2, 2),)


@pytest.mark.parametrize(
    ("lines", "message", "line"),
    [
        ("Patient,Patient.name.family,free text,", "holds is one of", 16),
        ("Patient,Patient.name.family,constant,", "say what is allowed", 16),
        ("Patient,Patient.link.other.reference,reference,Patient/nobody", "a reference is", 16),
        ("Patient,Patient.link.other.reference,key,nobody", "no such key", 16),
        ("Patient,Patient.name.family,codes,families", "no such code set", 16),
        ("Patient,Patient.name.family,number,low", "a range is", 16),
        ("Patient,Patient.name.family,number,9..1", "a range is", 16),
        ("Patient,Patient.name.family,year,2025", "leave allowed empty", 16),
        ("Patient,Group.name,year,", "a path is", 16),
        ("Patient,Patient.name[0],year,", "a path is", 16),
        ("Patient,Patient.id,year,", "the path is listed twice", 16),
        ("Patient,Patient.id.extension.url,codes,sex", "the url of an extension is a constant", 16),
        ("Patient,Patient.gender.text,year,", "lies in an element that holds a value", None),
    ],
)
def test_mistakes_in_the_list_of_elements_are_told(tmp_path: Path, lines: str, message: str, line: int | None) -> None:
    settings = make_settings(tmp_path, elements__csv=f"{ELEMENTS}{lines}\n")
    with pytest.raises(ClinicOutcomesError) as refused:
        load_system("made_up", settings)
    found = {(problem.file, problem.line) for problem in refused.value.problems if message in problem.message}
    assert found == {("made_up/elements.csv", line)}
