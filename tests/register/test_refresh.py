"""Which cells may be told of again, and what each figure shows: tables by eye."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import duckdb
import pytest

from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.register.refresh import RefreshRules, find_near_cells, plan_refresh
from tests.support.register_builds import TEXTS, make_marts, make_register, make_table, rows_of


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as made:
        yield made


def near(connection: duckdb.DuckDBPyConnection, before: str, today: str, rules: RefreshRules) -> set[str]:
    """``count clinic`` of the cells that may not be told of again; no figure of before is a figure of today."""
    make_register(connection, before)
    cells = [(r["count_id"], r["clinic_id"], "", "", r["value"], r["count_id"] != "sum") for r in rows_of(today)]
    make_table(connection, "agg_cells", f"{TEXTS}, value DECIMAL(18, 4), is_count BOOLEAN", cells)
    make_table(connection, "agg_figure_cells", f"figure_id VARCHAR, role VARCHAR, {TEXTS}", [])
    make_table(connection, "dim_counts", "network_count_id VARCHAR, count_id VARCHAR", [])
    # Of a count that all clinics tell of, the network's is called as theirs are.
    connection.execute("INSERT INTO dim_counts SELECT DISTINCT count_id, count_id FROM agg_cells")
    find_near_cells(connection, rules)
    return near_names(connection)


def near_names(connection: duckdb.DuckDBPyConnection) -> set[str]:
    found = connection.execute("SELECT count_id, clinic_id FROM near_cell JOIN today_cell USING (cell)").fetchall()
    assert len(found) == len(set(found))
    return {f"{count} {clinic}" for count, clinic in found}


BEFORE = """
entry | count_id | clinic_id | value | told
1     | same     | alder     | 40    | yes
1     | more     | alder     | 40    | yes
1     | enough   | alder     | 40    | yes
1     | fewer    | alder     | 40    | yes
1     | far      | alder     | 40    | yes
1     | nought   | alder     | 12    | yes
1     | untold   | alder     | 40    | no
1     | back     | alder     | 40    | yes
2     | back     | alder     | 60    | yes
1     | sum      | alder     | 40    | yes
"""
TODAY = """
count_id | clinic_id | value
same     | alder     | 40
more     | alder     | 52
enough   | alder     | 53
fewer    | alder     | 28
far      | alder     | 27
nought   | alder     | 0
untold   | alder     | 41
back     | alder     | 41
sum      | alder     | 41
new      | alder     | 5
more     | birch     | 52
"""


def test_a_cell_is_near_to_any_number_told_of_it_before(connection: duckdb.DuckDBPyConnection) -> None:
    expected = {"more alder", "fewer alder", "nought alder", "back alder"}
    assert near(connection, BEFORE, TODAY, RefreshRules()) == expected
    assert near(connection, BEFORE, TODAY, RefreshRules(smallest_change=12)) == {"back alder"}


# A line a count of the network: what each clinic had then and has now. `joins` and `leaves` have clinics with no cell
# at one of the times. Worked out by hand: the change of all, without one, without two.
NETWORKS = """
count_id  | then_a | then_b | then_c | then_d | now_a | now_b | now_c | now_d | near | why
still     | 20     | 20     | 20     | 20     | 20    | 20    | 20    | 20    | no   | nothing changed
one       | 20     | 20     | 20     | 20     | 33    | 20    | 20    | 20    | no   | 13, without a 0
one_less  | 20     | 20     | 20     | 20     | 32    | 20    | 20    | 20    | yes  | 12 by itself
two       | 20     | 20     | 20     | 20     | 33    | 33    | 20    | 20    | no   | 26, without a 13, without both 0
hidden    | 20     | 20     | 20     | 20     | 33    | 25    | 20    | 20    | yes  | 18, without a 5
third     | 20     | 20     | 20     | 20     | 33    | 33    | 25    | 20    | yes  | 31, without a and b 5
all       | 20     | 20     | 20     | 20     | 33    | 33    | 33    | 33    | no   | 52, 39, 26
rest      | 20     | 20     | 20     | 20     | 40    | 40    | 26    | 27    | no   | 53, 33, without a and b 13
rest_less | 20     | 20     | 20     | 20     | 40    | 40    | 26    | 26    | yes  | 52, 32, without a and b 12
swapped   | 20     | 20     | 20     | 20     | 25    | 15    | 20    | 20    | yes  | 0, without a -5
joins     | 20     | 20     | 20     | -      | 20    | 20    | 20    | 13    | no   | 13, without d 0
joins_few | 20     | 20     | 20     | -      | 33    | 20    | 20    | 5     | yes  | 18, without a 5
leaves    | 20     | 20     | 20     | 15     | 20    | 20    | 20    | -     | no   | -15, without d 0
leaves_by | 20     | 20     | 20     | 15     | 18    | 20    | 20    | -     | yes  | -17, without d -2
"""
CLINICS = ("a", "b", "c", "d")


def tell_networks(names: set[str]) -> tuple[str, str]:
    before, today = ["entry | count_id | clinic_id | value | told"], ["count_id | clinic_id | value"]
    for row in rows_of(NETWORKS):
        if row["count_id"] in names:
            then, now = ({c: int(row[f"{age}_{c}"] or 0) for c in CLINICS} for age in ("then", "now"))
            parts = [(c, then[c]) for c in CLINICS if row[f"then_{c}"]]
            # Of clinics nothing was told: what each knows of itself is enough.
            before += [f"1 | {row['count_id']} | {clinic} | {number} | no" for clinic, number in parts]
            before.append(f"1 | {row['count_id']} | network | {sum(then.values())} | yes")
            today += [f"{row['count_id']} | {c} | {now[c]}" for c in CLINICS if row[f"now_{c}"]]
            today.append(f"{row['count_id']} | network | {sum(now.values())}")
    return "\n".join(before), "\n".join(today)


def test_a_network_cell_is_near_where_clinics_know_their_part(connection: duckdb.DuckDBPyConnection) -> None:
    names = {str(row["count_id"]) for row in rows_of(NETWORKS)}
    expected = {f"{row['count_id']} network" for row in rows_of(NETWORKS) if row["near"] == "yes"}
    assert near(connection, *tell_networks(names), RefreshRules()) == expected


def test_without_pairs_two_clinics_tell_each_other_nothing(connection: duckdb.DuckDBPyConnection) -> None:
    names = {"third", "rest_less", "hidden"}
    assert near(connection, *tell_networks(names), RefreshRules(known_clinics=1)) == {"hidden network"}
    assert near(connection, *tell_networks(names), RefreshRules(known_clinics=0)) == set()


def test_a_count_that_is_called_otherwise_is_the_count_it_was(connection: duckdb.DuckDBPyConnection) -> None:
    """birch joins and tells of `treated` alone: the network's denominator of `better` is a count of its own then."""
    before = """
    entry | count_id | clinic_id | value | told
    1     | treated  | alder     | 40    | yes
    1     | treated  | network   | 40    | yes
    """
    for now, expected in (("46", {"treated_by_alder network"}), ("53", set()), ("40", set())):
        make_register(connection, before)
        connection.execute("UPDATE register_told SET figure_role = text_key(['better/network//', 'denominator'])")
        make_table(
            connection,
            "agg_cells",
            f"{TEXTS}, value DECIMAL(18, 4), is_count BOOLEAN",
            [
                ("treated", "birch", "", "", "90", True),
                ("treated_by_alder", "network", "", "", now, True),
            ],
        )
        make_table(
            connection,
            "agg_figure_cells",
            f"figure_id VARCHAR, role VARCHAR, {TEXTS}",
            [("better/network//", "denominator", "treated_by_alder", "network", "", "")],
        )
        make_table(
            connection,
            "dim_counts",
            "network_count_id VARCHAR, count_id VARCHAR",
            [("treated", "treated"), ("treated_by_alder", "treated")],
        )
        find_near_cells(connection, RefreshRules(known_clinics=0))
        assert near_names(connection) == expected


