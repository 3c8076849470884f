"""Scanning the files of a delivery: headers, keys, the values of every column, and what lies beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import duckdb

from clinic_outcomes.admit.detectors import RULES, VALUE_RULES, plain_text
from clinic_outcomes.admit.header import is_a_header, is_name_like, looks_like_a_column
from clinic_outcomes.admit.recognition import Scan, column_scans, key_scans, present_values
from clinic_outcomes.formats import (
    Leftover,
    delivered_sources,
    leftovers,
    read_header,
    source_rows,
    sources_of,
)
from clinic_outcomes.mapping import Clinic
from clinic_outcomes.problems import Problem

HEADER_LINE = 1


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
            header = read_header(connection, path, system, source)
            problems += _check_header_of(connection, name, source, header, clinic, told.setdefault(source, set()))
    for source in delivered_sources(list(paths), system):
        problems += _scan_source(connection, paths, source, clinic, told)
    return problems


def _check_header_of(
    connection: duckdb.DuckDBPyConnection,
    file_name: str,
    source: str,
    header: Sequence[str],
    clinic: Clinic,
    told: set[str],
) -> list[Problem]:
    """Problems of the names of a file's columns; ``told`` gets the names that may be told."""
    allowed = clinic.system.allowed_columns(source)
    broken = _rules_of_names(connection, [name for name in header if name not in allowed])
    tellable = _tellable(header, allowed, broken)
    told |= tellable
    return [
        problem.model_copy(update={"file": file_name}) for problem in _check_header(header, allowed, broken, tellable)
    ]


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
    problems = []
    keys = key_scans(system, source, header)
    scans = [*keys, *column_scans(clinic, source, header)]
    for place, (scan, suspicious) in enumerate(zip(scans, _count_suspicious(connection, rows, scans), strict=True)):
        if not suspicious:
            continue
        if place < len(keys):
            found = [("key_format", *where) for where in _suspicious_files(connection, rows, scan)]
        else:
            found = _apply_rules(connection, rows, scan)
        name = scan.columns[0]
        shown = scan.columns if name in tellable else ()
        for rule, file, count, line in found:
            problem = _problem(rule, shown, scan.table, count, line, header.index(name) + 1)
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


def _problem(
    rule: str,
    columns: Sequence[str],
    table: str | None,
    rows: int | None,
    line: int | None,
    position: int | None = None,
) -> Problem:
    """A problem of a column; of one whose name may not be told, its position is."""
    where = "" if columns or position is None else f" (column {position} of the file)"
    return Problem(
        rule=rule,
        message=RULES[rule].message + where,
        advice=RULES[rule].advice,
        table=table,
        column="+".join(columns) or None,
        rows=rows,
        line=line,
    )


def _check_header(
    header: Sequence[str], allowed: Sequence[str], broken: Mapping[str, list[str]], told: set[str]
) -> list[Problem]:
    problems = [_problem("column_missing", (name,), None, None, HEADER_LINE) for name in allowed if name not in header]
    for position, name in enumerate(header, start=1):
        shown = (name,) if name in told else ()
        rules = ["column_unknown", *broken[name]] if name in broken else []
        rules += ["column_name_like"] if is_name_like(name) else []
        problems += [_problem(rule, shown, None, None, HEADER_LINE, position) for rule in rules]
    return problems


def _tellable(header: Sequence[str], allowed: Sequence[str], broken: Mapping[str, list[str]]) -> set[str]:
    """Names of the header that may be told: the mapping's, and others that surely are no values."""
    told = set(header) & set(allowed)
    if is_a_header(header, allowed):
        told |= {name for name, rules in broken.items() if looks_like_a_column(name) and not rules}
    return told


def _rules_of_names(connection: duckdb.DuckDBPyConnection, names: Sequence[str]) -> dict[str, list[str]]:
    """Rules of values that each of some names breaks: without a header, the first row's values stand in its place."""
    if not names:
        return {}
    flags = ", ".join(f"({predicate})" for predicate in VALUE_RULES.values())
    rows = connection.execute(
        f"SELECT name, {flags} FROM (SELECT name, {plain_text('name')} AS text FROM (SELECT unnest(?) AS name))",
        [list(names)],
    ).fetchall()
    return {name: [rule for rule, broken in zip(VALUE_RULES, found, strict=True) if broken] for name, *found in rows}


def _count_suspicious(connection: duckdb.DuckDBPyConnection, rows: str, scans: Iterable[Scan]) -> list[int]:
    """Rows with a value that is not recognised, a scan each, in one pass over the file."""
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
