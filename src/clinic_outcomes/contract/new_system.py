"""An empty mapping for a new clinic system: every column of the contract, waiting for its source."""

from __future__ import annotations

from pathlib import Path

from clinic_outcomes.contract.loader import Column, Contract, load_contract
from clinic_outcomes.files import atomic_folder
from clinic_outcomes.mapping.reading import IDENTIFIER
from clinic_outcomes.mapping.systems import CODES_HEADER, COLUMNS_HEADER, RECORD_ACTION
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.settings import Settings


def new_system(name: str, settings: Settings) -> Path:
    """Make ``systems/<name>/`` with a mapping to fill in, one source a canonical table; return the folder.

    The files load only once the source columns are filled in: a line left empty is named as a mistake.
    ``ClinicOutcomesError`` where the name is not fit or the folder exists.
    """
    if not IDENTIFIER.fullmatch(name):
        raise ClinicOutcomesError("a system's name has lower-case letters, digits and _, and begins with a letter")
    folder = settings.systems / name
    if folder.exists():
        raise ClinicOutcomesError(f"systems/{name} exists already")
    contract = load_contract()
    with atomic_folder(folder) as temporary:
        (temporary / "system.yml").write_text(_render_head(name, contract), encoding="utf-8")
        (temporary / "columns.csv").write_text(_render_columns(contract), encoding="utf-8")
        (temporary / "codes.csv").write_text(_render_codes(contract), encoding="utf-8")
    return folder


def _render_head(name: str, contract: Contract) -> str:
    lines = [
        f"title: {name}",
        "format: csv",
        "csv: {delimiter: ',', quote: '\"', decimal_separator: '.'}",
        "# Values that mean nothing was entered.",
        "missing: ['']",
        "# Between the members of a list in one cell.",
        "list_separator: ';'",
        "# One a kind of file: the pattern of its name. Remove the sources the system does not export.",
        "sources:",
    ]
    lines += [f"  {table}: {{file: '{table}*.csv', required: false}}" for table in contract.tables]
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
