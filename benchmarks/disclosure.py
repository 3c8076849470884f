"""Proof by attack: thousands of generated table sets are protected, and every clinic and pair of clinics attacks them.

    .venv/bin/python -m benchmarks.disclosure [--sets 10000] [--out docs/proof.md]

Each set is drawn from a seed of its own: people of 2, 3, 5 or 12 clinics, with counts, rates, means, a life table and a
rate of events, linked by their relations (`tests/support/table_sets.py`). What is released of it is judged, rounded and
completed as the stage protect does, and then audited. Everything but the times is the same every time.
"""

from __future__ import annotations

import argparse
import functools
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from clinic_outcomes.protect.policy import load_policy
from tests.support.protected_sets import audit_table, protect_set, released_small_counts
from tests.support.table_sets import TableSets

SHARES = {2: 40, 3: 40, 5: 15, 12: 5}
"""Number of clinics → percent of all sets. Those of many clinics take longer."""
TOGETHER = {2: 20, 3: 20, 5: 5, 12: 2}
"""Sets that lie in one database and are protected at once."""
TALLY = """
    SELECT
        exact.figure_type,
        count(*) AS figures,
        count(*) FILTER (WHERE threshold.status = 'shown') AS shown_by_threshold,
        count(*) FILTER (WHERE final.status = 'shown') AS shown,
        coalesce(sum(exact.numerator) FILTER (WHERE threshold.status = 'withheld'), 0)::BIGINT AS withheld_by_threshold,
        coalesce(sum(exact.numerator) FILTER (WHERE final.status = 'withheld'), 0)::BIGINT AS withheld
    FROM agg_figures AS exact
    INNER JOIN threshold_only AS threshold USING (figure_id)
    INNER JOIN final USING (figure_id)
    GROUP BY exact.figure_type
"""
COLUMNS = ("figures", "shown_by_threshold", "shown", "withheld_by_threshold", "withheld")

Batch = tuple[int, int, int]
"""Clinics, first seed, sets."""


@functools.cache
def _sets(clinics: int) -> TableSets:
    return TableSets(clinics, TOGETHER[clinics])


def prove(batch: Batch) -> Counter[str]:
    """Protect and attack some sets; what there was of everything."""
    clinics, first, number = batch
    start = time.process_time()
    sets = _sets(clinics)
    sets.make(range(first, first + number))
    protect_set(sets.connection)
    protected = time.process_time()
    report = audit_table(sets.connection, "final")
    tally = Counter(
        {
            "sets": number,
            "cells": report.cells,
            "hidden": report.hidden,
            "failures": len(report.findings),
            "small": len(released_small_counts(sets.connection, "final")),
            "protect_ms": round(1000 * (protected - start)),
            "audit_ms": round(1000 * (time.process_time() - protected)),
        }
    )
    for figure_type, *numbers in sets.connection.execute(TALLY).fetchall():
        for name, value in zip(COLUMNS, numbers, strict=True):
            tally[f"{figure_type}/{name}"] += value
            tally[name] += value
    tally["network_shown"] = _network_shown(sets)
    return tally


def _network_shown(sets: TableSets) -> int:
    """Figures of the network that are shown and are not of nobody."""
    found = sets.connection.execute(
        "SELECT count(*) FROM final INNER JOIN agg_figures USING (figure_id) WHERE final.status = 'shown' "
        "AND final.clinic_id = 'network' AND (agg_figures.numerator > 0 OR agg_figures.denominator > 0)"
    ).fetchone()
    return int(found[0]) if found else 0


