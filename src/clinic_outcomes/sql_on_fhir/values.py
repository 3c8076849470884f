"""What a FHIRPath expression becomes: SQL for a collection, in the cheapest of three shapes, and its conversions.

FHIRPath knows only collections. In SQL a collection is

- ``one``: a typed, nullable scalar (NULL is the empty collection): literals, comparisons, counts;
- ``field``: a field as it lies in the resource: JSON that is absent, one element, or an array of elements. Only the
  data says which, because a view does not hold FHIR's own definitions of its elements;
- ``list``: a list, never NULL and without NULLs in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from clinic_outcomes.sql_on_fhir.errors import ViewError
from clinic_outcomes.sql_on_fhir.sql import DECIMAL, Names, error, json_elements, raw

ScalarType: TypeAlias = Literal["text", "integer", "number", "boolean"]
ElementType: TypeAlias = Literal["json", "text", "integer", "number", "boolean"]
SQL_TYPES: dict[ScalarType, str] = {"text": "VARCHAR", "integer": "BIGINT", "number": DECIMAL, "boolean": "BOOLEAN"}


@dataclass(frozen=True)
class Value:
    """A collection as SQL: its shape, and the type of its elements (``json`` where only the data says)."""

    sql: str
    shape: Literal["one", "field", "list"]
    type: ElementType
    fhir_type: str | None = None


@dataclass(frozen=True)
class Converter:
    """Conversions of one expression of the view: ``place`` names it in the errors that its data may raise."""

    place: str
    names: Names

    def as_list(self, value: Value) -> str:
        """The collection as a list."""
        if value.shape == "list":
            return value.sql
        if value.shape == "field":
            return json_elements(value.sql)
        return self.names.keep(f"[{value.sql}]", lambda x: f"{x} IS NOT NULL")

    def single(self, value: Value, body: Callable[[str], str]) -> str:
        """The body applied to the only element, or to NULL if there is none; several elements are an error."""
        if value.shape == "one":
            return body(value.sql)
        several = error(self.place, "the path gives several values where one is expected")
        picked = self.names.given(
            self.as_list(value), lambda x: f"CASE WHEN len({x}) > 1 THEN {several} ELSE {body(f'{x}[1]')} END"
        )
        if value.shape == "list":
            return picked
        return f"CASE WHEN starts_with({value.sql}, '[') THEN {picked} ELSE {body(value.sql)} END"

    def scalar(self, value: Value, wanted: ScalarType, sql_type: str | None = None) -> str:
        """The only element as a scalar of a type; an element that is not of the type is an error."""
        return self.single(value, lambda x: self.converted(x, value.type, wanted, sql_type))

    def converted(self, x: str, held: ElementType, wanted: ScalarType, sql_type: str | None = None) -> str:
        """One element as another type, NULL as NULL. ``sql_type`` is the SQL type to end in, if not the usual one."""
        sql_type = sql_type or SQL_TYPES[wanted]
        if held == wanted:
            return x if sql_type == SQL_TYPES[wanted] else self._cast(x, x, sql_type)
        if wanted == "text":
            return _as_text(x, held)
        if held == "json":
            return self._boolean(x) if wanted == "boolean" else self._number(x, raw(x), wanted, sql_type)
        if held == "integer" and wanted == "number":
            return f"CAST({x} AS {sql_type})"
        if held == "number" and wanted == "integer":
            return self.names.given(x, lambda n: self._cast(n, f"CASE WHEN {n} % 1 = 0 THEN {n} END", sql_type))
        if held == "text":
            return self.names.given(x, lambda t: self._number(t, t, wanted, sql_type))
        raise ViewError(self.place, f"gives a {held} where a {wanted} is expected")

    def _boolean(self, x: str) -> str:
        wrong = error(self.place, "a value is not a boolean")
        return (
            f"CASE {raw(x)} WHEN 'true' THEN true WHEN 'false' THEN false"
            f" ELSE CASE WHEN {x} IS NOT NULL THEN {wrong} END END"
        )

    def _number(self, x: str, text: str, wanted: ScalarType, sql_type: str) -> str:
        # DuckDB would round 1.5 to an integer.
        whole = f"CASE WHEN NOT contains({text}, '.') THEN {text} END"
        return self._cast(x, whole if wanted == "integer" else text, sql_type)

    def _cast(self, x: str, text: str, sql_type: str) -> str:
        """Never a plain CAST: its error would quote the value."""
        wrong = error(self.place, f"a value is not of type {sql_type}")
        return f"CASE WHEN {x} IS NOT NULL THEN coalesce(TRY_CAST({text} AS {sql_type}), {wrong}) END"

    def truth(self, value: Value) -> str:
        """The collection where a boolean is expected: a single element that is no boolean counts as true (FHIRPath)."""
        if value.type == "boolean" and value.shape == "one":
            return value.sql
        return self.single(value, lambda x: f"CASE {_false_case(x, value.type)}WHEN {x} IS NOT NULL THEN true END")

    def exists(self, value: Value) -> str:
        """Whether there is any element: true or false, never NULL."""
        if value.shape == "one":
            return f"({value.sql} IS NOT NULL)"
        if value.shape == "list":
            return f"(len({value.sql}) > 0)"
        return (
            f"CASE WHEN starts_with({value.sql}, '[') THEN len({json_elements(value.sql)}) > 0"
            f" ELSE {value.sql} IS NOT NULL END"
        )


def _false_case(x: str, held: ElementType) -> str:
    return f"WHEN {raw(x)} = 'false' THEN false " if held == "json" else ""


def _as_text(x: str, held: ElementType) -> str:
    if held == "json":
        return f"({x} ->> '$')"
    if held == "number":
        return f"rtrim(rtrim(CAST({x} AS VARCHAR), '0'), '.')"
    return f"CAST({x} AS VARCHAR)"
