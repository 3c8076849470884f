"""Releases of a few cells, each with what is to be said of it: every part of the auditor matters to one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import duckdb

from tests.audit.test_small_systems import ONE_WITHHELD, RATE, STRATUM, THREE_CLINICS, TWO_WITHHELD
from tests.support.small_releases import Shown, Small, count, open_small, rate, total


@dataclass(frozen=True)
class Release:
    """A small release, how many clinics attack it together, whether it is safe, and what is done to it at last."""

    small: Small
    attackers: int
    is_safe: bool
    change: str = "SELECT 1"

    def open(self) -> duckdb.DuckDBPyConnection:
        connection = open_small(self.small)
        connection.execute(self.change)
        return connection


def _parts(whole: int, x: int, y: int, shown: tuple[float, float | None, float | None], **others: int) -> Small:
    """A total of x, y and other categories, which are shown as nought."""
    parts = {"x": x, "y": y, **others}
    figures = dict(zip(("all", "x", "y"), shown, strict=True))
    return Small(
        cells={"all@a": whole} | {f"all[{name}]@a": value for name, value in parts.items()},
        figures={
            "all": count("all@a", figures["all"]),
            **{name: count(f"all[{name}]@a", figures.get(name, 0)) for name in parts},
        },
        relations=[total("all@a", *(f"all[{name}]@a" for name in parts))],
    )


def _shares(yes: int, whole: int, value: float, of: int, x: int, x_shown: float) -> Small:
    """A share whose numerator is x, shown, and y, withheld."""
    return Small(
        cells={"all@a": whole, "yes@a": yes, "no@a": whole - yes, "yes[x]@a": x, "yes[y]@a": yes - x},
        figures={
            "share": rate("yes@a", "all@a", "no@a", value, 5, of),
            "x": count("yes[x]@a", x_shown),
            "y": count("yes[y]@a"),
        },
        relations=[total("all@a", "yes@a", "no@a"), total("yes@a", "yes[x]@a", "yes[y]@a")],
    )


def _curve(lost: tuple[int, ...], survival: tuple[float, ...], x: int, x_shown: float) -> Small:
    """The weeks of a curve of 100 people; the losses up to its last week are x, shown, and y, withheld."""
    last = len(lost)
    weeks = {
        f"week_{week}": Shown(
            *("life_table_row", {"numerator": f"lost_{week}@a", "denominator": f"risk_{week}@a"}),
            *(share, 2, 100 if risk >= 98 else 5 * round(risk / 5)),
            measure={"instrument": "i", "quantity": "q", "interval_number": week},
        )
        for week, share, risk in zip(range(1, last + 1), survival, (100, *(100 - one for one in lost)), strict=False)
    }
    at_risk = {f"risk_{week}@a": 100 - (lost[week - 2] if week > 1 else 0) for week in range(1, last + 1)}
    return Small(
        cells=at_risk
        | {f"lost_{week}@a": one for week, one in enumerate(lost, start=1)}
        | {f"lost_{last}[x]@a": x, f"lost_{last}[y]@a": lost[-1] - x},
        figures=weeks | {"x": count(f"lost_{last}[x]@a", x_shown), "y": count(f"lost_{last}[y]@a")},
        relations=[total(f"lost_{last}@a", f"lost_{last}[x]@a", f"lost_{last}[y]@a")],
    )


def _with(small: Small, figures: Mapping[str, Shown]) -> Small:
    return replace(small, figures=dict(small.figures) | dict(figures))


FOUR_CLINICS = Small(
    cells={"all@network": 100, "all@a": 40, "all@b": 35, "all@c": 12, "all@d": 13},
    figures={
        **{"network": count("all@network", 100), "a": count("all@a", 40), "b": count("all@b", 35)},
        **{"c": count("all@c"), "d": count("all@d")},
    },
    relations=[total("all@network", "all@a", "all@b", "all@c", "all@d")],
)
"""c and d, withheld, protect each other against every pair."""
SELF_KNOWING = Small(
    cells={"all@network": 95, "all@a": 12, "all@b": 11, "all@c": 72},
    figures={"network": count("all@network", 95), "a": count("all@a"), "b": count("all@b"), "c": count("all@c", 70)},
    relations=[total("all@network", "all@a", "all@b", "all@c")],
)
"""Of 93 to 97, 68 to 72 are c's: a, that knows its own 12, finds 9 to 17 of b; a and c, that know 84, find 9 to 13."""
BEST_KNOWN = _parts(50, 33, 17, (50, 35, None))
"""48 to 52 less 33 to 37 are 11 to 19."""
FIVE_WITHHELD = Small(
    cells={"all@a": 30, "all[x]@a": 20, "all[y]@a": 6, **{f"all[{name}]@a": 1 for name in "stuv"}},
    figures={
        "all": count("all@a", 30),
        "x": count("all[x]@a", 20),
        **{name: count(f"all[{name}]@a") for name in "ystuv"},
    },
    relations=[total("all@a", *(f"all[{name}]@a" for name in "xystuv"))],
)
UNKNOWN_REST = Small(
    cells={"all@a": 50, "yes@a": 20}, figures={"share": rate("yes@a", "all@a", "no@a", 40, 5, 50)}, relations=[]
)
"""A share of which it is not known what it leaves."""
UNKNOWN_TYPE = Shown("median", {"numerator": "all[x]@a", "denominator": "all@a"}, 50, 5, 50)

