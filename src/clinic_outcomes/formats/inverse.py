"""Rows of the sources that a mapping reads, turned back into rows of the base sources that lie in files.

The inverse of ``sources``: what is read from the base rows made here is what was given. Several sources made of one
base source, such as a questionnaire and its answers, come together in one row of it where their keys are equal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from clinic_outcomes.database import quote_name, quote_text, text_list
from clinic_outcomes.mapping import Join, System, Unpivot
from clinic_outcomes.problems import ClinicOutcomesError

_PART, _ROW, _COPY = "part number", "row number", "copy number"
"""Columns made on the way; no delivered column has a space in its name."""


@dataclass(frozen=True)
class Part:
    """Rows that give some columns of a source: SQL for ``FROM``, and its columns in order."""

    sql: str
    columns: tuple[str, ...]


def base_rows(system: System, mapped: Mapping[str, str]) -> dict[str, str]:
    """SQL of the rows of every base source that some of the given sources are made of, in the order of ``system.yml``.

    ``mapped`` gives SQL for ``FROM`` of rows of mapped sources: the columns that ``columns.csv`` reads of each, as
    VARCHAR, NULL where there is no value. What comes back has ``system.allowed_columns`` of each base source, so.
    ``ClinicOutcomesError`` where two sources of one base source share no column by which their rows could meet.
    """
    parts: dict[str, list[Part]] = {}
    for name, rows in mapped.items():
        parts.setdefault(name, []).append(Part(rows, mapped_columns(system, name)))
    for name in _inmost_last(system):
        source = system.sources[name]
        if source.origin is None or name not in parts:
            continue
        part = merge(parts.pop(name), key_columns(system), f"system {system.name}: source {name}")
        for join in source.join:
            part, side = _split(part, join, system)
            if side:
                parts.setdefault(join.source, []).append(side)
        if source.unpivot:
            part = _pivot(part, source.unpivot)
        for column, members in source.gathered.items():
            part = _tick(part, column, members, system)
        parts.setdefault(source.origin, []).append(part)
    return {
        name: _whole(system, name, merge(parts[name], key_columns(system), f"system {system.name}: source {name}"))
        for name in system.base_sources
        if name in parts
    }


def mapped_columns(system: System, source: str) -> tuple[str, ...]:
    """Columns of a source that ``columns.csv`` reads, in its order."""
    return tuple(dict.fromkeys(c for m in system.columns if m.source == source for c in m.source_columns))


def key_columns(system: System) -> frozenset[str]:
    """Delivered columns, of any source, that hold keys or parts of them, or by which sources are joined."""
    keys = {c for m in system.columns if m.target and m.target.is_key for c in m.source_columns}
    keys |= {c for source in system.sources.values() for join in source.join for c in join.by}
    return frozenset(keys)


def merge(parts: Sequence[Part], keys: Iterable[str], place: str) -> Part:
    """Parts of one source as whole rows: rows of different parts meet where the keys that all parts have are equal.

    The second row with the same keys in one part meets the second in the others, and so on. Rows keep the order of the
    first part; those that it lacks follow. ``place`` names the source in the error.
    """
    if len(parts) == 1:
        return parts[0]
    keys = frozenset(keys)
    columns = tuple(dict.fromkeys(column for part in parts for column in part.columns))
    shared = [column for column in columns if all(column in part.columns for part in parts)]
    by = [column for column in shared if column in keys] or shared
    if not by:
        raise ClinicOutcomesError(f"{place}: what is made of it shares no column, so its rows cannot be put together")
    same = ", ".join(map(quote_name, by))
    numbered = [
        f"SELECT *, {number} AS {quote_name(_PART)}, row_number() OVER () AS {quote_name(_ROW)} FROM {part.sql}"
        for number, part in enumerate(parts)
    ]
    copies = [
        f"SELECT *, row_number() OVER (PARTITION BY {same} ORDER BY {quote_name(_ROW)}) AS {quote_name(_COPY)} "
        f"FROM ({rows})"
        for rows in numbered
    ]
    # The first part that has a value gives it.
    values = ", ".join(
        f"first({quote_name(c)} ORDER BY {quote_name(_PART)}) FILTER ({quote_name(c)} IS NOT NULL) AS {quote_name(c)}"
        if sum(c in part.columns for part in parts) > 1
        else f"max({quote_name(c)}) AS {quote_name(c)}"
        for c in columns
        if c not in by
    )
    order = f"min({quote_name(_PART)} * 1000000000000 + {quote_name(_ROW)})"
    rows = (
        f"SELECT {same}{', ' if values else ''}{values} FROM ({' UNION ALL BY NAME '.join(copies)}) "
        f"GROUP BY {same}, {quote_name(_COPY)} ORDER BY {order}"
    )
    names = ", ".join(map(quote_name, columns))
    return Part(f"(SELECT {names} FROM ({rows}))", columns)


def _inmost_last(system: System) -> list[str]:
    """Every source after all that are made of it."""
    users: dict[str, set[str]] = {name: set() for name in system.sources}
    for name, source in system.sources.items():
        for other in (source.origin, *(join.source for join in source.join)):
            if other is not None:
                users[other].add(name)
    order: list[str] = []
    while len(order) < len(users):
        order += [name for name in users if name not in order and users[name] <= set(order)]
    return order


def _split(part: Part, join: Join, system: System) -> tuple[Part, Part | None]:
    """A part without the columns of a joined source, and these; a row of them wherever any has a value."""
    beside = {name: name.removeprefix(f"{join.source}.") for name in part.columns if name.startswith(f"{join.source}.")}
    kept = tuple(name for name in part.columns if name not in beside)
    names = ", ".join(map(quote_name, kept))
    main = Part(f"(SELECT {names} FROM {part.sql})", kept)
    if not beside:
        return main, None
    columns = (*join.by, *beside.values())
    renamed = ", ".join(f"{quote_name(n)} AS {quote_name(c)}" for n, c in [*((n, n) for n in join.by), *beside.items()])
    given = " OR ".join(f"NOT list_contains({text_list(system.missing)}, trim({quote_name(name)}))" for name in beside)
    every = ", ".join(map(quote_name, columns))
    # Several rows may have had the same partner: it is one row.
    sql = (
        f"(SELECT {every} FROM (SELECT {renamed}, row_number() OVER () AS {quote_name(_ROW)} FROM {part.sql} "
        f"WHERE {given}) GROUP BY {every} ORDER BY min({quote_name(_ROW)}))"
    )
    return main, Part(sql, columns)


def _pivot(part: Part, unpivot: Unpivot) -> Part:
    """A row for all rows that agree in everything but number and value; a number given twice begins another row."""
    kept = tuple(name for name in part.columns if name not in (unpivot.number, unpivot.value))
    same = ", ".join(map(quote_name, kept))
    number, value = quote_name(unpivot.number), quote_name(unpivot.value)
    turned = ", ".join(
        f"max({value}) FILTER ({number} = {quote_text(n)}) AS {quote_name(column)}"
        for column, n in unpivot.numbers.items()
    )
    copies = (
        f"SELECT *, row_number() OVER (PARTITION BY {same}, {number} ORDER BY {quote_name(_ROW)}) AS "
        f"{quote_name(_COPY)} FROM (SELECT *, row_number() OVER () AS {quote_name(_ROW)} FROM {part.sql})"
    )
    columns = (*kept, *unpivot.numbers)
    names = ", ".join(map(quote_name, columns))
    sql = (
        f"(SELECT {names} FROM (SELECT {same}, {turned} FROM ({copies}) GROUP BY {same}, {quote_name(_COPY)} "
        f"ORDER BY min({quote_name(_ROW)})))"
    )
    return Part(sql, columns)


def _tick(part: Part, column: str, members: Mapping[str, str], system: System) -> Part:
    """A list as a column of 1 or 0 for each of its possible members."""
    kept = tuple(name for name in part.columns if name != column)
    if kept == part.columns:
        return part
    listed = f"string_split(coalesce({quote_name(column)}, ''), {quote_text(system.list_separator)})"
    ticks = ", ".join(
        f"CASE WHEN list_contains({listed}, {quote_text(member)}) THEN '1' ELSE '0' END AS {quote_name(name)}"
        for name, member in members.items()
    )
    names = "".join(f"{quote_name(name)}, " for name in kept)
    return Part(f"(SELECT {names}{ticks} FROM {part.sql})", (*kept, *members))


def _whole(system: System, source: str, part: Part) -> str:
    """A base source with all its columns, in the wanted order."""
    columns = system.allowed_columns(source)
    if columns == part.columns:
        return part.sql
    names = ", ".join(
        quote_name(name) if name in part.columns else f"NULL::VARCHAR AS {quote_name(name)}" for name in columns
    )
    return f"(SELECT {names} FROM {part.sql})"
