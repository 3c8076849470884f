"""Sources of the mapping as table expressions over the files of a delivery: base sources, and those derived from them.

Columns of every source are text and never NULL; then follow ``source_file``, ``source_line`` and ``source_item``.
``source_file`` is the file's name; with ``#`` and the source's name where a file has several sources.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from clinic_outcomes.database import quote_name, quote_text, text_list
from clinic_outcomes.formats.naming import sources_of
from clinic_outcomes.formats.readers import read_header, read_rows_sql
from clinic_outcomes.mapping import Join, Source, System, Unpivot

PLACE = ("source_file", "source_line", "source_item")


@dataclass(frozen=True)
class SourceRows:
    """A source of a delivery: its columns in order, and SQL of its rows for ``FROM`` (columns, then the place)."""

    columns: tuple[str, ...]
    sql: str
    files: tuple[str, ...]
    """``source_file`` of each file that the rows come from, also where it has none."""


def delivered_sources(file_names: Sequence[str], system: System) -> tuple[str, ...]:
    """Mapped sources that some files hold, in the order of ``system.yml``: those with at least one base source."""
    bases = {source for name in file_names for source in sources_of(name, system)}
    return tuple(name for name in system.mapped_sources if bases.intersection(system.base_of(name)))


def source_rows(
    connection: duckdb.DuckDBPyConnection, files: Mapping[str, Path], system: System, source: str
) -> SourceRows:
    """Rows of a source of a delivery, whose files are given by name; without any file, none, of the allowed columns.

    Rows come in the order of the files' names and, in a file, of its lines and items; those of a joined source
    without a partner come last.
    """
    return _rows(connection, files, system, source, label=source)


def _rows(
    connection: duckdb.DuckDBPyConnection, files: Mapping[str, Path], system: System, source: str, label: str
) -> SourceRows:
    found = system.sources[source]
    if found.origin is None:
        return _base_rows(connection, files, system, source, label)
    rows = _rows(connection, files, system, found.origin, label)
    for name, members in found.gathered.items():
        rows = _gather(rows, name, members, system)
    if found.unpivot:
        rows = _unpivot(rows, found.unpivot, system)
    if found.join:
        sides = [(join, _rows(connection, files, system, join.source, join.source)) for join in found.join]
        rows = _join(rows, sides)
    return rows


def _label(file_name: str, source: Source, name: str, label: str) -> str:
    return file_name if source.part is None and name == label else f"{file_name}#{label}"


def _base_rows(
    connection: duckdb.DuckDBPyConnection, files: Mapping[str, Path], system: System, name: str, label: str
) -> SourceRows:
    source = system.sources[name]
    paths = {file: path for file, path in sorted(files.items()) if name in sources_of(file, system)}
    if not paths:
        columns = system.allowed_columns(name)
        texts = "".join(f"''::VARCHAR AS {quote_name(column)}, " for column in columns)
        place = "''::VARCHAR AS source_file, 0::BIGINT AS source_line, 1::INTEGER AS source_item"
        return SourceRows(columns, f"(SELECT {texts}{place} WHERE false)", ())
    parts, labels = [], []
    header: tuple[str, ...] = ()
    for file, path in paths.items():
        columns = read_header(connection, path, system, name)
        header = header or columns
        rows = read_rows_sql(connection, path, system, name, columns)
        labels.append(_label(file, source, name, label))
        parts.append(f"SELECT *, {quote_text(labels[-1])} AS source_file FROM {rows}")
    names = ", ".join(map(quote_name, header))
    return SourceRows(
        header,
        f"(SELECT {names}, {', '.join(PLACE)} FROM ({' UNION ALL BY NAME '.join(parts)}))",
        tuple(labels),
    )


def _gather(rows: SourceRows, name: str, members: Mapping[str, str], system: System) -> SourceRows:
    """Columns that hold 1 where a member is ticked, as one column with the list of the ticked ones."""
    columns = (*(column for column in rows.columns if column not in members), name)
    ticked = ", ".join(
        f"CASE WHEN trim({quote_name(column)}) = '1' THEN {quote_text(member)} END"
        for column, member in members.items()
    )
    separator = quote_text(system.list_separator)
    value = f"array_to_string([member FOR member IN [{ticked}] IF member IS NOT NULL], {separator})"
    kept = ", ".join(map(quote_name, columns[:-1]))
    return SourceRows(
        columns,
        f"(SELECT {kept}, {value} AS {quote_name(name)}, {', '.join(PLACE)} FROM {rows.sql})",
        rows.files,
    )


def _unpivot(rows: SourceRows, unpivot: Unpivot, system: System) -> SourceRows:
    """A row for each of some columns that has a value; items are counted on by the columns' number."""
    turned = {column: number for column, number in unpivot.numbers.items() if column in rows.columns}
    kept = tuple(column for column in rows.columns if column not in unpivot.numbers)
    names = ", ".join(map(quote_name, kept))
    pairs = ", ".join(
        f"{{'number': {quote_text(number)}, 'place': {place}, 'value': {quote_name(column)}}}"
        for place, (column, number) in enumerate(turned.items(), start=1)
    )
    item = f"((source_item - 1) * {len(turned)} + turned.place)::INTEGER"
    present = f"NOT list_contains({text_list(system.missing)}, trim(turned.value))"
    sql = (
        f"(SELECT {names}{', ' if names else ''}turned.number AS {quote_name(unpivot.number)}, "
        f"turned.value AS {quote_name(unpivot.value)}, source_file, source_line, {item} AS source_item "
        f"FROM (SELECT {names}{', ' if names else ''}{', '.join(PLACE)}, unnest([{pairs}]) AS turned FROM {rows.sql}) "
        f"WHERE {present})"
    )
    return SourceRows((*kept, unpivot.number, unpivot.value), sql, rows.files)


def _join(rows: SourceRows, sides: Sequence[tuple[Join, SourceRows]]) -> SourceRows:
    """Joined sources beside the rows; what has no partner on either side is kept, with its own place.

    Keys of several sources are compared trimmed, and an empty one matches nothing.
    """
    joined = rows
    for join, side in sides:
        added = tuple(f"{join.source}.{column}" for column in side.columns if column not in join.by)
        keys = {name: f"coalesce(main.{quote_name(name)}, side.{quote_name(name)})" for name in join.by}
        main = [f"{keys.get(name, f'main.{quote_name(name)}')} AS {quote_name(name)}" for name in joined.columns]
        beside = [
            f"side.{quote_name(name)} AS {quote_name(f'{join.source}.{name}')}"
            for name in side.columns
            if name not in join.by
        ]
        place = [f"coalesce(main.{name}, side.{name}) AS {name}" for name in PLACE]
        on = " AND ".join(
            f"nullif(trim(main.{quote_name(name)}), '') = nullif(trim(side.{quote_name(name)}), '')" for name in join.by
        )
        names = ", ".join([*main, *beside, *place])
        sql = f"(SELECT {names} FROM {joined.sql} AS main FULL JOIN {side.sql} AS side ON {on})"
        joined = SourceRows((*joined.columns, *added), sql, (*joined.files, *side.files))
    texts = ", ".join(f"coalesce({quote_name(name)}, '') AS {quote_name(name)}" for name in joined.columns)
    ordered = f"(SELECT {texts}, {', '.join(PLACE)} FROM {joined.sql} ORDER BY {', '.join(PLACE)})"
    return SourceRows(joined.columns, ordered, joined.files)
