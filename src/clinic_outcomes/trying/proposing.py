"""Lines of ``columns.csv`` and ``codes.csv`` for an export, by what its columns are called and what they hold.

A proposal is a beginning: names can mislead, and nobody but the clinic knows what a column means.
"""

from __future__ import annotations

import csv
import difflib
import functools
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from clinic_outcomes.admit.drift import ALIKE
from clinic_outcomes.admit.header import plain_name
from clinic_outcomes.contract import LOCAL_CODES, Column, Table, load_contract
from clinic_outcomes.mapping import UNIT_CONVERSIONS
from clinic_outcomes.mapping.key_patterns import RANDOM_BITS
from clinic_outcomes.mapping.lines import RECORD_ACTION
from clinic_outcomes.trying.profiling import (
    CODE_LIST,
    CODES,
    DATE,
    DECIMAL,
    EMPTY,
    IDENTIFIER,
    KEY,
    TEXT,
    WHOLE,
    ColumnProfile,
    PartProfile,
)
from clinic_outcomes.trying.synonyms import load_synonyms

LEAST_ALIKE = 0.75
"""Likeness of two names below which nothing is proposed: a wrong proposal costs more than none."""
SURE = 0.95
"""Likeness of names that are the contract's own, or other names for them."""
CERTAIN = 0.8
"""Likeness of a part's name and a table's from which on the name counts."""


@dataclass(frozen=True)
class Line:
    """A line of ``columns.csv``. ``table`` and ``column`` are empty for what nothing in the contract resembles.

    ``likeness`` is that of the names, of 1; ``profile`` the delivered column, None where a required column of the
    contract has none.
    """

    source: str
    source_column: str
    table: str
    column: str
    unit: str
    codes: str
    likeness: float
    profile: ColumnProfile | None
    delivered: tuple[tuple[str, str], ...] = ()
    """Delivered code and the canonical one that is like it, or the empty text: where codes may be shown."""

    def cells(self, source_column: str | None = None) -> tuple[str, ...]:
        """The cells of the line, perhaps with another name for the delivered column."""
        told = self.source_column if source_column is None else source_column
        return (self.source, told, self.table, self.column, self.unit, self.codes, "")

    @property
    def target(self) -> Column | None:
        """The contract's column."""
        if not self.table or self.column == RECORD_ACTION:
            return None
        return load_contract().tables[self.table].column(self.column)


@dataclass(frozen=True)
class Proposal:
    """What a part of an export would need: its source's name, the table it most resembles, a line a column.

    ``lacking`` are lines of required columns of the table that no delivered column resembles. ``left_out`` are columns
    that identify a person: a delivery must not have them. ``key_patterns`` maps key column → pattern.
    ``numbered`` are templates of columns that differ by a number alone.
    """

    source: str
    table: str | None
    lines: tuple[Line, ...]
    lacking: tuple[Line, ...]
    left_out: tuple[ColumnProfile, ...]
    key_patterns: dict[str, str]
    numbered: tuple[str, ...]

    @property
    def codes(self) -> dict[str, dict[str, str]]:
        """Code set → delivered code → canonical code, or the empty text where none is like it."""
        found: dict[str, dict[str, str]] = {}
        for line in self.lines:
            if line.delivered:
                found.setdefault(line.codes, {}).update(line.delivered)
        return found


def propose(profile: PartProfile, source: str | None = None) -> Proposal:
    """Lines for a part; ``source`` is the source's name where it is not the part's own."""
    name = source or profile.part.name
    columns = [column for column in profile.columns if not column.identifies]
    table = _table(name, columns)
    chosen = _choose(columns, table) if table else {}
    undelivered = [_line(name, column, table, chosen.get(column.position)) for column in columns]
    lines = tuple(replace(line, delivered=tuple(_codes(line).items())) for line in undelivered)
    present = {target.name for target, _ in chosen.values()}
    lacking = _lacking(name, table, present) if table else ()
    return Proposal(
        source=name,
        table=table.name if table else None,
        lines=lines,
        lacking=lacking,
        left_out=tuple(column for column in profile.columns if column.identifies),
        key_patterns=_key_patterns((*lines, *lacking)),
        numbered=_numbered(columns),
    )


