"""Read the contract and turn it into a few plain types the stages use."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from types import MappingProxyType

from open_data_contract_standard.model import OpenDataContractStandard, SchemaProperty

from clinic_outcomes.files import canonical_json, fingerprint, fingerprint_files, parse_yaml
from clinic_outcomes.settings import PROJECT_ROOT

CONTRACT_FOLDER = Path(__file__).parent
INSTRUMENTS_FOLDER = PROJECT_ROOT / "instruments"
SEEDS_FOLDER = PROJECT_ROOT / "dbt_project" / "seeds"
INSTRUMENT_LIST, VERSION_LIST = "instrument", "instrument_version"
"""Code lists that the files of ``instruments/`` give, and no other."""
TERM_LIST = "adverse_event_term"
"""The code list that the seed of adverse-event terms gives."""
UNMAPPED = "unmapped"
"""The canonical code of a source code that no mapping knows."""
LOCAL_CODES = "local"
"""The code list of a column whose codes are a clinic system's own: closed by its mapping, carried as they are."""

LINEAGE_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "clinic_id": "VARCHAR",
        "delivery_id": "VARCHAR",
        "export_sequence": "INTEGER",
        "source_file": "VARCHAR",
        "source_line": "BIGINT",
        "source_item": "INTEGER",
        "record_action": "VARCHAR",
        "unreadable_columns": "VARCHAR[]",
    }
)
"""Columns that every harmonised row carries beside those of its table, with their SQL types.

``source_file`` is the file's name, with ``#`` and the name of its sheet, form or view where it has several.
``source_line`` counts records, the header being line 1; ``source_item`` the rows that one record gives, from 1.
``record_action`` is ``upsert`` or ``delete``. ``unreadable_columns`` names the columns whose delivered value is not of
the column's type.
"""


@dataclass(frozen=True)
class Column:
    """One column of a canonical table.

    ``key_scope`` says whether equal keys mean the same in one ``clinic`` or in the whole ``network``.
    ``sql_type`` is DuckDB's; ``code_list`` names a list of the contract or is ``local``; ``multiple``
    columns hold a list of codes; ``is_key`` marks pseudonymous or code-like identifiers.
    """

    table: str
    name: str
    sql_type: str
    description: str
    required: bool = False
    is_key: bool = False
    key_scope: str = "clinic"
    code_list: str | None = None
    unit: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    pattern: str | None = None
    references: tuple[str, str] | None = None
    multiple: bool = False

    @property
    def source_code_name(self) -> str:
        """Name of the column that keeps a mapped code as the clinic wrote it."""
        return f"{self.name}_source_code"

    @property
    def element_type(self) -> str:
        """SQL type of one value, also where the column holds a list."""
        return self.sql_type.removesuffix("[]")


