"""Every system's identified export, prepared and taken through all stages: what was planted is what is counted.

The truth that the generator writes is that of the world, whichever way the clinic delivers it. One clinic of each
system exports everything and then, three months later, what is new.
"""

import gzip
import multiprocessing
import re
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from itertools import combinations
from pathlib import Path

import duckdb
import pytest

from clinic_outcomes.admit import admit
from clinic_outcomes.contract import Table, load_contract
from clinic_outcomes.harmonise import harmonise
from clinic_outcomes.prepare import Order, Prepared, prepare
from clinic_outcomes.receive import receive
from clinic_outcomes.resolve import resolve
from clinic_outcomes.settings import Settings
from clinic_outcomes.synthetic import generate
from clinic_outcomes.synthetic.deliveries import Plant
from clinic_outcomes.validate import validate
from tests.support import leaks

CLINICS = {
    "harbor_light": "csv",
    "northfold": "csv with semicolons",
    "quiet_harbor": "redcap",
    "alder_point": "excel",
    "lakeshore_bay": "fhir",
}
EXPORTS = ((1, "full", "2025-03", date(2025, 3, 31)), (2, "delta", "2025-06", date(2025, 6, 30)))
PREMISES = "landing"
"""Folder of the exports: what the search for leaks leaves out is what stays with the clinic."""


def deliver(root: Path, clinic: str) -> tuple[list[Prepared], list[bool]]:
    """Prepare both exports of a clinic and take them through its stages; what was said of each."""
    settings = Settings(home=root / "home", threads=1)
    prepared = [
        prepare(
            Order(
                clinic_id=clinic,
                export=root / PREMISES / clinic / f"{sequence:06d}-{kind}",
                out=settings.landing / clinic / f"{sequence:06d}-{kind}",
                clinic_key=root / PREMISES / "clinic.key",
                network_key=root / PREMISES / "network.key",
                register=root / PREMISES / f"{clinic}.register",
                exported_on=day,
                export_sequence=sequence,
                export_kind=kind,
                reporting_period=period,
            ),
            settings,
        )
        for sequence, kind, period, day in EXPORTS
    ]
    receive(clinic, settings)
    admitted = [verdict.admitted for verdict in admit(clinic, settings)]
    harmonise(clinic, settings)
    resolve(clinic, settings)
    validate(clinic, settings)
    return prepared, admitted


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("every_system")
    generate(
        root / PREMISES,
        patients=110,
        seed=21,  # of which two people are seen in two of the clinics
        settings=Settings(home=root / "home"),
        clinics=list(CLINICS),
        plant=Plant(refused_delivery=False),
        truth=root / "truth",
        identified=True,
    )
    # Bulk exports of FHIR may be packed.
    for path in sorted((root / PREMISES / "lakeshore_bay" / "000001-full").glob("*.ndjson")):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    for name, digit in (("clinic", "a"), ("network", "b")):
        (root / PREMISES / f"{name}.key").write_text(digit * 64 + "\n")
    return root


@pytest.fixture(scope="module")
def said(root: Path) -> dict[str, tuple[list[Prepared], list[bool]]]:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = pool.map(deliver, [root] * len(CLINICS), reversed(CLINICS))
        return dict(zip(reversed(CLINICS), found, strict=True))


@pytest.mark.parametrize("clinic", CLINICS)
def test_the_gate_admits_it_and_nothing_is_left_out(
    said: dict[str, tuple[list[Prepared], list[bool]]], clinic: str
) -> None:
    prepared, admitted = said[clinic]
    assert admitted == [True, True]
    for each in prepared:
        assert (each.people_without_day_zero, each.people_with_day_zero_kept, each.rows_left_out) == (0, 0, ())
        assert {name for _, name in each.dropped} == {"full_name", "birth_date", "email", "street", "zip"}
        for change in each.changes:
            assert change.values in (None, change.delivered), (change.source, change.column)


@pytest.mark.parametrize("clinic", CLINICS)
def test_accepted_rows_are_those_of_the_world(root: Path, said: object, clinic: str) -> None:
    tables = load_contract().tables
    planted = {path.stem for path in (root / "truth" / clinic).glob("*.parquet")}
    assert {"patient", "session", "assessment_item", "adverse_event"} <= planted
    with duckdb.connect() as connection:
        for name in tables:
            for kind, folder in (("true", root / "truth" / clinic), ("counted", accepted(root, clinic))):
                path = folder / f"{name}.parquet"
                there = f"read_parquet('{path}')" if path.is_file() else empty(tables[name])
                connection.execute(f"CREATE VIEW {kind}_{name} AS SELECT * FROM {there}")
        for name, table in tables.items():
            keys = ", ".join(table.primary_key)
            for kind in ("true", "counted"):
                repeated = f"SELECT count(*) - count(DISTINCT ({keys})) FROM {kind}_{name}"
                assert connection.execute(repeated).fetchone() == (0,)
            assert differences(connection, name, None) == (0, 0), name
            # Keys are other ones, but must put the same rows together.
            for column in table.columns:
                if column.references and column.references[0] in planted and name in planted:
                    assert differences(connection, name, (column.name, *column.references)) == (0, 0), column.name


