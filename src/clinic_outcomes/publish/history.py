"""What earlier releases showed, read from the recipient's own tables in them."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

from clinic_outcomes.publish.over_releases import History


def earlier_releases(folder: Path, period: str) -> list[Path]:
    """The last release of each earlier period, in order of periods."""
    last: dict[str, Path] = {}
    found = [path for path in folder.glob("????-??.*") if path.suffix[1:].isdigit() and not path.is_symlink()]
    for path in sorted(found, key=lambda path: (path.stem, int(path.suffix[1:]))):
        if path.stem < period:
            last[path.stem] = path
    return list(last.values())


def read_history(releases: Iterable[Path], recipient: str, figures: Iterable[str]) -> History:
    """Period → figure → value, of the figures wanted that were shown; a recipient may be new to the network."""
    wanted = frozenset(figures)
    return {path.stem: _shown(path / recipient / "tables", wanted) for path in releases}


def _shown(tables: Path, wanted: frozenset[str]) -> dict[str, Decimal]:
    values: dict[str, Decimal] = {}
    starts = tuple(f"{figure}," for figure in sorted(wanted))
    for path in sorted(tables.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as stream:
            header = stream.readline()
            # Tens of thousands of lines, of which a handful are wanted: only those are taken apart.
            lines = [line for line in stream if line.startswith(starts)]
        for row in csv.DictReader([header, *lines]):
            if row.get("shown_value"):
                values[row["figure_id"]] = Decimal(row["shown_value"])
    return values
