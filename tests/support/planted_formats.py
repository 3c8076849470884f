"""Deliveries of each format in which a fictitious name, telephone number, date and SSN are planted."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import duckdb

from clinic_outcomes.settings import Settings
from tests.support import small_fhir
from tests.support.deliveries import deliver
from tests.support.short_keys import short_keys
from tests.support.workbooks import book, saved

SYSTEMS = Path(__file__).parents[1] / "hostile" / "systems"
NAME, PHONE, BORN, SSN = "Ottilie Quackenbush", "(210) 555-0187", "1957-11-23", "078-05-1120"
CANARIES = (NAME, "Quackenbush", PHONE, "555-0187", BORN, SSN)
"""What may be found nowhere outside landing, whole or in part."""


def _csv_files() -> dict[str, bytes | str]:
    return {
        "people.csv": f"person,sex,age,intake,change\n{NAME},{PHONE},34,{BORN},{SSN}\n",
        "referrals.csv": f"referral,person,received,origin,{NAME}\nR0001,P0001,0,self,1\n",
        "courses.csv": "course,person\nC0001,P0001\n",
        "visits.csv": f'visit,person,course,day,drug\nS0001,P0001,C0001,5,"{NAME}, {PHONE}"\n',
        "forms.csv": f"form,person,kind,day\nQ0001,P0001,GAD7,{BORN}T12:30:00\n",
        "answers.csv": f"form,person,item,value,change\nQ0001,P0001,1,{SSN},\n",
    }


def _parquet_files() -> dict[str, bytes | str]:
    found: dict[str, bytes | str] = {}
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        for name, text in _csv_files().items():
            source, target = Path(folder) / name, Path(folder) / name.replace(".csv", ".parquet")
            source.write_text(str(text))
            connection.execute(
                f"COPY (SELECT * FROM read_csv('{source}', all_varchar = true, delim = ',', header = true)) "
                f"TO '{target}' (FORMAT parquet, KV_METADATA {{exported_by: '{NAME}'}})"
            )
            found[target.name] = target.read_bytes()
    return found


def _workbook_files() -> dict[str, bytes | str]:
    made = book(
        {
            "People": [["person", "sex", "age", "intake"], [NAME, PHONE, 34, BORN]],
            "Forms": [["form", "person", "day", NAME], ["Q0001", "P0001", SSN, 1]],
            "Answers": [["form", "person", "item", "value"], ["Q0001", "P0001", 1, f"{NAME}, {PHONE}"]],
            NAME: [[BORN, SSN]],
        }
    )
    made.properties.creator = NAME
    return {"book.xlsx": saved(made, keep_properties=True)}


def _registry_files() -> dict[str, bytes | str]:
    header = "record;redcap_repeat_instrument;redcap_repeat_instance;sex;age;intake;person_complete"
    text = f"{header};gad7_uid;gad7_day;gad7_1;gad7_2;gad7_complete;{NAME}\n"
    text += f"{NAME};;;{PHONE};34;{BORN};2;;;;;;{SSN}\nP0001;gad7;1;;;;;{NAME};{BORN};{SSN};{PHONE};2;\n"
    return {"registry.csv": text}


def _bulk_files() -> dict[str, bytes | str]:
    person = small_fhir.patient(
        name=[{"family": NAME}], telecom=[{"value": PHONE}], birthDate=BORN, identifier=[{"value": SSN}], gender=NAME
    )
    answer = small_fhir.form(
        authored=BORN, text={"div": f"<div>{NAME}</div>"}, item=[{"linkId": SSN, "answer": [{"valueInteger": PHONE}]}]
    )
    with tempfile.TemporaryDirectory() as folder:
        paths = (
            small_fhir.write(Path(folder), "Patient.ndjson", person, {**person, NAME: {BORN: PHONE}}),
            small_fhir.write(Path(folder), "QuestionnaireResponse.ndjson.gz", answer),
        )
        return {path.name: path.read_bytes() for path in paths}


FORMATS: Mapping[str, tuple[str, Callable[[], dict[str, bytes | str]], int]] = {
    "planted_csv": ("small", _csv_files, 1),
    "planted_parquet": ("small", _parquet_files, 1),
    "planted_workbook": ("sheets", _workbook_files, 3),
    "planted_registry": ("registry", _registry_files, 2),
    "planted_bulk": ("made_up", _bulk_files, 1),
}
"""Clinic → its system, the files of its delivery, and the records of each."""


def add_planted_clinics(settings: Settings) -> None:
    """Give ``settings`` a clinic of each format, with its system and one delivery that must be refused.

    One further delivery has the canaries in its manifest and in the names of its folder and files.
    """
    shutil.copytree(SYSTEMS, settings.systems, dirs_exist_ok=True)
    small_fhir.make_settings(settings.systems.parent)
    settings.clinics.mkdir(parents=True, exist_ok=True)
    for clinic, (system, files, records) in FORMATS.items():
        keys = short_keys((settings.systems / system / "system.yml").read_text())
        (settings.clinics / f"{clinic}.yml").write_text(f"title: {clinic}\nsystem: {system}\n" + keys)
        made = files()
        rows = dict.fromkeys(made, records) | ({"Patient.ndjson": 2} if system == "made_up" else {})
        deliver(settings.landing / clinic / "drop", made, clinic, rows=rows)
        _deliver_with_names(settings.landing / clinic / f"of {NAME} {BORN}", made, clinic, rows)


def _deliver_with_names(folder: Path, files: dict[str, bytes | str], clinic: str, rows: dict[str, int]) -> None:
    """The same under the next sequence, named after a person, with a manifest that says who exported it."""
    renamed = {name: f"{Path(name).stem.split('.')[0]} {NAME} {SSN}{''.join(Path(name).suffixes)}" for name in files}
    counts = {renamed[name]: count for name, count in rows.items()}
    deliver(folder, {renamed[name]: content for name, content in files.items()}, clinic, sequence=2, rows=counts)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {NAME: PHONE, "reporting_period": BORN}))
