"""A system's folder made of an export: what can be proposed is filled in, what cannot is named for a person to decide.

The folder has names of columns as the export has them, since the mapping needs them; it has delivered codes only where
they were asked for. No other value gets into it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clinic_outcomes.contract import LOCAL_CODES, UNMAPPED, load_contract
from clinic_outcomes.mapping import CsvDialect
from clinic_outcomes.mapping.lines import CODES_HEADER, COLUMNS_HEADER, RECORD_ACTION
from clinic_outcomes.problems import ClinicOutcomesError, Problem
from clinic_outcomes.trying.profiling import ColumnProfile, PartProfile
from clinic_outcomes.trying.proposing import Line, Proposal, csv_line

EVENT_CODES = "event"


@dataclass(frozen=True)
class NewSource:
    """A source of a new system: how ``system.yml`` describes it, its part's profile, and what is proposed for it.

    ``comment`` is what a person should know of it. ``events`` are the codes of the column that holds them (REDCap).
    """

    description: Mapping[str, str]
    profile: PartProfile
    proposal: Proposal
    comment: str = ""
    events: tuple[str, ...] = ()


def write_files(folder: Path, name: str, format_name: str, dialect: CsvDialect, sources: Sequence[NewSource]) -> None:
    """Write ``system.yml``, ``columns.csv`` and ``codes.csv``; ``prepare.yml`` too where the export holds dates."""
    sources = apart(sources)
    _check_headers(sources)
    texts = {
        "system.yml": _head(name, format_name, dialect, sources),
        "columns.csv": _columns(sources),
        "codes.csv": _codes(sources),
    }
    forms = [column.date_form for source in sources for column in source.profile.columns if column.date_form]
    if forms:
        texts["prepare.yml"] = _prepare(list(dict.fromkeys(forms)))
    for file_name, text in texts.items():
        (folder / file_name).write_text(text, encoding="utf-8")


def _check_headers(sources: Sequence[NewSource]) -> None:
    """A part without a header would put its first row's values into the mapping."""
    for source in sources:
        if not source.profile.has_header:
            problem = Problem(
                rule="header_missing",
                message="the first line looks like values, not like names of columns",
                advice="Export with a header, in words that are no values.",
                file=source.profile.export.told,
                table=source.profile.part.place_told,
                line=1,
            )
            raise ClinicOutcomesError([problem])


def _is_mappable(column: ColumnProfile) -> bool:
    return "+" not in column.name and column.name == column.name.strip() and column.name.isprintable()


def _head(name: str, format_name: str, dialect: CsvDialect, sources: Sequence[NewSource]) -> str:
    lines = [f"title: {name}", f"format: {format_name}"]
    if format_name in ("csv", "redcap") or dialect.decimal_separator != ".":
        shown = {key: json.dumps(value) for key, value in dialect.model_dump().items()}
        lines.append(f"csv: {{{', '.join(f'{key}: {value}' for key, value in shown.items())}}}")
    missing = dict.fromkeys(("", *(t for s in sources for c in s.profile.columns for t in c.missing_texts)))
    lines += ["# Values that mean nothing was entered.", f"missing: {json.dumps(list(missing))}"]
    separators = [c.list_separator for s in sources for c in s.profile.columns if c.list_separator]
    lines += ["# Between the members of a list in one cell.", f"list_separator: '{(separators or [';'])[0]}'"]
    lines += ["# Patterns of the files' names; required says whether every delivery must have the file.", "sources:"]
    for source in sources:
        lines += list(_source_lines(source))
    patterns: dict[str, str] = {}
    for source in sources:
        for key, pattern in source.proposal.key_patterns.items():
            patterns.setdefault(key, pattern)
    lines += [
        "# The whole key must match: 64 random bits at least for keys of people and their records.",
        f"key_patterns:{'' if patterns else ' {}'}",
        *(f"  {key}: '{pattern}'" for key, pattern in patterns.items()),
    ]
    return "\n".join(lines) + "\n"


def _source_lines(source: NewSource) -> Iterator[str]:
    if source.comment:
        yield f"  # {source.comment}"
    left = [column.name for column in source.proposal.left_out]
    if left:
        yield f"  # Left out, for they identify by their names: {len(left)} columns."
    described = ", ".join(
        f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in source.description.items()
    )
    yield f"  {source.proposal.source}: {{{described}, required: false}}"
    for template in source.proposal.numbered:
        yield "  # Numbered columns could be rows, or ticks of one list, in a source of their own:"
        yield f"  #   {source.proposal.source}_rows: {{from: {source.proposal.source}, "
        yield f"  #     unpivot: {{columns: '{template}', number: item, value: answer}}}}"


def _columns(sources: Sequence[NewSource]) -> str:
    lines = [csv_line(COLUMNS_HEADER)]
    for source in sources:
        mappable = [line for line in source.proposal.lines if line.profile and _is_mappable(line.profile)]
        undecided = [line for line in mappable if not line.table]
        for line in (*(line for line in mappable if line.table), *source.proposal.lacking, *undecided):
            cells = list(line.cells())
            if source.events and line.source_column == "redcap_event_name":
                cells[5] = EVENT_CODES
            lines.append(csv_line(cells))
    return "\n".join(lines) + "\n"


def _codes(sources: Sequence[NewSource]) -> str:
    """Delivered codes where they were shown, the canonical ones beside them or nothing; else canonical codes alone."""
    delivered: dict[str, dict[str, str]] = {}
    used: dict[str, Line] = {}
    for source in sources:
        for line in (*source.proposal.lines, *source.proposal.lacking):
            if line.codes:
                used.setdefault(line.codes, line)
                delivered.setdefault(line.codes, {}).update(line.delivered)
    lines = [csv_line(CODES_HEADER)]
    for code_set, line in used.items():
        codes = delivered[code_set] or _canonical(line)
        lines += [csv_line((code_set, code, canonical)) for code, canonical in codes.items()]
    events = dict.fromkeys(event for source in sources for event in source.events)
    lines += [csv_line((EVENT_CODES, event, event)) for event in events]
    return "\n".join(lines) + "\n"


def apart(sources: Sequence[NewSource]) -> tuple[NewSource, ...]:
    """The sources, with a code set of its own for each column whose codes mean something else in another column."""
    meanings: dict[str, dict[str, str]] = {}

    def named(line: Line) -> Line:
        name, count = line.codes, 1
        while any(meanings.get(name, {}).get(code, canonical) != canonical for code, canonical in line.delivered):
            count += 1
            name = f"{line.codes}_{count}"
        meanings.setdefault(name, {}).update(line.delivered)
        return replace(line, codes=name)

    return tuple(
        replace(
            source,
            proposal=replace(
                source.proposal,
                lines=tuple(named(line) if line.codes else line for line in source.proposal.lines),
            ),
        )
        for source in sources
    )


def _canonical(line: Line) -> dict[str, str]:
    """Canonical codes for themselves: to be replaced by what the system delivers."""
    if line.column == RECORD_ACTION:
        return {"upsert": "upsert", "delete": "delete"}
    target = line.target
    if target is None or target.code_list in (None, LOCAL_CODES):
        # A local set is closed by its system alone: the line is a mistake until it has the system's codes.
        return {"": ""}
    return {code: code for code in load_contract().codes(target) if code != UNMAPPED}


def _prepare(forms: Iterable[str]) -> str:
    return (
        "# What clinic-outcomes prepare must know of an export with dates: their forms. day_zero and columns: see\n"
        "# docs/adding-a-system.md.\n"
        f"dates: {json.dumps(list(forms))}\n"
    )
