"""What holds of everything that protect releases: of each possible small rate and count, and of networks at random."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from clinic_outcomes.protect import protect, released_folder
from clinic_outcomes.settings import Settings
from tests.support.release_marts import build_marts

LARGEST = 520
"""Every rate of up to so many people is tried: all tiers of steps."""
MEASURES = """
measure | section  | sort_order | label    | figure_type    | unit     | contributors | quantity | interval_number
share   | outcomes | 1          | Improved | rate           | percent  | patient      | ''       | -
people  | outcomes | 2          | People   | count          | patients | patient      | ''       | -
watched | outcomes | 3          | Watched  | life_table_row | percent  | patient      | kept     | 1
"""
HEADER = "measure | clinic_id | category | numerator | denominator | patients | clinics"
EVERY = f"""
    SELECT
        of.measure || '/alder/group/' || numerator || '_' || denominator AS figure_id,
        of.measure, of.type AS figure_type, 'alder' AS clinic_id, 'group' AS dimension,
        numerator || '_' || denominator AS category, numerator::DECIMAL(18, 4) AS numerator,
        CASE WHEN of.type <> 'count' THEN denominator END AS denominator,
        CASE of.type
            WHEN 'count' THEN numerator
            -- Half away from zero at six decimals, as the marts have it.
            ELSE ((2 * 1000000 * (CASE of.type WHEN 'rate' THEN numerator ELSE denominator - numerator END)
                + denominator) // (2 * denominator))::DECIMAL(18, 6) / 1000000
        END::DECIMAL(18, 6) AS value,
        CASE WHEN of.type = 'count' THEN numerator ELSE denominator END AS patients, 1::BIGINT AS clinics,
        numerator AS numerator_patients, 1::BIGINT AS numerator_clinics,
        NULL::DECIMAL(18, 4) AS numerator_largest, NULL::DECIMAL(18, 4) AS numerator_two_largest,
        NULL::BIGINT AS denominator_largest, NULL::BIGINT AS denominator_two_largest,
        NULL::BIGINT AS remainder_two_largest
    FROM range(1, {LARGEST + 1}) AS n(denominator), range(0, {LARGEST + 1}) AS k(numerator),
        (VALUES ('rate', 'share'), ('life_table_row', 'watched'), ('count', 'people')) AS of(type, measure)
    WHERE numerator <= denominator AND (of.type <> 'count' OR denominator = {LARGEST})
"""
"""Every rate and first row of a life table of up to ``LARGEST`` people, and every count."""


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    """A table ``figure``: each possible figure of a clinic with what was released of it."""
    home = tmp_path_factory.mktemp("home")
    build_marts(home, measures=MEASURES, figures=f"{HEADER}\npeople | alder | a | 13 | - | 13 | 1")
    mart = home / "marts" / "latest" / "release" / "agg_figures.parquet"
    duckdb.sql(f"COPY ({EVERY}) TO '{mart}' (FORMAT parquet)")
    # Each figure is made of the one count that there is: what they say together is not what is tried here.
    cells = mart.with_name("agg_figure_cells.parquet")
    duckdb.sql(
        "COPY (SELECT figure_id, 'behind' AS role, 'people' AS count_id, 'alder' AS clinic_id, 'group' AS dimension, "
        f"'a' AS category FROM '{mart}') TO '{cells}' (FORMAT parquet)"
    )
    protect(Settings(home=home))
    released = released_folder(Settings(home=home)) / "figures.parquet"
    connection = duckdb.connect()
    connection.execute(
        f"CREATE TABLE figure AS SELECT exact.*, released.* EXCLUDE (measure, figure_type, clinic_id, dimension, "
        f"category, figure_id) FROM '{mart}' AS exact INNER JOIN '{released}' AS released USING (figure_id)"
    )
    return connection


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[tuple[object, ...]]:
    return connection.execute(query).fetchall()


@pytest.mark.parametrize("figure_type", ["rate", "life_table_row"])
def test_a_released_share_is_within_two_and_a_half_points_of_50_and_one_of_100(
    every: duckdb.DuckDBPyConnection, figure_type: str
) -> None:
    counted = "numerator" if figure_type == "rate" else "denominator - numerator"
    checked = _rows(
        every,
        f"""
        SELECT
            denominator >= 100,
            -- Compared in whole numbers, of which twice a distance is.
            max(2 * abs(100 * ({counted}) - shown_value::BIGINT * denominator) - 5 * denominator) <= 0,
            max(2 * abs(100 * ({counted}) - shown_value::BIGINT * denominator) - 2 * denominator) <= 0
        FROM figure
        WHERE figure_type = '{figure_type}' AND status = 'shown' AND denominator >= 50
        GROUP BY ALL ORDER BY ALL
        """,
    )
    assert checked == [(False, True, False), (True, True, True)]


@pytest.mark.parametrize("figure_type", ["rate", "life_table_row"])
def test_a_share_is_shown_where_neither_part_nor_whole_is_small(
    every: duckdb.DuckDBPyConnection, figure_type: str
) -> None:
    may = "denominator >= 25 AND numerator >= 13 AND denominator - numerator >= 13"
    assert _rows(
        every,
        f"SELECT DISTINCT {may}, status FROM figure WHERE figure_type = '{figure_type}' ORDER BY ALL",
    ) == [(False, "withheld"), (True, "shown")]


def test_no_released_count_is_from_1_to_12_or_further_than_half_a_base(every: duckdb.DuckDBPyConnection) -> None:
    assert _rows(
        every,
        """
        SELECT count(*) FILTER (shown_value BETWEEN 1 AND 12), max(abs(shown_value - numerator)), min(numerator)
        FROM figure WHERE figure_type = 'count' AND status = 'shown' AND numerator > 0
        """,
    ) == [(0, 2, 13)]
    assert _rows(every, "SELECT count(*) FROM figure WHERE shown_denominator BETWEEN 1 AND 12") == [(0,)]
    withheld = _rows(every, "SELECT numerator::INT FROM figure WHERE figure_type = 'count' AND status = 'withheld'")
    assert sorted(withheld) == [(number,) for number in range(1, 13)]


Parts = list[tuple[int, int]]
# What each clinic has in the numerator and besides it: often enough to be shown, and often not.
PART = st.one_of(st.just(0), st.integers(1, 60), st.integers(50, 900))
CLINICS = st.lists(st.tuples(PART, PART), min_size=1, max_size=7)


def _two_largest(numbers: list[int]) -> int:
    return sum(sorted(numbers)[-2:])


def _figure(measure: str, index: int, parts: Parts) -> str:
    """The line of a network's figure that these clinics make together."""
    inside, besides = [one for one, _ in parts], [other for _, other in parts]
    whole = [sum(part) for part in parts]
    is_count = measure == "people"
    cells: list[object] = [measure, "network", index, sum(inside), "-" if is_count else sum(whole)]
    cells += [sum(inside) if is_count else sum(whole), sum(n > 0 for n in (inside if is_count else whole))]
    cells += [sum(inside), sum(n > 0 for n in inside), max(inside), _two_largest(inside)]
    cells += ["-", "-"] if is_count else [max(whole), _two_largest(whole)]
    cells += ["-" if is_count else _two_largest(besides)]
    return " | ".join(map(str, cells))


def _may_be_shown(numbers: list[int]) -> bool:
    """Of a count of the network, a number a clinic: nought, or enough, of enough clinics, none of which stands out."""
    total, ordered = sum(numbers), sorted(numbers, reverse=True)
    if total == 0:
        return True
    others = sum(ordered[2:])
    return (
        total >= 13
        and sum(number > 0 for number in numbers) >= 4
        and ordered[0] / total <= 0.8
        and (others == 0 or others >= 13)
    )


# A batch an example, since each is a run of protect; to shrink one would take minutes and tell no more.
@settings(max_examples=15, deadline=None, phases=[Phase.explicit, Phase.generate])
@example([[(50, 50)] * 4, [(50, 50)] * 3, [(900, 1), (9, 30), (9, 30), (9, 30)], [(13, 0), (0, 13), (1, 1), (1, 1)]])
@given(st.lists(CLINICS, min_size=40, max_size=40))
def test_a_figure_of_the_network_is_shown_where_no_two_clinics_learn_of_a_few_others(networks: list[Parts]) -> None:
    header = (
        f"{HEADER} | numerator_patients | numerator_clinics | numerator_largest | numerator_two_largest"
        " | denominator_largest | denominator_two_largest | remainder_two_largest"
    )
    lines = [_figure(measure, i, parts) for i, parts in enumerate(networks) for measure in ("share", "people")]
    with TemporaryDirectory() as home:
        build_marts(Path(home), measures=MEASURES, figures="\n".join([header, *lines]))
        protect(Settings(home=Path(home)))
        path = released_folder(Settings(home=Path(home))) / "figures.parquet"
        rows = duckdb.sql(f"SELECT measure, category::INT, status FROM '{path}'").fetchall()
    shown = {(measure, index): how == "shown" for measure, index, how in rows}
    for index, parts in enumerate(networks):
        inside, besides = [one for one, _ in parts], [other for _, other in parts]
        whole = [sum(part) for part in parts]
        assert shown["people", index] == _may_be_shown(inside), inside
        others = sum(besides) - _two_largest(besides)
        is_safe = (
            sum(whole) >= 25
            and _may_be_shown(whole)
            and _may_be_shown(inside)
            and (sum(besides) == 0 or sum(besides) >= 13)
            and (others == 0 or others >= 13)
        )
        # `share` is on no list of those that may be shown as 0 % or 100 %.
        assert shown["share", index] == (is_safe and not _is_rounded_to_none_or_all(sum(inside), sum(whole))), parts


def _is_rounded_to_none_or_all(inside: int, whole: int) -> bool:
    step = next(step for start, step in ((498, 1), (98, 2), (0, 5)) if whole >= start)
    return not step / 2 <= 100 * inside / whole < 100 - step / 2
