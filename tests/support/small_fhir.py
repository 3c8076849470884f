"""A small system that exports FHIR, resources of it, and files of these, for tests of the format."""

import gzip
import json
from pathlib import Path
from typing import Any

from clinic_outcomes.settings import Settings

DAY = "https://made.up/relative-day"
SYSTEM = """\
title: Made up
format: fhir
csv: {decimal_separator: ','}
list_separator: '|'
sources:
  patients: {file: Patient*.ndjson, view: patients}
  forms: {file: QuestionnaireResponse*.ndjson, view: forms, required: false}
  answers: {file: QuestionnaireResponse*.ndjson, view: answers, required: false}
key_patterns: {patient_id: 'p[0-9a-f]{16}', assessment_id: 'f[0-9a-f]{16}'}
"""
COLUMNS = """\
source,source_column,table,column,unit,codes,constant
patients,patient,patient,patient_id,,,
patients,sex,patient,sex,,sex,
patients,veteran,patient,veteran,,yes_no,
patients,traumas,patient,trauma_types,,trauma,
patients,intake,patient,intake_day,day,,
patients,weight,,,,,
forms,form,assessment,assessment_id,,,
forms,patient,assessment,patient_id,,,
forms,day,assessment,assessed_day,day,,
forms,,assessment,instrument,,,pcl_5
answers,form,assessment_item,assessment_id,,,
answers,patient,assessment_item,patient_id,,,
answers,item,assessment_item,item_number,,,
answers,answer,assessment_item,item_value,point,,
"""
CODES = """\
codes,source_code,code
sex,female,female
sex,male,male
yes_no,true,yes
yes_no,false,no
trauma,war,combat
trauma,crash,accident
"""
ELEMENTS = f"""\
resource,path,holds,allowed
Patient,Patient.id,key,patient_id
Patient,Patient.gender,codes,sex
Patient,Patient.active,constant,true false
Patient,Patient.multipleBirthInteger,number,0..500
Patient,Patient._birthDate.extension.url,constant,{DAY}
Patient,Patient._birthDate.extension.valueInteger,day,
Patient,Patient.communication.language.coding.code,codes,trauma
QuestionnaireResponse,QuestionnaireResponse.id,key,assessment_id
QuestionnaireResponse,QuestionnaireResponse.subject.reference,reference,Patient/patient_id
QuestionnaireResponse,QuestionnaireResponse.authored,year,
QuestionnaireResponse,QuestionnaireResponse._authored.extension.url,constant,{DAY}
QuestionnaireResponse,QuestionnaireResponse._authored.extension.valueInteger,day,
QuestionnaireResponse,QuestionnaireResponse.item.linkId,digits,1..2
QuestionnaireResponse,QuestionnaireResponse.item.answer.valueInteger,integer,0..99
"""


def view(resource: str, columns: dict[str, str], each: tuple[str, dict[str, str]] | None = None) -> dict[str, Any]:
    def listed(paths: dict[str, str]) -> dict[str, Any]:
        return {"column": [{"name": n, "path": p, "collection": n == "traumas"} for n, p in paths.items()]}

    constants = [{"name": "day", "valueUri": DAY}]
    select = [listed(columns)] + ([{"forEach": each[0], **listed(each[1])}] if each else [])
    return {"resource": resource, "constant": constants, "select": select}


VIEWS = {
    "patients": view(
        "Patient",
        {
            "patient": "id",
            "sex": "gender",
            "veteran": "active",
            "traumas": "communication.language.coding.code",
            "intake": "birthDate.extension(%day).value.ofType(integer)",
            "weight": "multipleBirth.ofType(integer)",
        },
    ),
    "forms": view(
        "QuestionnaireResponse",
        {
            "form": "id",
            "patient": "subject.getReferenceKey(Patient)",
            "day": "authored.extension(%day).value.ofType(integer)",
        },
    ),
    "answers": view(
        "QuestionnaireResponse",
        {"form": "id", "patient": "subject.getReferenceKey(Patient)"},
        ("item", {"item": "linkId", "answer": "answer.value.ofType(integer)"}),
    ),
}
VIEWS["patients"]["select"][0]["column"][-1]["type"] = "decimal"
VIEWS["patients"]["select"][0]["column"][2]["type"] = "boolean"
EXTENSION = {"extension": [{"url": DAY, "valueInteger": {"$number": "intake"}}]}
TEMPLATES: dict[str, dict[str, Any]] = {
    "patients": {
        "resourceType": "Patient",
        "id": {"$": "patient"},
        "active": {"$boolean": "veteran"},
        "gender": {"$": "sex"},
        "_birthDate": EXTENSION,
        "multipleBirthInteger": {"$number": "weight"},
        "communication": [{"language": {"coding": {"$list": "traumas", "each": {"code": {"$": "member"}}}}}],
    },
    "forms": {
        "resourceType": "QuestionnaireResponse",
        "id": {"$": "form"},
        "subject": {"reference": {"$": "patient", "before": "Patient/"}},
        "_authored": {"extension": [{"url": DAY, "valueInteger": {"$number": "day"}}]},
        "item": {
            "$rows": "answers",
            "by": ["form", "patient"],
            "key": ["item"],
            "each": {"linkId": {"$": "item"}, "answer": [{"valueInteger": {"$number": "answer"}}]},
        },
    },
}
P1, P2 = "p00000000000000a1", "p00000000000000a2"
F1, F2 = "f00000000000000b1", "f00000000000000b2"


def make_settings(root: Path, **changed: str) -> Settings:
    folder = root / "systems" / "made_up"
    texts = {"system.yml": SYSTEM, "columns.csv": COLUMNS, "codes.csv": CODES, "elements.csv": ELEMENTS}
    texts |= {f"views/{name}.json": json.dumps(found) for name, found in VIEWS.items()}
    texts |= {f"resources/{name}.json": json.dumps(found) for name, found in TEMPLATES.items()}
    for name, text in (texts | {key.replace("__", "."): value for key, value in changed.items()}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return Settings(home=root, systems=root / "systems")


def patient(**elements: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": P1, "gender": "female", "active": True} | elements


def form(**elements: Any) -> dict[str, Any]:
    return {"resourceType": "QuestionnaireResponse", "id": F1, "subject": {"reference": f"Patient/{P1}"}} | elements


def on_day(day: int | str) -> dict[str, Any]:
    return {"extension": [{"url": DAY, "valueInteger": day}]}


def items(**answers: int) -> list[dict[str, Any]]:
    return [{"linkId": name[1:], "answer": [{"valueInteger": value}]} for name, value in answers.items()]


def write(folder: Path, name: str, *lines: object) -> Path:
    """A file with a resource a line; what is a text already stands as it is."""
    text = "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines)
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path
