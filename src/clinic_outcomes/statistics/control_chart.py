"""Individuals chart (XmR): whether a figure, told again release after release, has moved by more than it usually does.

A release's figures are cumulative: each counts again everyone whom earlier releases counted. Successive values
therefore hang together, change less and less, and drift for long before they settle. So the chart can show a jump: more
change between two releases than is usual between releases, as after a corrected mapping, a large clinic's first
delivery, or many withdrawn rows. It cannot show that care has changed since a date, its false alarms are not those of
independent values (about 1 % a point beyond the limits), and runs on one side are to be expected of a figure that
settles. For change in care, chart a figure that counts each person in one period alone.

Source: Wheeler and Chambers 1992, Understanding Statistical Process Control; run of 8 from the Western Electric rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from math import fsum

# 3 standard deviations over the 1.128 that a moving range of two values is of one standard deviation.
LIMIT_FACTOR = 2.66
RUN_LENGTH = 8

# With fewer values the limits themselves are too uncertain to be worth a line, and no run can be seen.
FEWEST_POINTS = 8


class Rule(StrEnum):
    """What makes a point a signal."""

    BEYOND_LIMITS = "beyond the limits"
    RUN_ON_ONE_SIDE = "one of 8 or more in a row on one side of the centre"


@dataclass(frozen=True)
class Signal:
    """A point, counted from 0, and the rule it meets."""

    point: int
    rule: Rule


@dataclass(frozen=True)
class ControlChart:
    """Lines of a chart in the figure's unit, and its signals by point; limits and signals empty with too few points."""

    points: int
    centre: float | None
    mean_moving_range: float | None
    lower: float | None
    upper: float | None
    signals: tuple[Signal, ...]

    @property
    def too_few_points(self) -> bool:
        """Whether there is nothing to draw limits from yet (fewer than ``FEWEST_POINTS``)."""
        return self.points < FEWEST_POINTS


def control_chart(values: Sequence[float]) -> ControlChart:
    """Chart of ``values`` in the order of their releases: mean ± 2.66 times the mean moving range.

    A value exactly on the centre belongs to neither side and ends a run.
    """
    if len(values) < FEWEST_POINTS:
        return ControlChart(len(values), None, None, None, None, ())
    ranges = [abs(after - before) for before, after in pairwise(values)]
    mean_moving_range = fsum(ranges) / len(ranges)
    # A mean of equal values may differ from them in the last digit, and all would lie beyond limits of no width.
    centre = values[0] if mean_moving_range == 0 else fsum(values) / len(values)
    lower, upper = centre - LIMIT_FACTOR * mean_moving_range, centre + LIMIT_FACTOR * mean_moving_range
    beyond = [Signal(point, Rule.BEYOND_LIMITS) for point, value in enumerate(values) if value < lower or value > upper]
    runs = [Signal(point, Rule.RUN_ON_ONE_SIDE) for point in _points_in_runs(values, centre)]
    signals = sorted([*beyond, *runs], key=lambda signal: (signal.point, signal.rule))
    return ControlChart(len(values), centre, mean_moving_range, lower, upper, tuple(signals))


def _points_in_runs(values: Sequence[float], centre: float) -> list[int]:
    """Points of every run of at least ``RUN_LENGTH`` values on one side of the centre."""
    sides = [(value > centre) - (value < centre) for value in values]
    points: list[int] = []
    start = 0
    for point in range(1, len(sides) + 1):
        if point == len(sides) or sides[point] != sides[start]:
            if sides[start] != 0 and point - start >= RUN_LENGTH:
                points += range(start, point)
            start = point
    return points
