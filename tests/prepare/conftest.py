from datetime import date
from pathlib import Path

import pytest

from clinic_outcomes.prepare import Order
from clinic_outcomes.settings import Settings
from tests.prepare.clinic import CALLS, CLINIC, CODES, COLUMNS, FORMS, PEOPLE, PREPARE, SYSTEM, VISITS


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    folder = tmp_path / "systems" / "made_up"
    folder.mkdir(parents=True)
    (tmp_path / "clinics").mkdir()
    files = {"system.yml": SYSTEM, "columns.csv": COLUMNS, "codes.csv": CODES, "prepare.yml": PREPARE}
    for name, text in files.items():
        (folder / name).write_text(text)
    (tmp_path / "clinics" / f"{CLINIC}.yml").write_text("title: Alder\nsystem: made_up\n")
    return Settings(home=tmp_path / "home", systems=tmp_path / "systems", clinics=tmp_path / "clinics")


@pytest.fixture
def order(tmp_path: Path, settings: Settings) -> Order:
    export = tmp_path / "export"
    export.mkdir()
    for name, text in {"people": PEOPLE, "calls": CALLS, "visits": VISITS, "forms": FORMS}.items():
        (export / f"{name}_now.csv").write_text(text)
    (export / "readme.txt").write_text("not of the system")
    for name, digit in {"clinic": "a", "network": "b"}.items():
        (tmp_path / f"{name}.key").write_text(digit * 64 + "\n")
    return Order(
        clinic_id=CLINIC,
        export=export,
        out=settings.landing / CLINIC / "000003-full",
        clinic_key=tmp_path / "clinic.key",
        network_key=tmp_path / "network.key",
        exported_on=date(2025, 3, 1),
        export_sequence=3,
        export_kind="full",
        reporting_period="2025-02",
    )