def test_the_parts_of_a_count_called_otherwise_are_those_of_clinics(connection: duckdb.DuckDBPyConnection) -> None:
    before = """
    entry | count_id | clinic_id | value | told
    1     | treated  | alder     | 40    | no
    1     | treated  | birch     | 40    | no
    1     | treated  | network   | 80    | yes
    """
    make_register(connection, before)
    renamed = "SET cell = text_key(['treated_by_two', 'network', '', ''])"
    connection.execute(f"UPDATE register_cells {renamed} WHERE clinic_id = 'network'")
    connection.execute(f"UPDATE register_told {renamed}")
    make_table(
        connection,
        "agg_cells",
        f"{TEXTS}, value DECIMAL(18, 4), is_count BOOLEAN",
        # 98 is 18 more: 13 of alder, and 5 of birch, as alder knows.
        [
            ("treated", "alder", "", "", 53, True),
            ("treated", "birch", "", "", 45, True),
            ("treated_by_two", "network", "", "", 98, True),
        ],
    )
    make_table(connection, "agg_figure_cells", f"figure_id VARCHAR, role VARCHAR, {TEXTS}", [])
    counts = [("treated", "treated"), ("treated_by_two", "treated")]
    make_table(connection, "dim_counts", "network_count_id VARCHAR, count_id VARCHAR", counts)
    for rules, expected in (
        (RefreshRules(known_clinics=1), {"treated_by_two network"}),
        (RefreshRules(known_clinics=0), set()),
    ):
        find_near_cells(connection, rules)
        assert near_names(connection) == expected


