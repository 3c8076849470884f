"""What is left to read: thresholds alone, this project's suppression, and pytauargus, on the same generated tables.

    .venv/bin/python -m benchmarks.suppression [--small] [--out docs/suppression.md]

Needs `pytauargus`, which is for this benchmark alone. Each release is then attacked by the project's audit, as an
outsider and as each clinic and pair of clinics. Everything but the times follows from the seeds.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import duckdb
import numpy as np
from pytauargus.batch import BatchError

from benchmarks.tauargus import suppress_table, tables_of
from clinic_outcomes.audit import audit
from clinic_outcomes.audit.attack import coalitions
from clinic_outcomes.protect.suppression import suppress
from clinic_outcomes.protect.together import cost_of
from tests.support.protected_sets import LIMITS, POLICY, judge, open_attack, protect_set, read_attack, round_figures
from tests.support.table_sets import ROOM, TableSets

METHODS = {
    "threshold_only": "Thresholds alone",
    "final": "This project",
    "against_outsider": "This project, outsider alone",
    "tauargus": "pytauargus",
}
"""Table of a release → who made it."""
RULES = ("cannot_be_placed", "contradiction", "small_count", "disclosed")
TOGETHER = {5: 5, 12: 1}
"""Sets of so many clinics that are released at once; they have no cell in common."""
OUTSIDER = replace(LIMITS, largest_coalition=0)


@dataclass(frozen=True)
class Tables:
    """Tables of one kind, of so many sets of each number of clinics; ``told`` is None for all that a set tells."""

    label: str
    told: tuple[tuple[str, str], ...] | None
    sets: dict[int, int]


KINDS = (
    Tables("People: clinic by arm", (("patients_treated", ""), ("patients_treated", "arm")), {5: 20, 12: 4}),
    Tables(
        "Events: clinic by term within class",
        tuple(("adverse_events", dimension) for dimension in ("", "system_class", "term")),
        {5: 20},
    ),
    Tables(
        "Response: clinic by arm by outcome",
        tuple((measure, dimension) for measure in ("assessed", "response_share") for dimension in ("", "arm")),
        {5: 20},
    ),
    Tables("Whole sets, each table by itself", None, {5: 10}),
)


def _release_by_thresholds(connection: duckdb.DuckDBPyConnection) -> None:
    protect = judge(connection)
    round_figures(protect, "threshold_only")
    protect.close()


def release_against_outsider(connection: duckdb.DuckDBPyConnection) -> None:
    """The table ``against_outsider``: as this project releases where clinics are not taken to attack."""
    protect = judge(connection)
    attack = open_attack(connection, "threshold_only")
    system = read_attack(attack)
    besides = suppress(system, OUTSIDER, cost_of(attack, POLICY))
    attack.close()
    protect.execute(
        "UPDATE judged SET shown = FALSE, reason = 'complementary' WHERE figure_id IN (SELECT unnest($1))",
        [[system.figures[figure] for figure in besides]],
    )
    round_figures(protect, "against_outsider")
    protect.close()


def release_tauargus(connection: duckdb.DuckDBPyConnection, tally: Counter[str]) -> None:
    """The table ``tauargus``: as ``threshold_only``, without figures made of what pytauargus withholds in any table."""
    withheld: set[str] = set()
    with tempfile.TemporaryDirectory() as folder:
        for table in tables_of(connection):
            tally["tables"] += 1
            try:
                withheld |= suppress_table(table, Path(folder))
            except BatchError:
                tally["refused"] += 1
                withheld |= {cell.name for cell in table.cells}
    protect = judge(connection)
    protect.execute(GIVE_UP, [sorted(withheld)])
    round_figures(protect, "tauargus")
    protect.close()


def measure(kind: Tables, clinics: int, number: int) -> dict[str, Counter[str]]:
    """What each method leaves of so many sets of tables of a kind, and what the attacks find."""
    found = {method: Counter[str]() for method in METHODS}
    together = TOGETHER[clinics]
    sets = TableSets(clinics, together)
    for first in range(0, number, together):
        sets.make(range(first, first + together))
        if kind.told is not None:
            _tell(sets, kind.told)
        seconds = {}
        for method, release in {
            "threshold_only": _release_by_thresholds,
            "final": protect_set,
            "against_outsider": release_against_outsider,
            "tauargus": lambda connection: release_tauargus(connection, found["tauargus"]),
        }.items():
            start = time.perf_counter()
            release(sets.connection)
            seconds[method] = time.perf_counter() - start
        for method in METHODS:
            found[method] += _read(sets.connection, method) + _attack(sets.connection, method)
            found[method]["microseconds"] += round(1e6 * seconds[method])
            found[method]["sets"] += together
    return found


def _tell(sets: TableSets, told: Iterable[tuple[str, str]]) -> None:
    """Let the sets tell of these measures in these dimensions alone."""
    names, measures, dimensions = zip(*((name, *one) for name in sets.names for one in told), strict=True)
    sets.connection.execute(
        "CREATE OR REPLACE TABLE chosen AS "
        "SELECT unnest($1) AS set_name, unnest($2) AS measure, unnest($3) AS dimension",
        [list(names), list(measures), list(dimensions)],
    )
    sets.connection.execute((ROOM / "table_set_figures.sql").read_text(encoding="utf-8"))


def _read(connection: duckdb.DuckDBPyConnection, method: str) -> Counter[str]:
    ((figures, shown, counts),) = connection.execute(TALLY.format(method=method)).fetchall()
    return Counter(figures=figures, shown=shown, counts=counts)


def _attack(connection: duckdb.DuckDBPyConnection, method: str) -> Counter[str]:
    """How many counts are not to be found, and how many of them the audit finds, as an outsider and as clinics."""
    views = open_attack(connection, method)
    system = read_attack(views)
    tally = Counter[str]()
    for who, limits in (("outsider", OUTSIDER), ("clinics", LIMITS)):
        attackers = coalitions(len(system.cells.clinics), limits.largest_coalition)
        secret = np.logical_or.reduce([limits.secret(system, coalition) for coalition in attackers])
        report = audit(views, limits)
        found = {rule: {one.cell for one in report.findings if one.rule == rule} for rule in RULES}
        if found["contradiction"] or found["cannot_be_placed"]:
            raise ValueError(f"a release of {method} was not attacked: {report.findings[0]}")
        tally[f"{who}_secrets"], tally[f"{who}_found"] = int(secret.sum()), len(found["disclosed"])
        tally["told"] += len(found["small_count"])
    views.close()
    return tally


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _rows(clinics: int, found: dict[str, Counter[str]]) -> Iterator[str]:
    for method, label in METHODS.items():
        one = found[method]
        cells = (
            *(str(clinics), f"{one['sets']:,}", f"{one['figures']:,}", label),
            *(_percent(one["shown"], one["figures"]), f"{one['counts']:,}"),
            *(
                f"{one[f'{who}_found']:,} of {one[f'{who}_secrets']:,} "
                f"({_percent(one[f'{who}_found'], one[f'{who}_secrets'])})"
                for who in ("outsider", "clinics")
            ),
            f"{one['microseconds'] / 1000 / one['sets']:,.0f}",
        )
        yield f"| {' | '.join(cells)} |"


def report(found: dict[str, dict[int, dict[str, Counter[str]]]], minutes: float) -> str:
    """The results as a page of Markdown."""
    total = sum((one["tauargus"] for of_kind in found.values() for one in of_kind.values()), Counter[str]())
    told = sum(one["told"] for of_kind in found.values() for methods in of_kind.values() for one in methods.values())
    sections = []
    for label, of_kind in found.items():
        rows = [row for clinics, methods in of_kind.items() for row in _rows(clinics, methods)]
        sections.append("\n".join([f"### {label}\n", HEADER, *rows]))
    attack, counts = POLICY.attack, POLICY.counts
    return PAGE.format(
        version=version("pytauargus"),
        tables=total["tables"],
        refused=total["refused"],
        smallest=counts.smallest_shown - 1,
        upper=attack.smallest_upper_bound,
        width=attack.smallest_width,
        minutes=minutes,
        told=told,
        sections="\n\n".join(sections),
    )


GIVE_UP = """
    UPDATE judged SET shown = FALSE, reason = 'complementary'
    WHERE figure_id IN (
        SELECT figure_id FROM agg_figure_cells
        WHERE list_contains($1, concat_ws('/', count_id, clinic_id, dimension, category))
    )
