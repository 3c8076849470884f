"""Releases of a few cells, where what an attacker knows can be worked out on paper."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from clinic_outcomes.audit import Limits, audit
from clinic_outcomes.audit.worlds import Worlds
from tests.support.small_releases import Shown, Small, count, open_small, rate, read_small, total

OUTSIDER, SINGLE, PAIRS = (Limits(11, 5, attackers) for attackers in (0, 1, 2))


def interval(small: Small, cell: str, clinics: tuple[int, ...] = ()) -> tuple[float, float]:
    """What these clinics can work out of one cell."""
    system = read_small(small)
    name = cell.replace("[", "/group/").replace("]", "")
    count_id, clinic = name.split("@")
    count_id, _, rest = count_id.partition("/group/")
    target = system.cells.names.index("/".join([count_id, clinic, *(["group", rest] if rest else ["", ""])]))
    wanted = np.arange(len(system.cells)) == target
    ((lower, upper),) = Worlds(system, clinics, wanted).extremes(np.array([target]))
    return lower, upper


def found(small: Small, limits: Limits) -> set[tuple[str, str, tuple[str, ...]]]:
    """Rule, cell and coalition of everything that speaks against a release."""
    return {(one.rule, one.cell, one.coalition) for one in audit(open_small(small), limits).findings}


ONE_WITHHELD = Small(
    cells={"all@a": 50, "all[x]@a": 45, "all[y]@a": 5},
    figures={"all": count("all@a", 50), "x": count("all[x]@a", 45), "y": count("all[y]@a")},
    relations=[total("all@a", "all[x]@a", "all[y]@a")],
)
"""Of 48 to 52 people 43 to 47 are x: 1 to 9 are y."""
TWO_WITHHELD = Small(
    cells={"all@a": 50, "all[x]@a": 30, "all[y]@a": 8, "all[z]@a": 12},
    figures={
        "all": count("all@a", 50),
        "x": count("all[x]@a", 30),
        "y": count("all[y]@a"),
        "z": count("all[z]@a"),
    },
    relations=[total("all@a", "all[x]@a", "all[y]@a", "all[z]@a")],
)
"""Of 48 to 52 people 28 to 32 are x: 16 to 24 are y or z, at least one of them each."""


def test_what_a_total_and_its_other_parts_leave_is_found() -> None:
    assert interval(ONE_WITHHELD, "all[y]@a") == (1, 9)
    assert found(ONE_WITHHELD, OUTSIDER) == {("disclosed", "all/a/group/y", ())}


def test_two_withheld_parts_protect_each_other() -> None:
    assert interval(TWO_WITHHELD, "all[y]@a") == (1, 23)
    assert interval(TWO_WITHHELD, "all[z]@a") == (1, 23)
    assert found(TWO_WITHHELD, OUTSIDER) == set()


def test_a_part_shown_to_be_nought_leaves_the_other() -> None:
    """As with two withheld parts, but z is shown as nought: 16 to 24 are y, wide enough, and no small count."""
    small = Small(
        cells={"all@a": 50, "all[x]@a": 30, "all[y]@a": 20, "all[z]@a": 0},
        figures=dict(TWO_WITHHELD.figures) | {"z": count("all[z]@a", 0)},
        relations=TWO_WITHHELD.relations,
    )
    assert interval(small, "all[y]@a") == (16, 24)
    assert found(small, OUTSIDER) == set()
    assert found(small, Limits(11, 9, 0)) == {("disclosed", "all/a/group/y", ())}


THREE_CLINICS = Small(
    cells={"all@network": 60, "all@a": 20, "all@b": 30, "all@c": 10},
    figures={
        "network": count("all@network", 60),
        "a": count("all@a", 20),
        "b": count("all@b", 30),
        "c": count("all@c"),
    },
    relations=[total("all@network", "all@a", "all@b", "all@c")],
)
"""58 to 62 in the network, 18 to 22 in a and 28 to 32 in b."""


def test_clinics_take_their_own_off_the_network() -> None:
    assert interval(THREE_CLINICS, "all@c") == (4, 16)
    assert interval(THREE_CLINICS, "all@c", (0,)) == (6, 14)
    assert interval(THREE_CLINICS, "all@c", (1,)) == (6, 14)
    assert interval(THREE_CLINICS, "all@c", (0, 1)) == (8, 12)


def test_a_pair_of_clinics_knows_more_than_each() -> None:
    assert found(THREE_CLINICS, OUTSIDER) == set()
    assert found(THREE_CLINICS, SINGLE) == set()
    assert found(THREE_CLINICS, PAIRS) == {
        ("disclosed", "all/c//", ("a", "b")),
        # The 60 that are shown are 10 without the two.
        ("small_count", "all/network//", ("a", "b")),
    }


def test_of_two_clinics_each_is_attacked_by_the_other() -> None:
    """The network's 48 to 52 less the 40 that a knows to be its own are 8 to 12."""
    small = Small(
        cells={"all@network": 50, "all@a": 40, "all@b": 10},
        figures={"network": count("all@network", 50), "a": count("all@a", 40), "b": count("all@b")},
        relations=[total("all@network", "all@a", "all@b")],
    )
    assert interval(small, "all@b", (0,)) == (8, 12)
    for limits in (SINGLE, PAIRS):
        assert found(small, limits) == {("disclosed", "all/b//", ("a",)), ("small_count", "all/network//", ("a",))}