# ---- what each figure shows ----

REGISTER = """
entry | figure_id                 | numerator | denominator | value | refreshed_in | shown | upper | stands
1     | people/alder/group/still  | 40        | -           | 40    | 1            | 40    | -     | yes
1     | people/alder/group/more   | 40        | -           | 40    | 1            | 40    | -     | yes
1     | people/alder/group/gone   | 40        | -           | 40    | 1            | 40    | -     | yes
1     | people/alder/group/taken  | 40        | -           | 40    | 1            | 40    | -     | yes
2     | people/alder/group/taken  | 55        | -           | 55    | 2            | 55    | -     | no
2     | people/alder/group/kept   | 44        | -           | 44    | 1            | 45    | -     | yes
1     | people/alder/group/kept   | 44        | -           | 44    | 1            | 45    | -     | yes
1     | share/alder/group/near    | 60        | 120         | 0.5   | 1            | 50    | -     | yes
1     | share/alder/group/off     | 60        | 120         | 0.5   | 1            | 50    | -     | yes
1     | share/alder/group/medium  | 30        | 60          | 0.5   | 1            | 50    | -     | yes
1     | share/alder/group/wide    | 30        | 60          | 0.5   | 1            | 50    | -     | yes
1     | share/alder/group/small   | 20        | 40          | 0.5   | 1            | 50    | -     | yes
1     | share/alder/group/banded  | 30        | 120         | 0.25  | 1            | 25    | 50    | yes
1     | share/alder/group/nobody  | 13        | 26          | 0.5   | 1            | 50    | -     | yes
"""
# near_cell marks every figure of today but `still`, `fresh` and `new` as too near, whatever the numbers are.
FIGURES = """
measure | clinic_id | dimension | category | numerator | denominator | action    | shows | from
people  | alder     | group     | still    | 40        | -           | refreshed | 40    | -
people  | alder     | group     | fresh    | 90        | -           | refreshed | 90    | -
people  | alder     | group     | new      | 3         | -           | refreshed | 3     | -
people  | alder     | group     | more     | 45        | -           | repeated  | 40    | 1
people  | alder     | group     | taken    | 56        | -           | repeated  | 40    | 1
people  | alder     | group     | kept     | 50        | -           | repeated  | 44    | 1
people  | alder     | group     | never    | 50        | -           | withheld  | -     | -
share   | alder     | group     | near     | 61        | 120         | repeated  | 60    | 1
share   | alder     | group     | off      | 62        | 120         | withheld  | -     | -
share   | alder     | group     | medium   | 31        | 60          | repeated  | 30    | 1
share   | alder     | group     | wide     | 32        | 60          | withheld  | -     | -
share   | alder     | group     | small    | 30        | 40          | repeated  | 20    | 1
share   | alder     | group     | banded   | 61        | 120         | repeated  | 30    | 1
share   | alder     | group     | nobody   | 0         | 0           | withheld  | -     | -
"""
ANEW = ("still", "fresh", "new")


