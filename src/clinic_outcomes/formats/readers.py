"""What each format offers, and which files are of which format and source."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import duckdb

from clinic_outcomes.files import sha256_file
from clinic_outcomes.formats import csv_files, excel_files, fhir_files, parquet_files, redcap_files
from clinic_outcomes.formats.leftover import Leftover
from clinic_outcomes.mapping import System, split_suffix
from clinic_outcomes.problems import ClinicOutcomesError, Problem
from clinic_outcomes.settings import Settings

CHUNK_BYTES = 1 << 20


class Reader(Protocol):
    """What a format offers; each function means what the function of that name in this package says."""

    def check_file(self, connection: duckdb.DuckDBPyConnection, path: Path, system: System, settings: Settings) -> int:
        """Number of records, the whole file checked."""

    def read_header(
        self, connection: duckdb.DuckDBPyConnection, path: Path, system: System, source: str
    ) -> tuple[str, ...]:
        """Names of the delivered columns of a base source."""

    def read_rows_sql(
        self, connection: duckdb.DuckDBPyConnection, path: Path, system: System, source: str, header: tuple[str, ...]
    ) -> str:
        """Table expression of the rows of a base source."""

    def leftovers(self, connection: duckdb.DuckDBPyConnection, path: Path, system: System) -> tuple[Leftover, ...]:
        """What the file holds beside the cells of its sources."""

    def write_file(
        self, connection: duckdb.DuckDBPyConnection, path: Path, system: System, rows: Mapping[str, str]
    ) -> int:
        """Write a file of base sources; its records."""


_READERS: Mapping[str, Reader] = MappingProxyType(
    {"csv": csv_files, "excel": excel_files, "fhir": fhir_files, "parquet": parquet_files, "redcap": redcap_files}
)


def check_file(connection: duckdb.DuckDBPyConnection, path: Path, system: System, settings: Settings) -> int:
    """Records of a file, as its manifest counts them, every byte and every record's shape checked on the way.

    Records are the rows below a header (of all sheets of a workbook together), or the resources of an NDJSON file.
    ``ClinicOutcomesError``, with a rule such as ``encoding`` or ``csv_structure`` and the line where it is known,
    where the file is not of its format or is larger than the settings allow.
    """
    return _reader(path, system).check_file(connection, path, system, settings)


def read_header(connection: duckdb.DuckDBPyConnection, path: Path, system: System, source: str) -> tuple[str, ...]:
    """Names of the delivered columns of a base source, in the file's order.

    ``ClinicOutcomesError``, with a rule such as ``encoding``, ``csv_structure`` or ``column_duplicate``, where the
    header cannot be read, has an empty name, or a name twice (letter case apart).
    """
    return _reader(path, system).read_header(connection, path, system, source)


def read_rows_sql(
    connection: duckdb.DuckDBPyConnection, path: Path, system: System, source: str, header: tuple[str, ...]
) -> str:
    """SQL of a table expression for ``FROM``: the rows of a base source in the file's order.

    Columns are those of ``header`` as ``VARCHAR``, then ``source_line BIGINT`` and ``source_item INTEGER``.
    ``source_line`` counts records, a header being 1; ``source_item`` counts the rows that one record gives, from 1. A
    cell is never NULL: an empty one is the empty text; which texts stand for a missing value, the system says. Numbers
    have the system's decimal separator. Only a file that ``check_file`` has passed may be read so.
    """
    return _reader(path, system).read_rows_sql(connection, path, system, source, header)


def leftovers(connection: duckdb.DuckDBPyConnection, path: Path, system: System) -> tuple[Leftover, ...]:
    """Everything in a file that is no cell of a source of its system; the gate refuses a file that has any."""
    return _reader(path, system).leftovers(connection, path, system)


def write_file(connection: duckdb.DuckDBPyConnection, path: Path, system: System, rows: Mapping[str, str]) -> int:
    """Write a file that holds these base sources, in the format that its name's ending says; its records.

    ``rows`` gives SQL for ``FROM`` of each: ``system.allowed_columns`` as VARCHAR, NULL where there is no value,
    numbers with the system's decimal separator, in the order wanted. The same rows give the same bytes. The count is
    that of ``check_file``.
    """
    return _reader(path, system).write_file(connection, path, system, rows)


def content_sha256(path: Path) -> str:
    """SHA-256 of what a file holds, in hex: of a gzip file, of its content, which names and levels do not change.

    ``OSError`` or ``EOFError`` where a gzip file is broken.
    """
    if path.suffix.lower() != ".gz":
        return sha256_file(path)
    digest = hashlib.sha256()
    with gzip.open(path, "rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _reader(path: Path, system: System) -> Reader:
    _, format_name = split_suffix(path.name, system.formats)
    if format_name is None:
        raise ClinicOutcomesError([_of_no_format()])
    return _READERS[format_name]


def _of_no_format() -> Problem:
    return Problem(
        rule="file_unknown",
        message="the file is of no format of its system",
        advice="Name the file as the system's mapping says, or leave it out.",
    )