def test_people_seen_in_two_clinics_have_one_token(root: Path, said: object) -> None:
    shared = {}
    with duckdb.connect() as connection:
        for kind in ("true", "counted"):
            shared[kind] = [
                connection.execute(
                    "SELECT count(*) FROM read_parquet(?) JOIN read_parquet(?) USING (network_token)",
                    [
                        str(folder(root, one, kind) / "patient.parquet"),
                        str(folder(root, two, kind) / "patient.parquet"),
                    ],
                ).fetchone()
                for one, two in combinations(CLINICS, 2)
            ]
    assert shared["counted"] == shared["true"]
    assert sum(row[0] for row in shared["true"] if row) == 2


# Each begins with a character of its own, so that the search is quick.
IDENTIFYING = {
    "date": r"(?:19|20)\d\d-[01]\d-[0-3]\d(?!\d)",
    "phone": r"\(210\) 555-\d{4}",
    "email": r"patient\d+@example",
    "surname": r"(?:Abernathy|Blackwood|Castellano|Dunmore|Eastgate|Farnsworth|Greenhalgh|Hollister)",
    "street": r"(?:Alder Way|Birch Lane|Cedar Court|Dogwood Drive|Elm Street|Fir Avenue|Grove Road)",
    "member's number": r"(?<![0-9.])\d{10}(?!\d)",
}
RECORD_NUMBER = re.compile(r"""[\n,;/"'>]10[0-2]\d{2}[1-9][\n,;"'<|]""")
# The writer of workbooks says this date in every one.
OF_WORKBOOKS = "1980-01-01"


def test_nothing_identifying_leaves_the_clinic(root: Path, said: object) -> None:
    pattern = re.compile("|".join(IDENTIFYING.values()))
    exported = {match for _, text in texts(exports(root)) for match in pattern.findall(text)} - {OF_WORKBOOKS}
    for kind, single in IDENTIFYING.items():
        assert any(re.fullmatch(single, match) for match in exported), kind
    assert any(RECORD_NUMBER.search(text) for _, text in texts(exports(root)))
    written = [path for path in sorted((root / "home").rglob("*")) if path.is_file()]
    assert len(written) > 200
    for path, text in texts(written):
        assert not exported & set(pattern.findall(text)), path
        assert not RECORD_NUMBER.search(text), path


@pytest.mark.parametrize("clinic", CLINICS)
def test_the_register_holds_keys_and_dates_only(root: Path, said: object, clinic: str) -> None:
    head, names, *rows = (root / PREMISES / f"{clinic}.register").read_text().splitlines()
    assert re.fullmatch(rf"clinic-outcomes register 1,{clinic},[0-9a-f]{{8}},2,{len(rows)}", head)
    assert names == "key,day_zero,export"
    assert rows and all(re.fullmatch(r"[0-9a-f]{32},202[45]-\d\d-\d\d,[12]", row) for row in rows)
    delivered = "".join(
        text for path in (root / "home" / "landing" / clinic).rglob("*") if path.is_file() for text in leaks.texts(path)
    )
    assert not any(row[:16] in delivered for row in rows)


def accepted(root: Path, clinic: str) -> Path:
    return root / "home" / "state" / clinic / "latest" / "accepted"


def folder(root: Path, clinic: str, kind: str) -> Path:
    return root / "truth" / clinic if kind == "true" else accepted(root, clinic)


def texts(paths: list[Path]) -> Iterator[tuple[Path, str]]:
    """Everything that some files say, each text once."""
    seen = set()
    for path in paths:
        for text in leaks.texts(path):
            if hash(text) not in seen:
                seen.add(hash(text))
                yield path, text


def exports(root: Path) -> list[Path]:
    """Files of the exports, but for their manifests: checksums have digits that could be anybody's."""
    found = [path for clinic in CLINICS for path in sorted((root / PREMISES / clinic).rglob("*_*.*"))]
    assert len(found) > 50
    return found


def empty(table: Table) -> str:
    columns = ", ".join(f"NULL::{column.sql_type} AS {column.name}" for column in table.columns)
    return f"(SELECT {columns} WHERE false)"


def differences(connection: duckdb.DuckDBPyConnection, name: str, link: tuple[str, str, str] | None) -> tuple[int, int]:
    """Rows of the truth that are not counted, and rows counted that are not true, by all columns that are no keys.

    With a ``link`` (column, table, its column) every row has the columns of the row that it refers to beside its own.
    """
    tables = load_contract().tables
    values = [f"own.{column.name}" for column in tables[name].columns if not column.is_key]
    if link:
        values += [f"other.{column.name}" for column in tables[link[1]].columns if not column.is_key]
    selected = {}
    for kind in ("true", "counted"):
        joined = f" LEFT JOIN {kind}_{link[1]} AS other ON own.{link[0]} = other.{link[2]}" if link else ""
        selected[kind] = f"SELECT {', '.join(values) or '1'} FROM {kind}_{name} AS own{joined}"
    found = []
    for one, two in (("true", "counted"), ("counted", "true")):
        row = connection.execute(f"SELECT count(*) FROM ({selected[one]} EXCEPT ALL {selected[two]})").fetchone()
        found.append(row[0] if row else -1)
    return found[0], found[1]
