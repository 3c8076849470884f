"""A new clinic system: an empty mapping with every column of the contract, or one made of an export's own files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clinic_outcomes.contract.loader import Column, Contract, load_contract
from clinic_outcomes.files import atomic_folder
from clinic_outcomes.mapping.lines import CODES_HEADER, COLUMNS_HEADER, RECORD_ACTION
from clinic_outcomes.mapping.reading import IDENTIFIER
from clinic_outcomes.mapping.sources import SUFFIXES
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.receive.telling import MANIFEST
from clinic_outcomes.settings import Settings

BLANK_FORMATS = ("csv", "parquet", "excel")
"""Formats of which the contract alone gives a mapping to fill in; the others need what the system exports."""


def new_system(
    name: str,
    settings: Settings,
    format_name: str = "csv",
    files: Sequence[Path] = (),
    *,
    show_codes: bool = False,
) -> Path:
    """Make ``systems/<name>/`` with a mapping to fill in; return the folder.

    Without ``files`` it has one source a canonical table, and loads once the source columns are filled in: a line left
    empty is named as a mistake. With files of an export (for REDCap its data dictionary) it has their columns, with
    those filled in that resemble the contract's; delivered codes get into it only with ``show_codes``.
    ``ClinicOutcomesError`` where the name is not fit, the folder exists, or the files cannot be read so.
    """
    if not IDENTIFIER.fullmatch(name):
        raise ClinicOutcomesError("a system's name has lower-case letters, digits and _, and begins with a letter")
    folder = settings.systems / name
    if folder.exists():
        raise ClinicOutcomesError(f"systems/{name} exists already")
    if files:
        from clinic_outcomes.trying import write_system

        with atomic_folder(folder) as temporary:
            write_system(temporary, name, format_name, _all_files(files), settings, show_codes=show_codes)
        return folder
    if format_name not in BLANK_FORMATS:
        wanted = "the project's data dictionary" if format_name == "redcap" else "NDJSON files of an export"
        raise ClinicOutcomesError(f"a system of format {format_name} is made from {wanted}: give it with --from")
    contract = load_contract()
    with atomic_folder(folder) as temporary:
        (temporary / "system.yml").write_text(_render_head(name, format_name, contract), encoding="utf-8")
        (temporary / "columns.csv").write_text(_render_columns(contract), encoding="utf-8")
        (temporary / "codes.csv").write_text(_render_codes(contract), encoding="utf-8")
    return folder


def _all_files(paths: Sequence[Path]) -> list[Path]:
    """Files, and those in folders: hidden ones and the manifest of a delivery apart."""
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.iterdir()) if path.is_dir() else [path]
        found += [file for file in inside if file.is_file() and not file.name.startswith(".") and file.name != MANIFEST]
    return found


def _render_head(name: str, format_name: str, contract: Contract) -> str:
    lines = [
        f"title: {name}",
        f"format: {format_name}",
        "csv: {delimiter: ',', quote: '\"', decimal_separator: '.'}",
        "# Values that mean nothing was entered.",
        "missing: ['']",
        "# Between the members of a list in one cell.",
        "list_separator: ';'",
        "# One a kind of file: the pattern of its name. Remove the sources the system does not export.",
        "sources:",
    ]
    lines += [f"  {table}: {_described(table, format_name)}" for table in contract.tables]
    lines.append("# The whole key must match; a key that does not refuses its delivery.")
    lines.append("key_patterns:")
    own_keys = [
        column.name
        for table in contract.tables.values()
        for column in table.columns
        if column.is_key and not column.references
    ]
    lines += [f"  {key}: '[0-9a-f]{{16}}'" for key in dict.fromkeys(own_keys)]
    return "\n".join(lines) + "\n"


def _described(table: str, format_name: str) -> str:
    """A source that holds a table: a file of its own, or a sheet of one workbook."""
    (ending, *_) = SUFFIXES[format_name]
    if format_name == "excel":
        return f"{{file: 'export*{ending}', sheet: {table}, required: false}}"
    return f"{{file: '{table}*{ending}', required: false}}"


def _render_columns(contract: Contract) -> str:
    lines = [",".join(COLUMNS_HEADER)]
    for table in contract.tables.values():
        lines += [
            f"{table.name},,{table.name},{column.name},{column.unit or ''},{_code_set(column)},"
            for column in table.columns
        ]
        lines.append(f"{table.name},,{table.name},{RECORD_ACTION},,{RECORD_ACTION},")
    return "\n".join(lines) + "\n"


def _code_set(column: Column) -> str:
    return (column.name if column.code_list == "local" else column.code_list) or ""


def _render_codes(contract: Contract) -> str:
    lines = [",".join(CODES_HEADER), f"{RECORD_ACTION},upsert,upsert", f"{RECORD_ACTION},delete,delete"]
    for name, codes in contract.code_lists.items():
        lines += [f"{name},{code},{code}" for code in codes]
    return "\n".join(lines) + "\n"