"""
TALLY = """
    SELECT
        count(*),
        count(*) FILTER (WHERE released.status = 'shown'),
        coalesce(sum(exact.numerator) FILTER (WHERE released.status = 'withheld' AND exact.figure_type = 'count'), 0)
            ::BIGINT
    FROM agg_figures AS exact
    INNER JOIN {method} AS released USING (figure_id)
"""
HEADER = (
    "| Clinics | Sets | Figures | Method | Figures shown | Sum of counts withheld | "
    "Small counts found by an outsider | Found by clinics and pairs | ms a set |\n"
    "| ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: |"
)
PAGE = """# What suppression leaves to read, side by side

Made by `python -m benchmarks.suppression`; everything here but the times follows from the seeds.

The same generated tables (`tests/support/table_sets.py`) are released four ways, and each release is attacked by the
project's audit:

- **Thresholds alone**: each figure judged by itself (`judge.sql`), and nothing more withheld.
- **This project**: the same, completed until nobody gets too near, as the stage protect does.
- **This project, outsider alone**: completed as if clinics did not attack, which is what pytauargus promises.
- **pytauargus** {version} (EUPL-1.2): a port of τ-Argus, the tool of official statistics, to an open solver (HiGHS).
  Its wheel for Linux holds all that it runs, and needs no other program. By its optimal method (`OPT`) it completes
  what the same thresholds withhold, at the least sum of counts. Each count of 1 to {smallest} it is to protect as the
  policy has it: up to {upper} at least, over a width of {width}; larger ones not at all. It is given each table by
  itself, with totals and classes, since it takes no linked tables: a measure by clinic, by what divides everybody, and
  for a rate by in or not in. A figure is withheld where a count that it is made of is withheld in any table. Means,
  life tables and rates of events are in no table; they go with counts that they share, and are else as the thresholds
  leave them. {tables:,} tables were given to it; in {refused:,} it stopped without a result, and all of such a table
  was withheld.

