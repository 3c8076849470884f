"""Great Expectations on DuckDB: every expectation runs as SQL where the rows are, and no row leaves the database.

Great Expectations closes its connection before it fetches from it, which ends a DuckDB result. The engine here
keeps one connection, and asks each query in a new transaction, since DuckDB refuses all work in a failed one.
Importing this module imports Great Expectations, which takes seconds: only ``validate`` itself does so.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Literal

import duckdb
import great_expectations as gx
import sqlalchemy
from duckdb_engine import ConnectionWrapper
from great_expectations.core import ExpectationSuiteValidationResult, ExpectationValidationResult
from great_expectations.data_context.data_context.context_factory import set_context
from great_expectations.data_context.data_context.ephemeral_data_context import EphemeralDataContext
from great_expectations.data_context.types.base import (
    DataContextConfig,
    InMemoryStoreBackendDefaults,
    ProgressBarsConfig,
)
from great_expectations.datasource.fluent.interfaces import Batch
from great_expectations.datasource.fluent.sql_datasource import SQLDatasource
from great_expectations.exceptions.exceptions import GreatExpectationsError
from great_expectations.execution_engine.execution_engine import ExecutionEngine
from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.core.unexpected_rows_expectation import UnexpectedRowsExpectation
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.registry import get_expectation_impl
from sqlalchemy.exc import SQLAlchemyError

from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.validate.rules import NOTICE, Rule, rule_problem

EngineType = type[SqlAlchemyExecutionEngine]
NO_ROW_BREAKS_ANY_RULE = "no_row_breaks_any_rule"


class DuckDBExecutionEngine(SqlAlchemyExecutionEngine):
    """Runs metrics over one DuckDB connection that stays open."""

    @contextmanager
    def get_connection(self) -> Iterator[sqlalchemy.Connection]:
        """The one connection, in a new transaction.

        What was asked before has been fetched by now, or has failed while being fetched; ending its transaction
        frees the connection either way, and brings tables into sight that were made meanwhile.
        """
        if self._connection is None:
            self._connection = self.engine.connect()
        self._connection.rollback()
        yield self._connection


class DuckDBDatasource(SQLDatasource):
    """A data source whose batches live in a DuckDB that this process has open."""

    type: Literal["duckdb"] = "duckdb"  # type: ignore[assignment]  # how Great Expectations tells its sources apart

    @property
    def execution_engine_type(self) -> EngineType:
        """The engine that keeps its connection."""
        return DuckDBExecutionEngine


class _Context(EphemeralDataContext):
    """A context that is never kept: its parent writes all of it as YAML, for nobody, at each table."""

    def _save_project_config(self) -> None:
        """Nothing is saved."""


class NoBrokenRows(UnexpectedRowsExpectation):
    """That a query finds no row, as its parent says, but the rows are counted only and never fetched."""

    metric_dependencies: ClassVar[tuple[str, ...]] = ("unexpected_rows_query.row_count",)

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,
        execution_engine: ExecutionEngine[Any] | None = None,
    ) -> dict[str, bool]:
        return {"success": metrics["unexpected_rows_query.row_count"] == 0}


class Expectations:
    """Great Expectations over the tables of an open DuckDB. Keeps nothing on disk and sends nothing anywhere."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        config = DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(),
            analytics_enabled=False,
            progress_bars=ProgressBarsConfig(globally=False, metric_calculations=False),
        )
        context = _Context(project_config=config)
        set_context(context)
        self._source = context.data_sources.add_duckdb(
            name="clinic_outcomes",
            connection_string="duckdb:///:memory:",
            kwargs={
                "creator": lambda: ConnectionWrapper(connection.cursor()),
                "poolclass": sqlalchemy.pool.StaticPool,
            },
        )

    def evaluate(self, clinic_id: str, table: str, rules: Sequence[Rule]) -> ExpectationSuiteValidationResult:
        """Verdicts on the rows of ``resolved.<table>``: held or broken, without any value.

        Each question costs Great Expectations some ten milliseconds of its own, and most tables are sound. So it is
        asked first whether any row breaks any rule, the notices apart from the others; only where one does, or the
        question fails, every rule of that part is asked on its own.

        Each result's expectation carries its rule's name in ``meta["rule"]``. ``ClinicOutcomesError`` names the
        rules that could not be evaluated at all; the texts of their errors, which can quote a value, are dropped.
        """
        try:
            with _quiet():
                asset = self._source.add_query_asset(table, query=f"SELECT * FROM resolved.{table}")
                batch = asset.add_batch_definition("in_force").get_batch()
                asked = _parts_that_do_not_hold(batch, table, rules)
                result = _run(batch, table, asked) if asked else ExpectationSuiteValidationResult(True, [], table)
                unevaluated = [rule for rule in asked if _verdict(rule.rule, result) is None]
                # One rule that raises can leave others unevaluated, which ones by chance: ask each on its own.
                faulty = [rule for rule in unevaluated if _verdict(rule.rule, _run(batch, table, [rule])) is None]
        except (GreatExpectationsError, SQLAlchemyError) as error:
            message = f"clinic {clinic_id}: Great Expectations could not read table {table} ({type(error).__name__})"
            raise ClinicOutcomesError(message) from None
        if unevaluated:
            raise ClinicOutcomesError(
                [rule_problem(clinic_id, rule, "the rule could not be evaluated") for rule in faulty or unevaluated]
            )
        return _with_those_that_hold(table, result, [rule for rule in rules if rule not in asked])

    def close(self) -> None:
        """Give up the connection."""
        self._source.get_execution_engine().close()


