"""Validated states of small clinics, written by hand as ASCII tables, for tests of the stage model."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from clinic_outcomes import ledger
from clinic_outcomes.contract import Table, load_contract
from clinic_outcomes.database import quote_name, quote_text
from clinic_outcomes.files import point_latest, write_json
from clinic_outcomes.records import ReceiveRecord, RowAccount, ValidateRecord
from clinic_outcomes.settings import Settings

DELIVERY_ID = "000001-full-0123456789abcdef"


def read_table(text: str) -> list[dict[str, str | None]]:
    """Rows of an ASCII table with ``|`` between cells; ``-`` is null, ``''`` empty."""
    lines = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    header, *rows = lines
    assert all(len(row) == len(header) for row in rows), "ragged table"
    values = {"-": None, "''": ""}
    return [dict(zip(header, (values.get(cell, cell) for cell in row), strict=True)) for row in rows]


def small_system(folder: Path) -> None:
    """A clinic system with a mapping that loads; the stage model needs no more of it than its title."""
    folder.mkdir(parents=True)
    (folder / "system.yml").write_text(
        "title: Paper records\nformat: csv\nsources: {people: {file: people.csv}}\n"
        "key_patterns: {patient_id: '[0-9]{1,9}'}\n"
    )
    (folder / "columns.csv").write_text(
        "source,source_column,table,column,unit,codes,constant\npeople,id,patient,patient_id,,,\n"
    )
    (folder / "codes.csv").write_text("codes,source_code,code\n")


def small_settings(folder: Path, clinics: Mapping[str, str]) -> Settings:
    """Settings with a data home and clinics (id → title) below ``folder``."""
    small_system(folder / "systems" / "paper")
    (folder / "clinics").mkdir()
    for clinic_id, title in clinics.items():
        (folder / "clinics" / f"{clinic_id}.yml").write_text(
            f"title: {title}\nsystem: paper\nshort_keys: {{reason: a, key_patterns: {{patient_id: '[0-9]{{1,9}}'}}}}\n"
        )
    return Settings(home=folder / "home", clinics=folder / "clinics", systems=folder / "systems")


def write_state(
    settings: Settings,
    clinic_id: str,
    tables: Mapping[str, str],
    *,
    state_id: str = "00000000000000a1",
    reporting_period: str = "2025-03",
    quarantined: Mapping[str, int] | None = None,
) -> None:
    """A clinic's accepted rows with their account, and the ledger's record of the one delivery they are from."""
    folder = settings.state / clinic_id / state_id
    (folder / "accepted").mkdir(parents=True)
    account = []
    for name, text in tables.items():
        rows = _expand_items(text) if name == "assessment_item" else read_table(text)
        write_accepted(load_contract().tables[name], clinic_id, rows, folder / "accepted" / f"{name}.parquet")
        account.append(account_of(name, len(rows), (quarantined or {}).get(name, 0)))
    keep_records(settings, clinic_id, state_id, account, reporting_period)


def keep_records(
    settings: Settings, clinic_id: str, state_id: str, account: Sequence[RowAccount], reporting_period: str
) -> None:
    """What validate and receive leave beside accepted rows: the state's account, and the one delivery it is from."""
    folder = settings.state / clinic_id / state_id
    record = ValidateRecord(clinic_id=clinic_id, state_id=state_id, deliveries=(DELIVERY_ID,), account=tuple(account))
    write_json(folder / "validate.json", record.model_dump(mode="json"))
    point_latest(folder)
    ledger.keep(
        ledger.receive_path(clinic_id, DELIVERY_ID, settings),
        ReceiveRecord(
            clinic_id=clinic_id,
            delivery_id=DELIVERY_ID,
            folder="march",
            received=True,
            export_sequence=1,
            export_kind="full",
            reporting_period=reporting_period,
        ),
    )


def account_of(table: str, current: int, quarantined: int = 0) -> RowAccount:
    """The account of a table of the delivery of which nothing was corrected."""
    return RowAccount(
        delivery_id=DELIVERY_ID,
        file=f"{table}.csv",
        table=table,
        delivered=current + quarantined,
        current=current,
        quarantined=quarantined,
        superseded=0,
        deleted=0,
        duplicate=0,
        tombstone=0,
    )


def write_accepted(table: Table, clinic_id: str, rows: list[dict[str, str | None]], target: Path) -> None:
    """Rows as validate leaves them: every stored column but ``record_action``."""
    stored = {name: kind for name, kind in table.stored_columns.items() if name != "record_action"}
    with duckdb.connect() as connection:
        columns = ", ".join(f"{quote_name(name)} {kind}" for name, kind in stored.items())
        connection.execute(f"CREATE TABLE accepted ({columns})")
        for line, row in enumerate(rows, start=2):
            lineage = {
                "clinic_id": clinic_id,
                "delivery_id": DELIVERY_ID,
                "export_sequence": "1",
                "source_file": f"{table.name}.csv",
                "source_line": str(line),
            }
            values = row | lineage
            names, places = ", ".join(map(quote_name, values)), ", ".join("?" for _ in values)
            connection.execute(f"INSERT INTO accepted ({names}) VALUES ({places})", list(values.values()))
        connection.execute(f"COPY accepted TO {quote_text(target)} (FORMAT parquet)")


def _expand_items(text: str) -> list[dict[str, str | None]]:
    """Answers written as one string of digits a questionnaire; ``.`` is an item without a row."""
    return [
        {
            "assessment_id": row["assessment_id"],
            "patient_id": row["patient_id"],
            "item_number": str(number),
            "item_value": value,
        }
        for row in read_table(text)
        for number, value in enumerate(row["answers"] or "", start=1)
        if value != "."
    ]


def copy_home(settings: Settings, target: Path) -> Settings:
    """The same clinics, states and ledger in another data home."""
    for part in ("state", "ledger"):
        shutil.copytree(settings.home / part, target / part, symlinks=True)
    return settings.model_copy(update={"home": target})
