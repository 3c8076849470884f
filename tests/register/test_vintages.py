"""A year of random builds: what was ever shown of a cell never differs by 1 to 12, to anybody.

The oracle is plain Python over the numbers that the builds were made of; it knows nothing of the register's SQL.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import duckdb

from clinic_outcomes.register import entry_folder
from clinic_outcomes.settings import Settings
from tests.support.register_builds import release

CLINICS = ("a", "b", "c", "d")
MEASURES = tuple(f"m{number}" for number in range(12))
STEPS = (0, 0, 0, 1, 5, 12, 13, 14, 26, -1, -13, -20)
SMALLEST_CHANGE = 13
Counts = dict[str, int]
"""Clinic → its part of a count; a clinic that is not there has none."""
Build = dict[str, Counts]
"""Count → parts. `m1` are people treated, `m1_better` those of them who are better."""


def make_year(random_of: random.Random, builds: int) -> list[Build]:
    """Builds in which counts walk, and clinics join and leave."""
    year: list[Build] = []
    staying = {clinic: (random_of.choice((0, 0, 0, 2)), random_of.choice((builds, builds, 4))) for clinic in CLINICS}
    treated = {measure: {clinic: random_of.randint(0, 60) for clinic in CLINICS} for measure in MEASURES}
    better = {measure: {c: random_of.randint(0, treated[measure][c]) for c in CLINICS} for measure in MEASURES}
    for number in range(builds):
        build: Build = {}
        here = [clinic for clinic in CLINICS if staying[clinic][0] <= number < staying[clinic][1]]
        for measure in MEASURES:
            # Some measures are still for most clinics: the differences between two clinics are what matters then.
            for clinic in random_of.sample(CLINICS, random_of.randint(0, len(CLINICS))):
                treated[measure][clinic] = max(0, treated[measure][clinic] + random_of.choice(STEPS))
                moved = better[measure][clinic] + random_of.choice(STEPS)
                better[measure][clinic] = min(max(0, moved), treated[measure][clinic])
            build[measure] = {clinic: treated[measure][clinic] for clinic in here}
            build[f"{measure}_better"] = {clinic: better[measure][clinic] for clinic in here}
        year.append(build)
    return year


def figures_of(build: Build) -> str:
    """A count of people treated and a share of those better, for each measure, clinic and the network."""
    lines = ["measure | clinic_id | numerator | denominator"]
    for measure in MEASURES:
        treated, better = build[measure], build[f"{measure}_better"]
        for clinic in (*treated, "network"):
            n, k = (sum(part.values()) if clinic == "network" else part[clinic] for part in (treated, better))
            lines += [f"{measure} | {clinic} | {n} | -", f"{measure}_share | {clinic} | {k} | {n}"]
    return "\n".join(lines)


SHARED = {f"{measure}_share/of": measure for measure in MEASURES}


def cells_of(figure: str) -> Iterator[tuple[str, str]]:
    """The cells that a figure is made of: what is counted, and of whom."""
    measure, clinic = figure.split("/")[:2]
    treated = measure.removesuffix("_share")
    yield treated, clinic
    if measure != treated:
        yield f"{treated}_better", clinic
        yield f"{treated}_rest", clinic


def parts(build: Build, count: str) -> Counts:
    if count.endswith("_rest"):
        treated = count.removesuffix("_rest")
        return {c: n - build[f"{treated}_better"][c] for c, n in build[treated].items()}
    return build[count]


def small(change: int) -> bool:
    return 0 < abs(change) < SMALLEST_CHANGE


def tells_of_few(cell: tuple[str, str], then: Build, now: Build) -> bool:
    """Whether somebody learns a change of 1 to 12: the reader, or one or two clinics who take away their own."""
    count, clinic = cell
    before, after = parts(then, count), parts(now, count)
    if clinic != "network":
        return small(after.get(clinic, 0) - before.get(clinic, 0))
    change = {c: after.get(c, 0) - before.get(c, 0) for c in CLINICS}
    return any(
        small(sum(change.values()) - sum(change[c] for c in known))
        for size in (0, 1, 2)
        for known in itertools.combinations(CLINICS, size)
    )


def read_shown(settings: Settings, number: int) -> dict[str, tuple[int, int, int]]:
    """Figure → value, entry of its last refresh and its exact numerator, of the figures that an entry shows."""
    folder = entry_folder(number, settings)
    rows = duckdb.sql(
        f"SELECT figure_id, shown_value, refreshed_in, numerator FROM '{folder}/figures.parquet' "
        f"JOIN '{folder}/exact.parquet' USING (figure_id) WHERE status = 'shown'"
    ).fetchall()
    return {figure: (int(value), vintage, int(numerator)) for figure, value, vintage, numerator in rows}


def truth(build: Build, figure: str) -> tuple[int, int | None]:
    measure, clinic = figure.split("/")[:2]
    treated = measure.removesuffix("_share")
    n, k = (
        sum(part.values()) if clinic == "network" else part.get(clinic, 0)
        for part in (build[treated], build[f"{treated}_better"])
    )
    return (n, None) if measure == treated else (k, n)


def rounded(build: Build, figure: str) -> int:
    """As the tests' policy rounds: counts to fives, shares to whole percent, half up."""
    k, n = truth(build, figure)
    share = Fraction(k, 5) if n is None else Fraction(100 * k, n)
    return int(share + Fraction(1, 2)) * (5 if n is None else 1)


