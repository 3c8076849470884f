"""FHIR resources written from rows: the inverse of a system's views, by templates in its folder.

``resources/<view>.json`` is a resource in which objects with a ``$`` stand for what the rows say:

- ``{"$": "column"}``, with ``before`` and ``after`` if texts stand around it: a text;
- ``{"$number": "column"}`` and ``{"$boolean": "column"}``: a number, a truth value;
- ``{"$list": "column", "each": …}``: a list with one element for each member of the column's list, in which
  ``{"$": "member"}`` is the member;
- ``{"$rows": "source", "by": [columns], "key": [columns], "each": …}``: a list with one element for each row of another
  source that is equal in ``by``; of rows equal in ``key`` as well, the second goes to the second such resource.

Where a column has no value, the objects and lists that it alone would fill are left out; a list stays where one of its
elements is the same in every resource.
"""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from clinic_outcomes.database import quote_name, quote_text
from clinic_outcomes.files import atomic_file
from clinic_outcomes.mapping import System
from clinic_outcomes.problems import ClinicOutcomesError

_NUMBER = "-?(?:0|[1-9][0-9]*)(?:[.][0-9]+)?"
_OWN, _NESTED, _COPY, _PLACE = "own place", "nested rows", "copy number", "nested place"
"""Columns made on the way; no delivered column has a space in its name."""

Reference = Callable[[str], str]


@dataclass
class _Json:
    """SQL of a part's JSON text, NULL where it has none.

    ``speaks_of`` is SQL of what fills it, of which one must be there, unless the part ``stays`` without. A part that
    speaks of nothing is the same in every resource.
    """

    sql: str
    speaks_of: tuple[str, ...] = ()
    stays: bool = False


@dataclass
class _Template:
    """A resource compiled to SQL, and the rows of another source that lie in it."""

    sql: str = ""
    used: set[str] = field(default_factory=set)
    nested: str | None = None
    by: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    nested_used: set[str] = field(default_factory=set)


def write_resources(connection: duckdb.DuckDBPyConnection, path: Path, system: System, rows: Mapping[str, str]) -> int:
    """Write the resources that give these rows of sources of one file; their number.

    ``rows`` gives SQL for ``FROM`` of each source: ``system.allowed_columns`` as VARCHAR, NULL where there is no
    value. ``ClinicOutcomesError`` where the system's folder has no template for a source, or one that does not fit.
    """
    found = {name: _template(system, name) for name in _with_template(system, rows)}
    lost = set(rows) - set(found) - {template.nested for template in found.values()}
    if lost:
        raise ClinicOutcomesError(f"system {system.name}: no resource has the rows of {', '.join(sorted(lost))}")
    order = f"{quote_name(_OWN)}, {quote_name(_PLACE)}"
    parts = [
        f"SELECT {number} AS part, line, {order} FROM ({_lines(system, name, template, rows)})"
        for number, (name, template) in enumerate(found.items())
    ]
    query = f"SELECT line FROM ({' UNION ALL '.join(parts)}) ORDER BY part, {order}"
    options = "FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\x01'"
    with atomic_file(path) as temporary:
        is_packed = path.suffix.lower() == ".gz"
        plain = temporary.with_name(f"{temporary.name}.plain") if is_packed else temporary
        try:
            written = connection.execute(f"COPY ({query}) TO {quote_text(plain)} ({options})").fetchone()
            if is_packed:
                _pack(plain, temporary)
        finally:
            if is_packed:
                plain.unlink(missing_ok=True)
    return int(written[0]) if written else 0


def _pack(plain: Path, target: Path) -> None:
    """Gzip without the name and time of the file, so that the same content gives the same bytes."""
    with (
        plain.open("rb") as source,
        target.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as packed,
    ):
        shutil.copyfileobj(source, packed)


def _with_template(system: System, rows: Mapping[str, str]) -> list[str]:
    """Sources of the given rows' file that are resources of their own."""
    files = {system.sources[name].file for name in rows}
    own = [name for name, source in system.base_sources.items() if source.file in files]
    nested = {name for name in own if not _template_path(system, name).is_file()}
    hosts = [name for name in own if name not in nested]
    return [name for name in hosts if name in rows or _template(system, name).nested in rows]


def _template_path(system: System, source: str) -> Path:
    return system.folder / "resources" / f"{system.sources[source].view}.json"


def _template(system: System, source: str) -> _Template:
    """The template of a source, with every column of its rows in it, and no other."""
    path = _template_path(system, source)
    template = _Template()
    resource = json.loads(path.read_text(encoding="utf-8"))

    def column(name: str) -> str:
        template.used.add(name)
        return quote_name(name)

    template.sql = _Compiler(system, template).part(resource, column).sql
    wanted = {source: (template.used | set(template.by), set(system.allowed_columns(source)))}
    if template.nested:
        wanted[template.nested] = (
            template.nested_used | set(template.by),
            set(system.allowed_columns(template.nested)),
        )
    for name, (used, allowed) in wanted.items():
        if used != allowed:
            raise ClinicOutcomesError(
                f"system {system.name}: resources/{path.name} and columns.csv differ in the columns of {name}: "
                f"{', '.join(sorted(used ^ allowed))}"
            )
    return template


