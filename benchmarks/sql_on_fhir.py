"""How long a SQL on FHIR view takes from NDJSON to Parquet, beside SQL written by hand for these very resources.

    .venv/bin/python benchmarks/sql_on_fhir.py [--responses 50000] [--items 20] [--runs 3] [--threads 2]

The resources are QuestionnaireResponses, generated here. All take turns, so that a change in the machine's speed hits
all; the median of the wall seconds is printed, and its ratio to the floor.

- **floor**: hand-written DuckDB that knows which elements are arrays, and checks nothing;
- **extract**: hand-written DuckDB with a JSON path for each value, as most would write it;
- **view**: `forEach` over the items, with the answer as a path;
- **view, nested**: `forEach` over the items and in it over the answers;
- **view, repeat**: items at any depth.

The rows of all are compared.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb

from clinic_outcomes.sql_on_fhir import compile_view

RESPONSE: dict[str, Any] = {
    "column": [
        {"name": "response", "path": "getResourceKey()", "type": "id"},
        {"name": "patient", "path": "subject.getReferenceKey(Patient)", "type": "id"},
        {"name": "form", "path": "questionnaire", "type": "canonical"},
    ]
}
ITEM = {"name": "item", "path": "linkId", "type": "string"}
ANSWER = {"name": "answer", "path": "answer.value.ofType(integer)", "type": "integer"}
ANSWER_HERE = {**ANSWER, "path": "value.ofType(integer)"}
VIEWS: dict[str, dict[str, Any]] = {
    "view": {"forEach": "item", "column": [ITEM, ANSWER]},
    "view, nested": {
        "forEach": "item",
        "column": [ITEM],
        "select": [{"forEachOrNull": "answer", "column": [ANSWER_HERE]}],
    },
    "view, repeat": {"repeat": ["item"], "column": [ITEM, ANSWER]},
}
FLOOR = """
SELECT response, split_part(reference, '/', 2) AS patient, form, item.linkId AS item,
       item.answer[1].valueInteger AS answer
FROM (SELECT r.id AS response, r.subject.reference AS reference, r.questionnaire AS form, unnest(r.item) AS item
      FROM (SELECT from_json(resource, '{"resourceType": "VARCHAR", "id": "VARCHAR", "questionnaire": "VARCHAR",
            "subject": {"reference": "VARCHAR"},
            "item": [{"linkId": "VARCHAR", "answer": [{"valueInteger": "INTEGER"}]}]}') AS r FROM resources)
      WHERE r.resourceType = 'QuestionnaireResponse')
"""
EXTRACT = """
SELECT response, patient, form, item ->> '$.linkId' AS item,
       TRY_CAST(item ->> '$.answer[0].valueInteger' AS INTEGER) AS answer
FROM (SELECT resource ->> '$.id' AS response, split_part(resource ->> '$.subject.reference', '/', 2) AS patient,
             resource ->> '$.questionnaire' AS form, unnest(json_extract(resource, '$.item[*]')) AS item
      FROM resources WHERE resource ->> '$.resourceType' = 'QuestionnaireResponse')
"""


def write_responses(path: Path, responses: int, items: int) -> None:
    """QuestionnaireResponses of so many items each, as NDJSON."""
    with path.open("w", encoding="utf-8") as file:
        for number in range(responses):
            resource = {
                "resourceType": "QuestionnaireResponse",
                "id": f"response-{number}",
                "status": "completed",
                "questionnaire": "https://example.org/Questionnaire/survey",
                "subject": {"reference": f"Patient/patient-{number // 10}"},
                "item": [
                    {
                        "linkId": f"survey-{item}",
                        "text": f"Over the last two weeks, how often did number {item} apply?",
                        "answer": [{"valueInteger": (number * 7 + item) % 4}],
                    }
                    for item in range(items)
                ],
            }
            file.write(json.dumps(resource) + "\n")


def queries() -> dict[str, str]:
    """What is measured, by name."""
    views = {
        name: compile_view({"resource": "QuestionnaireResponse", "select": [RESPONSE, select]}, "resources").sql
        for name, select in VIEWS.items()
    }
    return {"floor": FLOOR, "extract": EXTRACT, **views}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="SQL on FHIR views beside SQL written by hand")
    parser.add_argument("--responses", type=int, default=50_000)
    parser.add_argument("--items", type=int, default=20)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    settings = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, duckdb.connect(config={"threads": settings.threads}) as connection:
        file = Path(folder) / "responses.ndjson"
        write_responses(file, settings.responses, settings.items)
        connection.execute(f"CREATE VIEW resources AS SELECT json AS resource FROM read_ndjson_objects('{file}')")
        seconds: dict[str, list[float]] = {name: [] for name in queries()}
        for _ in range(settings.runs):
            for name, query in queries().items():
                start = time.perf_counter()
                connection.execute(f"COPY ({query}) TO '{folder}/{name}.parquet' (FORMAT parquet)")
                seconds[name].append(time.perf_counter() - start)
        report(connection, folder, file, seconds)


def report(connection: duckdb.DuckDBPyConnection, folder: str, file: Path, seconds: dict[str, list[float]]) -> None:
    """Print the medians, and whether the rows are the same."""
    floor = statistics.median(seconds["floor"])
    rows = f"SELECT * FROM '{folder}/floor.parquet'"
    print(f"{file.stat().st_size / 2**20:.0f} MB of NDJSON, {connection.sql(f'FROM ({rows})').shape[0]:,} items")
    for name, measured in seconds.items():
        other = f"SELECT * FROM '{folder}/{name}.parquet'"
        differing = connection.sql(f"({rows} EXCEPT ALL {other}) UNION ALL ({other} EXCEPT ALL {rows})").shape[0]
        median = statistics.median(measured)
        print(f"{name:14} {median:6.2f} s  {median / floor:5.2f} x the floor, {differing} rows differ from it")


if __name__ == "__main__":
    main()
