"""Read an identified export, make the columns of a delivery, write it, and pass it through the gate once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Literal

import duckdb

from clinic_outcomes.admit.scanning import scan_delivery
from clinic_outcomes.database import quote_name, session
from clinic_outcomes.files import atomic_folder, sha256_file
from clinic_outcomes.formats import check_file, delivered_sources, source_rows, sources_of, write_file
from clinic_outcomes.formats.inverse import base_rows, mapped_columns
from clinic_outcomes.formats.naming import delivered_name
from clinic_outcomes.harmonise.keyed_hash import set_secret
from clinic_outcomes.mapping import Clinic, System, load_clinic
from clinic_outcomes.prepare.columns import CLINIC_SECRET, DAY_ZERO, NETWORK_SECRET, Made, Maker
from clinic_outcomes.prepare.instructions import Instructions, load_instructions
from clinic_outcomes.problems import ClinicOutcomesError, Problem
from clinic_outcomes.receive import Manifest, ManifestFile, write_manifest
from clinic_outcomes.settings import Settings

BEGINNINGS = (("referral", "received_day"), ("patient", "intake_day"))
"""Columns of the contract of which the earliest is a person's day 0, unless the instructions say otherwise."""
IDENTIFIED_VIEWS = "identified/views"
"""Folder of a FHIR system with the views of an identified export, which has dates where a delivery has days."""


@dataclass(frozen=True)
class Order:
    """What is to be prepared: the export's folder, where the delivery goes, and what its manifest says.

    ``clinic_key`` and ``network_key`` are files of 64 hex digits: the clinic's own secret, and the one that all clinics
    of the network share for the tokens of people.
    """

    clinic_id: str
    export: Path
    out: Path
    clinic_key: Path
    network_key: Path | None
    exported_on: date
    export_sequence: int
    export_kind: Literal["full", "delta"]
    reporting_period: str
    period_status: Literal["provisional", "final"] = "provisional"


@dataclass(frozen=True)
class Change:
    """What became of a column: values that the export has, values delivered, and what was done.

    ``values`` is None for a column that is made of others.
    """

    source: str
    column: str
    action: str
    values: int | None
    delivered: int


@dataclass(frozen=True)
class Prepared:
    """A delivery written to ``folder``, what became of each column, and those of the export that were left out."""

    folder: Path
    changes: tuple[Change, ...]
    dropped: tuple[tuple[str, str], ...]
    people_without_day_zero: int


def prepare(order: Order, settings: Settings) -> Prepared:
    """Write the delivery of an identified export; nothing else is kept, and the export stays as it is.

    ``ClinicOutcomesError`` where the mapping, the instructions, a key or a file of the export is wrong, and where
    the gate would refuse what was made: then nothing is left in ``out``.
    """
    clinic = load_clinic(order.clinic_id, settings)
    instructions = load_instructions(clinic.system)
    files = _export_files(order.export, clinic)
    if order.out.exists():
        raise _wrong("out_exists", "the folder for the delivery is there already; name a new one")
    # Without spilling: what identifies people is nowhere but in the export and in memory.
    with session(settings, spill=False) as connection, atomic_folder(order.out) as folder:
        set_secret(connection, CLINIC_SECRET, _secret(order.clinic_key))
        if order.network_key:
            set_secret(connection, NETWORK_SECRET, _secret(order.network_key))
        elif any(how.token for how in instructions.columns.values()):
            raise _wrong("network_key_missing", "the network's tokens need the key that all its clinics share")
        try:
            prepared = _prepare(connection, files, clinic, instructions, order, folder, settings)
        except duckdb.Error as error:
            # DuckDB's own words quote values.
            raise _wrong("prepare", f"the export could not be prepared ({type(error).__name__})") from None
    return replace(prepared, folder=order.out)


