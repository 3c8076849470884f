"""Quantiles as functions of dbt's DuckDB connection, which has none of its own.

``dbt_project/macros/statistical_functions.sql`` is the only place that calls them, behind dispatch macros, so that
another engine could bring its own. NULL gives NULL, and so does what lies outside a function's domain: a t quantile
with 0 degrees of freedom does not exist, and a NaN would pass for a number in comparisons.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from math import isnan

from dbt.adapters.duckdb.plugins import BasePlugin
from duckdb import DuckDBPyConnection
from duckdb.func import FunctionNullHandling, PythonUDFType
from duckdb.sqltypes import DOUBLE

QUANTILES = "clinic_outcomes.statistics.quantiles"
SHRINKER = "clinic_outcomes.statistics.gamma_poisson"
"""What a Python model fits with: it loads more of scipy than the quantiles do."""


class Plugin(BasePlugin):
    """What ``profiles.yml`` names; dbt-duckdb calls it for each database it opens."""

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        """Register the functions on the database behind ``conn``."""
        register_functions(conn)


def register_functions(connection: DuckDBPyConnection) -> None:
    """Make the functions of ``FUNCTIONS`` known to ``connection`` and its cursors. All arguments are DOUBLE."""
    # Scipy takes half a second to load: here, where one thread begins a build, and neither before, when dbt only
    # reads its project, nor later, when two threads would load it at once and one could find it half loaded.
    for module in (QUANTILES, SHRINKER):
        import_module(module)
    for name, (function, arguments) in FUNCTIONS.items():
        connection.create_function(
            name,
            function,
            [DOUBLE] * arguments,
            DOUBLE,
            type=PythonUDFType.NATIVE,
            null_handling=FunctionNullHandling.SPECIAL,
        )


def normal_quantile(probability: float | None) -> float | None:
    """As ``quantiles.normal_quantile``."""
    return _quantile("normal_quantile", probability)


def student_t_quantile(probability: float | None, degrees_of_freedom: float | None) -> float | None:
    """As ``quantiles.student_t_quantile``."""
    return _quantile("student_t_quantile", probability, degrees_of_freedom)


def chi_square_quantile(probability: float | None, degrees_of_freedom: float | None) -> float | None:
    """As ``quantiles.chi_square_quantile``."""
    return _quantile("chi_square_quantile", probability, degrees_of_freedom)


def beta_quantile(probability: float | None, a: float | None, b: float | None) -> float | None:
    """As ``quantiles.beta_quantile``."""
    return _quantile("beta_quantile", probability, a, b)


FUNCTIONS: dict[str, tuple[Callable[..., float | None], int]] = {
    "normal_quantile": (normal_quantile, 1),
    "student_t_quantile": (student_t_quantile, 2),
    "chi_square_quantile": (chi_square_quantile, 2),
    "beta_quantile": (beta_quantile, 3),
}


# DuckDB calls a function once a row, and rows of figures share their arguments: a call costs fifty times a look-up.
@lru_cache(maxsize=65_536)
def _quantile(name: str, *arguments: float | None) -> float | None:
    if None in arguments:
        return None
    quantiles = import_module(QUANTILES)
    result: float = getattr(quantiles, name)(*arguments)
    return None if isnan(result) else result