def test_a_clinic_is_attacked_by_outsiders_where_there_is_no_other() -> None:
    assert found(ONE_WITHHELD, PAIRS) == {("disclosed", "all/a/group/y", ())}


def test_pairs_of_four_leave_two_that_are_withheld() -> None:
    """a and b know 75 of 98 to 102, and 23 to 27 of c and d together; a and c know 52, and b as 33 to 37."""
    small = Small(
        cells={"all@network": 100, "all@a": 40, "all@b": 35, "all@c": 12, "all@d": 13},
        figures={
            "network": count("all@network", 100),
            "a": count("all@a", 40),
            "b": count("all@b", 35),
            "c": count("all@c"),
            "d": count("all@d"),
        },
        relations=[total("all@network", "all@a", "all@b", "all@c", "all@d")],
    )
    assert interval(small, "all@d", (0, 1)) == (1, 26)
    assert interval(small, "all@d", (0, 2)) == (98 - 52 - 37, 102 - 52 - 33)
    assert found(small, PAIRS) == set()


RATE = Small(
    cells={"all@a": 50, "yes@a": 20, "no@a": 30, "yes[x]@a": 15, "yes[y]@a": 5},
    figures={
        "share": rate("yes@a", "all@a", "no@a", 40, 5, 50),
        "x": count("yes[x]@a", 15),
        "y": count("yes[y]@a"),
    },
    relations=[total("all@a", "yes@a", "no@a"), total("yes@a", "yes[x]@a", "yes[y]@a")],
)
"""37.5 to 42.5 % of 48 to 52 are 18 to 22.1 people, 13 to 17 of whom are x: 1 to 9.1 are y."""


def test_a_rate_bounds_its_numerator() -> None:
    assert interval(RATE, "yes@a") == pytest.approx((18, 22.1))
    assert interval(RATE, "yes[y]@a") == pytest.approx((1, 9.1))
    assert found(RATE, OUTSIDER) == {("disclosed", "yes/a/group/y", ())}


def test_a_rate_of_few_is_a_small_count() -> None:
    small = Small(
        cells={"all@a": 50, "yes@a": 45, "no@a": 5},
        figures={"share": rate("yes@a", "all@a", "no@a", 90, 5, 50)},
        relations=[total("all@a", "yes@a", "no@a")],
    )
    assert ("small_count", "no/a//", ()) in found(small, OUTSIDER)


def test_rates_of_one_denominator_are_seen_together() -> None:
    """40 % less 30 % of the same people are 5 to 15 % of 48 to 52, where of others it could be 1.1 to 8.9."""
    small = Small(
        cells={"all@a": 50, "yes@a": 20, "no@a": 30, "more@a": 15, "less@a": 35, "only@a": 5},
        figures={
            "share": rate("yes@a", "all@a", "no@a", 40, 5, 50),
            "share_of_more": rate("more@a", "all@a", "less@a", 30, 5, 50),
            "only": count("only@a"),
        },
        relations=[
            total("all@a", "yes@a", "no@a"),
            total("all@a", "more@a", "less@a"),
            total("yes@a", "more@a", "only@a"),
        ],
    )
    assert interval(small, "only@a") == pytest.approx((0.05 * 48, 0.15 * 52))
    assert found(small, OUTSIDER) == {("disclosed", "only/a//", ())}


