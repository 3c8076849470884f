"""Great Expectations on DuckDB: every expectation runs as SQL where the rows are, and no row leaves the database.

Great Expectations closes its connection before it fetches from it, which ends a DuckDB result. The engine here
keeps one connection, and rolls back after an error, since DuckDB refuses all work in a failed transaction.
Importing this module imports Great Expectations, which takes seconds: only ``validate`` itself does so.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read once, while Great Expectations is imported

import duckdb
import great_expectations as gx
import sqlalchemy
from duckdb_engine import ConnectionWrapper
from great_expectations.core import ExpectationSuiteValidationResult
from great_expectations.data_context.types.base import ProgressBarsConfig
from great_expectations.datasource.fluent.sql_datasource import SQLDatasource
from great_expectations.exceptions.exceptions import GreatExpectationsError
from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.core.unexpected_rows_expectation import UnexpectedRowsExpectation
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.registry import get_expectation_impl
from sqlalchemy.exc import SQLAlchemyError

from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.validate.rules import Rule

EngineType = type[SqlAlchemyExecutionEngine]


class DuckDBExecutionEngine(SqlAlchemyExecutionEngine):
    """Runs metrics over one DuckDB connection that stays open."""

    @contextmanager
    def get_connection(self) -> Iterator[sqlalchemy.Connection]:
        """The one connection; after an error its transaction is rolled back."""
        if self._connection is None:
            self._connection = self.engine.connect()
        try:
            yield self._connection
        except Exception:
            self._connection.rollback()
            raise

    def end_transaction(self) -> None:
        """End the transaction that reading opened, so that tables made elsewhere come into sight."""
        if self._connection is not None:
            self._connection.rollback()


class DuckDBDatasource(SQLDatasource):
    """A data source whose batches live in a DuckDB that this process has open."""

    type: Literal["duckdb"] = "duckdb"  # type: ignore[assignment]  # how Great Expectations tells its sources apart

    @property
    def execution_engine_type(self) -> EngineType:
        """The engine that keeps its connection."""
        return DuckDBExecutionEngine


class Expectations:
    """Great Expectations over the tables of an open DuckDB. Keeps nothing on disk and sends nothing anywhere."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
        self._source = context.data_sources.add_duckdb(
            name="clinic_outcomes",
            connection_string="duckdb:///:memory:",
            kwargs={
                "creator": lambda: ConnectionWrapper(connection.cursor()),
                "poolclass": sqlalchemy.pool.StaticPool,
            },
        )

    def evaluate(self, table: str, rules: Sequence[Rule]) -> ExpectationSuiteValidationResult:
        """Verdicts on the rows of ``resolved.<table>``: passed or not, without any value.

        Each result's expectation carries its rule's name in ``meta["rule"]``.
        """
        suite = gx.ExpectationSuite(name=table, expectations=[_expectation(rule) for rule in rules])
        try:
            with _quiet():
                asset = self._source.add_query_asset(table, query=f"SELECT * FROM resolved.{table}")
                batch = asset.add_batch_definition("in_force").get_batch()
                result: ExpectationSuiteValidationResult = batch.validate(suite, result_format="BOOLEAN_ONLY")
        except (GreatExpectationsError, SQLAlchemyError) as error:
            message = f"Great Expectations could not read table {table} ({type(error).__name__})"
            raise ClinicOutcomesError(message) from None
        self._source.get_execution_engine().end_transaction()
        return result

    def close(self) -> None:
        """Give up the connection."""
        self._source.get_execution_engine().close()


def _expectation(rule: Rule) -> Expectation:
    about: dict[str, Any] = {
        "meta": {"rule": rule.rule},
        "description": f"{rule.rule}: {rule.advice}",
        "severity": rule.severity,
    }
    if rule.expectation is not None:
        return get_expectation_impl(rule.expectation)(**rule.arguments, **about)
    # The batch comes with an alias of its own; braces are the template's, so those of the rule are doubled.
    predicate = rule.broken_by.replace("{", "{{").replace("}", "}}")
    query = f"SELECT 1 AS broken FROM (SELECT * FROM {{batch}}) AS t WHERE {predicate}"
    return UnexpectedRowsExpectation(unexpected_rows_query=query, **about)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Great Expectations from logging: texts of database errors quote values."""
    logger = logging.getLogger("great_expectations")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)
