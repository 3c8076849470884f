"""Eighteen classes of identifiers, over 200 values of each, in every place: each is refused by itself.

Values are looked at one by one with the gate's own SQL (a value is refused where it is not recognised, for then it
breaks a rule), and all together as deliveries through receive and admit. What type and range recognise is recounted
here in plain Python: ``36437`` is a number where a column of minutes may hold it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import duckdb
import pytest

from clinic_outcomes.admit import admit
from clinic_outcomes.admit.detectors import VALUE_RULES
from clinic_outcomes.admit.recognition import column_scan, key_scans, present_values
from clinic_outcomes.admit.scanning import scan_delivery
from clinic_outcomes.database import quote_name, quote_text
from clinic_outcomes.mapping import Clinic, load_clinic
from clinic_outcomes.receive import receive
from clinic_outcomes.receive.telling import is_plain_file_name, told_file, told_folder
from clinic_outcomes.settings import Settings
from tests.deidentification.clinic import CLEAN, CLINIC, csv_text, make_settings
from tests.deidentification.identifiers import CLASSES, planted, sample
from tests.support import leaks
from tests.support.deliveries import deliver

PLACES = [(source, column) for source, row in CLEAN.items() for column in row]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return make_settings(tmp_path_factory.mktemp("planted"))


@pytest.fixture(scope="module")
def clinic(settings: Settings) -> Clinic:
    return load_clinic(CLINIC, settings)


def passed(clinic: Clinic, source: str, column: str, values: list[str]) -> set[str]:
    """Values that the gate lets stand in a column of a source, asked of its own SQL, one row a value."""
    header = tuple(CLEAN[source])
    scans = [column_scan(clinic, source, header, column)]
    scans += [scan for scan in key_scans(clinic.system, source, header) if column in scan.columns]
    assert all(scan.otherwise for scan in scans if len(scans) == 1)
    texts = ", ".join(
        f"unnest([{', '.join(map(quote_text, values))}]) AS {quote_name(name)}"
        if name == column
        else f"{quote_text(text)} AS {quote_name(name)}"
        for name, text in CLEAN[source].items()
    )
    rows = f"(SELECT {texts}, '' AS source_file, 0 AS source_line, 1 AS source_item)"
    refused = " OR ".join(f"({scan.suspicious})" for scan in scans)
    present = present_values(rows, header, clinic.system.missing)
    with duckdb.connect() as connection:
        found = connection.execute(f"SELECT {quote_name(column)} FROM {present} WHERE NOT ({refused})").fetchall()
    return {value for (value,) in found}


def test_there_are_enough_of_each_class() -> None:
    assert len(CLASSES) == 18
    assert all(len(set(planted(name))) >= 200 for name in CLASSES)


@pytest.mark.parametrize(("source", "column"), PLACES)
def test_every_planted_value_is_refused_in_every_kind_of_column(clinic: Clinic, source: str, column: str) -> None:
    assert passed(clinic, source, column, [CLEAN[source][column]]) == {CLEAN[source][column]}
    assert passed(clinic, source, column, [value for name in CLASSES for value in planted(name)]) == set()


def test_a_number_within_the_range_of_its_column_is_one(tmp_path: Path, settings: Settings) -> None:
    """The exception, stated: an RxNorm code has up to eight digits, so digits alone pass there and nowhere else."""
    system = settings.systems / "every_kind"
    made = Settings(home=tmp_path, clinics=settings.clinics, systems=tmp_path / "systems")
    (made.systems / "every_kind").mkdir(parents=True)
    for path in system.iterdir():
        (made.systems / "every_kind" / path.name).write_text(path.read_text())
    lines = "people,person,medication,medication_id,,,\npeople,person,medication,patient_id,,,\n"
    lines += "people,,medication,medication_class,,,ssri\npeople,rxnorm,medication,rxnorm_code,,,\n"
    columns = made.systems / "every_kind" / "columns.csv"
    columns.write_text(columns.read_text() + lines)
    head = made.systems / "every_kind" / "system.yml"
    head.write_text(head.read_text() + "  medication_id: 'P[0-9a-f]{16}'\n")
    clinic = load_clinic(CLINIC, made)
    with_code = {**CLEAN["people"], "rxnorm": "36437"}
    scan = column_scan(clinic, "people", tuple(with_code), "rxnorm")
    values = [value for name in CLASSES for value in planted(name)]
    with duckdb.connect() as connection:
        found = connection.execute(
            f"SELECT rxnorm FROM (SELECT unnest(?) AS rxnorm) WHERE NOT ({scan.suspicious})", [values]
        ).fetchall()
    assert {value for (value,) in found} == {value for value in values if re.fullmatch(r"[0-9]{1,8}", value)}


@pytest.mark.parametrize(
    ("name", "form"), [*((name, "csv") for name in CLASSES), ("names", "parquet"), ("dates", "parquet")]
)
def test_a_delivery_with_any_of_them_is_refused_and_tells_none(tmp_path: Path, name: str, form: str) -> None:
    """All columns of one file at once, through receive and admit: every column is told, with every row refused."""
    settings = make_settings(tmp_path)
    values = planted(name)
    people = csv_text([dict.fromkeys(CLEAN["people"], value) for value in values])
    files: dict[str, bytes | str] = {"people.csv": people}
    if form == "parquet":
        (tmp_path / "people.csv").write_text(people)
        path = tmp_path / "people.parquet"
        duckdb.execute(f"COPY (FROM read_csv('{tmp_path}/people.csv', all_varchar = true)) TO '{path}'")
        files = {"people.parquet": path.read_bytes()}
    deliver(settings.landing / CLINIC / "drop", files, CLINIC, rows=dict.fromkeys(files, len(values)))
    (received,) = receive(CLINIC, settings)
    assert received.received, received.problems
    (record,) = admit(CLINIC, settings)
    assert not record.admitted
    told = {problem.column for problem in record.problems}
    assert told == set(CLEAN["people"])
    # Each row of the key is refused under one rule.
    assert [p.rows for p in record.problems if p.rule == "key_format" and p.column == "person"] == [len(values)]
    assert leaks.canaries(settings.home, [value for value in values if len(value) > 5]) == {}
    assert not any(settings.scratch.iterdir())


@pytest.mark.parametrize("name", CLASSES)
def test_a_planted_column_name_is_refused_and_not_told(
    settings: Settings, clinic: Clinic, name: str, tmp_path: Path
) -> None:
    """As further columns of a CSV file, all at once: each is a problem of its own."""
    names = list({value.casefold(): value for value in planted(name)}.values())
    path = tmp_path / "people.csv"
    path.write_text(csv_text([CLEAN["people"] | dict.fromkeys(names, "")]))
    with duckdb.connect() as connection:
        problems = scan_delivery(connection, {"people.csv": path}, clinic)
    unknown = [problem for problem in problems if problem.rule == "column_unknown"]
    assert len(unknown) == len(names) >= 200
    told = json.dumps([problem.model_dump() for problem in problems], ensure_ascii=False)
    assert [value for value in names if value in told and not re.fullmatch("[0-9]{1,2}", value)] == []


@pytest.mark.parametrize("name", CLASSES)
def test_a_planted_file_or_folder_name_is_refused_and_not_told(clinic: Clinic, name: str) -> None:
    for value in planted(name):
        for file in (f"{value}.csv", f"people_{value}.csv", f"people{value}.csv", f"people_1_{value}.csv"):
            assert not is_plain_file_name(file, clinic.system, "2026-08"), file
            assert value not in told_file(file, clinic.system, "2026-08")
        assert value not in told_folder(value) and value not in told_folder(f"drop_{value}")


@pytest.mark.parametrize(
    "file", ["people.csv", "people_1.csv", "people_2026-08.csv", "people_202608_3.csv", "people (2).csv"]
)
def test_a_plain_file_name_is_taken(clinic: Clinic, file: str) -> None:
    assert is_plain_file_name(file, clinic.system, "2026-08")
    assert told_file(file, clinic.system, "2026-08") == file


@pytest.mark.parametrize("name", CLASSES)
def test_parquet_metadata_is_refused_and_not_told(clinic: Clinic, name: str, tmp_path: Path) -> None:
    path = tmp_path / "people.parquet"
    row = ", ".join(f"{quote_text(text)} AS {quote_name(column)}" for column, text in CLEAN["people"].items())
    with duckdb.connect() as connection:
        # Each value alone, as a key and as a value.
        for value in sample(name, 12):
            pairs = f"{quote_text(value)}: 'x', x: {quote_text(value)}"
            connection.execute(f"COPY (SELECT {row}) TO '{path}' (FORMAT parquet, KV_METADATA {{{pairs}}})")
            problems = scan_delivery(connection, {"people.parquet": path}, clinic)
            assert [problem.rule for problem in problems] == ["metadata_present"]
            assert value not in problems[0].model_dump_json()
        pairs = ", ".join(f"k{place}: {quote_text(value)}" for place, value in enumerate(planted(name)))
        connection.execute(f"COPY (SELECT {row}) TO '{path}' (FORMAT parquet, KV_METADATA {{{pairs}}})")
        assert scan_delivery(connection, {"people.parquet": path}, clinic)


def test_detectors_name_the_class_of_most() -> None:
    """The second net: values that no column recognises are named for what they are, so that staff can find them."""
    from clinic_outcomes.admit.detectors import plain_text

    named = {}
    with duckdb.connect() as connection:
        for name in CLASSES:
            rules = " OR ".join(f"({predicate})" for predicate in VALUE_RULES.values())
            found = connection.execute(
                f"SELECT count(*) FILTER ({rules}), count(*) "
                f"FROM (SELECT {plain_text('value')} AS text FROM (SELECT unnest(?) AS value))",
                [planted(name)],
            ).fetchone()
            assert found is not None
            named[name] = found[0] / found[1]
    assert all(
        share > 0.2 for name, share in named.items() if name not in ("names", "other unique numbers and codes")
    ), named
