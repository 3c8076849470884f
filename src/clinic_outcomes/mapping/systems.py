"""A clinic system: the files it exports and what each column and code means."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from clinic_outcomes.contract import LOCAL_CODES, UNMAPPED, Column, Contract, load_contract
from clinic_outcomes.files import Signature, fingerprint_files, folder_signature
from clinic_outcomes.mapping.constants import constant_mistake
from clinic_outcomes.mapping.fhir import FhirMapping, check_view_columns, read_fhir
from clinic_outcomes.mapping.key_patterns import check_new_codes, form_of
from clinic_outcomes.mapping.reading import IDENTIFIER, Mistakes, read_csv, read_yaml
from clinic_outcomes.mapping.redcap_project import check_project
from clinic_outcomes.mapping.sources import Format, Source, check_sources
from clinic_outcomes.mapping.units import UNIT_CONVERSIONS, UnitConversion
from clinic_outcomes.problems import ClinicOutcomesError, Problem
from clinic_outcomes.settings import Settings

COLUMNS_HEADER = ("source", "source_column", "table", "column", "unit", "codes", "constant")
CODES_HEADER = ("codes", "source_code", "code")
RECORD_ACTION = "record_action"
NEW_CODES = "[0-9]{1,2}"
"""Form of codes that a system may give before its mapping knows them, unless the system says."""


def _closed(pattern: str) -> str:
    form_of(pattern)
    return pattern


KeyPattern = Annotated[str, AfterValidator(_closed)]
NewCodePattern = Annotated[str, AfterValidator(check_new_codes)]


class CsvDialect(BaseModel):
    """How a system writes CSV."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    delimiter: str = Field(default=",", min_length=1, max_length=1)
    quote: str = Field(default='"', min_length=1, max_length=1)
    decimal_separator: Literal[".", ","] = "."


class _SystemFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    description: str = ""
    format: Format
    other_formats: tuple[Format, ...] = ()
    csv: CsvDialect = CsvDialect()
    missing: tuple[str, ...] = ("",)
    list_separator: str = ";"
    sources: dict[str, Source] = Field(min_length=1)
    key_patterns: dict[str, KeyPattern]
    new_code_pattern: NewCodePattern = NEW_CODES


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


@dataclass(frozen=True)
class System:
    """A clinic system as its folder describes it.

    ``folder`` holds its files; ``format`` is what it exports, ``other_formats`` what it exports as well.
    ``missing`` are the texts that stand for no value, trimmed, the empty one always among them.
    ``codes`` maps code set → delivered code → canonical code. ``key_patterns`` maps a key column's name to the
    regular expression that the whole delivered key must match. A code that no code set knows may be delivered where it
    has the form of ``new_code_pattern``, and becomes ``unmapped``; any other value of a coded column is refused.
    ``fhir`` is what its folder says of FHIR, where it exports that.
    """

    name: str
    folder: Path
    title: str
    description: str
    format: str
    other_formats: tuple[str, ...]
    csv: CsvDialect
    missing: tuple[str, ...]
    list_separator: str
    sources: Mapping[str, Source]
    key_patterns: Mapping[str, str]
    columns: tuple[ColumnMapping, ...]
    codes: Mapping[str, Mapping[str, str]]
    fingerprint: str
    new_code_pattern: str = NEW_CODES
    fhir: FhirMapping | None = None

    @property
    def formats(self) -> tuple[str, ...]:
        """All formats in which it exports, the usual one first."""
        return (self.format, *self.other_formats)

    @property
    def decimal_separator(self) -> str:
        """What stands before the decimals of a number in text, as every reader gives it."""
        return self.csv.decimal_separator

    @functools.cached_property
    def base_sources(self) -> Mapping[str, Source]:
        """Sources that lie in files."""
        return {name: source for name, source in self.sources.items() if not source.is_derived}

    @property
    def mapped_sources(self) -> tuple[str, ...]:
        """Sources of which ``columns.csv`` maps columns, in the order of ``system.yml``."""
        mapped = {mapping.source for mapping in self.columns}
        return tuple(name for name in self.sources if name in mapped)

    def base_of(self, source: str) -> tuple[str, ...]:
        """Base sources that a source is made of, the one that its rows come from first; of a base source itself."""
        found = self.sources[source]
        if found.origin is None:
            return (source,)
        made_of = [found.origin, *(join.source for join in found.join)]
        return tuple(dict.fromkeys(base for name in made_of for base in self.base_of(name)))

    def tables(self, source: str) -> tuple[str, ...]:
        """Canonical tables a source feeds, in the order of ``columns.csv``."""
        return tuple(dict.fromkeys(m.table for m in self.columns if m.source == source and m.table))

    def mappings(self, source: str, table: str) -> tuple[ColumnMapping, ...]:
        """Lines that carry columns of ``source`` into ``table``."""
        return tuple(m for m in self.columns if m.source == source and m.table == table)

    def allowed_columns(self, source: str) -> tuple[str, ...]:
        """Columns that a source must have, in order, for itself and for those derived from it; others are refused."""
        names = [name for m in self.columns if m.source == source for name in m.source_columns]
        for name, derived in self.sources.items():
            if derived.origin == source:
                names += self._taken(derived, self.allowed_columns(name))
            for join in derived.join:
                if join.source == source:
                    names += [*join.by, *_beside(join.source, self.allowed_columns(name))]
        return tuple(dict.fromkeys(names))

    def _taken(self, derived: Source, columns: Iterable[str]) -> list[str]:
        """Columns of its origin that a derived source makes some columns of."""
        made = derived.gathered
        if derived.unpivot:
            made |= {derived.unpivot.number: {}, derived.unpivot.value: derived.unpivot.numbers}
        joined = {f"{join.source}." for join in derived.join}
        names: list[str] = [name for join in derived.join for name in join.by]
        for column in columns:
            if column in made:
                names += made[column]
            elif not any(column.startswith(prefix) for prefix in joined):
                names.append(column)
        return names

    def key_pattern(self, column: Column) -> str | None:
        """Regular expression of a key column: its own, or that of the column it refers to."""
        own = self.key_patterns.get(column.name)
        return own or (self.key_patterns.get(column.references[1]) if column.references else None)