def broken_rules(rules: Sequence[Rule], result: ExpectationSuiteValidationResult) -> list[Rule]:
    """The rules that did not hold."""
    return [rule for rule in rules if not _verdict(rule.rule, result)]


def _run(batch: Batch, table: str, rules: Sequence[Rule]) -> ExpectationSuiteValidationResult:
    return _validate(batch, table, [_expectation(rule) for rule in rules])


def _validate(batch: Batch, table: str, expectations: list[Expectation]) -> ExpectationSuiteValidationResult:
    suite = gx.ExpectationSuite(name=table, expectations=expectations)
    result = batch.validate(suite, result_format="BOOLEAN_ONLY")
    # They come in the order of a set, which another process has otherwise.
    result.results.sort(key=_rule_name)
    return result


def _parts_that_do_not_hold(batch: Batch, table: str, rules: Sequence[Rule]) -> list[Rule]:
    """The rules of those parts, of quarantining rules and of notices, of which some row breaks some rule."""
    parts = [[rule for rule in rules if rule.quarantines is quarantines] for quarantines in (True, False)]
    return [
        rule
        for part in parts
        if part and not _verdict(NO_ROW_BREAKS_ANY_RULE, _validate(batch, table, [_none_broken(part)]))
        for rule in part
    ]


def _with_those_that_hold(
    table: str, result: ExpectationSuiteValidationResult, held: Sequence[Rule]
) -> ExpectationSuiteValidationResult:
    """The result of the rules asked, with the rules that no row breaks."""
    results = [
        *result.results,
        *(
            ExpectationValidationResult(success=True, expectation_config=_expectation(rule).configuration)
            for rule in held
        ),
    ]
    results.sort(key=_rule_name)
    good = sum(bool(each.success) for each in results)
    return ExpectationSuiteValidationResult(
        success=good == len(results),
        results=results,
        suite_name=table,
        statistics={
            "evaluated_expectations": len(results),
            "successful_expectations": good,
            "unsuccessful_expectations": len(results) - good,
            "success_percent": 100.0 * good / len(results) if results else None,
        },
    )


def _verdict(rule: str, result: ExpectationSuiteValidationResult) -> bool | None:
    """Whether the rule of that name held; None where it, or a metric that it needs, raised."""
    for each in result.results:
        if _rule_name(each) == rule:
            return None if _raised(each.exception_info) else bool(each.success)
    return None


def _rule_name(result: ExpectationValidationResult) -> str:
    config = result.expectation_config
    return str((config.meta or {}).get("rule", "")) if config else ""


def _raised(exception_info: object) -> bool:
    """Whether anything was raised. The information is one entry, or one entry a metric."""
    if not isinstance(exception_info, dict):
        return False
    if "raised_exception" in exception_info:
        return bool(exception_info["raised_exception"])
    return any(map(_raised, exception_info.values()))


def _expectation(rule: Rule) -> Expectation:
    about: dict[str, Any] = {
        "meta": {"rule": rule.rule},
        "description": f"{rule.rule}: {rule.advice}",
        "severity": "info" if rule.severity == NOTICE else rule.severity,
    }
    if rule.expectation is not None:
        return get_expectation_impl(rule.expectation)(**rule.arguments, **about)
    return NoBrokenRows(unexpected_rows_query=_rows_query(rule.broken_by), **about)


def _none_broken(rules: Sequence[Rule]) -> Expectation:
    """That no row breaks any of the rules."""
    predicate = " OR ".join(f"({rule.broken_by})" for rule in rules) or "false"
    return NoBrokenRows(unexpected_rows_query=_rows_query(predicate), meta={"rule": NO_ROW_BREAKS_ANY_RULE})


def _rows_query(predicate: str) -> str:
    # The batch comes with an alias of its own; braces are the template's, so those of the rule are doubled.
    escaped = predicate.replace("{", "{{").replace("}", "}}")
    return f"SELECT 1 AS broken FROM (SELECT * FROM {{batch}}) AS t WHERE {escaped}"


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