RELEASES = {
    "one withheld": Release(ONE_WITHHELD, 0, is_safe=False),
    "one withheld of one clinic": Release(ONE_WITHHELD, 2, is_safe=False),
    "two withheld": Release(TWO_WITHHELD, 0, is_safe=True),
    "a nought beside": Release(_parts(50, 45, 5, (50, 45, None), z=0), 0, is_safe=False),
    # Of 58 to 62, 48 to 52 are x: up to 14 are y. A bound of 4 more, or of 4 less, would be the difference.
    "upper bound of 14": Release(_parts(60, 50, 10, (60, 50, None)), 0, is_safe=True),
    "wide enough": Release(BEST_KNOWN, 0, is_safe=True),
    "a large count pinned down": Release(SELF_KNOWING, 2, is_safe=False),
    "three clinics": Release(THREE_CLINICS, 2, is_safe=False),
    "three clinics by one": Release(THREE_CLINICS, 1, is_safe=True),
    "four clinics": Release(FOUR_CLINICS, 2, is_safe=True),
    "a stratum": Release(STRATUM, 2, is_safe=False),
    "a rate": Release(RATE, 0, is_safe=False),
    # As nobody is x, those with yes are y: 18 to 22, too narrow.
    "a rate of one": Release(_shares(20, 50, 40, 50, 0, 0), 0, is_safe=False),
    "a curve of one": Release(_curve((20, 20), (80, 80), 0, 0), 0, is_safe=False),
    "all but noughts": Release(_parts(30, 0, 30, (30, 0, None), z=0), 0, is_safe=False),
    # Up to 14 are none of x, and at least one is of each: up to 10 are y.
    "five withheld": Release(FIVE_WITHHELD, 0, is_safe=False),
    "a rate of two withheld": Release(_with(RATE, {"x": count("yes[x]@a")}), 0, is_safe=True),
    # 47.5 to 52.5 % of 48 to 52 are 22.8 to 27.3, 13 to 17 of whom are x: 5.8 to 14.3 are y.
    "a rate that leaves enough": Release(_shares(25, 50, 50, 50, 15, 15), 0, is_safe=True),
    "a curve": Release(_curve((20,), (80,), 15, 15), 0, is_safe=False),
    "a curve of two weeks": Release(_curve((20, 40), (80, 60), 30, 30), 0, is_safe=True),
    "an unknown type": Release(_with(ONE_WITHHELD, {"all": UNKNOWN_TYPE}), 0, is_safe=False),
    "a rest that is not known": Release(UNKNOWN_REST, 0, is_safe=False),
    "a cell that is not known": Release(TWO_WITHHELD, 0, False, "DELETE FROM agg_cells WHERE category = 'x'"),
    "another label": Release(TWO_WITHHELD, 0, False, "UPDATE figures SET category = 'z' WHERE figure_id = 'x'"),
    "a contradiction": Release(TWO_WITHHELD, 0, False, "UPDATE figures SET shown_value = 60 WHERE figure_id = 'all'"),
    "a small count": Release(
        TWO_WITHHELD,
        0,
        False,
        "UPDATE figures SET status = 'shown', shown_value = 10, shown_step = 5 WHERE figure_id = 'y'",
    ),
    "an exact number": Release(TWO_WITHHELD, 0, False, "UPDATE figures SET shown_value = 51 WHERE figure_id = 'all'"),
    "a number beside a mark": Release(
        TWO_WITHHELD, 0, False, "UPDATE figures SET shown_denominator = 10 WHERE figure_id = 'y'"
    ),
}