def _prepare(
    connection: duckdb.DuckDBPyConnection,
    files: Mapping[str, Path],
    clinic: Clinic,
    instructions: Instructions,
    order: Order,
    folder: Path,
    settings: Settings,
) -> Prepared:
    identified = _identified(clinic.system)
    for path in files.values():
        check_file(connection, path, identified, settings)
    sources = _read(connection, files, identified)
    maker = Maker(clinic, instructions, order.exported_on)
    lost = _find_day_zero(connection, sources, maker)
    changes: list[Change] = []
    dropped: list[tuple[str, str]] = []
    made: dict[str, str] = {}
    for place, (source, columns) in enumerate(sources.items()):
        wanted = _made_columns(maker, clinic.system, source, columns)
        selected = ", ".join(f"({each.sql})::VARCHAR AS {quote_name(name)}" for name, each in wanted.items())
        # Ordered by what was made, for the order of the export tells who came when.
        connection.execute(
            f"CREATE TEMP TABLE made_{place} AS SELECT {selected} "
            f"FROM {_dated(maker, source, columns, place)} ORDER BY ALL"
        )
        made[source] = f"(FROM made_{place})"
        changes += _changes(connection, maker, source, wanted, place)
        used = {name for each in wanted.values() for name in (each.counted,) if name}
        used |= {name for column in wanted if (how := instructions.how(source, column)) for name in how.columns}
        dropped += [(source, name) for name in columns if name not in used]
    _write(connection, folder, clinic, made, order)
    _pass_the_gate(connection, folder, clinic)
    return Prepared(folder, tuple(changes), tuple(dropped), lost)


def _export_files(export: Path, clinic: Clinic) -> dict[str, Path]:
    """Files of the export that the system has a source for, by name."""
    if not export.is_dir():
        raise _wrong("export_missing", "the export must be a folder with the system's files")
    found = {
        path.name: path for path in sorted(export.iterdir()) if path.is_file() and sources_of(path.name, clinic.system)
    }
    if not found:
        raise _wrong("export_missing", "the folder has no file of the clinic's system")
    return found


def _secret(path: Path) -> bytes:
    text = path.read_text(encoding="ascii", errors="replace").strip() if path.is_file() else ""
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise _wrong("key_unreadable", f"{path.name} must hold a secret of 64 hex digits, made once and kept safe")
    return bytes.fromhex(text)


def _identified(system: System) -> System:
    """The system as it reads an identified export: FHIR has views of its own for that."""
    folder = system.folder / IDENTIFIED_VIEWS
    if system.fhir is None or not folder.is_dir():
        return system
    views = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}
    named = {name: views.get(source.view or "") for name, source in system.base_sources.items()}
    replaced = {name: view for name, view in named.items() if view is not None}
    return replace(system, fhir=replace(system.fhir, views={**system.fhir.views, **replaced}))


def _read(
    connection: duckdb.DuckDBPyConnection, files: Mapping[str, Path], system: System
) -> dict[str, tuple[str, ...]]:
    """Rows of every mapped source of the export into ``export_<place>``; columns by source."""
    sources = {}
    for place, source in enumerate(delivered_sources(list(files), system)):
        rows = source_rows(connection, files, system, source)
        connection.execute(f"CREATE TEMP TABLE export_{place} AS FROM {rows.sql}")
        sources[source] = rows.columns
    return sources


def _person_column(maker: Maker, source: str, columns: tuple[str, ...]) -> str | None:
    """Column of a source of the export that holds the person's key."""
    for mapping in maker.clinic.system.columns:
        if mapping.source == source and mapping.target and mapping.target.name == "patient_id":
            name = maker.instructions.column_read(source, mapping.source_columns[0])
            return name if name in columns else None
    return None


def _find_day_zero(connection: duckdb.DuckDBPyConnection, sources: Mapping[str, tuple[str, ...]], maker: Maker) -> int:
    """Make ``day_zero``: each person's earliest date among the beginnings. Returns how many people have none."""
    system, instructions = maker.clinic.system, maker.instructions
    parts, people = [], []
    for place, (source, columns) in enumerate(sources.items()):
        person = _person_column(maker, source, columns)
        if person is None:
            continue
        people.append(f"SELECT trim({quote_name(person)}) AS person FROM export_{place}")
        for column in _beginnings(system, source, instructions):
            name = instructions.column_read(source, column)
            if name in columns:
                day = maker.as_date(name)
                parts.append(f"SELECT trim({quote_name(person)}) AS person, {day} AS day FROM export_{place}")
    if not parts:
        raise _wrong("day_zero_missing", "the export has no date from which days could be counted")
    connection.execute(
        f"CREATE TEMP TABLE day_zero AS SELECT person, min(day) AS day FROM ({' UNION ALL '.join(parts)}) "
        "WHERE day IS NOT NULL GROUP BY person"
    )
    row = connection.execute(
        f"SELECT count(DISTINCT person) FROM ({' UNION ALL '.join(people)}) ANTI JOIN day_zero USING (person)"
    ).fetchone()
    return int(row[0]) if row else 0


