"""Scanning the files of a delivery: headers, keys, the values of every column, and what lies beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from clinic_outcomes.admit.columns import column_problem, column_problems, delivered_columns
from clinic_outcomes.admit.detectors import RULES, VALUE_RULES, plain_text
from clinic_outcomes.admit.drift import advice_for_retyped, renamed_columns
from clinic_outcomes.admit.recognition import Scan, column_scans, key_scans, present_values, tick_scans
from clinic_outcomes.formats import Leftover, delivered_sources, leftovers, read_header, source_rows, sources_of
from clinic_outcomes.mapping import Clinic, System
from clinic_outcomes.problems import Problem


def scan_delivery(connection: duckdb.DuckDBPyConnection, paths: Mapping[str, Path], clinic: Clinic) -> list[Problem]:
    """Every problem of the files of a delivery, one a column and rule, without any value.

    ``paths`` maps the names that problems call the files by to where they lie.
    """
    system = clinic.system
    problems = []
    told: dict[str, set[str]] = {}
    for name, path in sorted(paths.items()):
        for found in leftovers(connection, path, system):
            problems.append(_leftover(found, name))
        for source in sources_of(name, system):
            problems += _check_columns(connection, name, path, source, clinic, told.setdefault(source, set()))
    for source in delivered_sources(list(paths), system):
        problems += _scan_source(connection, paths, source, clinic, told)
    for source, members in _ticked(system, list(paths)).items():
        problems += _scan_ticks(connection, paths, source, members, clinic)
    return problems


def _check_columns(
    connection: duckdb.DuckDBPyConnection, file_name: str, path: Path, source: str, clinic: Clinic, told: set[str]
) -> list[Problem]:
    """Problems of the names of a file's columns; ``told`` gets the names that may be told."""
    system = clinic.system
    found = delivered_columns(connection, read_header(connection, path, system, source), source, system)
    told |= found.tellable
    new = [name for name in found.unknown if name in found.tellable]
    renamed: Mapping[str, str] = {}
    if new and found.missing:
        rows = source_rows(connection, {file_name: path}, system, source).sql
        renamed = renamed_columns(connection, rows, found.header, found.missing, new, clinic, source)
    problems = column_problems(found, source, system, renamed)
    return [problem.model_copy(update={"file": file_name}) for problem in problems]


def _scan_source(
    connection: duckdb.DuckDBPyConnection,
    paths: Mapping[str, Path],
    source: str,
    clinic: Clinic,
    told: Mapping[str, set[str]],
) -> list[Problem]:
    """Problems of the values of a source, in all its files."""
    system = clinic.system
    delivered = source_rows(connection, paths, system, source)
    header = delivered.columns
    rows = present_values(delivered.sql, header, system.missing)
    tellable = set(system.allowed_columns(source)).union(*(told.get(base, set()) for base in system.base_of(source)))
    keys = key_scans(system, source, header)
    scans = [*keys, *column_scans(clinic, source, header)]
    problems = []
    for place, (scan, suspicious) in enumerate(zip(scans, _count_suspicious(connection, rows, scans), strict=True)):
        if not suspicious:
            continue
        if place < len(keys):
            found = [("key_format", *where) for where in _suspicious_files(connection, rows, scan)]
        else:
            found = _apply_rules(connection, rows, scan)
        name = scan.columns[0]
        shown = scan.columns if name in tellable else ()
        lines = [m for m in system.columns if m.source == source and m.source_columns and name in m.source_columns]
        retyped = advice_for_retyped(connection, rows, scan, suspicious, lines)
        for rule, file, count, line in found:
            advice = retyped if rule == scan.otherwise else None
            problem = column_problem(
                rule, shown, line, header.index(name) + 1, table=scan.table, rows=count, advice=advice
            )
            problems.append(problem.model_copy(update={"file": file}))
    return problems


