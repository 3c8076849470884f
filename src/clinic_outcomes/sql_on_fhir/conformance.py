"""Runs the public test cases of SQL on FHIR and reports each.

    python -m clinic_outcomes.sql_on_fhir.conformance FOLDER [DOCUMENT]

FOLDER holds the cases, as the specification publishes them: JSON files of resources, views and the rows they must give.
The report replaces what DOCUMENT has from its heading "Cases" on; without one it is printed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from clinic_outcomes.sql_on_fhir.compiler import compile_view
from clinic_outcomes.sql_on_fhir.errors import ViewError

HEADING = "## Cases"


@dataclass(frozen=True)
class Case:
    """One case: the view, the resources of its file, and what must come of it."""

    file: str
    title: str
    tags: tuple[str, ...]
    view: dict[str, Any]
    resources: tuple[dict[str, Any], ...]
    rows: list[dict[str, Any]] | None  # none: the view must fail
    columns: list[str] | None


def cases_in(folder: Path) -> Iterator[Case]:
    """All cases of a folder, by file name, then in the order of the file."""
    for path in sorted(folder.glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        for test in content["tests"]:
            rows = None if test.get("expectError") else test["expect"]
            tags = tuple(test.get("tags", ()))
            columns = test.get("expectColumns")
            yield Case(path.name, test["title"], tags, test["view"], tuple(content["resources"]), rows, columns)


def failure(case: Case, connection: duckdb.DuckDBPyConnection) -> str | None:
    """Why a case fails, or nothing if it passes."""
    resources = [json.dumps(resource) for resource in case.resources]
    connection.execute("CREATE OR REPLACE TEMP TABLE resources AS SELECT unnest(?::JSON[]) AS resource", [resources])
    try:
        query = connection.sql(compile_view(case.view, "resources").sql)
        names, rows = query.columns, query.fetchall()
    except (ViewError, duckdb.InvalidInputException) as problem:
        return None if case.rows is None else f"fails: {problem}"
    if case.rows is None:
        return "gives rows where it must fail"
    if case.columns is not None and names != case.columns:
        return "the columns are in another order"
    given = _comparable([dict(zip(names, row, strict=True)) for row in rows])
    return None if given == _comparable(case.rows) else "gives other rows"


def report(folder: Path) -> str:
    """A Markdown table of all cases, and their counts."""
    connection = duckdb.connect()
    results = [(case, failure(case, connection)) for case in cases_in(folder)]
    counts = []
    for tag in sorted({tag for case, _ in results for tag in case.tags}):
        of_tag = [problem for case, problem in results if tag in case.tags]
        counts.append(f"- {tag}: {of_tag.count(None)} of {len(of_tag)} pass")
    lines = [f"| {case.file} | {case.title} | {', '.join(case.tags)} | {_outcome(why)} |" for case, why in results]
    total = f"{sum(why is None for _, why in results)} of {len(results)} cases pass."
    return "\n".join(
        [HEADING, "", total, "", *counts, "", "| file | case | tags | result |", "|---|---|---|---|", *lines, ""]
    )


def main(arguments: Sequence[str]) -> int:
    """Write or print the report; 1 if a case fails."""
    if len(arguments) not in (1, 2) or not Path(arguments[0]).is_dir():
        sys.stderr.write("usage: python -m clinic_outcomes.sql_on_fhir.conformance FOLDER [DOCUMENT]\n")
        return 2
    text = report(Path(arguments[0]))
    if len(arguments) == 2:
        document = Path(arguments[1])
        prose = document.read_text(encoding="utf-8").partition(HEADING)[0]
        document.write_text(prose + text, encoding="utf-8")
    else:
        sys.stdout.write(text)
    return 1 if "| fail" in text else 0


def _outcome(problem: str | None) -> str:
    return "pass" if problem is None else f"fail: {problem}"


def _comparable(rows: list[dict[str, Any]]) -> list[str]:
    """Rows as sorted texts: the specification leaves their order open, and 1 is 1.0."""
    return sorted(json.dumps(row, sort_keys=True, default=_number) for row in json.loads(_plain(rows), parse_int=float))


def _plain(rows: list[dict[str, Any]]) -> str:
    return json.dumps(rows, default=_number)


def _number(value: object) -> float:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
