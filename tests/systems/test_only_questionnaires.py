"""Two new systems that export questionnaires and nothing else, from their files to what may be released."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from clinic_outcomes.files import latest
from clinic_outcomes.pipeline import run
from clinic_outcomes.settings import Settings
from tests.support.deliveries import deliver
from tests.support.marts import rows
from tests.support.short_keys import short_keys

PCL_SYSTEM = """\
title: Answers of one questionnaire
format: csv
sources:
  forms: {file: forms.csv}
  answers: {from: forms, unpivot: {columns: 'pcl_{1..20}', number: item, value: answer}}
key_patterns:
  patient_id: 'P\\d'
  assessment_id: 'P\\d/\\d{1,3}'
"""
PCL_COLUMNS = """\
source,source_column,table,column,unit,codes,constant
forms,person,patient,patient_id,,,
forms,person+day,assessment,assessment_id,,,
forms,person,assessment,patient_id,,,
forms,,assessment,instrument,,,pcl_5
forms,day,assessment,assessed_day,day,,
answers,person+day,assessment_item,assessment_id,,,
answers,person,assessment_item,patient_id,,,
answers,item,assessment_item,item_number,,,
answers,answer,assessment_item,item_value,point,,
"""
# Answers of P1: 40 points, 30, 20; of P2: 60, then one with an answer missing, then 50; of P3: once.
PCL_FORMS = """
    person day answers
    P1     3   22222222222222222222
    P1     9   11111111112222222222
    P1     40  11111111111111111111
    P2     0   33333333333333333333
    P2     20  3333333333.333333333
    P2     21  33333333332222222222
    P3     5   11111111111111111111
    """

SHORT_SYSTEM = """\
title: Depression and anxiety, twice
format: csv
sources:
  people: {file: people.csv}
  phq: {file: phq.csv}
  gad: {file: gad.csv}
  phq_answers: {from: phq, unpivot: {columns: 'q{1..9}', number: item, value: answer}}
  gad_answers: {from: gad, unpivot: {columns: 'q{1..7}', number: item, value: answer}}
key_patterns:
  patient_id: 'P\\d'
  assessment_id: '(phq|gad)/\\d'
