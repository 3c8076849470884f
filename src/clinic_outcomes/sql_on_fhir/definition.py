"""A ViewDefinition as read and checked: its structure, names and constants, before any path is compiled."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

from clinic_outcomes.sql_on_fhir import syntax
from clinic_outcomes.sql_on_fhir.errors import ViewError
from clinic_outcomes.sql_on_fhir.parser import parse
from clinic_outcomes.sql_on_fhir.tokens import PathError

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_SELECT_KEYS = {"column", "select", "forEach", "forEachOrNull", "repeat", "unionAll"}
_COLUMN_KEYS = {"name", "path", "type", "collection", "description", "tag"}
_ELEMENT_KEYS = {"id", "extension", "modifierExtension"}  # every FHIR element may carry these
_DEEPEST = 20  # selects in selects
_INTEGER_CONSTANTS = {"valueInteger", "valuePositiveInt", "valueUnsignedInt", "valueInteger64"}
_TEXT_CONSTANTS = {
    f"value{name}"
    for name in (
        *("Base64Binary", "Canonical", "Code", "Date", "DateTime", "Id", "Instant", "Markdown", "Oid", "String"),
        *("Time", "Uri", "Url", "Uuid"),
    )
}


@dataclass(frozen=True)
class Path:
    """An expression of the view and its place there, for messages."""

    place: str
    node: syntax.Node


@dataclass(frozen=True)
class Column:
    """A column of a select: its name, path, FHIR type if given, and whether it holds a list."""

    name: str
    path: Path
    fhir_type: str | None
    collection: bool


@dataclass(frozen=True)
class Iteration:
    """What gives a select its rows: ``forEach``, ``forEachOrNull`` (one path each) or ``repeat`` (one or more)."""

    kind: Literal["forEach", "forEachOrNull", "repeat"]
    paths: tuple[Path, ...]


@dataclass(frozen=True)
class Select:
    """A select: its iteration if any, then columns, nested selects and alternatives, in the order of their columns."""

    place: str
    iteration: Iteration | None
    columns: tuple[Column, ...]
    selects: tuple[Select, ...]
    alternatives: tuple[Select, ...]


@dataclass(frozen=True)
class View:
    """A whole view: the type of its resources, constants by name, conditions and selects."""

    resource: str
    constants: Mapping[str, syntax.Literal]
    conditions: tuple[Path, ...]
    selects: tuple[Select, ...]


def read_view(view: Mapping[str, Any]) -> View:
    """A ViewDefinition, checked.

    Raises:
        ViewError: a part is missing, of the wrong kind or unknown, or a path is not of the supported FHIRPath.

    """
    if view.get("resourceType", "ViewDefinition") != "ViewDefinition":
        raise ViewError("resourceType", "is not ViewDefinition")
    resource = view.get("resource")
    if not isinstance(resource, str) or not _NAME.fullmatch(resource):
        raise ViewError("resource", "must be the name of a resource type")
    selects = tuple(_select(item, place, 1) for item, place in _items(view, "select", ""))
    if not selects:
        raise ViewError("select", "is missing")
    conditions = tuple(_path(item.get("path"), f"{place}.path") for item, place in _items(view, "where", ""))
    return View(resource, _constants(view), conditions, selects)


def _select(item: Mapping[str, Any], place: str, depth: int) -> Select:
    if depth > _DEEPEST:
        raise ViewError(place, f"selects are nested more than {_DEEPEST} deep")
    _refuse_unknown(item, _SELECT_KEYS, place)
    columns = tuple(_column(column, at) for column, at in _items(item, "column", place))
    selects = tuple(_select(nested, at, depth + 1) for nested, at in _items(item, "select", place))
    alternatives = tuple(_select(nested, at, depth + 1) for nested, at in _items(item, "unionAll", place))
    iteration = _iteration(item, place)
    if not (columns or selects or alternatives):
        raise ViewError(place, "has neither column, select nor unionAll")
    return Select(place, iteration, columns, selects, alternatives)


def _iteration(item: Mapping[str, Any], place: str) -> Iteration | None:
    kinds = [kind for kind in ("forEach", "forEachOrNull", "repeat") if kind in item]
    if len(kinds) > 1:
        raise ViewError(place, f"{' and '.join(kinds)} exclude each other")
    if not kinds:
        return None
    if kinds[0] != "repeat":
        kind: Literal["forEach", "forEachOrNull"] = "forEach" if kinds[0] == "forEach" else "forEachOrNull"
        return Iteration(kind, (_path(item[kind], f"{place}.{kind}"),))
    expressions = item["repeat"]
    if not isinstance(expressions, list) or not expressions:
        raise ViewError(f"{place}.repeat", "must be a list of paths")
    return Iteration("repeat", tuple(_path(text, f"{place}.repeat[{n}]") for n, text in enumerate(expressions)))


def _column(item: Mapping[str, Any], place: str) -> Column:
    _refuse_unknown(item, _COLUMN_KEYS, place)
    name, fhir_type, collection = item.get("name"), item.get("type"), item.get("collection", False)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ViewError(f"{place}.name", "must be a letter, then letters, digits and underscores")
    if fhir_type is not None and not isinstance(fhir_type, str):
        raise ViewError(f"{place}.type", "must be the name of a FHIR type")
    if not isinstance(collection, bool):
        raise ViewError(f"{place}.collection", "must be true or false")
    short_type = fhir_type.rpartition("/")[2] if fhir_type else None  # a type may be written as a URI
    return Column(name, _path(item.get("path"), f"{place}.path"), short_type, collection)


def _constants(view: Mapping[str, Any]) -> dict[str, syntax.Literal]:
    constants: dict[str, syntax.Literal] = {}
    for item, place in _items(view, "constant", ""):
        name = item.get("name")
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name in constants or name == "rowIndex":
            raise ViewError(f"{place}.name", "must be a name of its own: a letter, then letters, digits, underscores")
        keys = [key for key in item if key.startswith("value")]
        if len(keys) != 1:
            raise ViewError(place, "must have exactly one value")
        constants[name] = _constant(keys[0], item[keys[0]], f"{place}.{keys[0]}")
    return constants


def _constant(key: str, value: object, place: str) -> syntax.Literal:
    if key == "valueBoolean" and isinstance(value, bool):
        return syntax.Literal("boolean", "true" if value else "false")
    if key in _INTEGER_CONSTANTS and isinstance(value, int) and not isinstance(value, bool):
        return syntax.Literal("integer", str(value))
    if key == "valueDecimal" and isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value):
        return syntax.Literal("number", repr(value))
    if key in _TEXT_CONSTANTS and isinstance(value, str):
        return syntax.Literal("text", value)
    raise ViewError(place, "is not a supported type of constant, or its value is of another type")


def _path(text: object, place: str) -> Path:
    if not isinstance(text, str) or not text.strip():
        raise ViewError(place, "must be a FHIRPath expression")
    try:
        return Path(place, parse(text))
    except PathError as problem:
        raise ViewError(place, str(problem)) from None


def _items(owner: Mapping[str, Any], key: str, place: str) -> Sequence[tuple[Mapping[str, Any], str]]:
    items = owner.get(key, [])
    at = f"{place}.{key}" if place else key
    if not isinstance(items, list):
        raise ViewError(at, "must be a list")
    for number, item in enumerate(items):
        if not isinstance(item, Mapping):
            raise ViewError(f"{at}[{number}]", "must be an object")
    return [(item, f"{at}[{number}]") for number, item in enumerate(items)]


def _refuse_unknown(item: Mapping[str, Any], known: set[str], place: str) -> None:
    unknown = sorted(key for key in item if key not in known | _ELEMENT_KEYS)
    if unknown:
        raise ViewError(place, f"{', '.join(unknown)} is not known here")
