"""Elements of FHIR resources against the list of those that a system may deliver.

DuckDB first tells the structures of resources: every name that any has anywhere. What the list does not name is left
over. Then one pass reads all listed elements, of exactly that structure, and counts the values that they may not
hold. It also counts quotation marks: an element that is given twice, of which a reader sees one, has two too many.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from clinic_outcomes.database import quote_text
from clinic_outcomes.formats.fhir_names import is_fhir_name
from clinic_outcomes.formats.leftover import Leftover
from clinic_outcomes.mapping import System
from clinic_outcomes.mapping.fhir import RANGE, Element

LARGEST_DAY = 36_500
"""A hundred years: what spreadsheets make of the dates from the year 2000 on lies above."""
MOST_DECIMALS = 6
Path = tuple[str, ...]


@dataclass(frozen=True)
class _Found:
    """An element that a file has. A leaf is read as a value, whatever it holds; others are objects or lists of them.

    It is strange where it is a leaf, but should be an object or a list of objects.
    """

    path: Path
    lists: tuple[bool, ...]
    """For each name of the path, whether it holds a list."""
    is_leaf: bool
    is_strange: bool = False


def element_leftovers(
    connection: duckdb.DuckDBPyConnection, resources: str, resource: str, system: System
) -> tuple[Leftover, ...]:
    """What resources of a type hold that ``elements.csv`` does not allow.

    ``resources`` is SQL for ``FROM`` with columns ``resource`` (JSON, no deeper than a reader can bear) and
    ``source_line``.
    """
    structures = _structures(connection, resources)
    if not structures:
        return ()
    listed = {element.path: element for element in _elements(system, resource)}
    structure = functools.reduce(_merged, (structure for structure, _, _ in structures))
    found = _walk(structure, listed)
    leftovers = _strange_names(structures, listed, resource)
    counts = _count(connection, resources, structure, found, [_condition(listed, f, system) for f in found])
    for element, (rows, line) in zip(found, counts, strict=True):
        if rows or element.is_strange:
            rule = "element_value" if _is_listed(element.path, listed) else "element_unknown"
            leftovers.append(Leftover(rule, ".".join((resource, *element.path)), line, rows or None))
    if not leftovers:
        rows, line = _count_repeated(connection, resources, structure, found)
        if rows:
            leftovers.append(Leftover("element_unknown", "an element that is null or given twice", line, rows))
    return tuple(leftovers)


def _elements(system: System, resource: str) -> list[Element]:
    own = [element for element in system.fhir.elements if element.resource == resource] if system.fhir else []
    return [Element(resource, ("resourceType",), "constant", (resource,)), *own]


def _structures(connection: duckdb.DuckDBPyConnection, resources: str) -> list[tuple[Any, int, int]]:
    """Every structure that a resource has: names, and what they hold; how many resources, and the first line of them.

    There are few, and unlike DuckDB's aggregate of structures they need no memory for the whole file.
    """
    rows = connection.execute(
        f"SELECT json_structure(resource)::VARCHAR AS structure, count(*), min(source_line) AS line "
        f"FROM {resources} GROUP BY structure ORDER BY line"
    ).fetchall()
    return [(json.loads(structure), int(count), int(line)) for structure, count, line in rows]


def _merged(one: Any, other: Any) -> Any:
    """Two structures as one: ``JSON`` where they hold values of different kinds."""
    if one == other or other == "NULL":
        return one
    if one == "NULL":
        return other
    if isinstance(one, dict) and isinstance(other, dict):
        return one | {name: _merged(one[name], node) if name in one else node for name, node in other.items()}
    if isinstance(one, list) and isinstance(other, list):
        return [_merged(one[0], other[0])]
    return "JSON"


def _is_listed(path: Path, listed: Mapping[Path, Element]) -> bool:
    """Whether the list names an element, or something in it."""
    return any(known[: len(path)] == path for known in listed)


def _is_known(name: str, listed: Mapping[Path, Element]) -> bool:
    return is_fhir_name(name) or any(name in path for path in listed)


def _walk(structure: Any, listed: Mapping[Path, Element]) -> list[_Found]:
    """Elements of known names in a structure; of an element that the list does not name, what is in it is left out."""
    found: list[_Found] = []

    def visit(node: Mapping[str, Any], path: Path, lists: tuple[bool, ...]) -> None:
        for name, child in node.items():
            if not _is_known(name, listed):
                continue
            own, is_list = (*path, name), isinstance(child, list)
            inner = child[0] if is_list else child
            is_inside = _is_listed(own, listed) and own not in listed
            # An object of strange names alone cannot be read but as a whole.
            is_object = isinstance(inner, dict) and any(_is_known(name, listed) for name in inner)
            is_leaf = not (is_inside and is_object)
            found.append(_Found(own, (*lists, is_list), is_leaf, is_inside and is_leaf and inner != "NULL"))
            if not is_leaf:
                visit(inner, own, (*lists, is_list))

    visit(structure, (), ())
    return found


def _strange_names(
    structures: Sequence[tuple[Any, int, int]], listed: Mapping[Path, Element], resource: str
) -> list[Leftover]:
    """Names that FHIR does not know, by what they are in. They are not told: any of them could be a value."""
    places: dict[Path, tuple[int, int]] = {}

    def paths(node: Any, path: Path) -> Iterator[Path]:
        inner = node[0] if isinstance(node, list) else node
        if not isinstance(inner, dict):
            return
        for name, child in inner.items():
            if not _is_known(name, listed):
                yield path
            elif _is_listed((*path, name), listed):
                yield from paths(child, (*path, name))

    for structure, count, line in structures:
        for path in set(paths(structure, ())):
            rows, first = places.get(path, (0, line))
            places[path] = (rows + count, min(first, line))
    return [
        Leftover("element_unknown", f"in {'.'.join((resource, *path))}, a name that FHIR does not know", line, rows)
        for path, (rows, line) in sorted(places.items())
    ]


def _read_as(structure: Any, found: Sequence[_Found]) -> str:
    """The structure for ``from_json``: of the elements found, values left as JSON."""
    leaves = {element.path for element in found if element.is_leaf}
    inner_paths = {element.path for element in found} - leaves

    def of(node: Mapping[str, Any], path: Path) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for name, child in node.items():
            own = (*path, name)
            if own in leaves:
                # A list of plain values is a list of leaves; what else is in a leaf is read whole.
                plain = isinstance(child, list) and isinstance(child[0], str)
                fields[name] = ["JSON"] if plain else "JSON"
            elif own in inner_paths:
                inner = child[0] if isinstance(child, list) else child
                fields[name] = [of(inner, own)] if isinstance(child, list) else of(inner, own)
        return fields

    return json.dumps(of(structure, ()))


def _values(element: _Found, structure: Any, *, whole: bool = False) -> str:
    """SQL of the list of an element's values in ``parsed``; with ``whole``, a list that it holds counts as one."""
    # Walk down: ``values`` is SQL of a list of what stands at the path so far.
    values, node = "[parsed]", structure
    for place, (name, is_list) in enumerate(zip(element.path, element.lists, strict=True)):
        node = node[name]
        field = f"struct_extract(v, {quote_text(name)})"
        values = f"list_transform({values}, lambda v: {field})"
        is_last = place == len(element.path) - 1
        readable = is_list and (not is_last or (isinstance(node[0], str) and element.is_leaf))
        if readable and not (is_last and whole):
            values = f"flatten({values})"
        node = node[0] if is_list else node
    return f"list_filter({values}, lambda v: v IS NOT NULL)"


