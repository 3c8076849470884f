"""What a drifted export would need in the mapping: a line to add, to change or to delete, proposed with the refusal."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence

import duckdb

from clinic_outcomes.admit.header import is_name_like, plain_name
from clinic_outcomes.admit.recognition import Scan, column_scan, key_scans, present_values
from clinic_outcomes.contract import Column, load_contract
from clinic_outcomes.database import quote_name
from clinic_outcomes.mapping import Clinic, ColumnMapping, System

ALIKE = 0.6
"""Least similarity of two names (difflib's ratio) for which one is taken for the other."""
MOST_PAIRS = 400
MOST_CODES = 30
"""A column with more distinct values than this is not proposed to be coded."""


def mapping_line(mapping: ColumnMapping, **changes: str) -> str:
    """A line of the mapping as ``columns.csv`` has it, with some cells changed."""
    cells = {
        "source": mapping.source,
        "source_column": "+".join(mapping.source_columns),
        "table": mapping.table or "",
        "column": mapping.target.name if mapping.target else "record_action" if mapping.table else "",
        "unit": mapping.unit or "",
        "codes": mapping.codes or "",
        "constant": mapping.constant or "",
    }
    return ",".join((cells | changes).values())


def lines_of(system: System, source: str, name: str) -> list[ColumnMapping]:
    """Lines that carry a column of a base source: its own first, then those of sources made from it."""
    lines = [
        m
        for m in system.columns
        if source in system.base_of(m.source) and {name, f"{source}.{name}"} & set(m.source_columns)
    ]
    return sorted(lines, key=lambda m: (m.source != source, m.line))


def advice_for_missing(system: System, source: str, name: str) -> str:
    """What to do where a column of the mapping is not delivered."""
    lines = lines_of(system, source, name)
    if not lines:
        return f"Deliver it; it may be empty. It is part of how system.yml makes sources of {source}."
    told = "; ".join(f"line {m.line}: {mapping_line(m)}" for m in lines)
    return f"Deliver it; it may be empty. Where the system exports it no more, delete from columns.csv {told}"


def advice_for_unknown(system: System, source: str, name: str, instead_of: str | None) -> str:
    """What to do with a column that the mapping does not have, whose name may be told."""
    if is_name_like(name):
        return "Leave the column out: its name says that it identifies a person."
    if instead_of is not None:
        lines = lines_of(system, source, instead_of)
        told = "; ".join(
            f"line {m.line}: "
            + mapping_line(m, source_column="+".join(name if c == instead_of else c for c in m.source_columns))
            for m in lines
        )
        return f"Where it is {instead_of} under a new name, change in columns.csv {told}"
    target = _resembled(system, source, name)
    if target is None:
        return f"Leave the column out; or allow it, carried nowhere, in columns.csv: {source},{name},,,,,"
    unit, codes = target.unit or "", target.code_list or ""
    line = f"{source},{name},{target.table},{target.name},{unit},{codes},"
    return f"Leave the column out; or carry it where it fits, in columns.csv: {line}"


def _resembled(system: System, source: str, name: str) -> Column | None:
    """The contract's column, of a table that the source feeds and not mapped yet, whose name is most like this one."""
    contract, sources = load_contract(), [s for s in system.mapped_sources if source in system.base_of(s)]
    found: list[tuple[float, Column]] = []
    for table in dict.fromkeys(table for s in sources for table in system.tables(s)):
        mapped = {m.target.name for m in system.columns if m.table == table and m.target}
        for column in contract.tables[table].columns:
            if column.name not in mapped:
                found.append((_likeness(name, column.name), column))
    best = max(found, key=lambda pair: pair[0], default=None)
    return best[1] if best and best[0] >= ALIKE else None


def _likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, plain_name(one), plain_name(other)).ratio()


def renamed_columns(
    connection: duckdb.DuckDBPyConnection,
    rows: str,
    header: Sequence[str],
    missing: Sequence[str],
    unknown: Sequence[str],
    clinic: Clinic,
    source: str,
) -> Mapping[str, str]:
    """Unknown column → the missing one that it seems to be: what it holds fits, and the names are most alike.

    Where one is missing and one unknown, what it holds is enough.
    """
    if not missing or not unknown or len(missing) * len(unknown) > MOST_PAIRS:
        return {}
    alone = len(missing) == len(unknown) == 1
    pairs = sorted(
        ((_likeness(new, old), new, old) for new in unknown for old in missing), key=lambda pair: (-pair[0], pair[1:])
    )
    found: dict[str, str] = {}
    for likeness, new, old in pairs:
        if new in found or old in found.values() or not (alone or likeness >= ALIKE):
            continue
        if _fits(connection, rows, header, new, old, clinic, source):
            found[new] = old
    return found


def _fits(
    connection: duckdb.DuckDBPyConnection,
    rows: str,
    header: Sequence[str],
    new: str,
    old: str,
    clinic: Clinic,
    source: str,
) -> bool:
    """Whether at least nine in ten values of a column are what the mapping expects of another."""
    if source not in clinic.system.mapped_sources:
        return True
    names = [old if name == new else name for name in header]
    renamed = f"(SELECT * RENAME ({quote_name(new)} AS {quote_name(old)}) FROM {rows})"
    scan = column_scan(clinic, source, names, old)
    keys = [key for key in key_scans(clinic.system, source, names) if key.columns == (old,)]
    scans = [scan, *keys] if keys else [scan]
    counts = ", ".join(f"count(*) FILTER ({s.suspicious})" for s in scans)
    row = connection.execute(
        f"SELECT count({quote_name(old)}), {counts} FROM {present_values(renamed, names, clinic.system.missing)}"
    ).fetchone() or (0, 0)
    return all(10 * suspicious <= row[0] for suspicious in row[1:])


def advice_for_retyped(
    connection: duckdb.DuckDBPyConnection, rows: str, scan: Scan, suspicious: int, lines: Iterable[ColumnMapping]
) -> str | None:
    """What to do where most values of a column are not what the mapping expects; None where they are."""
    measured = connection.execute(
        f"SELECT count({scan.value}), count(DISTINCT {scan.value}) FILTER ({scan.suspicious}) FROM {rows}"
    ).fetchone() or (0, 0)
    line = next((m for m in lines if m.source_columns), None)
    if line is None or 2 * suspicious <= measured[0]:
        return None
    place = f"line {line.line} of columns.csv"
    if scan.otherwise == "key_format":
        name = line.target.name if line.target else ""
        return f"Most keys have another form: where the system's keys changed, correct {name} in key_patterns."
    if scan.otherwise == "number_expected" and measured[1] <= MOST_CODES:
        name = line.codes or plain_name(scan.columns[0])
        return (
            f"Most values are no numbers: where they are codes now, add set {name} to codes.csv and change {place}: "
            + (mapping_line(line, codes=name))
        )
    if scan.otherwise == "value_unknown" and line.codes:
        return f"Most values are not in set {line.codes}: where the codes changed, correct codes.csv for {place}."
    return f"Most values are of another kind: where the column changed, correct {place}: {mapping_line(line)}"
