"""Since which release counts are not known: by hand, over three releases and a build that is to be the fourth."""

from __future__ import annotations

from pathlib import Path

import duckdb

from clinic_outcomes.database import session
from clinic_outcomes.register import RefreshRules, open_register, plan_refresh, read_register, write_history
from clinic_outcomes.settings import Settings
from tests.support.register_builds import MARTS, release, write_build

# `stayed` is told each time; `grew` is told once, and its 2 more are too few to tell; `small` never is.
NUMBERS = "measure | clinic_id | numerator | denominator\n"
BUILDS = (
    "stayed | alder | 20 | -\n grew | alder | 20 | -\n small | alder | 3 | -\n",
    "stayed | alder | 20 | -\n grew | alder | 22 | -\n small | alder | 8 | -\n",
    "stayed | alder | 20 | -\n grew | alder | 22 | -\n small | alder | 5 | -\n",
    "stayed | alder | 20 | -\n grew | alder | 22 | -\n small | alder | 4 | -\n late | alder | 6 | -\n",
)


def history(settings: Settings, build_id: str) -> dict[str, tuple[int, float, float | None, bool]] | None:
    """Of each count of a build that is to be released: since, least, told and whether it is known."""
    target = settings.home / "history.parquet"
    with session(settings) as connection:
        for mart in MARTS:
            path = settings.marts / build_id / "release" / f"{mart}.parquet"
            connection.execute(f"CREATE TEMP VIEW {mart} AS FROM read_parquet('{path}')")
        entries = read_register(settings)
        open_register(connection, entries, settings)
        plan_refresh(connection, RefreshRules())
        if write_history(connection, entries, settings, target) is None:
            return None
    rows = duckdb.sql(f"SELECT count_id, since, least, told, is_known FROM '{target}'").fetchall()
    return {name: (since, least, told, known) for name, since, least, told, known in rows}


def test_a_first_release_has_no_history(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    write_build(settings, "a", NUMBERS + BUILDS[0])
    assert history(settings, "a") is None


def test_stretches_over_four_releases(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    for build_id, numbers in zip("abc", BUILDS, strict=False):
        release(settings, build_id, NUMBERS + numbers)
    write_build(settings, "d", NUMBERS + BUILDS[3])
    assert history(settings, "d") == {
        # Told as 20, and 20 ever since.
        "stayed": (4, 1, 20, True),
        # Not known since the second release. All of 22, 22 and 22 could be 21 less.
        "grew": (2, 1, 20, False),
        # Of 3, 8, 5 and 4 the first can be 2 less at most, and so 4 at least 2.
        "small": (1, 2, None, False),
        "late": (4, 1, None, False),
    }


def test_what_a_clinic_had_is_not_forgotten_while_it_is_away(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    here, away = "stayed | alder | 20 | -\n", "stayed | birch | 30 | -\n"
    release(settings, "a", NUMBERS + here + away)
    release(settings, "b", NUMBERS + away)
    write_build(settings, "c", NUMBERS + here)
    assert history(settings, "c") == {"stayed": (3, 1, 20, True)}
