"""What the folder of a system that exports FHIR holds beside its other mapping: views, and the list of elements.

``views/<view>.json`` is a SQL on FHIR ViewDefinition; its columns are those of its source. ``elements.csv`` lists every
element that a resource may have, by its path without positions, and what the element may hold:

| holds | allowed | the element is |
|---|---|---|
| ``constant`` | texts, with blanks between | one of the texts, or ``true`` or ``false`` |
| ``key`` | names of ``key_patterns`` | a key of one of the patterns |
| ``reference`` | ``<type>/<name of key_patterns>`` | a relative reference to such a key |
| ``codes`` | code sets of ``codes.csv`` | a delivered code of one of the sets |
| ``integer``, ``number`` | ``<least>..<largest>`` | a JSON number in the range |
| ``day`` | nothing | whole days since day 0 |
| ``year`` | nothing | a year, and no finer part of a date |
| ``digits`` | ``<fewest>..<most>`` | a text of so many digits, such as the code of a drug |
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clinic_outcomes.mapping.reading import Mistakes, read_csv
from clinic_outcomes.mapping.sources import Source
from clinic_outcomes.sql_on_fhir import ViewError, compile_view

ELEMENTS_HEADER = ("resource", "path", "holds", "allowed")
HOLDINGS = ("constant", "key", "reference", "codes", "integer", "number", "day", "year", "digits")
RANGE = re.compile(r"(-?\d{1,6})\.\.(-?\d{1,6})")
_PATH = re.compile(r"[A-Z][A-Za-z]*(?:\._?[a-z][A-Za-z0-9]*)+")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TEXT = re.compile(r"'(?:[^'\\]|\\.)*'|`[^`]*`")
_FUNCTION_OR_TYPE = re.compile(r"\b(?:ofType|getReferenceKey)\(\s*[A-Za-z.]+\s*\)|%\w+|\$\w+|\b\w+(?=\()")
_OPERATORS = {"and", "or", "not", "true", "false", "div", "mod", "is", "as", "in", "contains", "implies", "xor"}


@dataclass(frozen=True)
class Element:
    """A line of ``elements.csv``: an element that resources of a type may have, and what it may hold."""

    resource: str
    path: tuple[str, ...]
    """Names below the resource, without positions."""
    holds: str
    allowed: tuple[str, ...]


@dataclass(frozen=True)
class FhirMapping:
    """Views by source, and the elements that resources may have."""

    views: Mapping[str, Mapping[str, Any]]
    elements: tuple[Element, ...]

    def resource(self, source: str) -> str:
        """Type of the resources that a source is a view of."""
        return str(self.views[source]["resource"])


def read_fhir(
    folder: Path,
    sources: Mapping[str, Source],
    key_names: Collection[str],
    code_sets: Collection[str],
    mistakes: Mistakes,
) -> FhirMapping:
    """Views and elements of a system's folder, every mistake in them recorded."""
    elements = _read_elements(folder / "elements.csv", key_names, code_sets, mistakes)
    views = {}
    for name, source in sources.items():
        if source.view:
            view = _read_view(folder / "views" / f"{source.view}.json", elements, mistakes)
            if view:
                views[name] = view
    _check_files(folder / "system.yml", sources, views, mistakes)
    return FhirMapping(views, elements)


def check_view_columns(
    folder: Path, fhir: FhirMapping, allowed: Callable[[str], tuple[str, ...]], mistakes: Mistakes
) -> None:
    """A view has exactly the columns that ``columns.csv`` reads of its source: the gate refuses all else."""
    for name, view in fhir.views.items():
        columns = {column.name for column in compile_view(view, "resources").columns}
        for column in sorted(columns ^ set(allowed(name))):
            message = "is read by no line of columns.csv" if column in columns else "is no column of its view"
            mistakes.add(folder / "columns.csv", f"source {name}: a column {message}", column=column)


