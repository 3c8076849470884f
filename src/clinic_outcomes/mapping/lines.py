"""The lines of a system's ``columns.csv`` and ``codes.csv``, each checked against the contract."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from clinic_outcomes.contract import LOCAL_CODES, UNMAPPED, Column, Contract
from clinic_outcomes.mapping.constants import constant_mistake
from clinic_outcomes.mapping.reading import Mistakes, read_csv
from clinic_outcomes.mapping.sources import Source
from clinic_outcomes.mapping.units import UNIT_CONVERSIONS, UnitConversion

COLUMNS_HEADER = ("source", "source_column", "table", "column", "unit", "codes", "constant")
CODES_HEADER = ("codes", "source_code", "code")
RECORD_ACTION = "record_action"


@dataclass(frozen=True)
class ColumnMapping:
    """One line of ``columns.csv``.

    ``source_columns`` are the delivered columns: none for a constant, several for a key made of several, joined
    by ``/``. ``target`` is the contract's column; None for ``record_action`` and for a column that is allowed in
    the file but carried nowhere. ``codes`` names the code set that translates its values.
    """

    source: str
    source_columns: tuple[str, ...]
    table: str | None
    target: Column | None
    conversion: UnitConversion | None
    unit: str | None
    codes: str | None
    constant: str | None
    line: int

    @property
    def is_record_action(self) -> bool:
        """Whether the column says ``upsert`` or ``delete`` for its row."""
        return self.table is not None and self.target is None


def allowed_codes(columns: Iterable[ColumnMapping], code_set: str, contract: Contract) -> frozenset[str] | None:
    """Canonical codes a code set may give: those that every column using it may hold; None where any will do."""
    allowed: frozenset[str] | None = None
    for mapping in columns:
        if mapping.codes != code_set:
            continue
        if mapping.is_record_action:
            codes = frozenset({"upsert", "delete"})
        elif mapping.target is None or mapping.target.code_list in (None, LOCAL_CODES):
            continue
        else:
            codes = frozenset(contract.codes(mapping.target)) - {UNMAPPED}
        allowed = codes if allowed is None else allowed & codes
    return allowed


Codes = dict[str, dict[str, tuple[str, int]]]
"""Code set → delivered code → canonical code, and its line."""


def read_codes(path: Path, mistakes: Mistakes) -> Codes:
    """Code sets of ``codes.csv``."""
    codes: Codes = {}
    for line, row in read_csv(path, CODES_HEADER, mistakes):
        lines = codes.setdefault(row["codes"], {})
        if row["source_code"] in lines:
            mistakes.add(path, "source code is mapped twice in its set", line=line, column="source_code")
        lines[row["source_code"]] = (row["code"], line)
    return codes


def read_columns(
    path: Path,
    sources: Mapping[str, Source],
    key_patterns: Mapping[str, str],
    codes: Codes,
    contract: Contract,
    mistakes: Mistakes,
) -> tuple[ColumnMapping, ...]:
    """Lines of ``columns.csv`` without the wrong ones, whose mistakes are recorded."""
    found = []
    for line, row in read_csv(path, COLUMNS_HEADER, mistakes):
        before = len(mistakes.problems)
        if row["source"] not in sources:
            mistakes.add(path, "no such source in system.yml", line=line, column="source")
        mapping = _read_column(path, line, row, key_patterns, codes, contract, mistakes)
        if len(mistakes.problems) == before:
            found.append(mapping)
    return tuple(found)


def _read_column(
    path: Path,
    line: int,
    row: Mapping[str, str],
    key_patterns: Mapping[str, str],
    codes: Codes,
    contract: Contract,
    mistakes: Mistakes,
) -> ColumnMapping:
    def wrong(column: str, message: str) -> None:
        mistakes.add(path, message, line=line, column=column)

    if bool(row["source_column"]) == bool(row["constant"]):
        wrong("source_column", "give either source_column or constant")
    table, target = _find_target(row, contract, wrong)
    source_columns = tuple(part for part in row["source_column"].split("+") if part)
    if len(source_columns) > 1 and not (target and target.is_key):
        wrong("source_column", "only a key may be made of several columns")
    _check_code_set(row, target, codes, wrong)
    conversion = _find_conversion(row, target, wrong)
    if row["constant"] and target:
        wrong_constant = constant_mistake(row["constant"], target, conversion, key_patterns, contract)
        if wrong_constant:
            wrong("constant", wrong_constant)
    return ColumnMapping(
        source=row["source"],
        source_columns=source_columns,
        table=table,
        target=target,
        conversion=conversion,
        unit=row["unit"] or None,
        codes=row["codes"] or None,
        constant=row["constant"] or None,
        line=line,
    )


def _check_code_set(
    row: Mapping[str, str], target: Column | None, codes: Codes, wrong: Callable[[str, str], None]
) -> None:
    if row["codes"] and row["codes"] not in codes:
        wrong("codes", "no such code set in codes.csv")
    if target and target.code_list and not row["codes"] and not row["constant"]:
        wrong("codes", "a coded column needs a code set")
    if target and _is_free_text(target) and not row["codes"]:
        wrong("column", "this column would hold free text, which nothing may carry: give it a code set")


def _is_free_text(target: Column) -> bool:
    """Whether nothing closes what the column may hold: neither a code list, nor a pattern, nor the form of a key."""
    return target.element_type == "VARCHAR" and not (target.is_key or target.code_list or target.pattern)


def _find_target(
    row: Mapping[str, str], contract: Contract, wrong: Callable[[str, str], None]
) -> tuple[str | None, Column | None]:
    if not row["table"] and not row["column"]:
        return None, None
    if row["table"] not in contract.tables:
        wrong("table", "no such table in the contract")
        return None, None
    if row["column"] == RECORD_ACTION:
        return row["table"], None
    try:
        target = contract.tables[row["table"]].column(row["column"])
    except KeyError:
        wrong("column", "no such column in the contract's table")
        return row["table"], None
    return row["table"], target


def _find_conversion(
    row: Mapping[str, str], target: Column | None, wrong: Callable[[str, str], None]
) -> UnitConversion | None:
    unit, expected = row["unit"], target.unit if target else None
    if target and expected and not unit and row["source_column"]:
        wrong("unit", f"unit is missing; the contract's is {expected}")
    elif unit and not expected:
        wrong("unit", "this column has no unit")
    elif unit and unit != expected:
        if (unit, expected) not in UNIT_CONVERSIONS:
            wrong("unit", f"no conversion from {unit} to {expected}")
        return UNIT_CONVERSIONS.get((unit, expected or ""))
    return None


def check_codes(
    path: Path, columns: tuple[ColumnMapping, ...], codes: Codes, contract: Contract, mistakes: Mistakes
) -> None:
    """Code sets that no column uses, and codes that their columns may not hold."""
    for name in sorted(set(codes) - {mapping.codes for mapping in columns}):
        mistakes.add(path, f"code set {name} is used by no column", column="codes")
    for name, lines in codes.items():
        allowed = allowed_codes(columns, name, contract)
        for code, line in lines.values():
            if allowed is not None and code not in allowed:
                mistakes.add(path, "code is not in the column's code list", line=line, column="code")


def check_complete(
    path: Path,
    head_path: Path,
    sources: Mapping[str, Source],
    key_patterns: Mapping[str, str],
    columns: tuple[ColumnMapping, ...],
    contract: Contract,
    mistakes: Mistakes,
) -> None:
    """Columns mapped twice, required ones that lack, sources without a column and keys without a pattern."""
    seen: dict[tuple[str, str, str], int] = {}
    for mapping in columns:
        if mapping.table is None:
            continue
        place = (mapping.source, mapping.table, mapping.target.name if mapping.target else RECORD_ACTION)
        if place in seen:
            mistakes.add(path, f"mapped already on line {seen[place]}", line=mapping.line, column="column")
        seen[place] = mapping.line
    for source, table in sorted({(m.source, m.table) for m in columns if m.table}):
        for column in contract.tables[table].columns:
            if column.required and (source, table, column.name) not in seen:
                mistakes.add(path, f"source {source} feeds {table} but not its required column", column=column.name)
    made_of = {name for source in sources.values() for name in (source.origin, *(j.source for j in source.join))}
    for source in sorted(set(sources) - {mapping.source for mapping in columns} - made_of):
        mistakes.add(path, f"source {source} has no column", column="source")
    for name in sorted(
        {
            m.target.name
            for m in columns
            if m.target
            and m.target.is_key
            and not {m.target.name, m.target.references[1] if m.target.references else ""} & set(key_patterns)
        }
    ):
        mistakes.add(head_path, "key column has no pattern in key_patterns", column=name)
