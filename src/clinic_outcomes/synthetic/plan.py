"""Which sources of a system say which rows of which table, and which rows share one delivered record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from clinic_outcomes.contract import LOCAL_CODES, Column, load_contract
from clinic_outcomes.mapping import ColumnMapping, System
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.synthetic.columns import MISSING, Mask, Rows, code_positions, length

SOURCE = "_source"
"""Column of a table that several sources feed: the position, among them, of the one that says the row."""


@dataclass(frozen=True)
class TableSource:
    """A source that feeds a table: its lines of the mapping by the contract's column, without ``record_action``."""

    source: str
    mapped: Mapping[str, ColumnMapping]


@dataclass(frozen=True)
class Group:
    """Tables that share delivered records: a record is delivered whole, with the rows of all that have its key."""

    tables: tuple[str, ...]
    key: str


def table_sources(system: System) -> dict[str, tuple[TableSource, ...]]:
    """Sources of each table that a system delivers, in the order of ``system.yml``."""
    found: dict[str, list[TableSource]] = {}
    for source in system.mapped_sources:
        for table in system.tables(source):
            mapped: dict[str, ColumnMapping] = {}
            for mapping in system.mappings(source, table):
                if mapping.target:
                    mapped[mapping.target.name] = mapping
            found.setdefault(table, []).append(TableSource(source, mapped))
    return {table: tuple(sources) for table, sources in found.items()}


def of_source(rows: Rows, sources: tuple[TableSource, ...], place: int) -> Mask:
    """Rows that the source at ``place`` says."""
    if len(sources) == 1:
        return np.ones(length(rows), dtype=np.bool_)
    mask: Mask = rows[SOURCE] == place
    return mask


def route(table: str, rows: Rows, sources: tuple[TableSource, ...], system: System, tables: Mapping[str, Rows]) -> None:
    """Set which of several sources says each row.

    It is the one that has the row's codes, in the order of the contract's columns where none has all; answers go
    where their questionnaire goes. ``ClinicOutcomesError`` names a code that no source has.
    """
    if len(sources) == 1:
        return
    parent = _parent_bases(table, rows, system, tables)
    if parent is not None:
        rows[SOURCE] = _like_parent(table, parent, sources, system)
        return
    scores = np.zeros((len(sources), length(rows)), dtype=np.int64)
    for column in load_contract().tables[table].columns:
        if column.name not in rows or column.code_list in (None, LOCAL_CODES) or column.multiple:
            continue
        sayable = [_sayable(source.mapped.get(column.name), column, system) for source in sources]
        if len(set(sayable)) == 1:
            continue
        _check_sayable(rows, column, frozenset().union(*sayable), system)
        fits = np.array([np.isin(rows[column.name], list(codes)) for codes in sayable])
        scores = scores * 2 + fits
    rows[SOURCE] = np.argmax(scores, axis=0).astype(np.int8)


def _sayable(mapping: ColumnMapping | None, column: Column, system: System) -> frozenset[int]:
    """Codes of a column that a source can say, as positions in its code list."""
    if mapping is None:
        return frozenset()
    codes = {mapping.constant} if mapping.constant is not None else set(system.codes[mapping.codes or ""].values())
    positions = code_positions(column.table, column.name)
    return frozenset(positions[code] for code in codes if code is not None)


def _check_sayable(rows: Rows, column: Column, sayable: frozenset[int], system: System) -> None:
    codes = list(code_positions(column.table, column.name))
    unmapped = len(codes) - 1
    lacking = sorted(set(np.unique(rows[column.name]).tolist()) - sayable - {MISSING, unmapped})
    if lacking:
        raise ClinicOutcomesError(
            f"system {system.name}: no source of {column.table} says {column.name} "
            f"{', '.join(codes[place] for place in lacking)}; leave it out of synthetic.yml"
        )


def _parent_bases(
    table: str, rows: Rows, system: System, tables: Mapping[str, Rows]
) -> list[tuple[frozenset[str], Mask]] | None:
    """For answers of questionnaires from several sources: base sources of some, and which answers belong to these."""
    if table != "assessment_item" or SOURCE not in tables.get("assessment", {}):
        return None
    chosen = tables["assessment"][SOURCE][rows["_assessment"]]
    return [
        (frozenset(system.base_of(source.source)), chosen == place)
        for place, source in enumerate(table_sources(system)["assessment"])
    ]


def _like_parent(
    table: str, parent: list[tuple[frozenset[str], Mask]], sources: tuple[TableSource, ...], system: System
) -> np.typing.NDArray[np.int8]:
    chosen = np.zeros(len(parent[0][1]), dtype=np.int8)
    for bases, mask in parent:
        if not mask.any():
            continue
        fitting = [place for place, own in enumerate(sources) if bases.intersection(system.base_of(own.source))]
        if not fitting:
            raise ClinicOutcomesError(
                f"system {system.name}: no source of {table} shares a file with {', '.join(sorted(bases))}; "
                "let its questionnaires give totals in synthetic.yml"
            )
        chosen[mask] = fitting[0]
    return chosen


def record_groups(system: System) -> tuple[Group, ...]:
    """Tables that share delivered records: those of one base source, or of FHIR resources in one file."""
    contract = load_contract()
    bases = {
        table: {base for own in sources for base in system.base_of(own.source)}
        for table, sources in table_sources(system).items()
    }
    groups: list[set[str]] = []
    for table in bases:
        joined = [group for group in groups if any(_share(system, table, other, bases) for other in group)]
        groups = [group for group in groups if group not in joined] + [set().union({table}, *joined)]
    order = list(contract.tables)
    return tuple(
        Group(tables=tuple(sorted(group, key=order.index)), key=_shared_key(system, group))
        for group in groups
        if len(group) > 1
    )


def _share(system: System, one: str, other: str, bases: Mapping[str, set[str]]) -> bool:
    if bases[one] & bases[other]:
        return True
    contract = load_contract()
    keys = {contract.tables[one].primary_key[0], contract.tables[other].primary_key[0]}
    if len(keys) > 1:
        return False
    return bool(_resource_files(system, bases[one]) & _resource_files(system, bases[other]))


def _resource_files(system: System, bases: set[str]) -> set[str | None]:
    """Patterns of the files of which some sources are views of resources."""
    return {system.sources[base].file for base in bases if system.sources[base].view}


def _shared_key(system: System, group: set[str]) -> str:
    """The key of one of the tables that all have."""
    contract = load_contract()
    for table in contract.tables.values():
        key = table.primary_key[0]
        if table.name in group and all(key in {c.name for c in contract.tables[name].columns} for name in group):
            return key
    raise ClinicOutcomesError(
        f"system {system.name}: {', '.join(sorted(group))} share files but no key; such a system cannot be generated"
    )


def vanishing_values(system: System, table: str) -> dict[int, str]:
    """Position of a source that turns columns into rows → its column without which there is no row."""
    found = {}
    for place, own in enumerate(table_sources(system).get(table, ())):
        unpivot = system.sources[own.source].unpivot
        for name, mapping in own.mapped.items():
            if unpivot and unpivot.value in mapping.source_columns:
                found[place] = name
    return found
