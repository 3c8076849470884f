"""Sets of linked tables drawn at random, protected as the stage does it: 200 here, thousands in ``make prove``."""

from __future__ import annotations

import duckdb
import pytest

from tests.support.protected_sets import audit_table, protect_set, released_small_counts
from tests.support.table_sets import TableSets

SETS = 50
"""Of each number of clinics."""
TOGETHER = {2: 25, 3: 25, 5: 5, 12: 2}
"""Number of clinics → sets that are protected in one go: many small ones at once take less time."""
BATCHES = [(clinics, first) for clinics, together in TOGETHER.items() for first in range(0, SETS, together)]


@pytest.fixture(scope="module")
def table_sets() -> dict[int, TableSets]:
    return {clinics: TableSets(clinics, together) for clinics, together in TOGETHER.items()}


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[tuple[object, ...]]:
    return connection.execute(query).fetchall()


@pytest.mark.parametrize(("clinics", "first"), BATCHES)
def test_released_sets_withstand_every_attack(table_sets: dict[int, TableSets], clinics: int, first: int) -> None:
    """Nobody, no clinic and no pair of them works out what is withheld, and no count of 1 to 10 is told."""
    sets = table_sets[clinics]
    sets.make(range(first, first + TOGETHER[clinics]))
    released = protect_set(sets.connection)
    assert released.shown <= released.shown_by_threshold < released.figures
    assert audit_table(sets.connection, "final").findings == ()
    assert released_small_counts(sets.connection, "final") == []
    if clinics < 4:
        # Of three clinics, two would know the third's.
        assert (
            _rows(
                sets.connection,
                "SELECT figure_id FROM final INNER JOIN agg_figures USING (figure_id) WHERE final.status = 'shown' "
                "AND final.clinic_id = 'network' AND (agg_figures.numerator > 0 OR agg_figures.denominator > 0)",
            )
            == []
        )


@pytest.mark.parametrize("clinics", TOGETHER)
def test_the_relations_of_a_set_hold_in_its_exact_cells(table_sets: dict[int, TableSets], clinics: int) -> None:
    sets = table_sets[clinics]
    sets.make(range(TOGETHER[clinics]))
    assert (
        _rows(
            sets.connection,
            """
        SELECT relation_id, comparison, sum(coefficient * value) AS total
        FROM agg_relations
        LEFT JOIN agg_cells USING (count_id, clinic_id, dimension, category)
        GROUP BY relation_id, comparison
        HAVING NOT coalesce(CASE comparison WHEN '=' THEN total = 0 ELSE total <= 0 END, false)
        """,
        )
        == []
    )


@pytest.mark.parametrize("clinics", TOGETHER)
def test_the_same_seed_gives_the_same_release(table_sets: dict[int, TableSets], clinics: int) -> None:
    sets = table_sets[clinics]
    releases = []
    for _ in range(2):
        sets.make(range(TOGETHER[clinics]))
        protect_set(sets.connection)
        releases.append(_rows(sets.connection, "FROM final ORDER BY figure_id"))
    assert releases[0] == releases[1]
    assert any(row[6] == "shown" for row in releases[0])