def batches(sets: int) -> Iterator[Batch]:
    """Which sets are made together, those that take longest first."""
    for clinics in sorted(SHARES, reverse=True):
        wanted = sets * SHARES[clinics] // 100
        for first in range(0, wanted, TOGETHER[clinics]):
            yield clinics, first, min(TOGETHER[clinics], wanted - first)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _table(header: str, rows: Iterable[Sequence[object]]) -> str:
    """A table of Markdown; whole numbers have their thousands marked."""
    names = header.split(" | ")
    lines = [names, ["---:"] * len(names)]
    lines += [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _proof(found: dict[int, Counter[str]]) -> str:
    header = (
        "Clinics | Sets | Figures | Cells | Withheld and attacked | Network figures shown | Small counts told | "
        "Audit failures | Protect, ms a set | Audit, ms a set"
    )
    names = ("sets", "figures", "cells", "hidden", "network_shown", "small", "failures")
    return _table(
        header,
        (
            (clinics, *(one[name] for name in names), *(round(one[name] / one["sets"]) for name in TIMES))
            for clinics, one in sorted(found.items())
            if one["sets"]
        ),
    )


def _useful(found: dict[str, Counter[str]], key: str = "") -> str:
    header = (
        "Of | Figures | Withheld by thresholds | Withheld besides | Shown by thresholds alone | Shown | "
        "Sum of counts withheld by thresholds | Sum of counts withheld"
    )
    rows = []
    for name, one in found.items():
        figures, by_threshold, shown = (one[f"{key}{column}"] for column in COLUMNS[:3])
        rows.append(
            (
                *(name, figures, figures - by_threshold, by_threshold - shown),
                *(_percent(by_threshold, figures), _percent(shown, figures)),
                *(one["count/withheld_by_threshold"], one["count/withheld"]),
            )
        )
    return _table(header, rows)


def _by_type(total: Counter[str]) -> str:
    header = "Figures | All | Shown by thresholds alone | Shown"
    rows = []
    for kind in KINDS:
        figures, by_threshold, shown = (total[f"{kind}/{column}"] for column in COLUMNS[:3])
        rows.append((kind.replace("_", " "), figures, _percent(by_threshold, figures), _percent(shown, figures)))
    return _table(header, rows)


def report(found: dict[int, Counter[str]], seconds: float, processes: int) -> str:
    """The results as a page of Markdown."""
    total = sum(found.values(), Counter())
    attack = load_policy().attack
    return PAGE.format(
        sets=total["sets"],
        coalition=ATTACKERS[attack.attackers],
        upper=attack.smallest_upper_bound,
        width=attack.smallest_width,
        proof=_proof(found),
        failures=total["failures"],
        small=total["small"],
        by_clinics=_useful({f"{clinics} clinics": one for clinics, one in sorted(found.items())} | {"all": total}),
        by_type=_by_type(total),
        minutes=seconds / 60,
        processes=processes,
    )


TIMES = ("protect_ms", "audit_ms")
KINDS = ("count", "rate", "mean", "life_table_row", "model_value")
ATTACKERS = {
    "outsider": "an outsider",
    "clinics": "each clinic",
    "pairs": "each pair of clinics, which knows what each of them and an outsider know (of two clinics, by each)",
}
PAGE = """# Proof by attack

Made by `make prove`; everything here but the times follows from the seeds.

{sets:,} table sets were generated, each of people of 2, 3, 5 or 12 clinics, alike or very unlike, with empty and tiny
clinics among them: counts, rates that share denominators, best and worst cases, means, a life table and a rate of
events, by a dimension that divides everybody, one in which people stand several times, events by term in classes, and
strata told of the network alone. Each was released as the stage protect releases: judged, rounded, completed until
nobody gets too near, rounded again. Then it was attacked by {coalition}.

Protected is a withheld count that may be {upper} at least as far as an attacker can tell, and has values {width} apart.
A figure that tells of a count from 1 to 10, exactly or as shown, is counted as small.

{proof}

Audit failures: **{failures}**. Small counts told: **{small}**. With two or three clinics there are no figures of the
network: two of three would know the third's by subtraction.

Times are of a processor; all of it took {minutes:.1f} minutes in {processes} processes.

## What is left to read

Beside the rule that looks at thresholds alone, and lets withheld counts be worked out from what it shows.

{by_clinics}

{by_type}

These sets are small on purpose: most clinics have fewer than a hundred people, and many fewer than thirteen, so that
nearly every table has something to hide.
"""


def main() -> None:
    """Prove, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sets", type=int, default=10_000)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=Path("docs/proof.md"))
    options = parser.parse_args()
    start = time.perf_counter()
    found: dict[int, Counter[str]] = {clinics: Counter() for clinics in SHARES}
    planned = list(batches(options.sets))
    with ProcessPoolExecutor(options.processes) as pool:
        for (clinics, *_), tally in zip(planned, pool.map(prove, planned), strict=True):
            found[clinics].update(tally)
    page = report(found, time.perf_counter() - start, options.processes)
    options.out.write_text(page, encoding="utf-8")
    print(page)
    if any(tally["failures"] or tally["small"] for tally in found.values()):
        raise SystemExit("the proof failed: something that was released gives somebody away")


if __name__ == "__main__":
    main()
