"""Runs a view over a few resources, in a database of its own."""

import json

import duckdb

from clinic_outcomes.sql_on_fhir import compile_view


def rows_of(view, resources, carry=()):
    """The rows of a view over resources; ``line`` can be carried: the number of the resource, from 1."""
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE lines (line INTEGER, resource JSON)")
        connection.executemany(
            "INSERT INTO lines VALUES (?, ?)", [[n, json.dumps(item)] for n, item in enumerate(resources, 1)]
        )
        return connection.execute(compile_view(view, "lines", carry=carry).sql).fetchall()


def value_of(path, resource, fhir_type=None, constants=(), collection=False):
    """The value of one path over one resource (a Basic unless it says otherwise)."""
    column = {"name": "v", "path": path, "collection": collection}
    if fhir_type:
        column["type"] = fhir_type
    resource = {"resourceType": "Basic", **resource}
    view = {"resource": resource["resourceType"], "constant": list(constants), "select": [{"column": [column]}]}
    [(value,)] = rows_of(view, [resource])
    return value