def _beginnings(system: System, source: str, instructions: Instructions) -> list[str]:
    """Columns of a source that a person's day 0 is taken from."""
    if instructions.day_zero:
        return [place.removeprefix(f"{source}.") for place in instructions.day_zero if place.startswith(f"{source}.")]
    return [
        mapping.source_columns[0]
        for mapping in system.columns
        if mapping.source == source and mapping.target and (mapping.table, mapping.target.name) in BEGINNINGS
    ]


def _dated(maker: Maker, source: str, columns: tuple[str, ...], place: int) -> str:
    """Rows of a source with the day 0 of the person."""
    person = _person_column(maker, source, columns)
    if person is None:
        return f"(SELECT *, NULL::DATE AS {quote_name(DAY_ZERO)} FROM export_{place})"
    return (
        f"(SELECT export.*, day_zero.day AS {quote_name(DAY_ZERO)} FROM export_{place} AS export "
        f"LEFT JOIN day_zero ON trim(export.{quote_name(person)}) = day_zero.person)"
    )


def _made_columns(maker: Maker, system: System, source: str, there: tuple[str, ...]) -> dict[str, Made]:
    made = {}
    for column in mapped_columns(system, source):
        mappings = [m for m in system.columns if m.source == source and column in m.source_columns]
        if any(len(m.source_columns) > 1 for m in mappings):
            raise _wrong("prepare", f"source {source}: keys made of several columns cannot be prepared", column)
        made[column] = maker.make(source, column, mappings, there)
    return made


def _changes(
    connection: duckdb.DuckDBPyConnection, maker: Maker, source: str, made: Mapping[str, Made], place: int
) -> Iterator[Change]:
    before = [f"count({maker.text(each.counted)})" if each.counted else "NULL" for each in made.values()]
    after = [f"count({quote_name(name)})" for name in made]
    had = connection.execute(f"SELECT {', '.join(before)} FROM export_{place}").fetchone() or ()
    has = connection.execute(f"SELECT {', '.join(after)} FROM made_{place}").fetchone() or ()
    for (name, each), values, delivered in zip(made.items(), had, has, strict=True):
        yield Change(source, name, each.action, values, delivered)


def _write(
    connection: duckdb.DuckDBPyConnection, folder: Path, clinic: Clinic, made: Mapping[str, str], order: Order
) -> None:
    """Write the files of the delivery and, last, its manifest."""
    system = clinic.system
    rows = base_rows(system, made)
    files = []
    for pattern in dict.fromkeys(source.file or "" for source in system.base_sources.values()):
        bases = [name for name, source in system.base_sources.items() if source.file == pattern and name in rows]
        if not bases:
            continue
        path = folder / delivered_name(system, pattern, clinic.format, order.export_sequence)
        records = write_file(connection, path, system, {name: rows[name] for name in bases})
        files.append(ManifestFile(name=path.name, rows=records, sha256=sha256_file(path)))
    manifest = Manifest(
        manifest_version=1,
        clinic_id=order.clinic_id,
        export_sequence=order.export_sequence,
        export_kind=order.export_kind,
        reporting_period=order.reporting_period,
        period_status=order.period_status,
        files=tuple(files),
    )
    write_manifest(folder, manifest)


def _pass_the_gate(connection: duckdb.DuckDBPyConnection, folder: Path, clinic: Clinic) -> None:
    """Ask the gate before anyone else does."""
    paths = {path.name: path for path in sorted(folder.iterdir()) if sources_of(path.name, clinic.system)}
    problems = scan_delivery(connection, paths, clinic)
    if problems:
        raise ClinicOutcomesError([problem.model_copy(update={"clinic": clinic.clinic_id}) for problem in problems])


def _wrong(rule: str, message: str, column: str | None = None) -> ClinicOutcomesError:
    advice = "See docs/adding-a-clinic.md, which says what prepare needs."
    return ClinicOutcomesError([Problem(rule=rule, message=message, advice=advice, column=column)])
