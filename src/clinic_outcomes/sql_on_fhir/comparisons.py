"""The operators of FHIRPath: comparison, logic of three values, arithmetic."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from clinic_outcomes.sql_on_fhir.errors import ViewError
from clinic_outcomes.sql_on_fhir.sql import DECIMAL, raw
from clinic_outcomes.sql_on_fhir.values import ScalarType, Value

if TYPE_CHECKING:
    from clinic_outcomes.sql_on_fhir.expressions import Scope

_NUMERIC = ("integer", "number")


def binary(operator: str, left: Value, right: Value, scope: Scope) -> Value:
    """``left operator right``."""
    if operator in ("and", "or", "xor", "implies"):
        return _logic(operator, left, right, scope)
    if operator == "=":
        return Value(_equal(left, right, scope), "one", "boolean")
    if operator == "!=":
        return Value(f"(NOT {_equal(left, right, scope)})", "one", "boolean")
    if operator in ("<", "<=", ">", ">="):
        return Value(_ordered(operator, left, right, scope), "one", "boolean")
    if operator == "&" or (operator == "+" and "text" in (left.type, right.type)):
        return _concatenated(operator, left, right, scope)
    return _arithmetic(operator, left, right, scope)


def negative(operand: Value, scope: Scope) -> Value:
    """``-operand``."""
    if operand.type == "integer" and operand.shape == "one":
        return Value(f"(-{operand.sql})", "one", "integer")
    return Value(f"(-{scope.convert.scalar(operand, 'number')})", "one", "number")


def _logic(operator: str, left: Value, right: Value, scope: Scope) -> Value:
    # SQL's NULL in AND, OR and NOT is FHIRPath's empty collection: both are Kleene's logic.
    a, b = scope.convert.truth(left), scope.convert.truth(right)
    sql = {
        "and": f"({a} AND {b})",
        "or": f"({a} OR {b})",
        "xor": f"(({a}) <> ({b}))",
        "implies": f"((NOT {a}) OR {b})",
    }[operator]
    return Value(sql, "one", "boolean")


def _equal(left: Value, right: Value, scope: Scope) -> str:
    """Empty if either side is empty; else whether both have the same elements in the same order."""
    if left.shape == "one" and right.shape == "one":
        return scope.names.once(right.sql, lambda b: _equal_scalars(left, replace(right, sql=b)))
    if left.shape == "one":
        left, right = right, left
    names, convert = scope.names, scope.convert
    if right.shape != "one":
        return names.given(
            convert.as_list(left),
            lambda a: names.given(convert.as_list(right), lambda b: _equal_lists(a, left, b, right)),
        )
    return names.once(right.sql, lambda b: _equal_to_scalar(left, replace(right, sql=b), scope))


def _equal_to_scalar(left: Value, right: Value, scope: Scope) -> str:
    listed = scope.names.given(
        scope.convert.as_list(left),
        lambda a: (
            f"CASE WHEN len({a}) = 0 THEN NULL WHEN len({a}) > 1 THEN {_false_unless_empty(right.sql)}"
            f" ELSE {_equal_elements(f'{a}[1]', left.type, right)} END"
        ),
    )
    if left.shape == "list":
        return listed
    return (
        f"CASE WHEN starts_with({left.sql}, '[') THEN {listed} ELSE {_equal_elements(left.sql, left.type, right)} END"
    )


def _equal_lists(a: str, left: Value, b: str, right: Value) -> str:
    if left.type == right.type == "json":
        texts = f"({raw(f'{a}[i]')} = {raw(f'{b}[i]')})"
        # Numbers are equal as numbers: 1.0 and 1.
        numbers = f"(TRY_CAST({raw(f'{a}[i]')} AS {DECIMAL}) = TRY_CAST({raw(f'{b}[i]')} AS {DECIMAL}))"
        same = f"list_bool_and(list_transform(range(1, len({a}) + 1), lambda i: coalesce({numbers}, {texts})))"
    elif left.type == "json":
        same = f"(list_transform({a}, lambda e: e ->> '$') = {b})"
    elif right.type == "json":
        same = f"({a} = list_transform({b}, lambda e: e ->> '$'))"
    else:
        same = f"({a} = {b})"
    return f"CASE WHEN len({a}) = 0 OR len({b}) = 0 THEN NULL WHEN len({a}) <> len({b}) THEN false ELSE {same} END"


def _equal_scalars(left: Value, right: Value) -> str:
    if left.type == right.type or (left.type in _NUMERIC and right.type in _NUMERIC):
        return f"({left.sql} = {right.sql})"
    return f"CASE WHEN {left.sql} IS NOT NULL THEN {_false_unless_empty(right.sql)} END"


def _equal_elements(x: str, held: str, scalar: Value) -> str:
    """An element that may be NULL against a scalar; elements of another type than the scalar are not equal to it."""
    if held != "json":
        return _equal_scalars(Value(x, "one", held), scalar)  # type: ignore[arg-type]
    if scalar.type in _NUMERIC:
        number = f"TRY_CAST({raw(x)} AS {DECIMAL})"
        return (
            f"CASE WHEN {x} IS NULL THEN NULL WHEN {number} IS NULL THEN {_false_unless_empty(scalar.sql)}"
            f" ELSE {number} = {scalar.sql} END"
        )
    return f"({raw(x)} = {raw(f'to_json({scalar.sql})')})"


def _false_unless_empty(scalar: str) -> str:
    return f"({scalar} <> {scalar})"


def _ordered(operator: str, left: Value, right: Value, scope: Scope) -> str:
    types = {left.type, right.type}
    if "boolean" in types:
        raise ViewError(scope.place, f"booleans have no order, so {operator} cannot compare them")
    if "text" in types and types & set(_NUMERIC):
        raise ViewError(scope.place, f"{operator} cannot compare a text with a number")
    convert = scope.convert
    if types == {"json"}:
        return convert.single(left, lambda a: convert.single(right, lambda b: _ordered_elements(operator, a, b, scope)))
    wanted: ScalarType = "text" if "text" in types else "number"
    return f"({convert.scalar(left, wanted)} {operator} {convert.scalar(right, wanted)})"


def _ordered_elements(operator: str, a: str, b: str, scope: Scope) -> str:
    number_a, number_b = (scope.convert.converted(x, "json", "number") for x in (a, b))
    return (
        f"CASE WHEN starts_with({a}, '\"') AND starts_with({b}, '\"') THEN ({a} ->> '$') {operator} ({b} ->> '$')"
        f" ELSE {number_a} {operator} {number_b} END"
    )


def _concatenated(operator: str, left: Value, right: Value, scope: Scope) -> Value:
    a, b = scope.convert.scalar(left, "text"), scope.convert.scalar(right, "text")
    if operator == "&":  # unlike +, it takes nothing as an empty text
        return Value(f"(coalesce({a}, '') || coalesce({b}, ''))", "one", "text")
    return Value(f"({a} || {b})", "one", "text")


def _arithmetic(operator: str, left: Value, right: Value, scope: Scope) -> Value:
    if "boolean" in (left.type, right.type):
        raise ViewError(scope.place, f"{operator} takes numbers, not booleans")
    a, b = scope.convert.scalar(left, "number"), scope.convert.scalar(right, "number")
    if operator == "/":
        b = f"nullif({b}, 0)"  # dividing by zero gives nothing
    # TRY: a result too large for a decimal is nothing (FHIRPath), and DuckDB's own error would quote the operands. It
    # holds only the operation, so that it does not swallow an operand's error.
    result = scope.names.given(
        f"{{'a': {a}, 'b': {b}}}", lambda operands: f"TRY(CAST({operands}.a {operator} {operands}.b AS {DECIMAL}))"
    )
    return Value(result, "one", "number")
