"""SQL on FHIR v2: ViewDefinitions compiled to DuckDB SQL.

A package by itself: it imports nothing else of this project, and its core nothing but Python's own library.
"""

from clinic_outcomes.sql_on_fhir.compiler import CompiledView, ViewColumn, compile_view
from clinic_outcomes.sql_on_fhir.errors import ViewError, misfit

__all__ = ["CompiledView", "ViewColumn", "ViewError", "compile_view", "misfit"]
