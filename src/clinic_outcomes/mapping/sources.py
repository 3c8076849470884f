"""Sources of a clinic system: the tables that its files hold, and those derived from them.

A *base* source lies in files: a whole file (CSV, Parquet), or one part of it (a sheet of a workbook, a form of a REDCap
project, a view of FHIR resources). A *derived* source is made ``from`` another one: columns turned into rows
(``unpivot``), columns of ticks gathered into one list (``lists``), rows of further sources set beside it (``join``).
Every delivered row of a base source is in the derived ones too: a join keeps what has no partner.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from clinic_outcomes.mapping.reading import Mistakes

Format = Literal["csv", "parquet", "excel", "redcap", "fhir"]

SUFFIXES: Mapping[str, tuple[str, ...]] = {
    "csv": (".csv",),
    "parquet": (".parquet",),
    "excel": (".xlsx",),
    "redcap": (".csv",),
    "fhir": (".ndjson", ".ndjson.gz"),
}
"""How names of files of each format end."""
PART_OF: Mapping[str, str] = {"excel": "sheet", "redcap": "form", "fhir": "view"}
"""What a source of a format is that has several in a file."""

_TEMPLATE = re.compile(r"([^{}]*)\{(\d+)\.\.(\d+)\}([^{}]*)")


def numbered(template: str) -> dict[str, str]:
    """Column names of a template such as ``pcl5_{1..20}``, each with its number; ``{01..20}`` writes two digits.

    ``ValueError`` where the template has no range.
    """
    found = _TEMPLATE.fullmatch(template)
    if not found:
        raise ValueError("expected a range such as item_{1..20}")
    before, first, last, after = found.groups()
    return {f"{before}{n:0{len(first)}d}{after}": str(n) for n in range(int(first), int(last) + 1)}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Unpivot(_Part):
    """Columns that become rows: their numbers go to column ``number``, their texts to column ``value``.

    A column without a value makes no row.
    """

    columns: str
    number: str
    value: str

    @cached_property
    def numbers(self) -> Mapping[str, str]:
        """Column → its number."""
        return numbered(self.columns)

    @model_validator(mode="after")
    def _has_a_range(self) -> Self:
        numbered(self.columns)
        return self


class Join(_Part):
    """A source whose columns are set beside, as ``<source>.<column>``, where the columns ``by`` are equal."""

    source: str
    by: tuple[str, ...] = Field(min_length=1)


class Source(_Part):
    """A source, base or derived.

    ``file`` is the pattern of the files' names, with or without their ending; ``sheet``, ``form`` or ``view`` names the
    part of the file. ``required`` says that every delivery must have the file. ``from`` names the source that a
    derived one is made from; ``lists`` maps new column → template of columns that hold 1 where ticked.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    file: str | None = None
    required: bool = True
    sheet: str | None = None
    form: str | None = None
    view: str | None = None
    origin: str | None = Field(default=None, alias="from")
    unpivot: Unpivot | None = None
    lists: dict[str, str] = {}
    join: tuple[Join, ...] = ()

    @property
    def part(self) -> str | None:
        """Name of the part of the file that the source is, if it is one."""
        return self.sheet or self.form or self.view

    @property
    def is_derived(self) -> bool:
        """Whether it is made from another source."""
        return self.origin is not None

    @property
    def gathered(self) -> dict[str, Mapping[str, str]]:
        """New list column → delivered column → the member that it stands for."""
        return {name: numbered(template) for name, template in self.lists.items()}

    @model_validator(mode="after")
    def _is_base_or_derived(self) -> Self:
        if (self.file is None) == (self.origin is None):
            raise ValueError("give either file or from")
        if self.file is not None and (self.unpivot or self.lists or self.join):
            raise ValueError("unpivot, lists and join belong to a source made from another")
        if self.origin is not None and self.part:
            raise ValueError("sheet, form and view belong to a source with a file")
        if len([part for part in (self.sheet, self.form, self.view) if part]) > 1:
            raise ValueError("give one of sheet, form and view")
        for template in self.lists.values():
            numbered(template)
        return self


def split_suffix(name: str, formats: tuple[str, ...]) -> tuple[str, str | None]:
    """A file's name, or a pattern of names, without its ending, and the format that ends so; else None."""
    for format_name in formats:
        for suffix in sorted(SUFFIXES[format_name], key=len, reverse=True):
            if name.lower().endswith(suffix) and len(name) > len(suffix):
                return name[: -len(suffix)], format_name
    return name, None


def check_sources(path: Path, sources: Mapping[str, Source], formats: tuple[str, ...], mistakes: Mistakes) -> None:
    """Mistakes in how sources refer to one another and to their files."""
    parts = {PART_OF.get(name) for name in formats}
    for name, source in sources.items():
        place = f"sources.{name}"
        for part in ("sheet", "form", "view"):
            if getattr(source, part) and part not in parts:
                mistakes.add(path, f"{part} is of no format of the system", column=place)
        if not source.is_derived and len(parts) == 1 and None not in parts and not source.part:
            mistakes.add(path, f"a source of this format names its {parts.copy().pop()}", column=place)
        for other in (source.origin, *(join.source for join in source.join)):
            if other is not None and other not in sources:
                mistakes.add(path, f"no such source: {other}", column=place)
    if not mistakes.problems:
        for name in sources:
            _check_ends(path, name, sources, mistakes)


def _check_ends(path: Path, name: str, sources: Mapping[str, Source], mistakes: Mistakes) -> None:
    """A source may not be made from itself, however far round."""
    waiting, seen = [name], set[str]()
    while waiting:
        source = sources[waiting.pop()]
        for other in (source.origin, *(join.source for join in source.join)):
            if other == name:
                mistakes.add(path, "the source is made from itself", column=f"sources.{name}")
                return
            if other is not None and other not in seen:
                seen.add(other)
                waiting.append(other)
