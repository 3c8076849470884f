"""Individuals charts small enough to check by eye."""

from __future__ import annotations

import pytest

from clinic_outcomes.statistics.control_chart import ControlChart, Rule, Signal, control_chart


def points_in_runs(chart: ControlChart) -> list[int]:
    return [signal.point for signal in chart.signals if signal.rule == Rule.RUN_ON_ONE_SIDE]


def test_lines() -> None:
    """Mean 51; moving ranges 2, 2, 2, 2, 2, 2, 9 have mean 3."""
    chart = control_chart([49, 51, 49, 51, 49, 51, 49, 58])
    assert chart.centre == pytest.approx(407 / 8)
    assert chart.mean_moving_range == pytest.approx(3)
    assert (chart.lower, chart.upper) == pytest.approx((407 / 8 - 7.98, 407 / 8 + 7.98))
    assert chart.signals == ()


def test_a_jump_is_beyond_the_limits() -> None:
    """Eleven values of 10 and 12 and one of 40: mean 13.25, mean moving range 50/11, limits 1.16 and 25.34."""
    chart = control_chart([10, 12, 10, 12, 10, 12, 40, 11, 11, 11, 11, 10])
    assert chart.mean_moving_range == pytest.approx((5 * 2 + 28 + 29 + 1) / 11)
    assert chart.signals == (Signal(6, Rule.BEYOND_LIMITS),)


def test_eight_on_one_side_are_a_run_and_seven_are_none() -> None:
    """Centre 5: the first eight lie above it; without one of them seven are left."""
    above, below = [6.0] * 8, [3.0] * 4
    chart = control_chart([*above, *below])
    assert chart.centre == 5
    assert points_in_runs(chart) == list(range(8))
    assert points_in_runs(control_chart([6.0] * 7 + [3.0] * 3 + [4.0])) == []


def test_a_value_on_the_centre_ends_a_run() -> None:
    """Centre 5: four above, one on it, four above, and below."""
    chart = control_chart([6.0] * 4 + [5.0] + [6.0] * 4 + [1.0, 1.0])
    assert chart.centre == 5
    assert points_in_runs(chart) == []


def test_equal_values_give_no_signal() -> None:
    chart = control_chart([0.1] * 9)
    assert (chart.lower, chart.upper) == (chart.centre, chart.centre)
    assert chart.signals == ()


@pytest.mark.parametrize("points", [0, 1, 7])
def test_too_few_points_have_no_limits(points: int) -> None:
    chart = control_chart([50.0] * (points - 1) + [90.0] if points else [])
    assert chart.too_few_points
    assert (chart.centre, chart.lower, chart.upper, chart.signals) == (None, None, None, ())
