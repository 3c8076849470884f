"""What is equal, or adds up, in a large network is declared, or named here as an accident of how it was made.

The exact marts of the modelled network say which counts hold the same numbers everywhere. An attacker may take each
such pair for one count, so that the relations must say it, unless it is known to be chance.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import permutations

import duckdb
import pytest

from clinic_outcomes.files import latest
from clinic_outcomes.settings import Settings
from tests.relations.known_cells import known_cells
from tests.support.outcome_network import outcome_network

__all__ = ["outcome_network"]

ACCIDENTS = {
    r"survival_week_\d+_sustained": "nobody lost response, or left, in the weeks between",
    r"after_session_6_.*, .*_course_end_completer_": "every course that is completed was planned to have six sessions",
    r"_course_end_.*, .*_last_": "no score of the questionnaire comes after the course",
    r"_last_.*, .*_week_2_": "no score of the questionnaire comes after the second week",
    r"_last_completer_.*, .*_last_response_share": "who left the course has no score",
    r"first_event_rate_per_100_patient_years, (onset|resolution)_": "the generator gives every event its minutes",
    r"patients_with_serious_event, serious_adverse_events": "nobody has two serious events",
    r"(pressure_recorded|recovery_minutes).*(recovery_minutes|without_safety)": "a session is recorded whole, or not",
    r"patients_referred_treated, |(decision|referral)_to_first_session/of, ": "everybody treated was referred",
}
"""Two counts that are the same in a generated network, by their names, and why that is chance."""
ACCIDENTAL_SUMS = {
    r"patients_with_serious_event/(system_class|term|severity|seriousness_criterion)": "a serious event a person",
    r"(severe|related)_event_share/term": "such an event a person",
}
FEWEST_CELLS = 12


@pytest.fixture(scope="module")
def marts(outcome_network: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """``cells``, numbered from 1, and ``cell_relations`` of the network."""
    folder = latest(outcome_network.marts)
    assert folder is not None
    with duckdb.connect() as connection:
        connection.execute(f"""
            CREATE TABLE cells AS
            SELECT
                row_number() OVER (ORDER BY count_id, clinic_id, dimension, category) AS cell, *,
                concat_ws('/', clinic_id, dimension, category) AS place
            FROM (SELECT count_id, clinic_id, dimension, category, value FROM '{folder}/release/agg_cells.parquet');
            CREATE TABLE cell_relations AS
            SELECT relation_id, comparison, cell, coefficient
            FROM '{folder}/release/agg_relations.parquet' NATURAL JOIN cells
            """)
        yield connection


def undeclared_pairs(marts: duckdb.DuckDBPyConnection) -> list[str]:
    """Counts with the same numbers in all of a dozen cells or more, not all of which the relations say to be equal."""
    equal = known_cells(marts)
    told = marts.sql("SELECT cell FROM cells ORDER BY cell").fetchall()
    marts.execute(
        "CREATE OR REPLACE TABLE known AS SELECT unnest($cells) AS cell, unnest($known) AS known",
        {"cells": [cell for (cell,) in told], "known": [equal.of(cell) for (cell,) in told]},
    )
    query = f"""
        WITH told AS (FROM cells NATURAL JOIN known),
        candidates AS (
            SELECT a.count_id AS first, b.count_id AS second
            FROM told AS a JOIN told AS b USING (place, value)
            WHERE a.count_id < b.count_id AND value <> 0
            GROUP BY ALL HAVING count(*) >= {FEWEST_CELLS}
        )
        SELECT first || ', ' || second
        FROM candidates JOIN told AS a ON a.count_id = first
        JOIN told AS b ON b.count_id = second AND a.place = b.place
        GROUP BY ALL HAVING bool_and(a.value = b.value) AND bool_or(a.known <> b.known) ORDER BY ALL
        """
    return [pair for (pair,) in marts.sql(query).fetchall()]


def undeclared_sums(marts: duckdb.DuckDBPyConnection) -> list[str]:
    """Counts of which the categories of a dimension add up in every clinic, not by one category alone, undeclared."""
    query = """
        WITH sums AS (
            SELECT count_id, clinic_id, dimension, sum(value) AS total, count(*) FILTER (value <> 0) AS parts
            FROM cells WHERE dimension <> '' AND clinic_id <> 'network' GROUP BY ALL
        ),
        declared AS (SELECT DISTINCT relation_id FROM cell_relations WHERE comparison = '=')
        SELECT count_id || '/' || sums.dimension
        FROM sums JOIN cells AS whole USING (count_id, clinic_id)
        LEFT JOIN declared ON relation_id = concat_ws('/', 'categories', count_id, clinic_id, sums.dimension)
        WHERE whole.dimension = '' AND count_id NOT LIKE '%/rest%'
        GROUP BY ALL
        HAVING bool_and(total = whole.value) AND bool_or(parts > 1) AND count(*) > count(relation_id) ORDER BY ALL
        """
    return [name for (name,) in marts.sql(query).fetchall()]


def is_accident(pair: str) -> bool:
    orders = (", ".join(names) for names in permutations(pair.split(", ")))
    return any(re.search(accident, order) for order in orders for accident in ACCIDENTS)


def test_counts_that_are_equal_everywhere_are_declared(marts: duckdb.DuckDBPyConnection) -> None:
    assert [pair for pair in undeclared_pairs(marts) if not is_accident(pair)] == []


def test_categories_that_add_up_everywhere_are_declared(marts: duckdb.DuckDBPyConnection) -> None:
    found = undeclared_sums(marts)
    assert [name for name in found if not any(re.search(accident, name) for accident in ACCIDENTAL_SUMS)] == []


@pytest.mark.parametrize(
    ("relations", "pair"),
    [
        ("counts/events_looked_at_for_an_end/%", "adverse_events, end_not_recorded_share/of"),
        ("counts/index_courses/%", "index_courses, patients_treated"),
    ],
)
def test_what_is_not_declared_is_found(marts: duckdb.DuckDBPyConnection, relations: str, pair: str) -> None:
    marts.execute("BEGIN")
    try:
        marts.execute("DELETE FROM cell_relations WHERE relation_id LIKE ?", [relations])
        assert pair in undeclared_pairs(marts)
        marts.execute("DELETE FROM cell_relations WHERE relation_id LIKE 'categories/%'")
        assert "sessions_given/drug" in undeclared_sums(marts)
    finally:
        marts.execute("ROLLBACK")
