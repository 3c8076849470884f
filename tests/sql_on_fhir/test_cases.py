"""The public cases of SQL on FHIR, and that the report of them in the documentation is what they give today."""

from dataclasses import replace

import duckdb
import pytest

from clinic_outcomes.settings import PROJECT_ROOT
from clinic_outcomes.sql_on_fhir import conformance
from tests.support.external import EXTERNAL, external

FOLDER = EXTERNAL / "sql-on-fhir"
CASES = list(conformance.cases_in(FOLDER)) if FOLDER.is_dir() else []


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect() as opened:
        yield opened


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.file}:{case.title}")
def test_case(case, connection):
    assert conformance.failure(case, connection) is None


def test_all_cases_are_there():
    external("sql-on-fhir")
    assert len(CASES) == 134
    assert sum("shareable" in case.tags for case in CASES) == 123


def test_a_wrong_expectation_is_seen(connection):
    external("sql-on-fhir")
    passing = next(case for case in CASES if case.title == "boolean attribute with false")
    wrong = [
        replace(passing, rows=passing.rows[:-1]),
        replace(passing, rows=[{**row, "active": None} for row in passing.rows]),
        replace(passing, rows=None),
        replace(passing, columns=["active", "id"]),
    ]
    assert all(conformance.failure(case, connection) for case in wrong)


def test_the_documented_report_is_current():
    document = (PROJECT_ROOT / "docs" / "sql-on-fhir.md").read_text(encoding="utf-8")
    assert document.endswith(conformance.report(external("sql-on-fhir")))
