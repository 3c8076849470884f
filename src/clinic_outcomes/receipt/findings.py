"""Everything wrong with each of a clinic's deliveries, grouped by file, rule and column."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from clinic_outcomes.contract.base_expectations import READABLE
from clinic_outcomes.database import quote_text, session
from clinic_outcomes.files import latest
from clinic_outcomes.formats import sources_of
from clinic_outcomes.mapping import System, load_clinic
from clinic_outcomes.mapping.sources import PART_OF
from clinic_outcomes.problems import ClinicOutcomesError, Problem
from clinic_outcomes.records import CodeCount
from clinic_outcomes.settings import Settings
from clinic_outcomes.status import ClinicRecords, read_clinic, verdict
from clinic_outcomes.validate import load_rules

LINES_TOLD = 20
"""Lines that a finding names; the list beside the page names all."""

UNMAPPED_ADVICE = "Map the column's codes in the system's codes.csv (or the clinic's overrides); the rows are kept."
UNREADABLE_ADVICE = "Correct the values, which are not of the column's type, in the next delivery."
CONTESTED_ADVICE = "The row restates an earlier one, which is not used either until the key is delivered in order."
SET_APART = {
    "quarantined": "the row is quarantined",
    "contested": "the row is quarantined; the earlier row of its key too",
    "noticed": "the row is kept, and looks odd",
}
"""What became of rows that break a rule, in words."""


def receipt(clinic_id: str, settings: Settings) -> dict[str, Any]:
    """Everything wrong with each of a clinic's deliveries, as plain data.

    A finding has ``stage, rule, file, part, table, column, your_column, line, lines, rows, message, advice``; what does
    not apply is None. ``your_column`` is the clinic's own name of the column; ``lines`` are the first ``LINES_TOLD``.
    ``history`` holds what is odd about the newest delivery as a whole. ``ClinicOutcomesError`` where the clinic is not
    known or its quarantined rows cannot be read.
    """
    records = read_clinic(load_clinic(clinic_id, settings), settings)
    set_apart = _set_apart(records, settings)
    deliveries = []
    for delivery_id in sorted(records.received):
        reached = verdict(delivery_id, records)
        findings = [_from_problem(reached.stage, problem, records.clinic.system) for problem in reached.problems]
        findings += _from_harmonise(delivery_id, records)
        if reached.state == "accepted":
            findings += set_apart[delivery_id]
        received = records.received[delivery_id]
        deliveries.append(
            {
                "delivery": delivery_id,
                "export_sequence": received.export_sequence,
                "export_kind": received.export_kind,
                "reporting_period": received.reporting_period,
                "folders": list(records.folders.get(delivery_id, ())),
                "state": reached.state,
                "stage": reached.stage,
                "findings": findings,
            }
        )
    history = records.validated.findings if records.validated else ()
    return {
        "clinic": clinic_id,
        "title": records.clinic.title,
        "not_yet_received": list(records.unread),
        "deliveries": deliveries,
        "history": [finding.model_dump(mode="json") for finding in history],
    }


def place_of(label: str, system: System) -> tuple[str, str | None, str | None]:
    """File, part of it in words (``sheet Visits``) and source of rows whose ``source_file`` is ``label``."""
    file, _, source = label.partition("#")
    if not source:
        found = sources_of(file, system)
        return file, None, found[0] if found else None
    if source not in system.sources:
        return file, None, None
    base = system.sources[system.base_of(source)[0]]
    kind = next((name for name in PART_OF.values() if getattr(base, name)), None)
    return file, f"{kind} {base.part}" if kind else None, source


def own_columns(system: System, source: str | None, table: str | None, columns: str | None) -> str | None:
    """The clinic's own names of some columns of a table, as the mapping of a source gives them."""
    if source is None or table is None or not columns:
        return None
    wanted = columns.split(", ")
    names = [
        name
        for mapping in system.mappings(source, table)
        if mapping.target and mapping.target.name in wanted
        for name in mapping.source_columns
    ]
    return ", ".join(dict.fromkeys(names)) or None


def _finding(stage: str, rule: str, message: str, advice: str, **place: Any) -> dict[str, Any]:
    names = ("file", "part", "table", "column", "your_column", "line", "lines", "rows")
    return {
        "stage": stage,
        "rule": rule,
        **{name: place.get(name) for name in names},
        "message": message,
        "advice": advice,
    }


def _placed(label: str | None, table: str | None, column: str | None, system: System) -> dict[str, Any]:
    if label is None:
        return {"table": table, "column": column}
    file, part, source = place_of(label, system)
    own = own_columns(system, source, table, column)
    return {"file": file, "part": part, "table": table, "column": column, "your_column": own}