@pytest.mark.parametrize(("step", "expected"), [(0.2, (1, 57.2 - 43)), (0.02, (1, 52.52 - 43))])
def test_a_mean_bounds_its_sum(step: float, expected: tuple[float, float]) -> None:
    """One event a person of 48 to 52, give or take half a step; 43 to 47 of the events are x."""
    small = Small(
        cells={"people@a": 50, "events@a": 50, "events[x]@a": 45, "events[y]@a": 5},
        figures={
            "mean": Shown("mean", {"numerator": "events@a", "denominator": "people@a"}, 1, step, 50),
            "x": count("events[x]@a", 45),
            "y": count("events[y]@a"),
        },
        relations=[total("events@a", "events[x]@a", "events[y]@a")],
    )
    assert interval(small, "events[y]@a") == pytest.approx(expected)
    assert (found(small, OUTSIDER) == set()) == (expected[1] >= 11)


def test_a_mean_of_scores_bounds_a_sum_of_less_than_nought() -> None:
    """-19 to -17 points for each of 98 to 102 people."""
    small = Small(
        cells={"people@a": 100, "change/sum@a": -1900},
        figures={"mean": Shown("mean", {"numerator": "change/sum@a", "denominator": "people@a"}, -18, 2, 100)},
    )
    assert interval(small, "change/sum@a") == pytest.approx((-19 * 102, -17 * 98))
    assert found(small, OUTSIDER) == set()


def _life_table(*rows: tuple[float | None, int, int]) -> dict[str, Shown]:
    return {
        f"week_{week}": Shown(
            "life_table_row",
            {"numerator": f"lost_{week}@a", "denominator": f"risk_{week}@a"},
            value,
            None if value is None else step,
            None if value is None else denominator,
            measure={"instrument": "i", "quantity": "q", "interval_number": week},
        )
        for week, (value, step, denominator) in enumerate(rows, start=1)
    }


def test_a_life_table_bounds_the_events_between_its_rows() -> None:
    """At most 21 % of 98 to 102 are 21.42 people, of whom 13 to 17 are x and at least one is y."""
    small = Small(
        cells={"risk_1@a": 100, "lost_1@a": 20, "lost_1[x]@a": 15, "lost_1[y]@a": 5},
        figures=_life_table((80, 2, 100)) | {"x": count("lost_1[x]@a", 15), "y": count("lost_1[y]@a")},
        relations=[total("lost_1@a", "lost_1[x]@a", "lost_1[y]@a")],
    )
    assert interval(small, "lost_1@a") == pytest.approx((14, 21.42))
    assert interval(small, "lost_1[y]@a") == pytest.approx((1, 8.42))
    assert found(small, OUTSIDER) == {("disclosed", "lost_1/a/group/y", ())}


def test_who_is_lost_from_sight_counts_half_in_a_life_table() -> None:
    """Of 98 to 102, 78 to 82 are at risk in the next row: 19 % of half of 98, of 78 and of those with an event."""
    small = Small(
        cells={"risk_1@a": 100, "lost_1@a": 20, "risk_2@a": 80, "lost_2@a": 20},
        figures=_life_table((80, 2, 100), (80, 5, 80)),
    )
    lower, upper = interval(small, "lost_1@a")
    assert (lower, upper) == pytest.approx((0.095 * (98 + 78) / (1 - 0.095), 21.42))


def test_a_rate_of_events_bounds_events_by_sessions() -> None:
    """9.5 to 10.5 events a hundred of 498 to 502 sessions are 47.31 to 52.71, of which 43 to 47 are x."""
    cells = {"sessions@a": 500, "events@a": 50, "events[x]@a": 45, "events[y]@a": 5, "people@a": 100}
    of_rate = {"denominator": "people@a", "exposure": "sessions@a"}
    small = Small(
        cells=cells,
        figures={
            "events": count("events@a"),
            "sessions": count("sessions@a", 500),
            "rate": Shown(
                *("model_value", of_rate, 10, 1, 100),
                unit="events per 100 sessions",
                measure={"count_measure": "events"},
            ),
            "x": count("events[x]@a", 45),
            "y": count("events[y]@a"),
        },
        relations=[total("events@a", "events[x]@a", "events[y]@a")],
    )
    assert interval(small, "events@a") == pytest.approx((0.095 * 498, 0.105 * 502))
    assert interval(small, "events[y]@a") == pytest.approx((1, 0.105 * 502 - 43))
    assert ("disclosed", "events/a/group/y", ()) in found(small, OUTSIDER)