def _texts_of(element: _Found, structure: Any) -> str:
    """SQL of the list of the JSON texts of an element's values."""
    return f"list_transform({_values(element, structure)}, lambda v: v::VARCHAR)"


def _condition(listed: Mapping[Path, Element], found: _Found, system: System) -> str | None:
    """SQL over ``v``, the JSON text of a value: whether it is allowed. None for what holds no value itself."""
    if not found.is_leaf:
        return None
    element = listed.get(found.path)
    if element:
        return allowed_condition(element, system)
    if not found.is_strange:
        return "false"
    return "starts_with(v, '{')" + ("" if found.lists[-1] else " OR starts_with(v, '[{')")


def allowed_condition(element: Element, system: System) -> str:
    """SQL over ``v``, the JSON text of a value: whether an element may hold it."""
    allowed = element.allowed
    if element.holds == "constant":
        texts = {json.dumps(text) for text in allowed} | ({"true", "false"} & set(allowed))
        return f"v IN ({_texts(texts)})"
    if element.holds == "codes":
        texts = {json.dumps(code, ensure_ascii=False) for name in allowed for code in system.codes[name]}
        return f"(v IN ({_texts(texts)}) OR {_matches(system.new_code_pattern)})"
    if element.holds == "key":
        return " OR ".join(_matches(system.key_patterns[name]) for name in allowed)
    if element.holds == "reference":
        parts = [text.split("/") for text in allowed]
        return " OR ".join(_matches(f"{kind}/(?:{system.key_patterns[name]})") for kind, name in parts)
    if element.holds == "year":
        return _matches("(?:19|20)[0-9]{2}")
    least, most = (-LARGEST_DAY, LARGEST_DAY) if element.holds == "day" else _range(allowed[0])
    if element.holds == "digits":
        return _matches(f"[0-9]{{{least},{most}}}")
    decimals = rf"(?:[.][0-9]{{1,{MOST_DECIMALS}}})?" if element.holds == "number" else ""
    number = quote_text(f"-?[0-9]{{1,6}}{decimals}")
    return f"(regexp_full_match(v, {number}) AND TRY_CAST(v AS DOUBLE) BETWEEN {least} AND {most})"