def _beside(source: str, columns: Iterable[str]) -> list[str]:
    """Columns of a joined source among those of the source that it is joined to."""
    return [column.removeprefix(f"{source}.") for column in columns if column.startswith(f"{source}.")]


def load_systems(settings: Settings) -> dict[str, System]:
    """Every system below ``settings.systems``, by name. ``ClinicOutcomesError`` lists all mistakes of all of them."""
    mistakes = Mistakes()
    found = {}
    for folder in sorted(path for path in settings.systems.iterdir() if path.is_dir()):
        system, problems = _remembered_system(folder, folder_signature(folder))
        mistakes.problems += problems
        if system:
            found[system.name] = system
    if mistakes.problems:
        raise ClinicOutcomesError(mistakes.problems)
    return found


def load_system(name: str, settings: Settings) -> System:
    """One system by name. ``ClinicOutcomesError`` lists all mistakes in its folder."""
    folder = settings.systems / name
    system, problems = _remembered_system(folder, folder_signature(folder))
    if problems or system is None:
        raise ClinicOutcomesError(problems)
    return system


@functools.lru_cache(maxsize=64)
def _remembered_system(folder: Path, _signature: Signature) -> tuple[System | None, tuple[Problem, ...]]:
    """A system and the mistakes in its folder; every stage asks for it, and the folder rarely changes."""
    mistakes = Mistakes()
    system = _read_system(folder, load_contract(), mistakes)
    return system, tuple(mistakes.problems)


def _read_system(folder: Path, contract: Contract, mistakes: Mistakes) -> System | None:
    head_path = folder / "system.yml"
    if not IDENTIFIER.fullmatch(folder.name):
        mistakes.add(head_path, "a system's folder is named with lower-case letters, digits and _")
    head = read_yaml(head_path, _SystemFile, mistakes)
    codes = _read_codes(folder / "codes.csv", mistakes)
    if head is None:
        return None
    check_sources(head_path, head.sources, (head.format, *head.other_formats), mistakes)
    fhir = None
    if "fhir" in (head.format, *head.other_formats):
        fhir = read_fhir(folder, head.sources, head.key_patterns, codes, mistakes)
    columns = _read_columns(folder / "columns.csv", head, codes, contract, mistakes)
    if "redcap" in (head.format, *head.other_formats):
        carried = [(m.line, name) for m in columns if m.table for name in m.source_columns]
        check_project(folder, head.sources, carried, mistakes)
    _check_codes(folder / "codes.csv", columns, codes, contract, mistakes)
    _check_complete(folder / "columns.csv", head_path, head, columns, contract, mistakes)
    system = System(
        name=folder.name,
        folder=folder,
        title=head.title,
        description=head.description,
        format=head.format,
        other_formats=head.other_formats,
        csv=head.csv,
        # One definition for all who ask: what the gate passes over as missing must be missing to harmonise too.
        missing=tuple(sorted({"", *(token.strip() for token in head.missing)})),
        list_separator=head.list_separator,
        sources=head.sources,
        key_patterns=head.key_patterns,
        columns=columns,
        codes={name: {source: code for source, (code, _) in lines.items()} for name, lines in codes.items()},
        new_code_pattern=head.new_code_pattern,
        fingerprint=fingerprint_files([p for p in folder.rglob("*") if p.is_file()], folder),
        fhir=fhir,
    )
    if fhir and not mistakes.problems:
        check_view_columns(folder, fhir, system.allowed_columns, mistakes)
    return system


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


