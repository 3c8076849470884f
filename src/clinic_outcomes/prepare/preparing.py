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
from clinic_outcomes.prepare.columns import CLINIC_SECRET, NETWORK_SECRET, Made, Maker
from clinic_outcomes.prepare.dates import check_dates, make_columns
from clinic_outcomes.prepare.day_zero import KNOWN, dated_rows, find_day_zero
from clinic_outcomes.prepare.instructions import load_instructions
from clinic_outcomes.prepare.refusing import refusal
from clinic_outcomes.prepare.register import Register, key_id, read_register, write_register
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.receive import Manifest, ManifestFile, write_manifest
from clinic_outcomes.receive.manifest import MANIFEST_NAME
from clinic_outcomes.settings import Settings

IDENTIFIED_VIEWS = "identified/views"
"""Folder of a FHIR system with the views of an identified export, which has dates where a delivery has days."""


@dataclass(frozen=True)
class Order:
    """What is to be prepared: the export's folder, where the delivery goes, and what its manifest says.

    ``clinic_key`` and ``network_key`` are files of 64 hex digits: the clinic's own secret, and the one that all clinics
    of the network share for the tokens of people. ``register`` is the clinic's own file of day zeros, which a delta
    needs; a full export begins it. ``exported_on`` is the last day that the export knows of.
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
    register: Path | None = None

    @property
    def is_delta(self) -> bool:
        """Whether the export holds only what is new."""
        return self.export_kind == "delta"


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
    """A delivery written to ``folder``, what became of each column, and those of the export that were left out.

    ``rows_left_out`` are rows of a delta, by source, of people whose day 0 is not known; in a full export their days
    are empty. ``people_with_day_zero_kept`` have another beginning in this export than the register says, which stays.
    ``files_not_read`` lie in the export's folder and are of no source.
    """

    folder: Path
    changes: tuple[Change, ...]
    dropped: tuple[tuple[str, str], ...]
    people_without_day_zero: int
    people_with_day_zero_kept: int = 0
    rows_left_out: tuple[tuple[str, int], ...] = ()
    files_not_read: int = 0


def prepare(order: Order, settings: Settings) -> Prepared:
    """Write the delivery of an identified export, and the register where one is named; nothing else is kept.

    The export stays as it is. ``ClinicOutcomesError`` where the mapping, the instructions, a key, the register or a
    file of the export is wrong, where most of a column of dates cannot be read, and where the gate would refuse what
    was made: then nothing is left in ``out``, and the register is as it was.
    """
    clinic = load_clinic(order.clinic_id, settings)
    instructions = load_instructions(clinic.system)
    files, unread = _export_files(order.export, clinic.system)
    if order.out.exists():
        raise refusal("out_exists", "the folder for the delivery is there already; name a new one")
    clinic_secret = _secret(order.clinic_key)
    register = _register(order, clinic_secret)
    # Without spilling: what identifies people is nowhere but in the export and in memory.
    with session(settings, spill=False) as connection, atomic_folder(order.out) as folder:
        set_secret(connection, CLINIC_SECRET, clinic_secret)
        if any(how.token for how in instructions.columns.values()):
            set_secret(connection, NETWORK_SECRET, _network_secret(order, clinic_secret))
        try:
            maker = Maker(clinic, instructions, order.exported_on)
            read_register(connection, register, order.is_delta)
            prepared = _prepare(connection, files, maker, order, folder, settings)
            # Before the delivery is in its place: who is stopped between can prepare the same export again.
            if register:
                write_register(connection, register, KNOWN)
        except duckdb.Error as error:
            # DuckDB's own words quote values.
            raise refusal("prepare", f"the export could not be prepared ({type(error).__name__})") from None
    return replace(prepared, folder=order.out, files_not_read=unread)


def _prepare(
    connection: duckdb.DuckDBPyConnection,
    files: Mapping[str, Path],
    maker: Maker,
    order: Order,
    folder: Path,
    settings: Settings,
) -> Prepared:
    system = maker.clinic.system
    identified = _identified(system)
    for path in files.values():
        check_file(connection, path, identified, settings)
    sources = _read(connection, files, identified)
    maker = check_dates(connection, sources, maker)
    beginnings = find_day_zero(connection, sources, maker, order.is_delta)
    changes: list[Change] = []
    left_out: list[tuple[str, int]] = []
    made: dict[str, str] = {}
    for place, (source, columns) in enumerate(sources.items()):
        wanted = make_columns(maker, source, columns)
        selected = ", ".join(f"({each.sql})::VARCHAR AS {quote_name(name)}" for name, each in wanted.items())
        # Ordered by what was made, for the order of the export tells who came when.
        connection.execute(
            f"CREATE TEMP TABLE made_{place} AS SELECT {selected} "
            f"FROM {dated_rows(maker, source, columns, place, order.is_delta)} ORDER BY ALL"
        )
        made[source] = f"(FROM made_{place})"
        changes += _changes(connection, maker, source, wanted, place)
        fewer = _count(connection, f"export_{place}") - _count(connection, f"made_{place}")
        left_out += [(source, fewer)] if fewer else []
    _write(connection, folder, maker.clinic, made, order)
    _pass_the_gate(connection, folder, maker.clinic)
    dropped = tuple(_dropped(sources, maker, system))
    return Prepared(folder, tuple(changes), dropped, beginnings.unknown, beginnings.kept, tuple(left_out))


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(row[0]) if row else 0


def _dropped(sources: Mapping[str, tuple[str, ...]], maker: Maker, system: System) -> Iterator[tuple[str, str]]:
    """Columns of the export that no source over the same files delivers, under the first source that has them."""
    told: set[str] = set()
    for source, columns in sources.items():
        near = [other for other in sources if set(system.base_of(other)) & set(system.base_of(source))]
        delivered = {name for base in system.base_of(source) for name in system.allowed_columns(base)}
        delivered |= {name for other in near for name in mapped_columns(system, other)}
        for other in near:
            delivered |= {name for column in mapped_columns(system, other) for name in _reads(maker, other, column)}
        for name in columns:
            plain = name.partition(".")[2] or name
            if not {name, plain} & delivered and f"{system.base_of(source)[0]}.{name}" not in told:
                told.add(f"{system.base_of(source)[0]}.{name}")
                yield source, name


def _reads(maker: Maker, source: str, column: str) -> tuple[str, ...]:
    how = maker.instructions.how(source, column)
    return how.columns if how else (column,)


def _export_files(export: Path, system: System) -> tuple[dict[str, Path], int]:
    """Files of the export that the system has a source for, by name; and the number of others."""
    if not export.is_dir():
        raise refusal("export_missing", "the export must be a folder with the system's files")
    every = [path for path in sorted(export.iterdir()) if path.is_file() and not path.name.startswith(".")]
    found = {path.name: path for path in every if sources_of(path.name, system)}
    if not found:
        raise refusal("export_missing", "the folder has no file of the clinic's system")
    there = {source for name in found for source in sources_of(name, system)}
    for name, source in system.base_sources.items():
        if source.required and name not in there:
            raise refusal(
                "file_missing",
                f"the export has no file for source {name}, named {source.file}",
                "Export it as well; one without rows will do where nothing is new.",
            )
    return found, len([path for path in every if path.name not in {*found, MANIFEST_NAME}])


def _secret(path: Path) -> bytes:
    text = path.read_text(encoding="ascii", errors="replace").strip() if path.is_file() else ""
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise refusal(
            "key_unreadable",
            f"{path.name} must hold a secret of 64 hex digits, made once and kept safe",
            "Make it with: openssl rand -hex 32. Another key later gives everybody other keys.",
        )
    return bytes.fromhex(text)


def _register(order: Order, clinic_secret: bytes) -> Register | None:
    if order.register is None:
        return None
    if order.out.resolve() in order.register.resolve().parents:
        raise refusal("register_misplaced", "the register would lie in the delivery; keep it with the records")
    return Register(order.register, order.clinic_id, key_id(clinic_secret), order.export_sequence)


def _network_secret(order: Order, clinic_secret: bytes) -> bytes:
    if order.network_key is None:
        raise refusal(
            "network_key_missing",
            "the network's tokens need the key that all its clinics share",
            "Give --network-key; without it people who are seen in two clinics would be counted twice.",
        )
    secret = _secret(order.network_key)
    if secret == clinic_secret:
        raise refusal("keys_equal", "the clinic's key is the network's: other clinics could then make its keys")
    return secret


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