def _lacking(source: str, table: Table, present: set[str]) -> tuple[Line, ...]:
    """Lines of required columns that no delivered column is taken for."""
    return tuple(
        Line(source, "", table.name, column.name, column.unit or "", code_set(column), 0.0, None)
        for column in table.columns
        if column.required and column.name not in present
    )


def table_named(name: str) -> Table | None:
    """The table of that name, or of which it is another name."""
    tables, synonyms = load_contract().tables, load_synonyms().tables
    return next((table for key, table in tables.items() if name == key or name in synonyms.get(key, ())), None)


def csv_line(cells: Iterable[str]) -> str:
    """Cells as one line of CSV, without its end."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="").writerow(list(cells))
    return stream.getvalue()


def code_set(column: Column) -> str:
    """Name of the code set that a column is given: that of its code list, or its own where the codes are local."""
    return (column.name if column.code_list == LOCAL_CODES else column.code_list) or ""


def _table(source: str, columns: Sequence[ColumnProfile]) -> Table | None:
    """The table whose names the part's and its columns' most resemble; None where hardly any do."""
    found: list[tuple[float, int, Table]] = []
    for place, table in enumerate(load_contract().tables.values()):
        names = (table.name, *load_synonyms().tables.get(table.name, ()))
        likeness = max(_likeness(plain_name(source), name) for name in names)
        chosen = _choose(columns, table)
        own = [target for target, _ in chosen.values() if target.name in table.primary_key]
        score = sum(likeness for _, likeness in chosen.values()) + len(own) + (3 if likeness >= CERTAIN else 0)
        if len(chosen) >= 2 or (chosen and likeness >= CERTAIN):
            found.append((score, -place, table))
    return max(found, key=lambda entry: entry[:2])[2] if found else None


def _choose(columns: Sequence[ColumnProfile], table: Table) -> dict[int, tuple[Column, float]]:
    """Position of a column → the table's column that it is taken for, and the likeness; the most alike first."""
    pairs = [
        (likeness, place, column.position, target)
        for place, target in enumerate(table.columns)
        for column in columns
        if (likeness := _likeness_of(column.name, target.name)) >= LEAST_ALIKE and _fits(column, target, likeness)
    ]
    chosen: dict[int, tuple[Column, float]] = {}
    taken: set[str] = set()
    for likeness, _, position, target in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2])):
        if position not in chosen and target.name not in taken:
            chosen[position] = (target, likeness)
            taken.add(target.name)
    return chosen


def _likeness_of(name: str, target: str) -> float:
    """Likeness of a delivered name and a column's, or one of the column's other names, without a unit at its end."""
    plain = plain_name(name.rpartition(".")[2])
    endings = [ending for group in load_synonyms().units.values() for ending in group]
    stems = {plain, *(plain.removesuffix(f"_{ending}") for ending in endings)}
    names = (target, *load_synonyms().columns.get(target, ()))
    best = max(_likeness(stem, other) for stem in stems for other in names)
    # What is the contract's own name is taken before what is another name for it.
    return best - 0.02 if best == 1.0 and plain != target else best


@functools.lru_cache(maxsize=100_000)
def _likeness(one: str, other: str) -> float:
    matcher = difflib.SequenceMatcher(None, one, other)
    if matcher.real_quick_ratio() < ALIKE or matcher.quick_ratio() < ALIKE:
        return 0.0
    return matcher.ratio()


def _fits(column: ColumnProfile, target: Column, likeness: float) -> bool:
    """Whether values of this kind could be the target's, as they are or once ``prepare`` has made days of dates."""
    if column.name.endswith("_complete") or "___" in column.name:
        # The status of a REDCap form, and one tick of many.
        return False
    if column.kind == EMPTY:
        return True
    if target.is_key:
        # Of a few keys no form can be told; then the name must say it.
        has_form = bool(column.key_pattern) or likeness >= SURE
        is_number = column.kind == IDENTIFIER and column.form == "medical_record_number"
        return column.kind == KEY or is_number or (column.kind in (WHOLE, CODES, TEXT) and has_form)
    if target.code_list:
        return column.kind in (CODES, WHOLE, TEXT) or (target.multiple and column.kind == CODE_LIST)
    if target.unit == "day":
        return column.kind in (WHOLE, DATE)
    if target.name == "service_period":
        return column.kind in (WHOLE, DATE, CODES)
    if target.pattern:
        return column.kind in (WHOLE, CODES, KEY)
    whole = target.element_type in ("INTEGER", "BIGINT")
    # Ages have a code for 90 and over among their numbers.
    return (
        column.kind == WHOLE
        or (column.kind == DECIMAL and (not whole or target.unit == "minute"))
        or (target.unit == "year" and column.kind in (CODES, TEXT))
    )