class _Compiler:
    """Compiles the parts of a template."""

    def __init__(self, system: System, template: _Template) -> None:
        self._system = system
        self._template = template

    def part(self, node: Any, column: Reference) -> _Json:
        """SQL of a part; ``column`` gives SQL of a column's text."""
        if isinstance(node, dict):
            for mark, compile_mark in (
                ("$", self._text),
                ("$number", self._number),
                ("$boolean", self._boolean),
                ("$list", self._list),
                ("$rows", self._rows),
            ):
                if mark in node:
                    return compile_mark(node, column)
            parts = [(f"{json.dumps(name)}:", self.part(child, column)) for name, child in node.items()]
            return _joined("{", parts, "}")
        if isinstance(node, list):
            return _joined("[", [("", self.part(child, column)) for child in node], "]")
        return _Json(quote_text(json.dumps(node, ensure_ascii=False)))

    def _text(self, node: Mapping[str, Any], column: Reference) -> _Json:
        text = column(node["$"])
        around = f"{quote_text(node.get('before', ''))} || {text} || {quote_text(node.get('after', ''))}"
        return _Json(f"to_json({around})::VARCHAR", (text,))

    def _number(self, node: Mapping[str, Any], column: Reference) -> _Json:
        text = column(node["$number"])
        plain = text
        if self._system.decimal_separator != ".":
            plain = f"replace({text}, {quote_text(self._system.decimal_separator)}, '.')"
        # What is no number is written as the text that it is: a reader may refuse it, but not the whole line.
        is_number = f"regexp_full_match({plain}, {quote_text(_NUMBER)})"
        return _Json(f"CASE WHEN {is_number} THEN {plain} ELSE to_json({text})::VARCHAR END", (text,))

    def _boolean(self, node: Mapping[str, Any], column: Reference) -> _Json:
        text = column(node["$boolean"])
        return _Json(f"CASE WHEN {text} IN ('true', 'false') THEN {text} ELSE to_json({text})::VARCHAR END", (text,))

    def _list(self, node: Mapping[str, Any], column: Reference) -> _Json:
        text = column(node["$list"])
        each = self.part(node["each"], lambda _: "member").sql
        members = f"string_split({text}, {quote_text(self._system.list_separator)})"
        return _Json(f"'[' || array_to_string(list_transform({members}, lambda member: {each}), ',') || ']'", (text,))

    def _rows(self, node: Mapping[str, Any], column: Reference) -> _Json:
        template = self._template
        template.nested, template.by, template.key = node["$rows"], tuple(node["by"]), tuple(node["key"])

        def nested(name: str) -> str:
            template.nested_used.add(name)
            return f"struct_extract(nested_row, {quote_text(name)})"

        each = self.part(node["each"], nested).sql
        rows = quote_name(_NESTED)
        return _Json(f"'[' || array_to_string(list_transform({rows}, lambda nested_row: {each}), ',') || ']'", (rows,))


def _joined(before: str, parts: list[tuple[str, _Json]], after: str) -> _Json:
    speaks_of = tuple(dict.fromkeys(name for _, part in parts for name in part.speaks_of))
    texts = ", ".join(f"{quote_text(name)} || {part.sql}" if name else part.sql for name, part in parts)
    text = f"{quote_text(before)} || concat_ws(',', {texts}) || {quote_text(after)}"
    if not speaks_of:
        return _Json(f"({text})")
    # What is the same in every resource keeps a list alive, but no object: that would say nothing but its kind.
    if any(part.stays or (before == "[" and not part.speaks_of) for _, part in parts):
        return _Json(f"({text})", speaks_of, stays=True)
    there = " OR ".join(f"{name} IS NOT NULL" for name in speaks_of)
    return _Json(f"CASE WHEN {there} THEN {text} END", speaks_of)


def _lines(system: System, source: str, template: _Template, rows: Mapping[str, str]) -> str:
    """SQL of the resources of a source as text, with the place of each."""
    own = rows.get(source) or _no_rows(system, source)
    placed = f"SELECT *, row_number() OVER () AS {quote_name(_OWN)} FROM {own}"
    if template.nested is None:
        return f"SELECT {template.sql} AS line, {quote_name(_OWN)}, 0 AS {quote_name(_PLACE)} FROM ({placed})"
    by = ", ".join(map(quote_name, template.by))
    key = ", ".join(map(quote_name, (*template.by, *template.key)))
    copy, place = quote_name(_COPY), quote_name(_PLACE)
    copies = f"SELECT *, row_number() OVER (PARTITION BY {by} ORDER BY {quote_name(_OWN)}) AS {copy} FROM ({placed})"
    inner = rows.get(template.nested) or _no_rows(system, template.nested)
    numbered = (
        f"SELECT *, row_number() OVER (PARTITION BY {key} ORDER BY {place}) AS {copy} "
        f"FROM (SELECT *, row_number() OVER () AS {place} FROM {inner})"
    )
    columns = ", ".join(f"{quote_text(name)}: {quote_name(name)}" for name in system.allowed_columns(template.nested))
    grouped = (
        f"SELECT {by}, {copy}, list({{{columns}}} ORDER BY {place}) AS {quote_name(_NESTED)}, min({place}) AS {place} "
        f"FROM ({numbered}) GROUP BY {by}, {copy}"
    )
    same = " AND ".join(
        f"own.{quote_name(c)} IS NOT DISTINCT FROM nested.{quote_name(c)}" for c in (*template.by, _COPY)
    )
    names = [
        f"coalesce(own.{quote_name(c)}, nested.{quote_name(c)}) AS {quote_name(c)}"
        if c in template.by
        else f"own.{quote_name(c)}"
        for c in system.allowed_columns(source)
    ]
    joined = (
        f"SELECT {', '.join(names)}, own.{quote_name(_OWN)}, nested.{place}, nested.{quote_name(_NESTED)} "
        f"FROM ({copies}) AS own FULL JOIN ({grouped}) AS nested ON {same}"
    )
    return f"SELECT {template.sql} AS line, {quote_name(_OWN)}, {place} FROM ({joined})"


def _no_rows(system: System, source: str) -> str:
    columns = ", ".join(f"NULL::VARCHAR AS {quote_name(name)}" for name in system.allowed_columns(source))
    return f"(SELECT {columns} WHERE false)"
