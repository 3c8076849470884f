"""Releases that are safe but for one planted leak, over five hundred of many kinds: the audit refuses each of them.

That a leak is one is shown apart from the audit: by the small count that is told, or by a second attacker that works
out a withheld one.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import duckdb
import pytest

from tests.support.independent_attack import IndependentAttack
from tests.support.protected_sets import audit_table, protect_set
from tests.support.table_sets import TableSets

CLINICS = (2, 3, 4)
MOST_OF_A_SET = 5
"""Leaks of one kind that are planted in one set."""
MOST_SEEDS = 25
MOST_TARGETS = 8
"""Withheld counts that the second attacker, which is slow, tries to work out."""
ATTACKERS = 2
SMALL = "BETWEEN 1 AND 12"

FIGURE = """
    SELECT
        final.figure_id, final.figure_type, final.status, final.shown_value, exact.numerator::BIGINT AS numerator,
        exact.denominator, exact.denominator - exact.numerator::BIGINT AS remainder, exact.measure, exact.clinic_id,
        exact.dimension, threshold_only.status AS threshold_status,
        first(told.value)::BIGINT AS told
    FROM final
    INNER JOIN threshold_only USING (figure_id)
    INNER JOIN agg_figures AS exact USING (figure_id)
    LEFT JOIN agg_figure_cells AS cells ON final.figure_id = cells.figure_id AND cells.role = 'numerator'
    LEFT JOIN agg_cells AS told
        ON cells.count_id = told.count_id AND cells.clinic_id = told.clinic_id
        AND cells.dimension = told.dimension AND cells.category = told.category
    GROUP BY ALL
"""
"""Every figure of a set with what is released and what is exact of it."""
LEFT_BY_PAIRS = """
    SELECT DISTINCT figure_cells.figure_id
    FROM agg_figure_cells AS figure_cells
    INNER JOIN agg_cells AS whole USING (count_id, clinic_id, dimension, category)
    INNER JOIN part AS one
        ON whole.count_id = one.count_id AND whole.dimension = one.dimension AND whole.category = one.category
    INNER JOIN part AS two
        ON whole.count_id = two.count_id AND whole.dimension = two.dimension AND whole.category = two.category
    WHERE
        whole.clinic_id = 'network' AND whole.is_count AND one.clinic_id < two.clinic_id AND whole.value >= 13
        AND whole.value - one.value - two.value BETWEEN 1 AND 12
"""
"""Figures of the network of which two clinics are all but a few."""


@dataclass(frozen=True)
class Leak:
    """A kind of leak: how many of it are planted, in which figures, and what is done to them.

    ``is_surely`` where whoever is in ``figures`` is given away by what is shown alone; else the second attacker shows
    it.
    """

    number: int
    figures: str
    change: str
    is_surely: bool = True


def _change(assignments: str) -> str:
    return f"UPDATE planted SET {assignments} WHERE figure_id = $1"


SHOWN = "status = 'shown', shown_step = 5, shown_value = (2 * told + 5) // 10 * 5"
"""A count that is shown, rounded."""
AS_A_RATE = """
    status = 'shown', shown_step = 5, shown_denominator = (2 * denominator + 5) // 10 * 5,
    shown_value = (40 * numerator + denominator) // (2 * denominator) * 5
"""
EXACTLY = "told % 5 <> 0 AND figure_type = 'count' AND status = 'shown'"
"""Counts that are shown, and would be another number exactly."""
WITHHELD_COUNT = f"figure_type = 'count' AND status = 'withheld' AND told {SMALL}"
AGAIN = """
    status = 'shown', shown_value = threshold.shown_value, shown_step = threshold.shown_step,
    shown_denominator = threshold.shown_denominator
    FROM threshold_only AS threshold
    WHERE planted.figure_id = threshold.figure_id AND planted.figure_id = $1
