"""Defects in deliveries that are no CSV: workbooks, Parquet, REDCap exports and FHIR resources, one clinic a defect."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from tests.hostile.cases import CANARY, Case, Files, clean
from tests.support import small_fhir
from tests.support.deliveries import deliver
from tests.support.small_fhir import P2, form, items, on_day, patient
from tests.support.workbooks import book, saved

FEW = "thresholds:\n  lost_records_minimum: {value: 5, reason: a test of few records}\n"
"""From five records on a full export is held where it lacks more than 20 % of them."""
PEOPLE = range(1, 11)

Sheets = dict[str, list[list[object]]]


def sheets() -> Sheets:
    return {
        "People": [["person", "sex", "age", "intake"], ["P0001", "F", 34, 3], ["P0002", "M", 51, 2]],
        "Forms": [["form", "person", "day"], ["Q0001", "P0001", 3], ["Q0002", "P0002", 3]],
        "Answers": [
            ["form", "person", "item", "value"],
            ["Q0001", "P0001", 1, 2],
            ["Q0001", "P0001", 2, 3],
            ["Q0002", "P0002", 1, 0],
        ],
    }


def with_cell(sheet: str, row: int, column: int, value: object) -> Sheets:
    changed = sheets()
    changed[sheet][row][column] = value
    return changed


def workbook(made: Sheets, *, rows: int = 7, cut: int = 0) -> Callable[[Path, str], None]:
    content = saved(book(made))
    return put({"book.xlsx": content[: len(content) - cut]}, rows)


def parquet(name: str = "", select: str = "*", *, metadata: str = "", rows: int | None = None) -> dict[str, bytes]:
    """The clean files as Parquet; of one of them, ``select`` says the columns."""
    found = {}
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        for file, text in clean().items():
            stem = Path(file).stem
            (Path(folder) / file).write_text(str(text))
            chosen = select if stem == name else "*"
            options = f", KV_METADATA {{{metadata}}}" if metadata and stem == name else ""
            connection.execute(
                f"COPY (SELECT {chosen} FROM read_csv('{folder}/{file}', all_varchar = true, delim = ',')) "
                f"TO '{folder}/{stem}.parquet' (FORMAT parquet{options})"
            )
            found[f"{stem}.parquet"] = (Path(folder) / f"{stem}.parquet").read_bytes()
    return found


def with_parquet(made: dict[str, bytes], **counts: int) -> Callable[[Path, str], None]:
    rows = {name: len(str(clean()[f"{Path(name).stem}.csv"]).splitlines()) - 1 for name in made}
    return put(made, rows | {f"{stem}.parquet": count for stem, count in counts.items()})


REGISTRY_HEADER = (
    "record;redcap_repeat_instrument;redcap_repeat_instance;sex;age;intake;person_complete;"
    "gad7_uid;gad7_day;gad7_1;gad7_2;gad7_complete"
)
REGISTRY = f"""\
{REGISTRY_HEADER}
P0001;;;1;34;3;2;;;;;
P0001;gad7;1;;;;;Q0001;3;2;3;2
P0002;;;2;51;UNK;2;;;;;
P0002;gad7;1;;;;;Q0002;3;0;UNK;2
"""


def registry(old: str = "", new: str = "", *, rows: int = 4) -> Callable[[Path, str], None]:
    assert REGISTRY.count(old) == 1 or not old
    return put({"registry.csv": REGISTRY.replace(old, new, 1) if old else REGISTRY}, rows)


def without_column(name: str) -> Callable[[Path, str], None]:
    cells = list(csv.reader(REGISTRY.splitlines(), delimiter=";"))
    place = cells[0].index(name)
    stream = io.StringIO()
    csv.writer(stream, delimiter=";", lineterminator="\n").writerows([*row[:place], *row[place + 1 :]] for row in cells)
    return put({"registry.csv": stream.getvalue()}, 4)


def with_field(name: str, value: str) -> Callable[[Path, str], None]:
    """A field that the data dictionary does not know, at the end of each row."""
    header, *lines = REGISTRY.splitlines()
    return put({"registry.csv": "\n".join([f"{header};{name}", *(f"{line};{value}" for line in lines), ""])}, 4)


Resources = list[dict[str, Any]]


def people(**changed: Any) -> Resources:
    return [patient(_birthDate=on_day(2)), patient(id=P2, gender="male", _birthDate=on_day(0)) | changed]


def forms(**changed: Any) -> Resources:
    return [form(_authored=on_day(5), item=items(_1=2, _2=3)) | changed]


def bulk(
    persons: Resources | None = None, answers: Resources | None = None, *, rows: dict[str, int] | None = None,
    edit: Callable[[bytes], bytes] | None = None, ending: str = ".ndjson",
) -> Callable[[Path, str], None]:  # fmt: skip
    """A file of patients and one of forms; ``edit`` changes the bytes of the second."""
    made: dict[str, bytes] = {}
    counts: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, lines in (("Patient", persons or people()), ("QuestionnaireResponse", answers or forms())):
            path = small_fhir.write(Path(folder), f"{name}{ending}", *lines)
            made[path.name], counts[path.name] = path.read_bytes(), len(lines)
    last = f"QuestionnaireResponse{ending}"
    made[last] = edit(made[last]) if edit else made[last]
    return put(made, counts | (rows or {}))


def put(files: Files | dict[str, bytes], rows: int | dict[str, int]) -> Callable[[Path, str], None]:
    counts = rows if isinstance(rows, dict) else dict.fromkeys(files, rows)

    def into(landing: Path, clinic: str) -> None:
        deliver(landing / "drop", dict(files), clinic, rows=counts)

    return into


def loses(earlier: Files | dict[str, bytes], later: Files | dict[str, bytes]) -> Callable[[Path, str], None]:
    """Two full exports, of ten people and of two; the second is dropped first."""

    def into(landing: Path, clinic: str) -> None:
        for folder, files, sequence, rows in (("a", later, 2, 2), ("b", earlier, 1, len(PEOPLE))):
            deliver(landing / folder, dict(files), clinic, sequence=sequence, rows=dict.fromkeys(files, rows))

    return into


def workbook_of(number: int) -> Files:
    persons = [sheets()["People"][0], *([f"P{n:04}", "F", 34, 3] for n in PEOPLE[:number])]
    return {"book.xlsx": saved(book(sheets() | {"People": persons, "Forms": sheets()["Forms"][:1],
                                                "Answers": sheets()["Answers"][:1]}))}  # fmt: skip


def registry_of(number: int) -> Files:
    return {"registry.csv": "\n".join([REGISTRY_HEADER, *(f"P{n:04};;;1;34;3;2;;;;;" for n in PEOPLE[:number]), ""])}


def bulk_of(number: int) -> Files:
    with tempfile.TemporaryDirectory() as folder:
        persons = (patient(id=f"p{n:016x}") for n in PEOPLE[:number])
        return {"Patient.ndjson": small_fhir.write(Path(folder), "Patient.ndjson", *persons).read_bytes()}


QUOTED = f"'{CANARY}'"
BOOK, REGISTER, FORMS = "book.xlsx", "registry.csv", "QuestionnaireResponse.ndjson"


def excel(put_in: Callable[[Path, str], None], rule: str | None = None, stage: str = "admit", **more: Any) -> Case:
    return Case(put_in, stage=stage, rule=rule, system="sheets", **{"file": BOOK} | more)


def redcap(put_in: Callable[[Path, str], None], rule: str | None = None, stage: str = "admit", **more: Any) -> Case:
    return Case(put_in, stage=stage, rule=rule, system="registry", **{"file": REGISTER} | more)


def fhir(put_in: Callable[[Path, str], None], rule: str | None = None, stage: str = "admit", **more: Any) -> Case:
    return Case(put_in, stage=stage, rule=rule, system="made_up", **{"file": FORMS} | more)


ACCEPTED = {"state": "accepted", "stage": "validate", "file": None}
HELD = {"state": "held", "stage": "resolve", "rule": "lost_records", "file": None, "extra": FEW, "table": "patient"}

FORMAT_CASES = {
    "workbook_good": excel(workbook(sheets()), **ACCEPTED),
    "workbook_sheet_unknown": excel(workbook(sheets() | {"Notes": [[CANARY]]}), "sheet_unknown"),
    "workbook_sheet_missing": excel(
        workbook({name: rows for name, rows in sheets().items() if name != "Forms"}, rows=5), "sheet_missing", "receive"
    ),
    "workbook_date_typed": excel(
        workbook(with_cell("Forms", 1, 2, date(2026, 3, 1))), "calendar_date", file=f"{BOOK}#forms", column="day"
    ),
    "workbook_wrong_type": excel(
        workbook(with_cell("Answers", 2, 3, CANARY)), "number_expected", file=f"{BOOK}#answers", column="value"
    ),
    "workbook_column_renamed": excel(
        workbook(with_cell("People", 0, 3, "start")), "column_missing", column="intake"
    ),
    "workbook_formula": excel(workbook(with_cell("People", 1, 3, "=1+2")), "formula_present", "receive"),
    "workbook_cut_short": excel(workbook(sheets(), cut=40), "archive_structure", "receive"),
    "workbook_wrong_count": excel(workbook(sheets(), rows=8), "row_count_mismatch", "receive"),
    "workbook_out_of_range": excel(
        workbook(with_cell("Answers", 2, 3, 5)), **ACCEPTED, quarantined={"assessment_item": 1}
    ),
    "workbook_loses_most": excel(loses(workbook_of(10), workbook_of(2)), **HELD),
    "parquet_good": Case(with_parquet(parquet()), state="accepted", stage="validate"),
    "parquet_date_typed": Case(
        with_parquet(parquet("forms", "* REPLACE (DATE '2026-03-01' AS day)")),
        stage="admit", rule="calendar_date", file="forms.parquet", column="day",
    ),
    "parquet_wrong_type": Case(
        with_parquet(parquet("visits", f"* REPLACE ({QUOTED} AS day)")),
        stage="admit", rule="number_expected", file="visits.parquet", column="day",
    ),
    "parquet_nested": Case(
        with_parquet(parquet("visits", "* REPLACE ({'drug': drug} AS drug)")),
        rule="parquet_structure", file="visits.parquet",
    ),
    "parquet_metadata": Case(
        with_parquet(parquet("people", metadata=f"note: {QUOTED}")),
        stage="admit", rule="metadata_present", file="people.parquet",
    ),
    "parquet_column_missing": Case(
        with_parquet(parquet("courses", "course")),
        stage="admit", rule="column_missing", file="courses.parquet", column="person",
    ),
    "parquet_wrong_count": Case(
        with_parquet(parquet(), people=3), rule="row_count_mismatch", file="people.parquet"
    ),
    "parquet_cut_short": Case(
        with_parquet(parquet() | {"forms.parquet": parquet()["forms.parquet"][:-9]}),
        rule="parquet_structure", file="forms.parquet",
    ),
    "registry_good": redcap(registry(), **ACCEPTED),
    "registry_column_missing": redcap(without_column("gad7_2"), "column_missing", column="gad7_2"),
    "registry_field_unknown": redcap(with_field("nickname", CANARY), "column_unknown"),
    "registry_form_unknown": redcap(registry("P0002;gad7", f"P0002;{CANARY}"), "redcap_structure", "receive"),
    "registry_two_forms_in_a_row": redcap(
        registry("gad7;1;;;;;Q0001", "gad7;1;1;;;;Q0001"), "redcap_structure", "receive"
    ),
    "registry_date": redcap(
        registry("Q0001;3", "Q0001;2026-03-01"), "calendar_date", file=f"{REGISTER}#forms", column="gad7_day"
    ),
    "registry_wrong_type": redcap(
        registry("2;51", f"2;{CANARY}"), "number_expected", file=f"{REGISTER}#people", column="age"
    ),
    "registry_wrong_count": redcap(registry(rows=2), "row_count_mismatch", "receive"),
    "registry_out_of_range": redcap(
        registry("Q0001;3;2;3", "Q0001;3;2;7"), **ACCEPTED, quarantined={"assessment_item": 1}
    ),
    "registry_loses_most": redcap(loses(registry_of(10), registry_of(2)), **HELD),
    "bulk_good": fhir(bulk(), **ACCEPTED),
    "bulk_packed": fhir(bulk(ending=".ndjson.gz"), **ACCEPTED),
    "bulk_element_unknown": fhir(
        bulk(people(name=[{"family": CANARY}])), "element_unknown", file="Patient.ndjson"
    ),
    "bulk_extension_unknown": fhir(
        bulk(people(_birthDate={"extension": [{"url": "https://made.up/born", "valueInteger": 3}]})),
        "element_value", file="Patient.ndjson",
    ),
    "bulk_date": fhir(bulk(people(birthDate="1975-03-01")), "element_unknown", file="Patient.ndjson"),
    "bulk_date_of_a_form": fhir(bulk(answers=forms(authored="2026-03-01")), "element_value"),
    "bulk_wrong_type": fhir(
        bulk(answers=forms(item=[{"linkId": "1", "answer": [{"valueInteger": CANARY}]}])),
        "number_expected", file=f"{FORMS}#answers", column="answer",
    ),
    "bulk_code_unknown": fhir(
        bulk(people(gender=CANARY)), "value_unknown", file="Patient.ndjson#patients", column="sex"
    ),
    "bulk_other_resource": fhir(bulk(answers=[patient()]), "json_structure", "receive"),
    "bulk_line_broken": fhir(bulk(edit=lambda content: content[:-9]), "json_structure", "receive"),
    "bulk_packed_cut_short": fhir(
        bulk(ending=".ndjson.gz", edit=lambda content: content[:-9]), "gzip_structure", "receive", file=f"{FORMS}.gz"
    ),
    "bulk_wrong_count": fhir(bulk(rows={FORMS: 2}), "row_count_mismatch", "receive"),
    "bulk_out_of_range": fhir(
        bulk(answers=forms(item=items(_1=2, _2=9))), **ACCEPTED, quarantined={"assessment_item": 1}
    ),
    "bulk_loses_most": fhir(loses(bulk_of(10), bulk_of(2)), **HELD),
}  # fmt: skip
