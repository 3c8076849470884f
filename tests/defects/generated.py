"""Clean generated data of every clinic system as resolved states: on them, whatever a rule finds is a false alarm."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from clinic_outcomes.contract import Table, load_contract
from clinic_outcomes.files import write_json
from clinic_outcomes.mapping import load_clinic
from clinic_outcomes.mapping.thresholds import network_thresholds
from clinic_outcomes.records import ResolveRecord, RuleCount, Threshold
from clinic_outcomes.settings import Settings
from clinic_outcomes.synthetic import generate
from clinic_outcomes.synthetic.deliveries import Plant
from clinic_outcomes.validate import validate
from tests.defects.clinic import CLINIC, DELIVERY, STATE, whole_account

PEOPLE = 2_000
CLEAN = Plant(defects=False, corrections=False, refused_delivery=False)


def judge_clean(folder: Path) -> tuple[RuleCount, ...]:
    """What each rule finds on clean generated data: the clinics of each system as one state, added up."""
    settings = Settings(home=folder)
    truth = folder / "truth"
    generate(folder / "landing", PEOPLE, 1, settings, plant=CLEAN, truth=truth)
    systems: dict[str, list[Path]] = {}
    for path in sorted(path for path in truth.iterdir() if path.is_dir()):
        systems.setdefault(load_clinic(path.name, settings).system.name, []).append(path)
    total: dict[tuple[str, str], RuleCount] = {}
    for system, clinics in systems.items():
        own = Settings(home=folder / system)
        write_clean_state(own, clinics)
        for count in validate(CLINIC, own, STATE).rules:
            known = total.get((count.table, count.rule), count.model_copy(update={"checked": 0, "rows": 0}))
            added = {"checked": known.checked + count.checked, "rows": known.rows + count.rows}
            total[count.table, count.rule] = count.model_copy(update=added)
    return tuple(total.values())


def write_clean_state(settings: Settings, clinics: Sequence[Path]) -> None:
    """Write the canonical rows of a system's clinics as one state.

    Keys end in the clinic's number, since clinics share network tokens and the codes of sites.
    """
    resolved = settings.state / CLINIC / STATE / "resolved"
    resolved.mkdir(parents=True)
    account = []
    with duckdb.connect() as connection:
        for table in load_contract().tables.values():
            paths = [clinic / f"{table.name}.parquet" for clinic in clinics]
            parts = [_rows(table, path, number) for number, path in enumerate(paths) if path.is_file()]
            if not parts:
                continue
            order = ", ".join(table.primary_key)
            target = resolved / f"{table.name}.parquet"
            connection.execute(
                f"COPY (SELECT * REPLACE (row_number() OVER (ORDER BY {order}) + 1 AS source_line) "
                f"FROM ({' UNION ALL '.join(parts)}) ORDER BY {order}) TO '{target}' (FORMAT parquet)"
            )
            (rows,) = connection.execute(f"SELECT count(*) FROM '{target}'").fetchone() or (0,)
            account.append(whole_account(table.name, rows))
    record = ResolveRecord(
        clinic_id=CLINIC,
        state_id=STATE,
        deliveries=(DELIVERY,),
        thresholds=tuple(Threshold(name=n, value=v) for n, v in sorted(network_thresholds(settings).items())),
        account=tuple(account),
    )
    write_json(resolved / "resolve.json", record.model_dump(mode="json"))


def _rows(table: Table, path: Path, number: int) -> str:
    """SQL of one clinic's rows of a table with lineage."""
    lineage = {
        "clinic_id": f"'{CLINIC}'", "delivery_id": f"'{DELIVERY}'", "export_sequence": "1",
        "source_file": f"'{table.name}.csv'", "source_line": "0", "source_item": "1", "unreadable_columns": "[]",
    }  # fmt: skip
    values = {
        column.name: f"{column.name} || '.{number}'" if column.is_key else column.name for column in table.columns
    }
    selected = ", ".join(
        f"({values.get(name) or lineage.get(name, 'NULL')})::{kind} AS {name}"
        for name, kind in table.stored_columns.items()
        if name != "record_action"
    )
    return f"SELECT {selected}, false AS restates FROM '{path}'"
