"""The same identifiers in places that only workbooks and FHIR resources have: each value is refused, none is told.

In FHIR every resource holds one value, and the count of rows refused is the count of resources. What stands beside the
cells of a workbook is refused for being there, whatever it says: usually one value of each class and place is tried.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from openpyxl import Workbook
from openpyxl.comments import Comment

from clinic_outcomes.admit.scanning import scan_delivery
from clinic_outcomes.formats import check_file
from clinic_outcomes.mapping import Clinic, Source, System, load_clinic, load_system
from clinic_outcomes.problems import ClinicOutcomesError, Problem
from clinic_outcomes.settings import Settings
from tests.deidentification import clinic as every_kind
from tests.deidentification.clinic import CLEAN
from tests.deidentification.identifiers import CLASSES, planted, sample
from tests.support import small_fhir
from tests.support.workbooks import book, saved

FHIR_PLACES: dict[str, Callable[[str], dict[str, Any]]] = {
    "key": lambda value: {"id": value},
    "code": lambda value: {"gender": value},
    "text": lambda value: {"text": {"status": "generated", "div": f"<div>{value}</div>"}},
    "name": lambda value: {"name": [{"family": value}]},
    "telecom": lambda value: {"telecom": [{"value": value}]},
    "address": lambda value: {"address": [{"line": [value]}]},
    "photo": lambda value: {"photo": [{"url": value}]},
    "identifier": lambda value: {"identifier": [{"value": value}]},
    "contained": lambda value: {"contained": [{"resourceType": "Patient", "id": value}]},
    "extension": lambda value: {"extension": [{"url": "http://example.org", "valueString": value}]},
    "extension of the list": lambda value: {
        "_birthDate": {"extension": [{"url": small_fhir.DAY, "valueString": value}]}
    },
    "url of an extension": lambda value: {"_birthDate": {"extension": [{"url": value, "valueInteger": 3}]}},
    "code in a list": lambda value: {"communication": [{"language": {"coding": [{"code": value}]}}]},
    "meta": lambda value: {"meta": {"source": value}},
}


def _clinic(root: Path, system: System) -> Clinic:
    """Any clinic, on another system."""
    settings = every_kind.make_settings(root / "any")
    return replace(load_clinic(every_kind.CLINIC, settings), system=system, format=system.format)


def untold(problems: list[Problem], values: list[str]) -> bool:
    told = "\n".join(f"{p.message} {p.advice} {p.file} {p.column}" for p in problems)
    return not any(value in told for value in values if len(value) > 4)


@pytest.mark.parametrize("place", FHIR_PLACES)
def test_each_resource_with_a_planted_value_is_refused(tmp_path: Path, place: str) -> None:
    settings = small_fhir.make_settings(tmp_path)
    clinic = _clinic(tmp_path, load_system("made_up", settings))
    values = [value for name in CLASSES for value in planted(name)]
    resources = [small_fhir.patient(**FHIR_PLACES[place](value)) for value in values]
    clean = small_fhir.write(tmp_path, "Patient_1.ndjson", small_fhir.patient())
    path = small_fhir.write(tmp_path, "Patient_2.ndjson", *resources)
    with duckdb.connect() as connection:
        assert scan_delivery(connection, {clean.name: clean}, clinic) == []
        problems = scan_delivery(connection, {path.name: path}, clinic)
    beside = [problem for problem in problems if problem.rule in ("element_unknown", "element_value")]
    assert sum(problem.rows or 0 for problem in beside) >= len(values)
    assert untold(problems, values)


@pytest.mark.parametrize("name", CLASSES)
def test_a_planted_name_of_an_element_is_refused(tmp_path: Path, name: str) -> None:
    settings = small_fhir.make_settings(tmp_path)
    clinic = _clinic(tmp_path, load_system("made_up", settings))
    for place, value in enumerate(sample(name, 3)):
        path = small_fhir.write(tmp_path, f"Patient_{place}.ndjson", small_fhir.patient(**{value: 1}))
        with duckdb.connect() as connection:
            problems = scan_delivery(connection, {path.name: path}, clinic)
        assert [problem.rule for problem in problems] == ["element_unknown"] and untold(problems, [value])


def _comment(made: Workbook, value: str) -> None:
    made["people"]["A2"].comment = Comment(value, "author")


def _author(made: Workbook, value: str) -> None:
    made.properties.creator = value


def _sheet(made: Workbook, value: str) -> None:
    made.create_sheet("".join(c for c in value if c not in r"[]:*?/\\'")[:31] or "x")


def _cell_of_another_sheet(made: Workbook, value: str) -> None:
    made.create_sheet("other").append([value])


def _header_of_the_page(made: Workbook, value: str) -> None:
    made["people"].oddHeader.center.text = value


def _far_cell(made: Workbook, value: str) -> None:
    made["people"].cell(row=9, column=40).value = value


@pytest.mark.parametrize("hide", [_comment, _author, _sheet, _cell_of_another_sheet, _header_of_the_page, _far_cell])
@pytest.mark.parametrize("name", CLASSES)
def test_a_workbook_with_a_planted_value_beside_its_cells_is_refused(
    tmp_path: Path, name: str, hide: Callable[[Workbook, str], None]
) -> None:
    settings = every_kind.make_settings(tmp_path / "made")
    found = load_clinic(every_kind.CLINIC, settings)
    sources = {"people": Source(file="people*.xlsx", sheet="people")}
    columns = tuple(mapping for mapping in found.system.columns if mapping.source == "people")
    clinic = replace(
        found, system=replace(found.system, format="excel", other_formats=(), sources=sources, columns=columns)
    )
    path = tmp_path / "people.xlsx"
    assert _problems(path, None, hide, clinic) == []
    for value in sample(name, 1):
        problems = _problems(path, value, hide, clinic)
        assert problems and untold(problems, [value])


def _problems(path: Path, value: str | None, hide: Callable[[Workbook, str], None], clinic: Clinic) -> list[Problem]:
    """What the gate, or the reader before it, says of a clean workbook in which a value was hidden, if one was."""
    made = book({"people": [list(CLEAN["people"]), list(CLEAN["people"].values())]})
    if value is not None:
        hide(made, value)
    path.write_bytes(saved(made, keep_properties=hide is _author and value is not None))
    with duckdb.connect() as connection:
        try:
            # As receive does before the gate.
            check_file(connection, path, clinic.system, Settings(home=path.parent))
            return scan_delivery(connection, {path.name: path}, clinic)
        except ClinicOutcomesError as error:
            return list(error.problems)