def protected(build: Build, figure: str) -> bool:
    """Whether the tests' policy shows a figure by itself."""
    k, n = truth(build, figure)
    return not 0 < k < 13 and (n is None or (n >= 13 and not 0 < n - k < 13))


def useful(now: Build, figure: str, value: int) -> bool:
    k, n = truth(now, figure)
    if n is None:
        return True
    if n == 0:
        return False
    off = abs(Fraction(100 * k, n) - value)
    return off <= (1 if n >= 100 else Fraction(5, 2) if n >= 50 else 100)


def expected(
    year: list[Build], number: int, told: dict[tuple[str, str], set[int]], last: dict[str, tuple[int, int]]
) -> dict[str, tuple[int, int]]:
    """Figure → (value, entry of its last refresh) of what the entry of a number must show."""
    now = year[number - 1]
    shown = {}
    for measure in MEASURES:
        for name, clinic in itertools.product((measure, f"{measure}_share"), (*now[measure], "network")):
            figure = f"{name}/{clinic}//"
            before = [(cell, vintage) for cell in cells_of(figure) for vintage in told.get(cell, ())]
            near = any(tells_of_few(cell, year[vintage - 1], now) for cell, vintage in before)
            if not near:
                if truth(now, figure)[1] != 0 and protected(now, figure):
                    shown[figure] = (rounded(now, figure), number)
            elif figure in last and useful(now, figure, last[figure][0]):
                shown[figure] = last[figure]
    return shown


def play(random_of: random.Random, settings: Settings, happened: Counter[str]) -> None:
    """Release a year of builds, look at all that was told, and count what it was about."""
    year = make_year(random_of, builds=6)
    told: dict[tuple[str, str], set[int]] = {}
    last: dict[str, tuple[int, int]] = {}
    for entry, build in enumerate(year, start=1):
        assert release(settings, f"build{entry}", figures_of(build), counts=SHARED).number == entry
        shown = read_shown(settings, entry)
        assert {f: (value, vintage) for f, (value, vintage, _) in shown.items()} == expected(year, entry, told, last)
        for figure, (value, vintage, numerator) in shown.items():
            # Nothing but the numbers of that build is in it.
            assert value == rounded(year[vintage - 1], figure)
            assert numerator == truth(year[vintage - 1], figure)[0]
            last[figure] = (value, vintage)
            happened["repeated" if vintage < entry else "anew" if entry > 1 else "first"] += 1
            for cell in cells_of(figure):
                told.setdefault(cell, set()).add(vintage)
        happened["withheld"] += len(last.keys() - shown.keys())
    for cell, vintages in told.items():
        for then, now in itertools.combinations(sorted(vintages), 2):
            assert not tells_of_few(cell, year[then - 1], year[now - 1]), cell
            happened["network again" if cell[1] == "network" else "clinic again"] += 1


def test_no_two_numbers_told_of_a_cell_differ_by_few(tmp_path: Path) -> None:
    happened: Counter[str] = Counter()
    for number in range(5):
        play(random.Random(number), Settings(home=tmp_path / str(number)), happened)  # noqa: S311 - seeded
    # A property of nothing holds.
    assert set(happened) == {"first", "anew", "repeated", "withheld", "network again", "clinic again"}
    assert all(count > 50 for count in happened.values()), happened
