"""From the clinics' accepted rows to the marts of one build."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import duckdb

from clinic_outcomes import ledger
from clinic_outcomes.contract import load_contract
from clinic_outcomes.database import quote_name, write_parquet
from clinic_outcomes.files import atomic_folder, fingerprint, fingerprint_files, latest, point_latest, write_json
from clinic_outcomes.instruments import instruments_fingerprint
from clinic_outcomes.mapping import load_clinics
from clinic_outcomes.model.inputs import ClinicState, find_deliveries, lay_out
from clinic_outcomes.model.warehouse import Dbt
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.receive import is_stale, standing_deliveries
from clinic_outcomes.recipe import code_fingerprint
from clinic_outcomes.records import ModelRecord, ValidateRecord
from clinic_outcomes.settings import Settings

NO_SOURCE = frozenset({"target", "logs", "dbt_packages"})
"""Folders that dbt makes in its project when somebody runs it by hand."""


@contextmanager
def prepare(settings: Settings) -> Iterator[Dbt]:
    """Start dbt for a build that is about to come; at the end its process and its folder are gone.

    The folder, beside the warehouse, holds the inputs and artifacts of this one build alone.
    """
    folder = settings.warehouse / f".build.{uuid.uuid4().hex}.tmp"
    folder.mkdir(parents=True)
    dbt = Dbt(folder, settings)
    try:
        yield dbt
    finally:
        dbt.close()
        shutil.rmtree(folder)


def model(settings: Settings, prepared: Dbt | None = None) -> ModelRecord:
    """Build the marts from the latest validated state of every clinic that has one, and make them the latest.

    A build that exists already is not made again. ``prepared`` is dbt, started earlier by :func:`prepare`.
    ``ClinicOutcomesError`` where no clinic has a state, or names the dbt nodes that failed; the build before then
    stays the latest.
    """
    states = latest_states(settings)
    if not states:
        raise ClinicOutcomesError("no clinic has a validated state yet: run the clinics' stages first")
    build_id = _build_id(states, settings)
    build = settings.marts / build_id
    if not (build / "model.json").is_file():
        with nullcontext(prepared) if prepared else prepare(settings) as dbt:
            _make(build, states, dbt, settings)
    point_latest(build)
    return ledger.read(build / "model.json", ModelRecord)


def latest_states(settings: Settings) -> tuple[ClinicState, ...]:
    """The clinics that have a state. ``latest`` may move while we work: each is looked up once."""
    states = []
    for clinic_id, clinic in sorted(load_clinics(settings).items()):
        folder = latest(settings.state / clinic_id)
        if folder is not None:
            record = ledger.read(folder / "validate.json", ValidateRecord)
            stale = is_stale(standing_deliveries(clinic_id, settings), record.deliveries)
            states.append(ClinicState(clinic, folder, record, stale))
    return tuple(states)


def _build_id(states: Sequence[ClinicState], settings: Settings) -> str:
    """16 hex digits over everything that the marts depend on."""
    sources = [
        path
        for path in settings.dbt_project.rglob("*")
        if path.is_file()
        and not path.name.startswith(".")
        and NO_SOURCE.isdisjoint(path.relative_to(settings.dbt_project).parts)
    ]
    parts = [
        text
        for state in states
        for text in (
            state.clinic.clinic_id,
            state.state_id,
            state.clinic.title,
            state.clinic.system.title,
            "stale" if state.stale else "up to date",
        )
    ]
    parts += [
        fingerprint_files(sources, settings.dbt_project),
        load_contract().fingerprint,
        code_fingerprint(["model", "instruments", "statistics"]),
        instruments_fingerprint(settings),
    ]
    return fingerprint(parts)[:16]


def _make(build: Path, states: Sequence[ClinicState], dbt: Dbt, settings: Settings) -> None:
    """Have dbt build, then put the warehouse and the marts in their places."""
    deliveries = find_deliveries(states, settings)
    lay_out(dbt.inputs, states, deliveries, load_contract(), settings)
    nodes, marts = dbt.build()
    record = ModelRecord(
        build_id=build.name,
        states={state.clinic.clinic_id: state.state_id for state in states},
        reporting_period=max((delivery.reporting_period for delivery in deliveries), default=""),
        nodes=nodes,
    )
    with atomic_folder(build) as folder:
        _export(dbt.warehouse, marts, folder, settings)
        write_json(folder / "model.json", record.model_dump(mode="json"))
        # The warehouse first: a build that is there is not made again, so its warehouse must be there too.
        dbt.warehouse.replace(settings.warehouse / "outcomes.duckdb")


def _export(warehouse: Path, marts: Mapping[str, Sequence[str]], folder: Path, settings: Settings) -> None:
    """Write every mart as Parquet, its rows in a total order."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": settings.threads,
        "memory_limit": f"{settings.memory_limit_mb}MB",
        "temp_directory": str(settings.scratch),
    }
    with duckdb.connect(str(warehouse), read_only=True, config=config) as connection:
        for layer, names in marts.items():
            (folder / layer).mkdir()
            for name in names:
                relation = f"{quote_name(layer)}.{quote_name(name)}"
                write_parquet(connection, f"SELECT * FROM {relation} ORDER BY ALL", folder / layer / f"{name}.parquet")
