"""Runs a view over a few resources, in a database of the tests' own."""

import json
from functools import cache

import duckdb

from clinic_outcomes.sql_on_fhir import compile_view


@cache
def _connection():
    return duckdb.connect(config={"threads": 1})


def rows_of(view, resources, carry=()):
    """The rows of a view over resources; ``line`` can be carried: the number of the resource, from 1."""
    texts = [json.dumps(resource) for resource in resources]
    _connection().execute(
        "CREATE OR REPLACE TABLE lines AS SELECT unnest(range(1, len($1) + 1)) AS line, unnest($1::JSON[]) AS resource",
        [texts],
    )
    return _connection().execute(compile_view(view, "lines", carry=carry).sql).fetchall()


def value_of(path, resource, fhir_type=None, constants=(), collection=False):
    """The value of one path over one resource (a Basic unless it says otherwise)."""
    column = {"name": "v", "path": path, "collection": collection}
    if fhir_type:
        column["type"] = fhir_type
    resource = {"resourceType": "Basic", **resource}
    view = {"resource": resource["resourceType"], "constant": list(constants), "select": [{"column": [column]}]}
    [(value,)] = rows_of(view, [resource])
    return value
