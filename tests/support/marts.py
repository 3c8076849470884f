"""The marts of a home's latest build, as tests read them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import duckdb
import pandas as pd

from clinic_outcomes.files import latest
from clinic_outcomes.settings import Settings

FIGURE_ID = ("measure", "clinic_id", "dimension", "category")


def rows(settings: Settings, query: str) -> list[tuple[Any, ...]]:
    """Result of a query in which ``{mart}`` stands for that mart of the latest build."""
    return _result(settings, query).fetchall()


def cells(settings: Settings, query: str) -> list[dict[str, str | None]]:
    """The same by column and as text, as ``read_table`` gives a table written by hand."""
    result = _result(settings, query)
    told = [[None if value is None else str(value) for value in row] for row in result.fetchall()]
    return [dict(zip(result.columns, row, strict=True)) for row in told]


def mart(settings: Settings, name: str) -> pd.DataFrame:
    """A whole mart."""
    return _result(settings, f"FROM {{{name}}}").df()


def _result(settings: Settings, query: str) -> duckdb.DuckDBPyRelation:
    folder = latest(settings.marts)
    assert folder is not None
    marts = {path.stem: f"'{path}'" for path in folder.glob("*/*.parquet")}
    return duckdb.sql(query.format_map(marts))


def case_id(case: dict[str, str | None]) -> str:
    """Name of a test about one figure."""
    return "-".join(str(case[name]) for name in ("measure", "clinic_id", "category"))


def check_figure(settings: Settings, case: dict[str, str | None]) -> None:
    """The figure that a row of a table names has the exact numbers that stand in its other columns."""
    key = "/".join(str(case[name]) for name in FIGURE_ID)
    columns = [name for name in case if name not in FIGURE_ID]
    found = rows(settings, f"SELECT {', '.join(columns)} FROM {{agg_figures}} WHERE figure_id = '{key}'")
    expected = tuple(None if case[name] is None else Decimal(str(case[name])) for name in columns)
    assert found == [expected]