def _range(text: str) -> tuple[int, int]:
    found = RANGE.fullmatch(text)
    if not found:
        raise ValueError("not a range")
    return int(found[1]), int(found[2])


def _matches(pattern: str) -> str:
    quoted = quote_text(f'"(?:{pattern})"')
    return f"regexp_full_match(v, {quoted})"


def _texts(texts: set[str]) -> str:
    return ", ".join(map(quote_text, sorted(texts)))


def _count(
    connection: duckdb.DuckDBPyConnection,
    resources: str,
    structure: Any,
    found: Sequence[_Found],
    conditions: Sequence[str | None],
) -> list[tuple[int, int | None]]:
    """For each element: resources that hold a value of it that is not allowed, and the first line of them."""
    wrong = [
        "false"
        if condition is None
        else f"len(list_filter({_texts_of(element, structure)}, lambda v: NOT coalesce({condition}, false))) > 0"
        for element, condition in zip(found, conditions, strict=True)
    ]
    flags = ", ".join(f"{sql} AS wrong{n}" for n, sql in enumerate(wrong))
    counts = ", ".join(f"count(*) FILTER (wrong{n}), min(source_line) FILTER (wrong{n})" for n in range(len(wrong)))
    row = connection.execute(
        f"SELECT {counts} FROM (SELECT source_line, {flags} FROM {_parsed(resources, structure, found)})"
    ).fetchone()
    return list(_pairs(row or ()))


def _pairs(row: Sequence[Any]) -> Iterator[tuple[int, int | None]]:
    for count, line in zip(row[::2], row[1::2], strict=True):
        yield int(count), None if line is None else int(line)


def _parsed(resources: str, structure: Any, found: Sequence[_Found]) -> str:
    read_as = quote_text(_read_as(structure, found))
    return f"(SELECT source_line, resource, from_json(resource, {read_as}) AS parsed FROM {resources})"


def _count_repeated(
    connection: duckdb.DuckDBPyConnection, resources: str, structure: Any, found: Sequence[_Found]
) -> tuple[int, int | None]:
    """Resources with more or fewer quotation marks than their elements have, and the first line of them.

    Every value has been allowed, so none has a quotation mark in itself. A name has two, a text has two.
    """
    mark = quote_text('"')
    names = [f"len({_values(element, structure, whole=True)})" for element in found]
    texts = [
        f"len(list_filter({_texts_of(element, structure)}, lambda v: starts_with(v, {mark})))"
        for element in found
        if element.is_leaf
    ]
    text = "resource::VARCHAR"
    marks = f"length({text}) - length(replace({text}, {mark}, ''))"
    row = connection.execute(
        f"SELECT count(*) FILTER (differs), min(source_line) FILTER (differs) FROM (SELECT source_line, "
        f"{marks} <> 2 * ({' + '.join([*names, *texts])}) AS differs FROM {_parsed(resources, structure, found)})"
    ).fetchone()
    return next(_pairs(row or (0, None)))
