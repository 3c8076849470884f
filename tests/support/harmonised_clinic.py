"""A clinic on a system of a test's own, with deliveries that went through receive and are taken as admitted."""

from __future__ import annotations

from pathlib import Path

import duckdb

from clinic_outcomes import ledger
from clinic_outcomes.database import session
from clinic_outcomes.mapping import load_clinic
from clinic_outcomes.mapping.thresholds import THRESHOLDS
from clinic_outcomes.receive import receive
from clinic_outcomes.recipe import recipe
from clinic_outcomes.records import AdmitRecord
from clinic_outcomes.settings import PROJECT_ROOT, Settings
from tests.support.deliveries import deliver
from tests.support.short_keys import short_keys

CLINIC = "alder"


def small_clinic(home: Path, head: str, columns: str, codes: str) -> Settings:
    """Settings of a home with one system and one clinic on it."""
    settings = Settings(
        home=home, clinics=home / "clinics", systems=home / "systems", expectations=home / "expectations"
    )
    settings.expectations.mkdir(parents=True)
    (settings.expectations / THRESHOLDS).write_text((PROJECT_ROOT / "expectations" / THRESHOLDS).read_text())
    system = settings.systems / "example"
    system.mkdir(parents=True)
    settings.clinics.mkdir()
    (system / "system.yml").write_text(head)
    (system / "columns.csv").write_text("source,source_column,table,column,unit,codes,constant\n" + columns)
    (system / "codes.csv").write_text("codes,source_code,code\n" + codes)
    (settings.clinics / f"{CLINIC}.yml").write_text("title: Alder House\nsystem: example\n" + short_keys(head))
    return settings


def admitted(settings: Settings, files: dict[str, str], sequence: int = 1, kind: str = "full", folder: str = "") -> str:
    """Deliver files, receive them, and keep the record that they were admitted. Gives the delivery's id."""
    before = {record.delivery_id for record in ledger.receive_records(CLINIC, settings)}
    deliver(settings.landing / CLINIC / (folder or f"drop-{sequence}"), files, CLINIC, sequence, kind)
    receive(CLINIC, settings)
    (record,) = [r for r in ledger.receive_records(CLINIC, settings) if r.delivery_id not in before]
    assert record.received, record.problems
    under = recipe(load_clinic(CLINIC, settings), settings)
    path = ledger.admit_path(CLINIC, record.delivery_id, under, settings)
    ledger.keep(path, AdmitRecord(clinic_id=CLINIC, delivery_id=record.delivery_id, recipe=under, admitted=True))
    return record.delivery_id


def rows(path: Path, columns: str, settings: Settings) -> list[tuple[object, ...]]:
    """Rows of a Parquet file in its own order."""
    with session(settings) as connection:
        return connection.execute(f"SELECT {columns} FROM read_parquet('{path}', hive_partitioning = false)").fetchall()


def column_types(path: Path) -> dict[str, str]:
    """Column names and types of a Parquet file."""
    described = duckdb.execute(f"DESCRIBE FROM read_parquet('{path}', hive_partitioning = false)").fetchall()
    return {row[0]: row[1] for row in described}
