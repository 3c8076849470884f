"""A clinic system: the files it exports and what each column and code means."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from clinic_outcomes.contract import Column, Contract, load_contract
from clinic_outcomes.files import Signature, fingerprint_files, folder_signature
from clinic_outcomes.mapping.fhir import FhirMapping, check_view_columns, read_fhir
from clinic_outcomes.mapping.instruments import check_instruments
from clinic_outcomes.mapping.key_patterns import check_new_codes, form_of
from clinic_outcomes.mapping.lines import ColumnMapping, check_codes, check_complete, read_codes, read_columns
from clinic_outcomes.mapping.reading import IDENTIFIER, Mistakes, read_yaml
from clinic_outcomes.mapping.redcap_project import check_project
from clinic_outcomes.mapping.sources import Format, Source, check_sources
from clinic_outcomes.problems import ClinicOutcomesError, Problem
from clinic_outcomes.settings import Settings

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
    codes = read_codes(folder / "codes.csv", mistakes)
    if head is None:
        return None
    check_sources(head_path, head.sources, (head.format, *head.other_formats), mistakes)
    fhir = None
    if "fhir" in (head.format, *head.other_formats):
        fhir = read_fhir(folder, head.sources, head.key_patterns, codes, mistakes)
    columns = read_columns(folder / "columns.csv", head.sources, head.key_patterns, codes, contract, mistakes)
    if "redcap" in (head.format, *head.other_formats):
        carried = [(m.line, name) for m in columns if m.table for name in m.source_columns]
        check_project(folder, head.sources, carried, mistakes)
    check_codes(folder / "codes.csv", columns, codes, contract, mistakes)
    check_instruments(folder, columns, codes, head.sources, fhir.views if fhir else {}, contract, mistakes)
    places = (folder / "columns.csv", head_path)
    check_complete(*places, head.sources, head.key_patterns, columns, contract, mistakes)
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