def plan(
    connection: duckdb.DuckDBPyConnection, *, repeat: bool = False
) -> dict[str, tuple[str, Decimal | None, int | None]]:
    make_marts(connection, FIGURES)
    make_register(connection, "entry | count_id | clinic_id | value | told", REGISTER)
    # A vintage one person away from today's makes a cell too near.
    find_near_cells(connection, RefreshRules())
    near_ones = f"FROM today_figure_cell WHERE category NOT IN {ANEW}"
    connection.execute(f"INSERT INTO register_cells SELECT 1, cell, part, clinic_id, value + 1 {near_ones}")
    connection.execute(f"INSERT INTO register_told SELECT 1, figure_role, cell {near_ones}")
    plan_refresh(connection, RefreshRules(), repeat=repeat)
    rows = connection.execute("SELECT figure_id, action, numerator, refreshed_in FROM refresh").fetchall()
    assert len({figure for figure, *_ in rows}) == len(rows)
    return {figure.rpartition("/")[2]: tuple(row) for figure, *row in rows}


def test_a_figure_is_shown_anew_repeated_or_withheld(connection: duckdb.DuckDBPyConnection) -> None:
    expected = {
        row["category"]: (
            row["action"],
            None if row["shows"] is None else Decimal(row["shows"]),
            None if row["from"] is None else int(row["from"]),
        )
        for row in rows_of(FIGURES)
    }
    assert plan(connection) == expected | {"gone": ("withheld", None, None)}


def test_what_is_repeated_has_the_exact_values_of_its_last_refresh(connection: duckdb.DuckDBPyConnection) -> None:
    plan(connection)
    found = "SELECT numerator, denominator, value FROM refresh WHERE figure_id = 'share/alder/group/near'"
    assert connection.execute(found).fetchone() == (60, 120, Decimal("0.5"))


def test_one_cell_too_near_is_enough_and_shared_counts_are_one_cell(connection: duckdb.DuckDBPyConnection) -> None:
    """A rate first shown beside a count of its denominator that stays: the two would tell of those between."""
    figures = """
    measure | clinic_id | numerator | denominator
    treated | alder     | 106       | -
    share   | alder     | 50        | 106
    other   | alder     | 50        | 130
    """
    # Of other's numerator, denominator and remainder only the last is near.
    before = """
    entry | count_id   | clinic_id | value | told
    1     | treated    | alder     | 100   | yes
    1     | other      | alder     | 30    | yes
    1     | other/of   | alder     | 115   | yes
    1     | other/rest | alder     | 85    | yes
    """
    shown = """
    entry | figure_id        | numerator | denominator | value | refreshed_in | shown | upper | stands
    1     | treated/alder//  | 100       | -           | 100   | 1            | 100   | -     | yes
    """
    make_marts(connection, figures, {"share/of": "treated"})
    make_register(connection, before, shown)
    plan_refresh(connection, RefreshRules())
    found = dict(connection.execute("SELECT figure_id, action FROM refresh").fetchall())
    assert found == {"treated/alder//": "repeated", "share/alder//": "withheld", "other/alder//": "withheld"}


def test_nothing_is_shown_anew_where_everything_is_to_repeat(connection: duckdb.DuckDBPyConnection) -> None:
    found = plan(connection, repeat=True)
    assert found["still"] == ("repeated", 40, 1)
    assert found["fresh"] == found["new"] == ("withheld", None, None)
    assert found["near"] == ("repeated", 60, 1)


def test_a_figure_of_no_cell_stops_everything(connection: duckdb.DuckDBPyConnection) -> None:
    plan(connection)
    connection.execute("DELETE FROM agg_figure_cells WHERE figure_id = 'share/alder/group/small'")
    with pytest.raises(ClinicOutcomesError, match=r"made of no cell; .*: share$"):
        plan_refresh(connection, RefreshRules())
