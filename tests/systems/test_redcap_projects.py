"""Public REDCap projects: every cell is read exactly once, and those that identify people do not pass the gate."""

import csv
from collections import Counter
from pathlib import Path

import duckdb
import pytest

from clinic_outcomes.admit import admit
from clinic_outcomes.formats import check_file, leftovers, source_rows
from clinic_outcomes.mapping import load_system
from clinic_outcomes.receive import receive
from clinic_outcomes.settings import Settings
from tests.support.deliveries import deliver
from tests.support.external import external
from tests.support.redcap_projects import CLINIC, KEYS, make_system

FILLED = (
    "arm-single-longitudinal",
    "blank-for-gray-status",
    "checkboxes-1",
    "clinical-trial-1",
    "decimal-comma",
    "longitudinal",
    "repeating-instruments",
)
IDENTIFYING = tuple(name for name in FILLED if name != "checkboxes-1")
IDENTIFIER_RULES = {"calendar_date", "email", "phone", "column_name_like"}


def export(name: str) -> tuple[Path, list[str], list[list[str]]]:
    """Where a project's export lies, its header and its rows, as Python's own reader has them."""
    path = external("redcap") / name / "data.csv"
    with path.open(encoding="utf-8-sig", newline="") as stream:
        header, *rows = [cells for cells in csv.reader(stream) if cells] or [[]]
    return path, header, rows


def settings_of(name: str, root: Path) -> Settings:
    path, header, _ = export(name)
    (dictionary,) = path.parent.glob("diction*.csv")
    return make_system(root, dictionary, header)


@pytest.mark.parametrize("name", FILLED)
def test_every_cell_with_a_value_is_read_exactly_once(name: str, tmp_path: Path) -> None:
    path, header, rows = export(name)
    settings = settings_of(name, tmp_path)
    system = load_system("project", settings)
    keys = {header[0], "redcap_repeat_instrument", *KEYS}
    delivered = Counter(
        (line, column, value)
        for line, cells in enumerate(rows, start=2)
        for column, value in zip(header, cells, strict=True)
        if value and column not in keys
    )
    read: Counter[tuple[int, str, str]] = Counter()
    read_keys = set()
    with duckdb.connect() as connection:
        assert check_file(connection, path, system, settings) == len(rows)
        assert leftovers(connection, path, system) == ()
        for source in system.sources:
            found = source_rows(connection, {"data.csv": path}, system, source)
            for row in connection.execute(f"FROM {found.sql}").fetchall():
                cells = dict(zip((*found.columns, "file", "line", "item"), row, strict=True))
                read.update((cells["line"], c, cells[c]) for c in found.columns if cells[c] and c not in keys)
                read_keys.add((cells["line"], *(cells[c] for c in header if c in keys & set(found.columns))))
    assert len(delivered) >= 20 and read == delivered
    shared = [place for place, column in enumerate(header) if column in keys - {"redcap_repeat_instrument"}]
    assert read_keys == {(line, *(cells[p] for p in shared)) for line, cells in enumerate(rows, start=2)}


def test_an_export_without_records_is_read(tmp_path: Path) -> None:
    path, header, _ = export("empty-rows")
    assert header == []
    settings = settings_of("empty-rows", tmp_path)
    system = load_system("project", settings)
    with duckdb.connect() as connection:
        assert check_file(connection, path, system, settings) == 0
        for source in system.sources:
            found = source_rows(connection, {"data.csv": path}, system, source)
            assert found.columns == system.allowed_columns(source)
            assert connection.execute(f"FROM {found.sql}").fetchall() == []


@pytest.mark.parametrize("name", IDENTIFYING)
def test_the_gate_refuses_projects_that_identify_people(name: str, tmp_path: Path) -> None:
    path, _, rows = export(name)
    settings = settings_of(name, tmp_path)
    deliver(settings.landing / CLINIC / "first", {"data.csv": path.read_bytes()}, CLINIC, rows={"data.csv": len(rows)})
    (received,) = receive(CLINIC, settings)
    assert received.received, received.problems
    (admitted,) = admit(CLINIC, settings)
    assert not admitted.admitted
    assert IDENTIFIER_RULES & {problem.rule for problem in admitted.problems}