All are attacked alike: who reads a shown figure is taken to know exactly the counts that it is made of
([decision 26](decisions/0026-who-reads-a-number-knows-it-exactly.md)). *Small counts found* are withheld counts of 1 to
{smallest}, or what is left of a network's without the attackers' own part, that somebody can work out more closely than
the policy allows, of all such counts. Figures shown that are made of such a count itself, by all methods:
{told:,}.

pytauargus promises nothing against clinics that know their own cells. This project gives up what readers would miss
least (`missed` in `disclosure.yml`), pytauargus the smallest counts.

{sections}

How to read it. The judge is this project's own: that nobody finds anything in what the project protects is so by
construction, and other tests attack it independently. What an outsider finds in the tables of pytauargus need not be a
fault of it: linked tables were given one by one, and its own audit was not run on them. *This project, outsider alone*
was added after the first results, because to compare a defence against pairs with one against an outsider says nothing
of how good either is; so compared, pytauargus shows as much or more in most tables. The number of sets was made smaller
until all took minutes. Four sets of twelve clinics are too few to quote a share from; no more was measured
of twelve, since to attack for each of 66 pairs, by four methods, took long.

*Sum of counts withheld* is of figures that are counts, at each level of a table. Times are of the clock, on a machine
that others used, for protecting without the audit, and judging is in each; sets of five clinics were protected five
at a time, those of twelve one at a time; pytauargus was given one table at a time in either case, by files. All of it
took {minutes:.1f} minutes.
"""


def main() -> None:
    """Compare, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="A few sets of each kind, to see that it runs.")
    parser.add_argument("--out", type=Path, default=Path("docs/suppression.md"))
    arguments = parser.parse_args()
    # A report of the audit lists some of what it finds; here all is counted.
    importlib.import_module("clinic_outcomes.audit.audit").MOST_FINDINGS = sys.maxsize
    start = time.perf_counter()
    found: dict[str, dict[int, dict[str, Counter[str]]]] = {}
    for kind in KINDS:
        found[kind.label] = {}
        for clinics, sets in kind.sets.items():
            found[kind.label][clinics] = measure(kind, clinics, TOGETHER[clinics] if arguments.small else sets)
            print(
                *_rows(clinics, found[kind.label][clinics]),
                f"{time.perf_counter() - start:.0f} s",
                sep="\n",
                flush=True,
            )
    arguments.out.write_text(report(found, (time.perf_counter() - start) / 60), encoding="utf-8")


if __name__ == "__main__":
    main()
