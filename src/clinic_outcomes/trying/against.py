"""What an existing system takes of a file, what it lacks, and what the gate would refuse: without a manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from clinic_outcomes.admit.detectors import RULES
from clinic_outcomes.admit.scanning import scan_delivery
from clinic_outcomes.formats import check_file, read_header, sources_of
from clinic_outcomes.mapping import Clinic, System
from clinic_outcomes.mapping.legal_basis import LegalBasis
from clinic_outcomes.problems import ClinicOutcomesError, Problem
from clinic_outcomes.receive.telling import is_plain_file_name
from clinic_outcomes.settings import Settings
from clinic_outcomes.trying.exports import told_name
from clinic_outcomes.trying.synonyms import load_synonyms


@dataclass(frozen=True)
class Taken:
    """A source of a file: the tables it feeds (itself, or through sources made of it), and how many columns it takes.

    ``rows`` are the records of the whole file.
    """

    file: str
    source: str
    tables: tuple[str, ...]
    rows: int
    columns_taken: int
    columns_delivered: int


@dataclass(frozen=True)
class SystemTrial:
    """Sources taken of the files; sources that a delivery must have and no file gives; what would be refused, and why.

    ``unknown_files`` are those that no source of the system takes. ``takes_all`` says that nothing would be refused.
    """

    system: str
    taken: tuple[Taken, ...]
    lacking: tuple[str, ...]
    unknown_files: tuple[str, ...]
    problems: tuple[Problem, ...]

    @property
    def takes_all(self) -> bool:
        """Whether a delivery of just these files would pass the gate."""
        return not (self.lacking or self.unknown_files or self.problems)


def try_against(
    connection: duckdb.DuckDBPyConnection,
    paths: Sequence[Path],
    system: System,
    clinic: Clinic | None,
    settings: Settings,
) -> SystemTrial:
    """Hold files to the mapping of a system, and to the legal basis of a clinic (HIPAA Safe Harbor without one)."""
    held_to = clinic or _any_clinic(system)
    system = held_to.system
    taken: list[Taken] = []
    unknown: list[str] = []
    problems: list[Problem] = []
    readable: dict[str, Path] = {}
    told_names = {path.name: _told(path, system, position) for position, path in enumerate(paths, start=1)}
    for path in paths:
        told = told_names[path.name]
        if not sources_of(path.name, system):
            unknown.append(told)
            continue
        if not is_plain_file_name(path.name, system, None):
            problems.append(_unplain(told))
        try:
            rows = check_file(connection, path, system, settings)
            taken += _taken(connection, path, told, rows, system)
            readable[path.name] = path
        except ClinicOutcomesError as error:
            problems += [problem.model_copy(update={"file": told}) for problem in error.problems]
    problems += _refused(connection, readable, told_names, held_to)
    given = {source for name in readable for source in sources_of(name, system)}
    lacking = tuple(name for name, source in system.base_sources.items() if source.required and name not in given)
    return SystemTrial(system.name, tuple(taken), lacking, tuple(unknown), tuple(problems))


def _any_clinic(system: System) -> Clinic:
    """A clinic of the system that makes use of nothing beyond the default legal basis."""
    return Clinic("", "", system, system.format, LegalBasis(), None, {}, system.fingerprint)


def _taken(connection: duckdb.DuckDBPyConnection, path: Path, told: str, rows: int, system: System) -> list[Taken]:
    found = []
    for source in sources_of(path.name, system):
        header = read_header(connection, path, system, source)
        allowed = set(system.allowed_columns(source))
        fed = [name for name in system.mapped_sources if source in system.base_of(name)]
        tables = tuple(dict.fromkeys(table for name in fed for table in system.tables(name)))
        found.append(Taken(told, source, tables, rows, len(allowed.intersection(header)), len(header)))
    return found


def _told(path: Path, system: System, position: int) -> str:
    """A file's name as it may be told."""
    plain = is_plain_file_name(path.name, system, None)
    return path.name if plain else told_name(path, load_synonyms().known_words, position)


def _unplain(told: str) -> Problem:
    """What receive says of a file whose name has more in it than its source, a number and the reporting period."""
    return Problem(
        rule="file_name_unplain",
        message="a file's name says more than its source and a number of up to three digits",
        advice="A delivery may have the reporting period in it besides; prepare names its files so.",
        file=told,
    )


def _refused(
    connection: duckdb.DuckDBPyConnection, paths: Mapping[str, Path], told: Mapping[str, str], clinic: Clinic
) -> list[Problem]:
    """What the gate finds in the files, each told as one of a delivery is."""
    try:
        found = scan_delivery(connection, paths, clinic)
    except duckdb.Error:
        # DuckDB's own words quote values.
        return [Problem(rule="scan_failed", message="the files could not be scanned", advice="Try them one by one.")]
    order = {rule: position for position, rule in enumerate(RULES)}
    renamed = [
        problem.model_copy(update={"file": told.get(name, name) + mark + part if (name or mark) else None})
        for problem in found
        for name, mark, part in [(problem.file or "").partition("#")]
    ]
    return sorted(renamed, key=lambda p: (order[p.rule], p.file or "", p.line or 0, p.column or "", p.message))
