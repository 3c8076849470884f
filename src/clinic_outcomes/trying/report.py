"""What ``try`` found, in lines for people and as plain data for programs. No value, and no name that could be one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from clinic_outcomes.admit.detectors import RULES
from clinic_outcomes.mapping.key_patterns import RANDOM_BITS
from clinic_outcomes.trying.against import SystemTrial
from clinic_outcomes.trying.exports import DICTIONARY_FORMAT, Export
from clinic_outcomes.trying.profiling import DATE, ColumnProfile, PartProfile
from clinic_outcomes.trying.proposing import Line, Proposal, csv_line

_SEPARATOR_NAMES = {"\t": "tab"}
Profiled = Sequence[tuple[PartProfile, Proposal]]


def export_lines(export: Export, profiled: Profiled) -> Iterator[str]:
    """A file: its format, then each part with a line a column, and the mapping that is proposed for it."""
    yield f"{export.told}: {_format(export)}"
    for remark in (*export.remarks, *(f"beside the cells: {found}" for found in export.leftovers)):
        yield f"  {remark}"
    for profile, proposal in profiled:
        yield from _part_lines(profile, proposal)


def _format(export: Export) -> str:
    if export.format == DICTIONARY_FORMAT:
        return "data dictionary of a REDCap project: give it to new-system with --from"
    if export.csv is None:
        return export.format
    delimiter = _SEPARATOR_NAMES.get(export.csv.delimiter, export.csv.delimiter)
    return f"{export.format}, delimiter {delimiter}, decimal separator {export.csv.decimal_separator}, UTF-8"


def _part_lines(profile: PartProfile, proposal: Proposal) -> Iterator[str]:
    place = f"{profile.part.place_told}: " if profile.part.place_told else ""
    table = proposal.table or "no table"
    yield f"  {place}{profile.part.rows} records, {len(profile.columns)} columns; most like {table}"
    if not profile.has_header:
        yield "  the first line looks like values, not like names of columns: export with a header"
    for column in profile.columns:
        yield f"  {column.position:>4}  {column.told}: {_described(column)}"
    yield from _proposal_lines(profile, proposal)


def _described(column: ColumnProfile) -> str:
    kind = f"{column.kind} ({column.form})" if column.form else column.kind
    parts = [kind, f"missing {column.missing}", f"distinct {column.distinct}"]
    if column.missing_texts:
        parts.append(f"no value where {' '.join(column.missing_texts)}")
    if column.key_pattern and column.key_pattern != column.form:
        parts.append(f"of form {column.key_pattern}")
    if column.identifies:
        parts.append("IDENTIFIES by its name: leave it out")
    told = [rule for rule in column.findings if rule != "calendar_date" or column.kind != DATE]
    if told:
        parts.append("; ".join(RULES[rule].message for rule in told))
    if column.codes:
        parts.append(f"codes: {', '.join(column.codes)}")
    return "; ".join(parts)


def _proposal_lines(profile: PartProfile, proposal: Proposal) -> Iterator[str]:
    proposed = [line for line in proposal.lines if line.table]
    if proposed or proposal.lacking:
        yield "  proposed lines of columns.csv:"
    for line in proposed:
        yield f"    {csv_line(line.cells(_told(line)))}{_doubt(line)}"
    for line in proposal.lacking:
        yield f"    {csv_line(line.cells())}    <- required; nothing is like it"
    undecided = [line for line in proposal.lines if not line.table]
    if undecided:
        yield f"  like nothing in the contract: {', '.join(_told(line) for line in undecided)}"
    if proposal.key_patterns:
        yield "  proposed key_patterns of system.yml:"
    for name, pattern in proposal.key_patterns.items():
        yield f"    {name}: '{pattern}'"
    for name, codes in proposal.codes.items():
        yield f"  proposed lines of codes.csv, set {name}:"
        yield from (f"    {csv_line((name, code, canonical))}" for code, canonical in codes.items())
    for template in proposal.numbered if _all_told(profile) else ():
        yield f"  columns {template} are numbered: rows of their own with unpivot, or one list with lists (system.yml)"


def _all_told(profile: PartProfile) -> bool:
    return all(column.tellable for column in profile.columns)


def _told(line: Line) -> str:
    return line.profile.told if line.profile else ""


def _doubt(line: Line) -> str:
    """What the engineer should know of a proposed line."""
    if line.profile is None:
        return ""
    notes = []
    if line.likeness < 0.8:
        notes.append("the names are little alike")
    if line.profile.kind == DATE:
        notes.append("holds dates: prepare makes days of them" if line.unit else "holds dates: prepare cuts them")
    target = line.target
    if target and target.is_key and line.profile.key_pattern and line.profile.key_bits < RANDOM_BITS:
        notes.append(f"keys carry under {RANDOM_BITS} random bits: prepare makes new ones")
    return f"    <- {'; '.join(notes)}" if notes else ""


def export_data(export: Export, profiled: Profiled) -> dict[str, Any]:
    """The same as plain data."""
    return {
        "file": export.told,
        "format": export.format,
        "csv": export.csv.model_dump() if export.csv else None,
        "remarks": list(export.remarks),
        "beside_the_cells": list(export.leftovers),
        "parts": [_part_data(profile, proposal) for profile, proposal in profiled],
    }


def _part_data(profile: PartProfile, proposal: Proposal) -> dict[str, Any]:
    return {
        "part": profile.part.place_told,
        "source": proposal.source,
        "records": profile.part.rows,
        "has_header": profile.has_header,
        "table": proposal.table,
        "columns": [_column_data(column) for column in profile.columns],
        "lines": [list(line.cells(_told(line))) for line in (*proposal.lines, *proposal.lacking)],
        "key_patterns": proposal.key_patterns,
        "codes": proposal.codes,
    }


def _column_data(column: ColumnProfile) -> dict[str, Any]:
    return {
        "position": column.position,
        "name": column.name if column.tellable else None,
        "kind": column.kind,
        "form": column.form,
        "missing": column.missing,
        "distinct": column.distinct,
        "identifies": column.identifies,
        "findings": list(column.findings),
        "key_pattern": column.key_pattern,
        "codes": list(column.codes),
    }


def trial_lines(trial: SystemTrial) -> Iterator[str]:
    """What a system takes of some files, what it lacks, and what it refuses (the problems are told elsewhere)."""
    for name in trial.unknown_files:
        yield f"{name}: no source of {trial.system} has files of this name"
    for taken in trial.taken:
        tables = ", ".join(taken.tables) or "no table"
        columns = f"{taken.columns_taken} of {taken.columns_delivered} columns"
        yield f"{taken.file}: source {taken.source} takes {columns}, {taken.rows} records, for {tables}"
    for name in trial.lacking:
        yield f"lacking: a file of source {name}, which every delivery must have"
    yield f"refused: {len(trial.problems)} problems" if trial.problems else "refused: nothing"


def trial_data(trial: SystemTrial) -> dict[str, Any]:
    """The same as plain data, with the problems."""
    return {
        "system": trial.system,
        "takes_all": trial.takes_all,
        "taken": [vars(taken) | {"tables": list(taken.tables)} for taken in trial.taken],
        "lacking": list(trial.lacking),
        "unknown_files": list(trial.unknown_files),
        "problems": [problem.model_dump(exclude_none=True) for problem in trial.problems],
    }
