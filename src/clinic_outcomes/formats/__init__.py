"""Readers of the formats in which clinic systems export, shared by receive, admit and harmonise.

A reader turns a file into a table expression: every delivered column as text under its delivered name, and
``source_line``. What the values mean is none of its business. ``system.format`` chooses the reader.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import duckdb

from clinic_outcomes.formats import csv_files
from clinic_outcomes.mapping import System


class Reader(Protocol):
    """What a format offers; each function means what the function of that name in this package says."""

    def read_header(self, path: Path, system: System) -> tuple[str, ...]:
        """Names of the delivered columns."""

    def read_rows_sql(self, path: Path, system: System, header: tuple[str, ...]) -> str:
        """Table expression of the rows."""

    def count_rows(
        self, connection: duckdb.DuckDBPyConnection, path: Path, system: System, header: tuple[str, ...]
    ) -> int:
        """Number of rows, the whole file checked."""


_READERS: Mapping[str, Reader] = MappingProxyType({"csv": csv_files})


def source_of(file_name: str, system: System) -> str | None:
    """The source of ``system`` whose pattern the file's name matches, or None. Letter case counts.

    Where several match, the longest pattern wins, for it says most (``visits_extra*.csv`` before ``visits*.csv``).
    """
    matching = [name for name, source in system.sources.items() if fnmatchcase(file_name, source.file)]
    return max(matching, key=lambda name: len(system.sources[name].file), default=None)


def read_header(path: Path, system: System) -> tuple[str, ...]:
    """Names of the delivered columns, in the file's order.

    ``ClinicOutcomesError``, with rule ``encoding``, ``csv_structure`` or ``column_duplicate``, where the header
    cannot be read, has an empty name, or a name twice (letter case apart).
    """
    return _READERS[system.format].read_header(path, system)


def read_rows_sql(path: Path, system: System, header: tuple[str, ...]) -> str:
    """SQL of a table expression for ``FROM``: each column of ``header`` as ``VARCHAR``, then ``source_line BIGINT``.

    Rows come in the file's order. ``source_line`` counts records, the header being 1. A cell is never NULL: an
    empty one is the empty text; which texts stand for a missing value, the system says. Only a file that
    ``count_rows`` has passed may be read so.
    """
    return _READERS[system.format].read_rows_sql(path, system, header)


def count_rows(connection: duckdb.DuckDBPyConnection, path: Path, system: System, header: tuple[str, ...]) -> int:
    """Rows of a file below its header, every byte and every row's shape checked on the way.

    ``ClinicOutcomesError``, with rule ``encoding`` or ``csv_structure`` and the line where it is known, where the
    file is not of its format.
    """
    return _READERS[system.format].count_rows(connection, path, system, header)


__all__ = ["count_rows", "read_header", "read_rows_sql", "source_of"]
