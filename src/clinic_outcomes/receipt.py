"""The receipt of a clinic: everything wrong with its deliveries, with file, line, rule and what to do.

It never holds a delivered value, and of a row nothing but its file and line.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import duckdb

from clinic_outcomes.contract.base_expectations import READABLE
from clinic_outcomes.database import quote_text, session
from clinic_outcomes.files import latest
from clinic_outcomes.mapping import load_clinic
from clinic_outcomes.problems import ClinicOutcomesError, Problem
from clinic_outcomes.records import CodeCount
from clinic_outcomes.settings import Settings
from clinic_outcomes.status import ClinicRecords, read_clinic, verdict
from clinic_outcomes.validate import load_rules

UNMAPPED_ADVICE = "Map the column's codes in the system's codes.csv (or the clinic's overrides); the rows are kept."
UNREADABLE_ADVICE = "Correct the values, which are not of the column's type, in the next delivery."
CONTESTED_ADVICE = "The row restates an earlier one, which is not used either until the key is delivered in order."


def receipt(clinic_id: str, settings: Settings) -> dict[str, Any]:
    """Everything wrong with each of a clinic's deliveries, as plain data.

    A finding has ``stage, rule, file, table, column, line, rows, message, advice``; what does not apply is None.
    ``ClinicOutcomesError`` where the clinic is not known or its quarantined rows cannot be read.
    """
    records = read_clinic(load_clinic(clinic_id, settings), settings)
    quarantined = _quarantined(clinic_id, settings)
    deliveries = []
    for delivery_id in sorted(records.received):
        reached = verdict(delivery_id, records)
        findings = [_from_problem(reached.stage, problem) for problem in reached.problems]
        findings += _from_harmonise(delivery_id, records)
        if reached.state == "accepted":
            findings += quarantined[delivery_id]
        deliveries.append(
            {
                "delivery": delivery_id,
                "folders": list(records.folders.get(delivery_id, ())),
                "state": reached.state,
                "stage": reached.stage,
                "findings": findings,
            }
        )
    return {"clinic": clinic_id, "not_yet_received": list(records.unread), "deliveries": deliveries}


def _finding(stage: str, rule: str, message: str, advice: str, **place: str | int | None) -> dict[str, Any]:
    where = {name: place.get(name) for name in ("file", "table", "column", "line", "rows")}
    return {"stage": stage, "rule": rule, **where, "message": message, "advice": advice}


def _from_problem(stage: str, problem: Problem) -> dict[str, Any]:
    place = problem.model_dump(include={"file", "table", "column", "line", "rows"})
    return _finding(stage, problem.rule, problem.message, problem.advice, **place)


def _from_harmonise(delivery_id: str, records: ClinicRecords) -> list[dict[str, Any]]:
    def from_count(rule: str, message: str, advice: str, count: CodeCount) -> dict[str, Any]:
        place = {"file": count.file, "table": count.table, "column": count.column}
        return _finding("harmonise", rule, message, advice, line=count.first_line, rows=count.rows, **place)

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


def _quarantined(clinic_id: str, settings: Settings) -> dict[str, list[dict[str, Any]]]:
    """Findings on the quarantined rows of the clinic's newest state, by delivery id, a finding a row and rule."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    state = latest(settings.state / clinic_id)
    paths = sorted((state / "quarantined").glob("*.parquet")) if state else []
    rules = {(rule.table, rule.rule): rule for rule in load_rules(settings)} if paths else {}
    with session(settings) as connection:
        for path in paths:
            for delivery_id, file, line, name, contested, unreadable in _rows(
                connection, str(path), clinic_id, path.stem
            ):
                rule = rules.get((path.stem, name))
                advice, columns = (rule.advice, rule.columns) if rule else ("", ())
                found[delivery_id].append(
                    _finding(
                        "validate",
                        name,
                        "the row is quarantined; the earlier row of its key too"
                        if contested
                        else "the row is quarantined",
                        f"{advice} {CONTESTED_ADVICE}".strip() if contested else advice,
                        file=file,
                        table=path.stem,
                        column=", ".join(unreadable if name == READABLE else columns) or None,
                        line=line,
                        rows=1,
                    )
                )
    return found


def _rows(
    connection: duckdb.DuckDBPyConnection, path: str, clinic_id: str, table: str
) -> list[tuple[str, str, int, str, bool, list[str]]]:
    try:
        return connection.execute(
            "SELECT delivery_id, source_file, source_line, unnest(rules), contested, unreadable_columns "
            f"FROM read_parquet({quote_text(path)}) ORDER BY ALL"
        ).fetchall()
    except duckdb.Error:
        # DuckDB quotes values in its messages, so its text goes no further.
        problem = Problem(
            rule="quarantine_unreadable",
            message="the quarantined rows cannot be read",
            advice="Remove the clinic's state folder and run validate again.",
            clinic=clinic_id,
            table=table,
        )
    raise ClinicOutcomesError([problem])
