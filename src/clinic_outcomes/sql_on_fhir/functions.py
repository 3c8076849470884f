"""The functions of FHIRPath, and those that SQL on FHIR adds to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from clinic_outcomes.sql_on_fhir import syntax
from clinic_outcomes.sql_on_fhir.boundaries import boundary
from clinic_outcomes.sql_on_fhir.errors import ViewError
from clinic_outcomes.sql_on_fhir.sql import json_field, quote_text, raw, without_nulls
from clinic_outcomes.sql_on_fhir.values import Value

if TYPE_CHECKING:
    from clinic_outcomes.sql_on_fhir.expressions import Scope

# The types that may stand in the name of a choice element, as in valueQuantity; every other name that begins with a
# capital is a type of resource.
_COMPLEX_TYPES = {
    *(
        "Address",
        "Age",
        "Annotation",
        "Attachment",
        "CodeableConcept",
        "CodeableReference",
        "Coding",
        "ContactDetail",
        "ContactPoint",
    ),
    *(
        "Contributor",
        "Count",
        "DataRequirement",
        "Distance",
        "Dosage",
        "Duration",
        "Expression",
        "HumanName",
        "Identifier",
    ),
    *("Meta", "Money", "ParameterDefinition", "Period", "Quantity", "Range", "Ratio", "RatioRange", "Reference"),
    *("RelatedArtifact", "SampledData", "Signature", "SimpleQuantity", "Timing", "TriggerDefinition", "UsageContext"),
}
# A reference is relative, absolute or versioned: [base/]Type/id[/_history/version].
_REFERENCE = r"(?:^|/)([A-Za-z]+)/([A-Za-z0-9.\-]{1,64})(?:/_history/[A-Za-z0-9.\-]{1,64})?$"


def call(node: syntax.Call, scope: Scope) -> Value:
    """The value of ``base.function(arguments)``.

    Raises:
        ViewError: there is no such function, or not with these arguments.

    """
    found = _FUNCTIONS.get(node.name)
    if found is None:
        raise ViewError(scope.place, f"there is no function {node.name}()")
    fewest, most, function = found
    if not fewest <= len(node.arguments) <= most:
        raise ViewError(scope.place, f"{node.name}() does not take {len(node.arguments)} arguments")
    return function(node, scope)


def chosen(node: syntax.Node) -> syntax.Node:
    """``value.ofType(Quantity)`` as the element that JSON has for it, ``valueQuantity``; another node as it is."""
    if not (isinstance(node, syntax.Call) and node.name == "ofType" and len(node.arguments) == 1):
        return node
    type_name = _type_name(node.arguments[0])
    if not isinstance(node.base, syntax.Member) or type_name is None or _is_resource(type_name):
        return node
    return syntax.Member(node.base.base, node.base.name + type_name[0].upper() + type_name[1:])


def _of_type(node: syntax.Call, scope: Scope) -> Value:
    type_name = _type_name(node.arguments[0])
    if type_name is None:
        raise ViewError(scope.place, "ofType() takes the name of a type")
    element = chosen(node)
    if isinstance(element, syntax.Member):
        value = scope.evaluate(element)
        return Value(value.sql, value.shape, value.type, type_name)
    if not _is_resource(type_name):
        raise ViewError(scope.place, "ofType() of a data type must follow the name of a choice element")
    value = scope.evaluate(node.base)
    wanted = quote_text(f'"{type_name}"')
    kept = scope.names.keep(scope.convert.as_list(value), lambda x: f"{raw(json_field(x, 'resourceType'))} = {wanted}")
    return Value(kept, "list", "json")


def _where(node: syntax.Call, scope: Scope) -> Value:
    value = scope.evaluate(node.base)
    kept = scope.names.keep(
        scope.convert.as_list(value),
        lambda x: f"coalesce({scope.convert.truth(scope.about(x).evaluate(node.arguments[0]))}, false)",
    )
    return Value(kept, "list", value.type)


def _exists(node: syntax.Call, scope: Scope) -> Value:
    value = _where(node, scope) if node.arguments else scope.evaluate(node.base)
    return Value(scope.convert.exists(value), "one", "boolean")


def _empty(node: syntax.Call, scope: Scope) -> Value:
    return Value(f"(NOT {scope.convert.exists(scope.evaluate(node.base))})", "one", "boolean")


def _not(node: syntax.Call, scope: Scope) -> Value:
    return Value(f"(NOT {scope.convert.truth(scope.evaluate(node.base))})", "one", "boolean")


def _count(node: syntax.Call, scope: Scope) -> Value:
    return Value(f"len({scope.convert.as_list(scope.evaluate(node.base))})", "one", "integer")


def _first(node: syntax.Call, scope: Scope) -> Value:
    value = scope.evaluate(node.base)
    return Value(f"list_slice({scope.convert.as_list(value)}, 1, 1)", "list", value.type, value.fhir_type)


def _last(node: syntax.Call, scope: Scope) -> Value:
    value = scope.evaluate(node.base)
    return Value(f"list_slice({scope.convert.as_list(value)}, -1, -1)", "list", value.type, value.fhir_type)


def _join(node: syntax.Call, scope: Scope) -> Value:
    separator = _text_argument(node, scope) if node.arguments else "''"
    value, convert = scope.evaluate(node.base), scope.convert
    texts = scope.names.each(convert.as_list(value), lambda x: convert.converted(x, value.type, "text"))
    return Value(f"array_to_string({texts}, {separator})", "one", "text")


def _extension(node: syntax.Call, scope: Scope) -> Value:
    extensions = syntax.Member(node.base, "extension")
    by_url = syntax.Binary("=", syntax.Member(syntax.This(), "url"), node.arguments[0])
    _text_argument(node, scope)
    return scope.evaluate(syntax.Call(extensions, "where", (by_url,)))


def _resource_key(node: syntax.Call, scope: Scope) -> Value:
    held = scope.children(node.base, "id")
    return Value(scope.convert.scalar(held, "text"), "one", "text")


def _reference_key(node: syntax.Call, scope: Scope) -> Value:
    references = scope.children(node.base, "reference")
    type_name = _type_name(node.arguments[0]) if node.arguments else None
    if node.arguments and type_name is None:
        raise ViewError(scope.place, "getReferenceKey() takes the name of a type of resource")

    def key(reference: str) -> str:
        text = f"({reference} ->> '$')"
        found = f"nullif(regexp_extract({text}, {quote_text(_REFERENCE)}, 2), '')"
        if type_name is None:
            return found
        of_type = f"regexp_extract({text}, {quote_text(_REFERENCE)}, 1) = {quote_text(type_name)}"
        return f"CASE WHEN {of_type} THEN {found} END"

    return Value(without_nulls(scope.names.each(scope.convert.as_list(references), key)), "list", "text")


def _boundary(node: syntax.Call, scope: Scope) -> Value:
    return boundary(scope.evaluate(node.base), high=node.name == "highBoundary", scope=scope)


def _text_argument(node: syntax.Call, scope: Scope) -> str:
    argument = scope.evaluate(node.arguments[0])
    if argument.type != "text" or argument.shape != "one":
        raise ViewError(scope.place, f"{node.name}() takes a text")
    return argument.sql


def _type_name(node: syntax.Node) -> str | None:
    """``Quantity``, or ``FHIR.Quantity``."""
    if not isinstance(node, syntax.Member):
        return None
    in_namespace = node.base == syntax.Member(syntax.This(), "FHIR")
    return node.name if in_namespace or isinstance(node.base, syntax.This) else None


def _is_resource(type_name: str) -> bool:
    return type_name[0].isupper() and type_name not in _COMPLEX_TYPES


_Function = Callable[[syntax.Call, "Scope"], Value]
# Name: the fewest and the most arguments, and what it does.
_FUNCTIONS: dict[str, tuple[int, int, _Function]] = {
    "count": (0, 0, _count),
    "empty": (0, 0, _empty),
    "exists": (0, 1, _exists),
    "extension": (1, 1, _extension),
    "first": (0, 0, _first),
    "getReferenceKey": (0, 1, _reference_key),
    "getResourceKey": (0, 0, _resource_key),
    "highBoundary": (0, 0, _boundary),
    "join": (0, 1, _join),
    "last": (0, 0, _last),
    "lowBoundary": (0, 0, _boundary),
    "not": (0, 0, _not),
    "ofType": (1, 1, _of_type),
    "where": (1, 1, _where),
}