@dataclass(frozen=True)
class Table:
    """A canonical table: its columns in order, and the names that make its key within a clinic."""

    name: str
    description: str
    grain: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]

    def column(self, name: str) -> Column:
        """The column of that name; ``KeyError`` where there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def stored_columns(self) -> dict[str, str]:
        """Name and SQL type of every column of a harmonised file, in order: contract, source codes, lineage."""
        stored = {column.name: column.sql_type for column in self.columns}
        stored |= {column.source_code_name: column.sql_type for column in self.columns if column.code_list}
        return stored | dict(LINEAGE_COLUMNS)


@dataclass(frozen=True)
class Contract:
    """All canonical tables, each after those it refers to, and the closed code lists (code → label).

    ``instrument_names`` are the LOINC codes and the names, reduced to letters and digits, that mean an instrument;
    ``refused_instruments`` those that are known only to be refused, with the reason.
    """

    tables: Mapping[str, Table]
    code_lists: Mapping[str, Mapping[str, str]]
    fingerprint: str
    instrument_names: Mapping[str, str]
    refused_instruments: Mapping[str, str]

    def codes(self, column: Column) -> tuple[str, ...]:
        """Canonical codes a column may hold, ``unmapped`` among them; empty for local codes and plain columns."""
        if column.code_list in (None, LOCAL_CODES):
            return ()
        return (*self.code_lists[column.code_list or ""], UNMAPPED)


def reduced(text: str) -> str:
    """A name in small letters and digits alone, so that ``PCL-C``, ``pcl_c`` and ``Pcl C`` are one."""
    return "".join(character for character in text.casefold() if character.isalnum())


@functools.cache
def load_contract(instruments: Path = INSTRUMENTS_FOLDER, seeds: Path = SEEDS_FOLDER) -> Contract:
    """Load and check the contract; ``ValueError`` names the file of a mistake.

    The code lists of questionnaires are the files of ``instruments``, that of adverse events is a seed of dbt:
    ``ClinicOutcomesError`` lists mistakes in them.
    """
    # Both are read with what reads mappings, which needs the contract's types.
    from clinic_outcomes.contract.terms import read_vocabularies
    from clinic_outcomes.instruments.naming import name_instruments

    named = name_instruments(instruments)
    terms = {term.term: term.label for term in read_vocabularies(seeds).terms.values()}
    written = parse_yaml((CONTRACT_FOLDER / "code_lists.yml").read_text(encoding="utf-8"))
    code_lists = {**written, TERM_LIST: terms, INSTRUMENT_LIST: named.labels, VERSION_LIST: named.versions}
    paths = sorted((CONTRACT_FOLDER / "tables").glob("*.odcs.yaml"))
    tables = {table.name: table for table in map(_load_table, paths)}
    _check(tables, code_lists)
    order = TopologicalSorter(
        {
            name: sorted({column.references[0] for column in table.columns if column.references})
            for name, table in sorted(tables.items())
        }
    ).static_order()
    files = fingerprint_files([*paths, CONTRACT_FOLDER / "code_lists.yml"], CONTRACT_FOLDER)
    return Contract(
        tables=MappingProxyType({name: tables[name] for name in order}),
        code_lists=MappingProxyType(code_lists),
        fingerprint=fingerprint([files, *(canonical_json(dict(part)) for part in (*named, terms))]),
        instrument_names=named.names,
        refused_instruments=named.refused,
    )


def _load_table(path: Path) -> Table:
    document = OpenDataContractStandard.model_validate(parse_yaml(path.read_text(encoding="utf-8")))
    if len(document.schema_ or []) != 1:
        raise ValueError(f"{path.name}: expected exactly one table")
    schema = (document.schema_ or [])[0]
    properties = schema.properties or []
    name = schema.name or ""
    if path.name != f"{name}.odcs.yaml":
        raise ValueError(f"{path.name}: holds table {name!r}")
    keys = sorted((p.primaryKeyPosition or 0, p.name or "") for p in properties if p.primaryKey)
    return Table(
        name=name,
        description=schema.description or "",
        grain=schema.dataGranularityDescription or "",
        columns=tuple(_load_column(name, p) for p in properties),
        primary_key=tuple(key for _, key in keys),
    )


def _load_column(table: str, source: SchemaProperty) -> Column:
    custom = {item.property: item.value for item in source.customProperties or []}
    options = source.logicalTypeOptions or {}
    targets = [str(relationship.to) for relationship in source.relationships or []]
    target_table, _, target_column = targets[0].partition(".") if targets else ("", "", "")
    return Column(
        table=table,
        name=source.name or "",
        sql_type=source.physicalType or "",
        description=source.description or "",
        required=bool(source.required),
        is_key=bool(custom.get("key")),
        key_scope=str(custom.get("keyScope") or "clinic"),
        code_list=custom.get("codeList"),
        unit=custom.get("unit"),
        minimum=options.get("minimum"),
        maximum=options.get("maximum"),
        pattern=options.get("pattern"),
        references=(target_table, target_column) if targets else None,
        multiple=source.logicalType == "array",
    )


def _check(tables: Mapping[str, Table], code_lists: Mapping[str, Mapping[str, str]]) -> None:
    mistakes = []
    for table in tables.values():
        if not table.primary_key:
            mistakes.append(f"{table.name}: no primary key")
        for column in table.columns:
            place = f"{table.name}.{column.name}"
            if not column.description or not column.sql_type:
                mistakes.append(f"{place}: description or physicalType is missing")
            if column.code_list not in (None, LOCAL_CODES, *code_lists):
                mistakes.append(f"{place}: no code list {column.code_list!r}")
            if column.references:
                target, target_column = column.references
                if target not in tables or target_column not in tables[target].primary_key:
                    mistakes.append(f"{place}: refers to {target}.{target_column}, which is no key")
    if mistakes:
        raise ValueError("contract: " + "; ".join(mistakes))