def _from_problem(stage: str, problem: Problem, system: System) -> dict[str, Any]:
    place = _placed(problem.file, problem.table, problem.column, system)
    if stage in ("receive", "admit"):
        # These speak of the delivered columns as they are.
        place["your_column"] = problem.column
    lines = None if problem.line is None else [problem.line]
    message, advice = problem.message, problem.advice
    return _finding(stage, problem.rule, message, advice, **place, line=problem.line, lines=lines, rows=problem.rows)


def _from_harmonise(delivery_id: str, records: ClinicRecords) -> list[dict[str, Any]]:
    def from_count(rule: str, message: str, advice: str, count: CodeCount) -> dict[str, Any]:
        place = _placed(count.file, count.table, count.column, records.clinic.system)
        first = count.first_line
        return _finding("harmonise", rule, message, advice, line=first, lines=[first], rows=count.rows, **place)

    record = records.harmonised.get(delivery_id)
    if record is None:
        return []
    return [
        *(
            from_count("unmapped_code", "no canonical code; first line given", UNMAPPED_ADVICE, c)
            for c in record.unmapped
        ),
        *(
            from_count("unreadable_value", "not of its type; first line given", UNREADABLE_ADVICE, c)
            for c in record.unreadable
        ),
    ]


def _set_apart(records: ClinicRecords, settings: Settings) -> Mapping[str, list[dict[str, Any]]]:
    """Findings on rows of the clinic's newest state that break a rule, by delivery id."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    rules = {(rule.table, rule.rule): rule for rule in load_rules(settings)}
    with broken_rows(records.clinic.clinic_id, settings) as connection:
        groups = connection.execute(
            "SELECT table_name, delivery_id, source_file, rule, outcome, unreadable_columns, count(*), "
            f"min(source_line), list(DISTINCT source_line ORDER BY source_line)[:{LINES_TOLD}] "
            "FROM broken GROUP BY ALL ORDER BY ALL"
        ).fetchall()
    for table, delivery_id, label, name, outcome, unreadable, rows, line, lines in groups:
        rule = rules.get((table, name))
        advice, columns = (rule.advice, rule.columns) if rule else ("", ())
        column = ", ".join(unreadable if name == READABLE else columns) or None
        place = _placed(label, table, column, records.clinic.system)
        told = f"{advice} {CONTESTED_ADVICE}".strip() if outcome == "contested" else advice
        found[delivery_id].append(
            _finding("validate", name, SET_APART[outcome], told, line=line, lines=lines, rows=rows, **place)
        )
    return found


@contextmanager
def broken_rows(clinic_id: str, settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """A session with view ``broken``: one row a row of the newest state and rule that it breaks.

    Columns ``table_name, delivery_id, source_file, source_line, source_item, rule, outcome`` (``quarantined``,
    ``contested`` or ``noticed``) and ``unreadable_columns``. ``ClinicOutcomesError`` where a file cannot be read.
    """
    state = latest(settings.state / clinic_id)
    place = "delivery_id, source_file, source_line, source_item"
    parts = []
    for folder, outcome, unreadable in (
        ("quarantined", "CASE WHEN contested THEN 'contested' ELSE 'quarantined' END", "unreadable_columns"),
        ("notices", "'noticed'", "[]::VARCHAR[]"),
    ):
        parts += [
            f"SELECT {quote_text(path.stem)} AS table_name, {place}, unnest(rules) AS rule, {outcome} AS outcome, "
            f"{unreadable} AS unreadable_columns FROM read_parquet({quote_text(path)})"
            for path in sorted(Path(state / folder).glob("*.parquet") if state else ())
        ]
    nothing = (
        "SELECT '' AS table_name, '' AS delivery_id, '' AS source_file, 0::BIGINT AS source_line, "
        "1::INTEGER AS source_item, '' AS rule, '' AS outcome, []::VARCHAR[] AS unreadable_columns WHERE false"
    )
    try:
        with session(settings) as connection:
            connection.execute(f"CREATE TEMP VIEW broken AS {' UNION ALL '.join([nothing, *parts])}")
            yield connection
    except duckdb.Error:
        # DuckDB quotes values in its messages, so its text goes no further.
        raise ClinicOutcomesError([_unreadable(clinic_id)]) from None


def _unreadable(clinic_id: str) -> Problem:
    return Problem(
        rule="quarantine_unreadable",
        message="the quarantined rows cannot be read",
        advice="Remove the clinic's state folder and run validate again.",
        clinic=clinic_id,
    )