"""
LEAKS = {
    "complementary count shown again": Leak(
        4,
        "figure_type = 'count' AND status = 'withheld' AND threshold_status = 'shown'",
        f"UPDATE planted SET {AGAIN}",
        is_surely=False,
    ),
    "count shown exactly": Leak(25, EXACTLY, _change("shown_value = told, shown_step = 1")),
    "count shown exactly as if rounded": Leak(25, EXACTLY, _change("shown_value = told")),
    "count without its step": Leak(10, EXACTLY, _change("shown_value = told, shown_step = NULL")),
    "small count shown": Leak(65, WITHHELD_COUNT, _change(SHOWN)),
    "small count shown exactly": Leak(
        40, WITHHELD_COUNT, _change("status = 'shown', shown_step = 5, shown_value = told")
    ),
    "small count beside a mark": Leak(30, WITHHELD_COUNT, _change("shown_value = told")),
    "small denominator beside a mark": Leak(
        30, f"status = 'withheld' AND denominator {SMALL}", _change("shown_denominator = denominator")
    ),
    "rate of few": Leak(5, f"figure_type = 'rate' AND denominator >= 25 AND told {SMALL}", _change(AS_A_RATE)),
    "rate of all but a few": Leak(
        20, f"figure_type = 'rate' AND denominator >= 25 AND remainder {SMALL}", _change(AS_A_RATE)
    ),
    "best or worst case of few": Leak(
        15,
        "figure_type = 'rate' AND measure LIKE '%_case_share' AND denominator >= 25 "
        f"AND (numerator {SMALL} OR remainder {SMALL})",
        _change(AS_A_RATE),
    ),
    "rate with a fine step": Leak(
        10,
        "figure_type = 'rate' AND numerator >= 13 AND remainder >= 13",
        _change(
            "status = 'shown', shown_step = 0.01, shown_denominator = (2 * denominator + 5) // 10 * 5, "
            "shown_value = (20000 * numerator + denominator) // (2 * denominator) * 0.01"
        ),
        is_surely=False,
    ),
    "curve of few": Leak(
        25,
        f"figure_type = 'life_table_row' AND told {SMALL} AND denominator >= 13",
        _change(
            "status = 'shown', shown_step = 5, shown_denominator = (2 * denominator + 5) // 10 * 5, "
            "shown_value = 100 - (40 * numerator + denominator) // (2 * denominator) * 5"
        ),
    ),
    "exact denominator": Leak(
        10,
        "figure_type <> 'count' AND status = 'shown' AND denominator % 5 <> 0",
        _change("shown_denominator = denominator"),
    ),
    "two clinics leave few of a network count": Leak(
        40, f"figure_type = 'count' AND figure_id IN ({LEFT_BY_PAIRS})", _change(SHOWN)
    ),
    "two clinics leave few of a stratum": Leak(
        5, f"figure_type = 'count' AND dimension = 'veteran' AND figure_id IN ({LEFT_BY_PAIRS})", _change(SHOWN)
    ),
    "two clinics leave few of a network rate": Leak(
        25,
        f"figure_type = 'rate' AND numerator > 12 AND remainder > 12 AND figure_id IN ({LEFT_BY_PAIRS})",
        _change(AS_A_RATE),
    ),
    "type that nobody knows": Leak(20, "status = 'shown'", _change("figure_type = 'median'")),
    "type of another": Leak(20, "status = 'shown' AND figure_type = 'count'", _change("figure_type = 'model_value'")),
    "label of another clinic": Leak(
        20,
        "status = 'shown' AND clinic_id <> 'network'",
        "UPDATE planted SET clinic_id = (SELECT max(clinic_id) FROM clinic AS other "
        "WHERE other.clinic_id <> planted.clinic_id) WHERE figure_id = $1",
    ),
    "figure that the marts do not have": Leak(
        20,
        WITHHELD_COUNT,
        "INSERT INTO planted SELECT planted.* REPLACE ('other/' || figure_id AS figure_id, 'shown' AS status, "
        "5 AS shown_value, 5 AS shown_step) FROM planted WHERE figure_id = $1",
    ),
    "figure that is there twice": Leak(
        20,
        WITHHELD_COUNT,
        "INSERT INTO planted SELECT planted.* REPLACE ('shown' AS status, 10 AS shown_value, 5 AS shown_step) "
        "FROM planted WHERE figure_id = $1",
    ),
    "number that is not so": Leak(
        20, "status = 'shown' AND figure_type = 'count'", _change("shown_value = shown_value + 10")
    ),
    "mark that nobody knows": Leak(10, "status = 'shown'", _change("status = 'final'")),
}


@pytest.fixture(scope="module")
def planted() -> dict[str, Counter[str]]:
    """Kind of leak → how many were planted, caught and missed."""
    found = {kind: Counter[str]() for kind in LEAKS}
    sets = {clinics: TableSets(clinics) for clinics in CLINICS}
    for seed in range(MOST_SEEDS):
        for of_clinics in sets.values():
            wanting = [kind for kind, leak in LEAKS.items() if found[kind]["planted"] < leak.number]
            if not wanting:
                return found
            of_clinics.make([seed])
            protect_set(of_clinics.connection)
            _describe(of_clinics.connection)
            for kind in wanting:
                _plant(of_clinics.connection, LEAKS[kind], found[kind])
    return found


def _describe(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        "CREATE OR REPLACE TABLE part AS SELECT count_id, dimension, category, clinic_id, value FROM agg_cells "
        "WHERE clinic_id <> 'network' UNION ALL "
        "SELECT count_id, dimension, category, clinic_id, value FROM agg_contributions"
    )
    connection.execute(f"CREATE OR REPLACE TABLE figure AS {FIGURE}")


def _plant(connection: duckdb.DuckDBPyConnection, leak: Leak, found: Counter[str]) -> None:
    figures = connection.execute(
        f"SELECT figure_id FROM figure WHERE {leak.figures} ORDER BY hash(figure_id) LIMIT {3 * MOST_OF_A_SET}"
    ).fetchall()
    of_this = 0
    for (figure_id,) in figures:
        if of_this == MOST_OF_A_SET or found["planted"] == leak.number:
            return
        connection.execute(
            "CREATE OR REPLACE TABLE planted AS SELECT final.*, figure.numerator, figure.denominator, figure.told "
            "FROM final INNER JOIN figure USING (figure_id)"
        )
        connection.execute(leak.change, [figure_id])
        connection.execute("ALTER TABLE planted DROP COLUMN numerator")
        connection.execute("ALTER TABLE planted DROP COLUMN denominator")
        connection.execute("ALTER TABLE planted DROP COLUMN told")
        if leak.is_surely or _gives_away(connection):
            of_this += 1
            found["planted"] += 1
            found["missed" if audit_table(connection, "planted").passed else "caught"] += 1


def _gives_away(connection: duckdb.DuckDBPyConnection) -> bool:
    attack = IndependentAttack(connection, "planted")
    return attack.given_away(list(attack.small_hidden())[:MOST_TARGETS], ATTACKERS) is not None


@pytest.mark.parametrize("kind", LEAKS)
def test_each_planted_leak_is_caught(planted: dict[str, Counter[str]], kind: str) -> None:
    assert planted[kind] == {"planted": LEAKS[kind].number, "caught": LEAKS[kind].number}


def test_there_are_five_hundred_leaks() -> None:
    assert sum(leak.number for leak in LEAKS.values()) >= 500


def test_the_second_attacker_finds_what_thresholds_alone_leave_and_nothing_in_what_is_released() -> None:
    """Otherwise it would say of every planted leak that it is one, or of none."""
    given_away = []
    sets = TableSets(2)
    for seed in range(4):
        sets.make([seed])
        protect_set(sets.connection)
        for table in ("threshold_only", "final"):
            attack = IndependentAttack(sets.connection, table)
            given_away.append((table, attack.given_away(list(attack.small_hidden()), ATTACKERS) is not None))
    assert ("threshold_only", True) in given_away
    assert ("final", True) not in given_away