STRATUM = Small(
    cells={"all[yes]@network": 60, "all[no]@network": 60, "all@network": 120}
    | {"all@a": 50, "all@b": 30, "all@c": 20, "all@d": 20},
    figures={
        "yes": count("all[yes]@network", 60),
        "no": count("all[no]@network", 60),
        "all": count("all@network", 120),
    },
    relations=[
        total("all@network", "all@a", "all@b", "all@c", "all@d"),
        total("all@network", "all[yes]@network", "all[no]@network"),
    ],
    contributions={
        "all[yes]@network": {"a": 35, "b": 20, "c": 3, "d": 2},
        "all[no]@network": {"a": 15, "b": 10, "c": 17, "d": 18},
    },
)
"""A stratum told of the network alone: a and b know that 55 of 58 to 62 are their own."""


def test_what_two_clinics_leave_of_a_stratum_is_a_small_count() -> None:
    assert ("small_count", "all/network/group/yes", ("a", "b")) in found(STRATUM, PAIRS)
    apart = {
        "all[yes]@network": {"a": 15, "b": 15, "c": 15, "d": 15},
        "all[no]@network": {"a": 35, "b": 15, "c": 5, "d": 5},
    }
    assert not any(cell.endswith("/yes") for _, cell, _ in found(replace(STRATUM, contributions=apart), PAIRS))


def test_figures_that_cannot_be_placed_are_refused() -> None:
    unknown_type = replace(ONE_WITHHELD.figures["all"], figure_type="median")
    assert ("cannot_be_placed", "all", ()) in found(
        replace(ONE_WITHHELD, figures=dict(ONE_WITHHELD.figures) | {"all": unknown_type}), OUTSIDER
    )
    without_cell = {name: value for name, value in ONE_WITHHELD.cells.items() if name != "all@a"}
    assert ("cannot_be_placed", "all", ()) in found(replace(ONE_WITHHELD, cells=without_cell), OUTSIDER)


def test_figures_that_the_exact_ones_contradict_are_refused() -> None:
    shown = dict(ONE_WITHHELD.figures) | {"all": count("all@a", 60)}
    assert found(replace(ONE_WITHHELD, figures=shown), OUTSIDER) == {("contradiction", "all/a//", ())}


def test_a_shown_count_below_the_threshold_is_refused() -> None:
    shown = dict(ONE_WITHHELD.figures) | {"y": count("all[y]@a", 5)}
    rules = {rule for rule, _, _ in found(replace(ONE_WITHHELD, figures=shown), OUTSIDER)}
    assert "small_count" in rules


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"value": 51}, id="more exact than its step"),
        pytest.param({"step": 10}, id="a step that counts do not have"),
        pytest.param({"step": None}, id="no step"),
        pytest.param({"denominator": 51}, id="an exact denominator"),
    ],
)
def test_numbers_that_are_not_as_coarse_as_they_say_are_refused(change: dict[str, float]) -> None:
    shown = dict(TWO_WITHHELD.figures) | {"all": replace(TWO_WITHHELD.figures["all"], **change)}
    assert ("cannot_be_placed", "all", ()) in found(replace(TWO_WITHHELD, figures=shown), OUTSIDER)


@pytest.mark.parametrize("column", ["shown_value", "shown_upper", "shown_step", "shown_denominator"])
def test_withheld_figures_say_nothing(column: str) -> None:
    connection = open_small(TWO_WITHHELD)
    connection.execute(f"UPDATE figures SET {column} = 10 WHERE figure_id = 'y'")
    assert ("cannot_be_placed", "y") in {(one.rule, one.cell) for one in audit(connection, OUTSIDER).findings}


@pytest.mark.parametrize("column", ["measure", "clinic_id", "dimension", "category", "figure_type"])
def test_labels_are_those_of_the_marts(column: str) -> None:
    connection = open_small(TWO_WITHHELD)
    other = {"measure": "x", "figure_type": "mean"}.get(column, "other")
    connection.execute(f"UPDATE figures SET {column} = '{other}' WHERE figure_id = 'all'")
    assert ("cannot_be_placed", "all") in {(one.rule, one.cell) for one in audit(connection, OUTSIDER).findings}


def test_a_figure_that_is_there_twice_is_refused() -> None:
    connection = open_small(TWO_WITHHELD)
    connection.execute("INSERT INTO figures FROM figures WHERE figure_id = 'y'")
    assert ("cannot_be_placed", "y") in {(one.rule, one.cell) for one in audit(connection, OUTSIDER).findings}
