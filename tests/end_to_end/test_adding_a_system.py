"""From an export that nobody has seen to accepted rows, by the commands of docs/adding-a-system.md and no code.

The export is invented here: odd names, semicolons, decimal commas, dates as Germans write them, names of people.
"""

import csv
import io
import os
import re
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from clinic_outcomes import CLINIC_STAGES
from tests.support.workbooks import book, saved

PROGRAM = Path(sys.executable).with_name("clinic-outcomes")
PEOPLE = 12
FIRST_DAY = date(2025, 3, 3)
CLINIC = "invented_clinic"


def german(day: int) -> str:
    return (FIRST_DAY + timedelta(days=day)).strftime("%d.%m.%Y")


def table(header: str, rows: list[list[object]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=";", lineterminator="\n")
    writer.writerow(header.split())
    writer.writerows(rows)
    return stream.getvalue()


def people() -> list[list[object]]:
    return [
        [
            f"{4711 + n}",
            f"Quackenbusch{n}",
            f"0{n % 9 + 1}.07.{1950 + n}",
            "FM"[n % 2],
            german(n),
            german(n + 90),
            "yn"[n % 2],
        ]
        for n in range(PEOPLE)
    ]


PEOPLE_HEADER = "ClientNo Surname DateOfBirth Gender Registered LastSeen Vet"


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """The export: clients and plans in files that say what they are, visits in one that does not."""
    folder = tmp_path / "export"
    folder.mkdir()
    plans: list[list[object]] = [
        [f"PL{n:03d}", f"{4711 + n}", "IVK", german(n + 7), "as discussed with his wife"] for n in range(PEOPLE)
    ]
    visits: list[list[object]] = [
        [f"V{n:03d}{k}", f"PL{n:03d}", f"{4711 + n}", german(n + 7 + 2 * k), k + 1, "KET", "0,04", "IV", "0,75"]
        for n in range(PEOPLE)
        for k in range(3)
    ]
    (folder / "clients_20250630.csv").write_text(table(PEOPLE_HEADER, people()))
    (folder / "plans_20250630.csv").write_text(table("Plan ClientNo Regimen Begin Bemerkung", plans))
    (folder / "termine_20250630.csv").write_text(
        table("Visit Plan ClientNo VisitDate Nr Agent Dose_g Given LengthHours", visits)
    )
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name in ("systems", "clinics"):
        (tmp_path / name).mkdir()
    return tmp_path / "home"


def cli(home: Path, *arguments: object, status: int = 0) -> str:
    """What a command prints, on both streams; it must exit as it should."""
    folders = {f"CLINIC_OUTCOMES_{name.upper()}": str(home.parent / name) for name in ("systems", "clinics")}
    done = subprocess.run(
        [PROGRAM, "--home", home, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={name: value for name, value in os.environ.items() if not name.startswith("CLINIC_")} | folders,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def edit(path: Path, *changes: tuple[str, str]) -> None:
    """Change lines of a file by hand: each pattern must be there."""
    text = path.read_text()
    for pattern, replacement in changes:
        text, count = re.subn(pattern, replacement, text, flags=re.MULTILINE)
        assert count, pattern
    path.write_text(text)


def prepare_and_run(home: Path, export: Path, commands: tuple[str, ...] = ("run",)) -> str:
    """Prepare the export, take it through the stages by these commands, and give the receipt."""
    (home.parent / "clinics" / f"{CLINIC}.yml").write_text("title: Invented Clinic\nsystem: invented\n")
    key = home.parent / "clinic.key"
    key.write_text("5a" * 32)
    landing = home / "landing" / CLINIC
    landing.mkdir(parents=True)
    when = ["--exported-on", "2025-06-30", "--sequence", 1, "--period", "2025-06"]
    cli(home, "prepare", export, "--clinic", CLINIC, "--out", landing / "first", "--clinic-key", key, *when)
    for command in commands:
        cli(home, command, CLINIC)
    return cli(home, "receipt", CLINIC)


def accepted(home: Path, table_name: str, columns: str) -> list[tuple[object, ...]]:
    path = home / "state" / CLINIC / "latest" / "accepted" / f"{table_name}.parquet"
    return duckdb.sql(f"SELECT {columns} FROM '{path}' ORDER BY ALL").fetchall()


def test_an_unknown_csv_export_becomes_accepted_rows_without_code(export: Path, home: Path) -> None:
    files = sorted(export.iterdir())
    tried = cli(home, "try", *files)
    assert "clients*.csv: csv, delimiter ;, decimal separator ., UTF-8" in tried
    assert "file 3.csv: csv, delimiter ;, decimal separator ,, UTF-8" in tried
    assert "clients,ClientNo,patient,patient_id,,," in tried
    assert (
        "source_3,Dose_g,session,dose_mg,g,," in tried
        and "source_3,LengthHours,session,infusion_minutes,hour,," in tried
    )
    assert "Surname: texts; missing none; distinct 6 to 30; IDENTIFIES" in tried
    told = tried + cli(home, "try", *files, "--json")
    for secret in ("Quackenbusch", "4711", "PL00", "1950", "2025", "discussed", "IVK", "KET", "termine", "Bemerkung"):
        assert secret not in told, secret
    assert not home.exists() and not list((home.parent / "systems").iterdir())

    written = cli(home, "new-system", "invented", "--format", "csv", "--from", export, "--show-codes")
    assert "to be decided before it loads: " in written
    system = home.parent / "systems" / "invented"
    everything = "".join(path.read_text() for path in system.iterdir())
    for secret in ("Quackenbusch", "4711", "PL00", "1950", "2025", "discussed", "Surname", "DateOfBirth"):
        assert secret not in everything, secret

    edit(
        system / "system.yml",
        (r"file_3\*\.csv", "termine*.csv"),
        ("  # The file's name is not.*\n", ""),
        ("source_3:", "visits:"),
    )
    edit(
        system / "columns.csv",
        ("^source_3,", "visits,"),
        ("^plans,Bemerkung,.*\n", ""),
        ("^(clients,Vet,.*)$", r"\1\nclients,Age,patient,age_years,year,age_top_code,"),
    )
    edit(
        system / "codes.csv",
        ("^protocol,IVK,$", "protocol,IVK,iv_ketamine"),
        ("^route,IV,$", "route,IV,intravenous"),
        (r"\Z", "age_top_code,90+,90\n"),
    )
    assert 'dates: ["%d.%m.%Y"]' in (system / "prepare.yml").read_text()
    edit(system / "prepare.yml", (r"\Z", "columns:\n  clients.Age: {born: DateOfBirth, at: Registered}\n"))

    held = cli(home, "try", *files, "--system", "invented")
    assert "source clients takes 5 of 7 columns, 12 records, for patient" in held
    assert "column_unknown: a column is not in the mapping [file " in held and "column Surname" in held
    assert "calendar_date" in held and "Quackenbusch" not in held

    receipt = prepare_and_run(home, export)
    assert "000001-full-" in receipt and "quarantined" not in receipt and "is refused" not in receipt
    delivered = sorted((home / "landing" / CLINIC / "first").glob("*.csv"))
    taken = cli(home, "try", *delivered, "--clinic", CLINIC)
    assert taken.rstrip().endswith("refused: nothing")

    # Worked out from the export's formulas: ages on registration in March 2025, of people born in July from 1950 on.
    assert accepted(home, "patient", "age_years, sex, veteran, intake_day, observed_through_day") == sorted(
        (2024 - 1950 - n, ("female", "male")[n % 2], ("yes", "no")[n % 2], 0, 90) for n in range(PEOPLE)
    )
    assert accepted(
        home, "session", "session_day, sequence_number, drug, dose_mg::INTEGER, route, infusion_minutes::INTEGER"
    ) == sorted((7 + 2 * k, k + 1, "ketamine", 40, "intravenous", 45) for _ in range(PEOPLE) for k in range(3))


def test_an_unknown_workbook_becomes_accepted_rows_without_code(home: Path) -> None:
    export = home.parent / "export"
    export.mkdir()
    rows = [PEOPLE_HEADER.split(), *people()]
    (export / "export_7.xlsx").write_bytes(saved(book({"Clients": rows})))
    tried = cli(home, "try", export / "export_7.xlsx")
    assert "export_7.xlsx: excel" in tried and "Clients: 12 records, 7 columns; most like patient" in tried
    cli(home, "new-system", "invented", "--format", "excel", "--from", export, "--show-codes")
    # What the network makes of accepted rows, it makes of the other export's.
    receipt = prepare_and_run(home, export, CLINIC_STAGES)
    assert "000001-full-" in receipt
    assert accepted(home, "patient", "sex, veteran, observed_through_day") == sorted(
        (("female", "male")[n % 2], ("yes", "no")[n % 2], 90) for n in range(PEOPLE)
    )