def _line(source: str, column: ColumnProfile, table: Table | None, chosen: tuple[Column, float] | None) -> Line:
    if chosen is not None:
        target, likeness = chosen
        unit = _unit(column.name, target)
        return Line(source, column.name, target.table, target.name, unit, code_set(target), likeness, column)
    if table is not None and plain_name(column.name) in load_synonyms().record_action:
        return Line(source, column.name, table.name, RECORD_ACTION, "", RECORD_ACTION, 1.0, column)
    return Line(source, column.name, "", "", "", "", 0.0, column)


def _unit(name: str, target: Column) -> str:
    """The delivered unit: what the name ends with, where that becomes the contract's unit; else the contract's."""
    plain = plain_name(name)
    for unit, endings in load_synonyms().units.items():
        if (unit, target.unit) in UNIT_CONVERSIONS and any(plain.endswith(f"_{ending}") for ending in endings):
            return unit
    return target.unit or ""


def _key_patterns(lines: Iterable[Line]) -> dict[str, str]:
    """Key column that ``key_patterns`` must name → the form of keys that a delivery should have.

    That is the delivered form, but for keys of people and their records that carry too few random bits: ``prepare``
    makes such keys anew, in the form given here.
    """
    found: dict[str, str] = {}
    for line in lines:
        target, profile = line.target, line.profile
        if target and target.is_key:
            home, name = target.references or (target.table, target.name)
            of_people = any(column.name == "patient_id" for column in load_contract().tables[home].columns)
            delivered = profile.key_pattern if profile else None
            if delivered is None or (of_people and profile and profile.key_bits < RANDOM_BITS):
                delivered = _strong(delivered or "")
            found.setdefault(name, delivered)
    return found


def _strong(pattern: str) -> str:
    """A form with enough random bits, which begins with the letters that another begins with."""
    beginning = re.match(r"[A-Za-z]{1,5}[-_]?(?=\[)|", pattern)
    return f"{beginning[0] if beginning else ''}[0-9a-f]{{16}}"


def _codes(line: Line) -> dict[str, str]:
    """Delivered code → the canonical one that is most like it; the empty text where none is."""
    target, profile = line.target, line.profile
    if profile is None or not line.codes:
        return {}
    if line.column == RECORD_ACTION:
        return dict.fromkeys(profile.codes, "")
    if target is None or target.code_list in (None, LOCAL_CODES):
        return {code: plain_name(code) for code in profile.codes}
    labels = dict(load_contract().code_lists[target.code_list or ""])
    texts = dict(zip(profile.codes, profile.labels, strict=False))
    return {code: _canonical(labels, texts.get(code, code)) for code in profile.codes}


def _canonical(labels: dict[str, str], text: str) -> str:
    """The canonical code that is, begins with, or is most like a delivered one, or what that stands for."""
    plain = plain_name(text)
    if plain in labels:
        return plain
    begun = [name for name in labels if plain and name.startswith(plain)]
    if len(begun) == 1:
        return begun[0]
    scores = [
        (max(_likeness(plain, name), _likeness(plain, plain_name(label))), name) for name, label in labels.items()
    ]
    best = max(scores, default=(0.0, ""))
    return best[1] if best[0] >= ALIKE else ""


def _numbered(columns: Sequence[ColumnProfile]) -> tuple[str, ...]:
    """Templates such as ``pcl5_{1..20}`` of columns that are numbered on without a gap, three at least."""
    stems: dict[str, list[str]] = {}
    for column in columns:
        stem = column.name.rstrip("0123456789")
        if stem != column.name and stem:
            stems.setdefault(stem, []).append(column.name[len(stem) :])
    found = []
    for stem, ends in stems.items():
        numbers = sorted(map(int, ends))
        if len(numbers) >= 3 and numbers == list(range(numbers[0], numbers[-1] + 1)):
            padded = all(len(end) == len(ends[0]) for end in ends) and ends[0].startswith("0")
            first = str(numbers[0]).zfill(len(ends[0])) if padded else str(numbers[0])
            found.append(f"{stem}{{{first}..{numbers[-1]}}}")
    return tuple(found)