_Codes = dict[str, dict[str, tuple[str, int]]]


def _read_codes(path: Path, mistakes: Mistakes) -> _Codes:
    codes: _Codes = {}
    for line, row in read_csv(path, CODES_HEADER, mistakes):
        lines = codes.setdefault(row["codes"], {})
        if row["source_code"] in lines:
            mistakes.add(path, "source code is mapped twice in its set", line=line, column="source_code")
        lines[row["source_code"]] = (row["code"], line)
    return codes


def _read_columns(
    path: Path, head: _SystemFile, codes: _Codes, contract: Contract, mistakes: Mistakes
) -> tuple[ColumnMapping, ...]:
    found = []
    for line, row in read_csv(path, COLUMNS_HEADER, mistakes):
        mapping = _read_column(path, line, row, head, codes, contract, mistakes)
        if mapping:
            found.append(mapping)
    return tuple(found)


def _read_column(
    path: Path,
    line: int,
    row: Mapping[str, str],
    head: _SystemFile,
    codes: _Codes,
    contract: Contract,
    mistakes: Mistakes,
) -> ColumnMapping | None:
    def wrong(column: str, message: str) -> None:
        mistakes.add(path, message, line=line, column=column)

    before = len(mistakes.problems)
    if row["source"] not in head.sources:
        wrong("source", "no such source in system.yml")
    if bool(row["source_column"]) == bool(row["constant"]):
        wrong("source_column", "give either source_column or constant")
    table, target = _find_target(row, contract, wrong)
    source_columns = tuple(part for part in row["source_column"].split("+") if part)
    if len(source_columns) > 1 and not (target and target.is_key):
        wrong("source_column", "only a key may be made of several columns")
    _check_code_set(row, target, codes, wrong)
    conversion = _find_conversion(row, target, wrong)
    if row["constant"] and target:
        wrong_constant = constant_mistake(row["constant"], target, conversion, head.key_patterns, contract)
        if wrong_constant:
            wrong("constant", wrong_constant)
    if len(mistakes.problems) > before:
        return None
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
    row: Mapping[str, str], target: Column | None, codes: _Codes, wrong: Callable[[str, str], None]
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


def _check_codes(
    path: Path, columns: tuple[ColumnMapping, ...], codes: _Codes, contract: Contract, mistakes: Mistakes
) -> None:
    for name in sorted(set(codes) - {mapping.codes for mapping in columns}):
        mistakes.add(path, f"code set {name} is used by no column", column="codes")
    for name, lines in codes.items():
        allowed = allowed_codes(columns, name, contract)
        for code, line in lines.values():
            if allowed is not None and code not in allowed:
                mistakes.add(path, "code is not in the column's code list", line=line, column="code")


def _check_complete(
    path: Path,
    head_path: Path,
    head: _SystemFile,
    columns: tuple[ColumnMapping, ...],
    contract: Contract,
    mistakes: Mistakes,
) -> None:
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
    made_of = {name for source in head.sources.values() for name in (source.origin, *(j.source for j in source.join))}
    for source in sorted(set(head.sources) - {mapping.source for mapping in columns} - made_of):
        mistakes.add(path, f"source {source} has no column", column="source")
    for name in sorted(
        {
            m.target.name
            for m in columns
            if m.target
            and m.target.is_key
            and not {m.target.name, m.target.references[1] if m.target.references else ""} & set(head.key_patterns)
        }
    ):
        mistakes.add(head_path, "key column has no pattern in key_patterns", column=name)