def _ticked(system: System, files: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Source → its columns of ticks, which sources made from it gather into lists: only ticks get there."""
    delivered = {base for file in files for base in sources_of(file, system)}
    found: dict[str, tuple[str, ...]] = {}
    for source in system.sources.values():
        if source.origin and source.lists and delivered & set(system.base_of(source.origin)):
            members = [member for columns in source.gathered.values() for member in columns]
            found[source.origin] = tuple(dict.fromkeys((*found.get(source.origin, ()), *members)))
    return found


def _scan_ticks(
    connection: duckdb.DuckDBPyConnection,
    paths: Mapping[str, Path],
    source: str,
    members: Sequence[str],
    clinic: Clinic,
) -> list[Problem]:
    """Problems of columns that hold 1 where ticked: whatever else stands there is not carried, but delivered."""
    delivered = source_rows(connection, paths, clinic.system, source)
    rows = present_values(delivered.sql, delivered.columns, clinic.system.missing)
    scans = tick_scans(member for member in members if member in delivered.columns)
    problems = []
    for scan, suspicious in zip(scans, _count_suspicious(connection, rows, scans), strict=True):
        for rule, file, count, line in _apply_rules(connection, rows, scan) if suspicious else ():
            problem = column_problem(rule, scan.columns, line, rows=count)
            problems.append(problem.model_copy(update={"file": file}))
    return problems


def _leftover(found: Leftover, file_name: str) -> Problem:
    return Problem(
        rule=found.rule,
        message=f"{RULES[found.rule].message}: {found.place}",
        advice=RULES[found.rule].advice,
        file=file_name,
        line=found.line,
        rows=found.rows,
    )


def _count_suspicious(connection: duckdb.DuckDBPyConnection, rows: str, scans: Sequence[Scan]) -> list[int]:
    """Rows with a value that is not recognised, a scan each, in one pass over the file."""
    if not scans:
        return []
    counts = ", ".join(f"count(*) FILTER ({scan.suspicious})" for scan in scans)
    return [int(count) for count in connection.execute(f"SELECT {counts} FROM {rows}").fetchone() or ()]


def _suspicious_files(connection: duckdb.DuckDBPyConnection, rows: str, scan: Scan) -> list[tuple[str, int, int]]:
    """File, rows and first line of each file with values that are not recognised."""
    return connection.execute(
        f"SELECT source_file, count(*), min(source_line) FROM {rows} WHERE {scan.suspicious} "
        "GROUP BY source_file ORDER BY source_file"
    ).fetchall()


def _apply_rules(connection: duckdb.DuckDBPyConnection, rows: str, scan: Scan) -> list[tuple[str, str, int, int]]:
    """Rule, file, rows and first line of each rule that values not recognised break in a file.

    Each distinct value of a file is looked at once.
    """
    predicates = {rule: [predicate] for rule, predicate in VALUE_RULES.items()}
    if scan.exempt:
        predicates["calendar_date"] = [f"({predicates['calendar_date'][0]}) AND NOT {scan.exempt}"]
    for rule, more in scan.rules.items():
        predicates.setdefault(rule, []).extend(more)
    broken = {rule: " OR ".join(f"({p})" for p in parts) for rule, parts in predicates.items()}
    if scan.otherwise:
        broken[scan.otherwise] = (
            f"NOT coalesce({' OR '.join(f'({condition})' for condition in broken.values())}, false)"
        )
    measures = ", ".join(
        f"sum(row_count) FILTER ({condition}), min(first_line) FILTER ({condition})" for condition in broken.values()
    )
    value = f"unnest({scan.members})" if scan.members else scan.value
    files = connection.execute(
        f"""
        WITH suspicious AS (
            SELECT {value} AS value, source_file, source_line FROM {rows} WHERE {scan.suspicious}
        ),
        distinct_values AS (
            SELECT source_file, value, {plain_text("value")} AS text, count(*) AS row_count,
                min(source_line) AS first_line
            FROM suspicious GROUP BY source_file, value
        )
        SELECT source_file, {measures} FROM distinct_values GROUP BY source_file ORDER BY source_file
        """
    ).fetchall()
    return [
        (rule, file, int(count), int(line))
        for file, *found in files
        for rule, count, line in zip(broken, found[::2], found[1::2], strict=True)
        if count
    ]
