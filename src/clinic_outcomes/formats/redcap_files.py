"""Flat exports of REDCap projects: one CSV with the columns of all forms side by side.

A base source is one form. Its columns are those that say whose row it is (the record's id, the event, the repeat
instance, the data access group, the survey's respondent, as far as the export has them), then the form's own. Its rows
are those in which the form holds anything. So every cell with a value is in exactly one source, and a row is in at
least one: what no form takes (a column that the dictionary does not know, a form that is no source, a row of keys
alone) belongs to the first form, where the gate sees it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from clinic_outcomes.database import quote_name, quote_text
from clinic_outcomes.formats import csv_files
from clinic_outcomes.formats.csv_files import SOURCE_ITEM, SOURCE_LINE
from clinic_outcomes.formats.leftover import Leftover
from clinic_outcomes.formats.redcap_writing import INSTRUMENT, ROW_COLUMNS, write_file
from clinic_outcomes.mapping import System
from clinic_outcomes.mapping.redcap_project import RedcapProject, read_project
from clinic_outcomes.problems import ClinicOutcomesError, Problem
from clinic_outcomes.settings import Settings

LONGEST_EMPTY_EXPORT_BYTES = 16

__all__ = ["check_file", "leftovers", "read_header", "read_rows_sql", "write_file"]


@dataclass(frozen=True)
class _Export:
    """An export's columns: those of every row, each source's form's own, and the rest, of no source."""

    header: tuple[str, ...]
    project: RedcapProject
    keys: tuple[str, ...]
    own: Mapping[str, tuple[str, ...]]
    rest: tuple[str, ...]

    @property
    def first(self) -> str:
        """The form to which belongs what belongs to none."""
        return min(self.own, key=self.project.forms.index)

    def columns(self, form: str) -> tuple[str, ...]:
        """Columns of a form's source."""
        return (*self.keys, *self.own[form], *(self.rest if form == self.first else ()))


def check_file(connection: duckdb.DuckDBPyConnection, path: Path, system: System, settings: Settings) -> int:
    """Rows below the header, each of one form where it repeats one, as REDCap writes them."""
    if _is_empty(path):
        return 0
    count = csv_files.check_file(connection, path, system, settings)
    header = csv_files.header_of(path, system)
    project = read_project(system.folder)
    if project.record_id not in header:
        raise _structure_error(path, f"the header lacks {project.record_id}, the record's id", 1)
    if INSTRUMENT in header:
        _check_repeats(connection, path, system, project, header)
    return count


def read_header(connection: duckdb.DuckDBPyConnection, path: Path, system: System, source: str) -> tuple[str, ...]:
    """Columns of a form; of an export without records, which has no header, those that the mapping wants."""
    if _is_empty(path):
        return system.allowed_columns(source)
    return _export(path, system, source).columns(_form(system, source))


def read_rows_sql(
    connection: duckdb.DuckDBPyConnection, path: Path, system: System, source: str, header: tuple[str, ...]
) -> str:
    """Table expression of the rows in which a form holds anything."""
    names = ", ".join(map(quote_name, header))
    if _is_empty(path):
        texts = "".join(f"''::VARCHAR AS {quote_name(name)}, " for name in header)
        return f"(SELECT {texts}0::BIGINT AS {SOURCE_LINE}, 1::INTEGER AS {SOURCE_ITEM} WHERE false)"
    export = _export(path, system, source)
    rows = csv_files.numbered_rows(path, system, export.header)
    taken = _takes(export, _form(system, source))
    return f"(SELECT {names}, {SOURCE_LINE}, {SOURCE_ITEM} FROM {rows} WHERE {taken})"


def leftovers(connection: duckdb.DuckDBPyConnection, path: Path, system: System) -> tuple[Leftover, ...]:
    """Nothing: every cell belongs to a form."""
    return ()


def _form(system: System, source: str) -> str:
    return system.sources[source].form or source


def _export(path: Path, system: System, source: str) -> _Export:
    """Columns of the file, told apart; sources of one file have one pattern of names."""
    header = csv_files.header_of(path, system)
    project = read_project(system.folder)
    pattern = system.sources[source].file
    forms = [_form(system, name) for name, found in system.base_sources.items() if found.file == pattern]
    keys = tuple(name for name in (project.record_id, *ROW_COLUMNS) if name in header)
    cells = [name for name in header if name not in (*keys, INSTRUMENT)]
    own = {form: tuple(name for name in cells if project.form_of(name) == form) for form in forms}
    rest = tuple(name for name in cells if project.form_of(name) not in own)
    return _Export(header, project, keys, own, rest)


def _takes(export: _Export, form: str) -> str:
    """SQL condition of the rows that a form takes: those that repeat it, and others in which it has a value."""
    repeats = INSTRUMENT in export.header
    instrument = quote_name(INSTRUMENT) if repeats else "''"
    taken = f"({instrument} = {quote_text(form)} OR ({instrument} = '' AND {_any(export.own[form])}))"
    if form != export.first:
        return taken
    others = ", ".join(map(quote_text, export.own))
    every = [name for names in export.own.values() for name in names]
    keys_alone = f"({instrument} NOT IN ({others}) AND NOT {_any(every)})"
    return f"({taken} OR {_any(export.rest)} OR {keys_alone})"


def _any(columns: Iterable[str]) -> str:
    """SQL condition that one of some columns has a value."""
    present = " OR ".join(f"{quote_name(name)} <> ''" for name in columns)
    return f"({present or 'false'})"


def _check_repeats(
    connection: duckdb.DuckDBPyConnection, path: Path, system: System, project: RedcapProject, header: tuple[str, ...]
) -> None:
    """A row that repeats a form holds that form alone; REDCap writes no other, and its cells would have no place."""
    instrument = quote_name(INSTRUMENT)
    forms = ", ".join(map(quote_text, ("", *project.forms)))
    own = {form: [name for name in header if project.form_of(name) == form] for form in project.forms}
    foreign = " OR ".join(
        f"({instrument} NOT IN ('', {quote_text(form)}) AND {_any(names)})" for form, names in own.items()
    )
    rows = csv_files.numbered_rows(path, system, header)
    unknown, strange = connection.execute(
        f"SELECT min({SOURCE_LINE}) FILTER ({instrument} NOT IN ({forms})), "
        f"min({SOURCE_LINE}) FILTER ({instrument} IN ({forms}) AND ({foreign})) FROM {rows}"
    ).fetchone() or (None, None)
    if unknown is not None:
        raise _structure_error(path, f"{INSTRUMENT} names no form of the data dictionary", unknown)
    if strange is not None:
        raise _structure_error(path, f"the row repeats one form ({INSTRUMENT}) and holds values of another", strange)


def _is_empty(path: Path) -> bool:
    """Whether the project had no record to export: REDCap then writes a blank line and no header."""
    if path.stat().st_size > LONGEST_EMPTY_EXPORT_BYTES:
        return False
    return not path.read_bytes().removeprefix(b"\xef\xbb\xbf").strip()


def _structure_error(path: Path, message: str, line: int) -> ClinicOutcomesError:
    return ClinicOutcomesError(
        [
            Problem(
                rule="redcap_structure",
                message=message,
                advice="Export all records as CSV (raw data), with the data dictionary that the mapping has.",
                file=path.name,
                line=line,
            )
        ]
    )
