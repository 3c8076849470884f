"""Rows that delivered files hold, counted without the pipeline's readers: Python's own, openpyxl and plain DuckDB."""

from __future__ import annotations

import csv
import gzip
import json
import re
from pathlib import Path
from typing import Any

import duckdb
from openpyxl import load_workbook

from clinic_outcomes.mapping import System
from clinic_outcomes.mapping.sources import Source

Rows = list[dict[str, Any]]
Counts = list[tuple[tuple[str, ...], int]]


def rows_of_file(path: Path, system: System, sources: tuple[str, ...]) -> Counts:
    """Sources that the account names of a file, and the rows that it holds of them together.

    Of a source that is joined to others every row has its partner there, so that none is its own.
    """
    if path.suffix == ".parquet":
        found = duckdb.execute("SELECT count(*) FROM read_parquet(?)", [str(path)]).fetchone()
        assert found
        return [(sources, int(found[0]))]
    joined = tuple(name for name in sources if any(name == j.source for s in system.sources.values() for j in s.join))
    own = tuple(name for name in sources if name not in joined)
    if path.suffix == ".xlsx":
        return [(joined, 0), *_rows_of_parts(_sheets(path), system, own)]
    if ".ndjson" in path.suffixes:
        return [(joined, 0), *_rows_of_resources(path, own)]
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter=system.csv.delimiter))
    return _rows_of_parts(_forms(rows, system), system, own) if system.format == "redcap" else [(own, len(rows))]


def _sheets(path: Path) -> dict[str, Rows]:
    found = {}
    for sheet in load_workbook(path, read_only=True).worksheets:
        header, *rows = sheet.iter_rows(values_only=True)
        found[sheet.title] = [dict(zip(map(str, header), row, strict=True)) for row in rows]
    return found


def _forms(rows: Rows, system: System) -> dict[str, Rows]:
    """Rows of each form; a row that repeats none is of the first form."""
    forms = [source.form for source in system.sources.values() if source.form]
    found: dict[str, Rows] = {form: [] for form in forms}
    for row in rows:
        found[row["redcap_repeat_instrument"] or forms[0]].append(row)
    return found


def _rows_of_parts(parts: dict[str, Rows], system: System, sources: tuple[str, ...]) -> Counts:
    """Rows of a sheet or form; of a source that makes columns to rows, the cells of these that hold a value."""
    found: Counts = []
    for name in sources:
        source, base = system.sources[name], _base(system, name)
        rows = parts[base.sheet or base.form or ""]
        if source.unpivot:
            prefix = source.unpivot.columns.partition("{")[0]
            cells = [row[column] for row in rows for column in row if re.fullmatch(rf"{prefix}\d+", column)]
            found.append(((name,), sum(cell is not None and str(cell) not in system.missing for cell in cells)))
        else:
            found.append(((name,), len(rows)))
    return found


def _rows_of_resources(path: Path, sources: tuple[str, ...]) -> Counts:
    """Resources, for all views together that choose among them; of answers, the items in a group of items."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    resources = [json.loads(line) for line in content.splitlines()]
    groups = [group for resource in resources for group in resource.get("item", ())]
    answers = tuple(name for name in sources if name == "answers")
    others = tuple(name for name in sources if name != "answers")
    found = [(answers, sum(len(group.get("item", ())) for group in groups)), (others, len(resources))]
    return [(names, count) for names, count in found if names]


def _base(system: System, name: str) -> Source:
    source = system.sources[name]
    return _base(system, source.origin) if source.origin else source