def _read_elements(
    path: Path, key_names: Collection[str], code_sets: Collection[str], mistakes: Mistakes
) -> tuple[Element, ...]:
    found: dict[tuple[str, tuple[str, ...]], Element] = {}
    for line, row in read_csv(path, ELEMENTS_HEADER, mistakes):
        if not _PATH.fullmatch(row["path"]) or row["path"].split(".")[0] != row["resource"]:
            mistakes.add(path, "a path is the resource and names of elements, with points between", line=line)
            continue
        element = Element(
            row["resource"], tuple(row["path"].split(".")[1:]), row["holds"], tuple(row["allowed"].split())
        )
        wrong = _wrong_holding(element, key_names, code_sets)
        if wrong:
            mistakes.add(path, wrong, line=line, column="allowed")
        if (element.resource, element.path) in found:
            mistakes.add(path, "the path is listed twice", line=line, column="path")
        if element.path[-2:] == ("extension", "url") and element.holds != "constant":
            mistakes.add(path, "the url of an extension is a constant", line=line, column="holds")
        found[element.resource, element.path] = element
    for resource, names in found:
        if any((resource, names[:length]) in found for length in range(1, len(names))):
            mistakes.add(path, f"{resource}.{'.'.join(names)} lies in an element that holds a value", column="path")
    return tuple(found.values())


def _wrong_holding(element: Element, key_names: Collection[str], code_sets: Collection[str]) -> str | None:
    """What is wrong with what an element may hold."""
    allowed, holds = element.allowed, element.holds
    if holds not in HOLDINGS:
        return f"holds is one of {', '.join(HOLDINGS)}"
    if holds in ("day", "year"):
        return "leave allowed empty" if allowed else None
    if not allowed:
        return "say what is allowed"
    if holds == "constant":
        return "a constant has neither quotes nor backslashes" if re.search(r'["\\]', "".join(allowed)) else None
    if holds == "key":
        return None if set(allowed) <= set(key_names) else "no such key in key_patterns"
    if holds == "codes":
        return None if set(allowed) <= set(code_sets) else "no such code set in codes.csv"
    if holds == "reference":
        parts = [text.partition("/") for text in allowed]
        fine = all(re.fullmatch("[A-Z][A-Za-z]*", kind) and name in key_names for kind, _, name in parts)
        return None if fine else "a reference is <type>/<name of key_patterns>"
    found = RANGE.fullmatch(allowed[0]) if len(allowed) == 1 else None
    return None if found and int(found[1]) <= int(found[2]) else "a range is <least>..<largest>"


def _read_view(path: Path, elements: tuple[Element, ...], mistakes: Mistakes) -> Mapping[str, Any] | None:
    try:
        view = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        mistakes.add(path, "file is missing")
        return None
    except (json.JSONDecodeError, UnicodeDecodeError):
        mistakes.add(path, "not readable as JSON")
        return None
    try:
        compile_view(view, "resources")
    except ViewError as error:
        mistakes.add(path, str(error))
        return None
    own = [element for element in elements if element.resource == view["resource"]]
    known = {name.removeprefix("_") for element in own for name in element.path}
    # value.ofType(Quantity) speaks of valueQuantity.
    known |= {name[:place] for name in known for place, character in enumerate(name) if character.isupper()}
    if not own:
        mistakes.add(path, "elements.csv lists no element of the view's resource")
    for name in sorted({name for text in _paths(view) for name in _names(text)} - known - {"resourceType"}):
        mistakes.add(path, "the view reads an element that elements.csv does not list", column=name)
    return dict(view)


def _paths(part: Any) -> Iterator[str]:
    """Every FHIRPath expression of a ViewDefinition."""
    if isinstance(part, list):
        for member in part:
            yield from _paths(member)
    elif isinstance(part, dict):
        for key, value in part.items():
            if key in ("path", "forEach", "forEachOrNull") and isinstance(value, str):
                yield value
            elif key == "repeat" and isinstance(value, list):
                yield from map(str, value)
            elif key in ("select", "column", "unionAll", "where"):
                yield from _paths(value)


def _names(expression: str) -> set[str]:
    """Names of elements in an expression."""
    plain = _FUNCTION_OR_TYPE.sub(" ", _TEXT.sub(" ", expression))
    return {name.removeprefix("_") for name in _WORD.findall(plain)} - _OPERATORS


def _check_files(
    path: Path, sources: Mapping[str, Source], views: Mapping[str, Mapping[str, Any]], mistakes: Mistakes
) -> None:
    """All views of a file are of one type of resource."""
    types: dict[str | None, set[str]] = {}
    for name, view in views.items():
        types.setdefault(sources[name].file, set()).add(str(view["resource"]))
        if len(types[sources[name].file]) > 1:
            mistakes.add(path, "views of one file are of different resources", column=f"sources.{name}")
