"""From the tree of a FHIRPath expression to SQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Protocol

from clinic_outcomes.sql_on_fhir import comparisons, functions, syntax
from clinic_outcomes.sql_on_fhir.errors import ViewError
from clinic_outcomes.sql_on_fhir.sql import (
    DECIMAL,
    LARGEST_DECIMAL,
    Names,
    json_elements,
    json_field,
    parsed_elements,
    quote_name,
    quote_text,
    structure,
)
from clinic_outcomes.sql_on_fhir.values import Converter, Value


class Focus(Protocol):
    """The element that an expression is about."""

    def field(self, name: str) -> str:
        """SQL of its child of that name: JSON."""
        ...

    def itself(self) -> str:
        """SQL of the whole element: JSON."""
        ...


@dataclass(frozen=True)
class Item:
    """An element inside an expression: the parameter of a lambda."""

    parameter: str

    def field(self, name: str) -> str:
        """SQL of its child of that name."""
        return json_field(self.parameter, name)

    def itself(self) -> str:
        """SQL of the element."""
        return self.parameter


@dataclass(frozen=True)
class Scope:
    """What an expression may speak of: its focus, the position of its row, the view's constants; and its place."""

    focus: Focus
    row_index: Callable[[], str]
    constants: Mapping[str, syntax.Literal]
    place: str
    names: Names

    @property
    def convert(self) -> Converter:
        """Conversions whose errors name this place."""
        return Converter(self.place, self.names)

    def about(self, parameter: str) -> Scope:
        """The same scope about an element inside the expression."""
        return replace(self, focus=Item(parameter))

    def evaluate(self, node: syntax.Node) -> Value:
        """The value of an expression in this scope.

        Raises:
            ViewError: the expression names a constant or function that does not exist, or has operands of types that
                its operator does not take.

        """
        match node:
            case syntax.Literal():
                return _literal(node, self.place)
            case syntax.Variable():
                return self._variable(node)
            case syntax.This():
                return Value(self.focus.itself(), "field", "json")
            case syntax.Member():
                return self._member(node)
            case syntax.Index():
                return self._index(node)
            case syntax.Call():
                return functions.call(node, self)
            case syntax.Negative():
                return comparisons.negative(self.evaluate(node.operand), self)
            case syntax.Binary():
                return comparisons.binary(node.operator, self.evaluate(node.left), self.evaluate(node.right), self)

    def children(self, base: syntax.Node, name: str) -> Value:
        """The children of that name of each element of the base."""
        if isinstance(base, syntax.This):
            return Value(self.focus.field(name), "field", "json")
        parents = self.evaluate(base)
        if parents.type != "json":
            return Value("CAST([] AS JSON[])", "list", "json")  # a text or a number has no children
        if parents.shape == "field":
            parsed = parsed_elements(parents.sql, [name])
        else:
            fields = quote_text(structure([name]))
            parsed = self.names.each(self.convert.as_list(parents), lambda x: f"from_json({x}, {fields})")
        each = self.names.each(parsed, lambda x: json_elements(f"{x}.{quote_name(name)}"))
        return Value(f"flatten({each})", "list", "json")

    def _member(self, node: syntax.Member) -> Value:
        held = self.children(node.base, node.name)
        element = functions.chosen(node.base)
        if node.name != "extension" or not isinstance(element, syntax.Member) or element.name == "extension":
            return held
        # The extensions of a primitive lie beside it, in an element of its name with an underscore before it. An
        # extension is no primitive.
        beside = self.children(syntax.Member(element.base, f"_{element.name}"), node.name)
        return Value(f"list_concat({self.convert.as_list(held)}, {self.convert.as_list(beside)})", "list", "json")

    def _index(self, node: syntax.Index) -> Value:
        position = self.evaluate(node.position)
        if position.type != "integer" or position.shape != "one":
            raise ViewError(self.place, "the position in brackets is not an integer")
        value = self.evaluate(node.base)
        elements = self.convert.as_list(value)
        # DuckDB counts negative positions from the end; FHIRPath has no elements there.
        sliced = self.names.once(
            position.sql, lambda p: f"CASE WHEN {p} < 0 THEN [] ELSE list_slice({elements}, {p} + 1, {p} + 1) END"
        )
        return Value(sliced, "list", value.type)

    def _variable(self, node: syntax.Variable) -> Value:
        if node.name == "rowIndex":
            return Value(self.row_index(), "one", "integer")
        if node.name not in self.constants:
            raise ViewError(self.place, f"there is no constant %{node.name}")
        return _literal(self.constants[node.name], self.place)


def _literal(node: syntax.Literal, place: str) -> Value:
    match node.type:
        case "text":
            return Value(quote_text(node.text), "one", "text")
        case "integer":
            if abs(int(node.text)) >= 2**63:
                raise ViewError(place, "an integer has at most 64 bits")
            return Value(f"CAST({node.text} AS BIGINT)", "one", "integer")
        case "number":
            if abs(Decimal(node.text)) >= LARGEST_DECIMAL:
                raise ViewError(place, "a decimal has at most 20 digits before its point")
            return Value(f"CAST({quote_text(node.text)} AS {DECIMAL})", "one", "number")
        case "boolean":
            return Value(node.text, "one", "boolean")
        case "empty":
            return Value("CAST([] AS JSON[])", "list", "json")