"""
SHORT_COLUMNS = """\
source,source_column,table,column,unit,codes,constant
people,person,patient,patient_id,,,
{form_columns}"""
FORM_COLUMNS = """\
{name},form+number,assessment,assessment_id,,,
{name},person,assessment,patient_id,,,
{name},,assessment,instrument,,,{instrument}
{name},day,assessment,assessed_day,day,,
{name}_answers,form+number,assessment_item,assessment_id,,,
{name}_answers,person,assessment_item,patient_id,,,
{name}_answers,item,assessment_item,item_number,,,
{name}_answers,answer,assessment_item,item_value,point,,
"""
PEOPLE = "person\nP1\nP2\nP3\n"
# PHQ-9 of P1: 18 then 6; of P2: 9 then 11. GAD-7 of P1: 14 then 7; of P2: 7 then 7; P3 was never asked.
PHQ_FORMS = """
    form number person day answers
    phq  1      P1     0   222222222
    phq  2      P1     60  111111000
    phq  3      P2     2   111111111
    phq  4      P2     50  111111122
    """
GAD_FORMS = """
    form number person day answers
    gad  1      P1     0   2222222
    gad  2      P1     60  1111111
    gad  3      P2     2   1111111
    gad  4      P2     50  1111111
    """
# Sums of changes by eye: PCL-5 20 - 40 and 50 - 60; PHQ-9 6 - 18 and 11 - 9; GAD-7 7 - 14 and 7 - 7.
CHANGES = {
    ("pcl_clinic", "pcl_5"): (-30, 2, -15),
    ("short_clinic", "phq_9"): (-10, 2, -5),
    ("short_clinic", "gad_7"): (-7, 2, Decimal("-3.5")),
}
DELIVERED = {
    "pcl_clinic": {"assessment", "assessment_item", "patient"},
    "short_clinic": {"assessment", "assessment_item", "patient"},
}


def wide(forms: str, prefix: str) -> str:
    """Forms as a CSV with an answer a column; ``.`` is an empty cell."""
    header, *lines = [line.split() for line in forms.strip().splitlines()]
    size = len(lines[0][-1])
    rows = [[*header[:-1], *(f"{prefix}{number}" for number in range(1, size + 1))]]
    rows += [[*line[:-1], *line[-1].replace(".", " ")] for line in lines]
    return "\n".join(",".join(cell.strip() for cell in row) for row in rows) + "\n"


def write_clinic(root: Path, clinic_id: str, system: str, columns: str) -> None:
    folder = root / "systems" / clinic_id.replace("clinic", "system")
    folder.mkdir(parents=True)
    (folder / "system.yml").write_text(system)
    (folder / "columns.csv").write_text(columns)
    (folder / "codes.csv").write_text("codes,source_code,code\n")
    (root / "clinics").mkdir(exist_ok=True)
    (root / "clinics" / f"{clinic_id}.yml").write_text(
        f"title: {clinic_id.replace('_', ' ')}\nsystem: {folder.name}\n" + short_keys(system)
    )


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    root = tmp_path_factory.mktemp("questionnaires")
    write_clinic(root, "pcl_clinic", PCL_SYSTEM, PCL_COLUMNS)
    forms = "".join(
        FORM_COLUMNS.format(name=name, instrument=instrument)
        for name, instrument in (("phq", "phq_9"), ("gad", "gad_7"))
    )
    write_clinic(root, "short_clinic", SHORT_SYSTEM, SHORT_COLUMNS.format(form_columns=forms))
    made = Settings(home=root / "home", clinics=root / "clinics", systems=root / "systems", threads=1)
    files: Mapping[str, dict[str, bytes | str]] = {
        "pcl_clinic": {"forms.csv": wide(PCL_FORMS, "pcl_")},
        "short_clinic": {"people.csv": PEOPLE, "phq.csv": wide(PHQ_FORMS, "q"), "gad.csv": wide(GAD_FORMS, "q")},
    }
    for clinic_id, delivered in files.items():
        deliver(made.landing / clinic_id / "first", delivered, clinic_id)
    run(made)
    return made


def test_every_row_was_accepted(settings: Settings) -> None:
    found = rows(settings, "SELECT clinic_id, count(*) FROM {fct_assessments} GROUP BY 1 ORDER BY 1")
    assert found == [("pcl_clinic", 7), ("short_clinic", 8)]
    assert rows(settings, "SELECT count(*) FROM {fct_assessments} WHERE score_status = 'missing_item'") == [(1,)]


def test_the_change_from_the_first_to_the_last_score_is_there(settings: Settings) -> None:
    query = """
        SELECT figures.clinic_id, measures.instrument, numerator, denominator, value
        FROM {agg_figures} AS figures JOIN {dim_measures} AS measures USING (measure)
        WHERE measures.time_point = 'first_to_last' AND measures.quantity = 'change' AND clinic_id <> 'network'
        """
    assert {(clinic, name): found for clinic, name, *found in rows(settings, query)} == {
        key: list(map(Decimal, expected)) for key, expected in CHANGES.items()
    }


def test_what_is_not_delivered_is_absent_and_never_zero(settings: Settings) -> None:
    coverage = rows(settings, "SELECT clinic_id, table_name FROM {agg_coverage} WHERE delivered")
    assert {clinic: {name for of, name in coverage if of == clinic} for clinic in DELIVERED} == DELIVERED
    assert rows(settings, "SELECT count(*) > 0 FROM {agg_coverage} WHERE NOT delivered") == [(True,)]
    told = rows(
        settings,
        """
        SELECT DISTINCT measures.section, measures.time_point, measures.measure
        FROM {agg_figures} JOIN {dim_measures} AS measures USING (measure)
        """,
    )
    assert {section for section, _, _ in told} == {"outcomes", "suicidality", "data_quality"}
    assert {name for section, _, name in told if section == "suicidality"} == {"positive_screens"}
    assert {time_point for section, time_point, _ in told if section == "outcomes"} == {"", "first_to_last"}
    assert {name for section, point, name in told if (section, point) == ("outcomes", "")} == {"scores_without_total"}
    dimensions = rows(settings, "SELECT DISTINCT dimension FROM {agg_figures} ORDER BY 1")
    assert dimensions == [("",), ("score_status",), ("table_name",)]
    assert rows(settings, "SELECT count(*) FROM {fct_outcomes} WHERE course_key IS NOT NULL") == [(0,)]


def test_the_marts_go_through_protect(settings: Settings) -> None:
    folder = latest(settings.marts)
    assert folder is not None
    (released,) = folder.glob("released.*/figures.parquet")
    found = duckdb.sql(f"SELECT DISTINCT status FROM '{released}'").fetchall()
    assert {status for (status,) in found} <= {"shown", "withheld"}
    measures = duckdb.sql(f"SELECT DISTINCT measure FROM '{released}'").fetchall()
    assert ("pcl_5_first_to_last_change",) in measures


def test_the_fixture_is_what_it_says() -> None:
    first, *_ = csv.DictReader(wide(PCL_FORMS, "pcl_").splitlines())
    assert (first["person"], first["pcl_1"], len(first)) == ("P1", "2", 22)
