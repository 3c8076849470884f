"""Intervals from rounded figures: what a reader of a release can know.

A release shows shares, rates, means, standard deviations and numbers of people rounded half up. Each function here
gives the smallest interval that contains the interval of every exact figure that would be shown the same. It is
computed from what is shown alone, so it tells nothing about the exact figure that the release does not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import product
from math import ceil

from clinic_outcomes.statistics.effect_sizes import EffectSize, hedges_g
from clinic_outcomes.statistics.intervals import (
    Group,
    Interval,
    clopper_pearson_interval,
    difference_of_means,
    garwood_interval,
    mean_interval,
    newcombe_interval,
    upper_bound_of_none,
    wilson_interval,
)

Number = int | float | Decimal


@dataclass(frozen=True)
class RoundedShare:
    """A share as shown: percent to the nearest ``step`` (percentage points), of a number to the nearest ``base``."""

    percent: Number
    step: Number
    denominator: int
    base: int


@dataclass(frozen=True)
class RoundedGroup:
    """A group as shown: its number to the nearest ``base``, mean and SD to the nearest step, in their unit."""

    n: int
    base: int
    mean: float
    mean_step: float
    sd: float
    sd_step: float


def possible_counts(shown: int, base: int) -> range:
    """The whole numbers that, rounded half up to a multiple of ``base``, are ``shown``; none below 0.

    Raises ``ValueError`` where ``shown`` is not a multiple of ``base`` or is negative, or ``base`` is not above 0.
    """
    if base <= 0 or shown < 0 or shown % base:
        raise ValueError("a rounded count is a multiple of its base, and not negative")
    return range(max(0, ceil(shown - Fraction(base, 2))), ceil(shown + Fraction(base, 2)))


def possible_shares(share: RoundedShare) -> tuple[tuple[int, int, int], ...]:
    """(lowest numerator, highest numerator, denominator) for each denominator that can be behind ``share``.

    Raises ``ValueError`` where there is none: no exact figure would be shown so.
    """
    percent, step = Fraction(str(share.percent)), Fraction(str(share.step))
    possible = []
    for denominator in possible_counts(share.denominator, share.base):
        lowest = max(0, ceil(denominator * (percent - step / 2) / 100))
        highest = min(denominator, ceil(denominator * (percent + step / 2) / 100) - 1)
        if denominator > 0 and lowest <= highest:
            possible.append((lowest, highest, denominator))
    if not possible:
        raise ValueError("no exact share would be shown like this")
    return tuple(possible)


def rounded_share_interval(
    percent: Number, step: Number, denominator: int, base: int, confidence: float = 0.95
) -> Interval:
    """``wilson_interval`` of a share that is shown in percent, widened for its rounding; runs from 0 to 1.

    For each possible denominator the ends rise with the numerator, so the lowest and highest decide.
    """
    possible = possible_shares(RoundedShare(percent, step, denominator, base))
    return (
        min(wilson_interval(lowest, n, confidence)[0] for lowest, _, n in possible),
        max(wilson_interval(highest, n, confidence)[1] for _, highest, n in possible),
    )


def rounded_exact_share_interval(
    percent: Number, step: Number, denominator: int, base: int, confidence: float = 0.95
) -> Interval:
    """``clopper_pearson_interval`` of a share that is shown in percent, widened for its rounding; runs from 0 to 1.

    A share shown as 0 % may be of a few: use ``rounded_upper_bound_of_none`` only where nothing is known to be seen.
    """
    possible = possible_shares(RoundedShare(percent, step, denominator, base))
    return (
        min(clopper_pearson_interval(lowest, n, confidence)[0] for lowest, _, n in possible),
        max(clopper_pearson_interval(highest, n, confidence)[1] for _, highest, n in possible),
    )


def rounded_upper_bound_of_none(denominator: int, base: int, confidence: float = 0.95) -> float:
    """``upper_bound_of_none`` of as few as can be behind a rounded number of people; runs from 0 to 1.

    Raises ``ValueError`` where nobody can be behind it.
    """
    possible = [n for n in possible_counts(denominator, base) if n > 0]
    if not possible:
        raise ValueError("a bound needs somebody in whom nothing was seen")
    return upper_bound_of_none(possible[0], confidence)


def rounded_rate_interval(rate: Number, step: Number, events: int, base: int, confidence: float = 0.95) -> Interval:
    """``garwood_interval`` of a rate shown to the nearest ``step``, of a number of events to the nearest ``base``.

    In the unit of the rate, for the exposure is what number and rate say it is. With x events the ends are the rate
    times L(x)/x and U(x)/x, of which one rises and the other falls with x: the fewest events decide both.
    Raises ``ValueError`` where no exact rate would be shown so, and where no event at all may be behind it: how long
    nothing was seen is then not shown, and the rate has no bound.
    """
    shown, half = Fraction(str(rate)), Fraction(str(step)) / 2
    counts = possible_counts(events, base)
    if shown < half and counts[0] == 0:
        raise ValueError("a rate of no events has no bound without its exposure")
    some = [count for count in counts if count > 0]
    if shown + half <= 0 or not some:
        raise ValueError("no exact rate would be shown like this")
    lower, upper = garwood_interval(some[0], some[0], confidence)
    return float(max(Fraction(0), shown - half)) * lower, float(shown + half) * upper


def difference_of_rounded_shares(first: RoundedShare, second: RoundedShare, confidence: float = 0.95) -> Interval:
    """``newcombe_interval`` of first minus second share, widened for their rounding.

    Both ends rise with the first numerator and fall with the second: with A = p - l, the lower end moves with p by
    1 - A/√(A² + B²) · (1 - dl/dp), which is never negative, for a Wilson limit l never falls as p rises.
    """
    pairs = list(product(possible_shares(first), possible_shares(second)))
    return (
        min(newcombe_interval(a[0], a[2], b[1], b[2], confidence)[0] for a, b in pairs),
        max(newcombe_interval(a[1], a[2], b[0], b[2], confidence)[1] for a, b in pairs),
    )


def rounded_mean_interval(group: RoundedGroup, confidence: float = 0.95) -> Interval:
    """``mean_interval`` of a mean, widened for the rounding of mean, SD and number.

    The fewest people with the largest SD give the widest interval; the mean moves it by half a step either way.
    Raises ``ValueError`` where fewer than 2 people are possible.
    """
    half_step = group.mean_step / 2
    lower, upper = _hull(mean_interval(exact.n, exact.mean, exact.sd, confidence) for exact in _corners(group))
    return lower - half_step, upper + half_step


def difference_of_rounded_means(first: RoundedGroup, second: RoundedGroup, confidence: float = 0.95) -> Interval:
    """``difference_of_means`` (Welch) of first minus second mean, widened for all that is rounded.

    A larger SD can make the interval narrower, where it gives more degrees of freedom to a small group beside it. In
    each SD the width falls, if at all, before it rises, so that the ends of its range decide; every possible number is
    tried. Raises ``ValueError`` where a group may have fewer than 2 people.
    """
    half_step = (first.mean_step + second.mean_step) / 2
    differences = (
        difference_of_means(exact_first, exact_second, confidence)
        for exact_first, exact_second in product(_corners(first), _corners(second))
    )
    lower, upper = _hull((difference.lower, difference.upper) for difference in differences)
    return lower - half_step, upper + half_step


def rounded_hedges_g(first: RoundedGroup, second: RoundedGroup, confidence: float = 0.95) -> EffectSize:
    """``hedges_g`` of the figures shown, its interval widened for all that is rounded.

    Ends rise with g, so that the furthest and nearest means with each end of the SDs decide.
    Raises ``ValueError`` where both SDs may be 0, for then g has no bound.
    """
    half_step = (first.mean_step + second.mean_step) / 2
    effects = [
        hedges_g(Group(exact_first.n, exact_first.mean + shift, exact_first.sd), exact_second, confidence)
        for exact_first, exact_second in product(_corners(first), _corners(second))
        for shift in (-half_step, half_step)
    ]
    shown = hedges_g(Group(first.n, first.mean, first.sd), Group(second.n, second.mean, second.sd), confidence)
    return EffectSize(shown.value, min(effect.lower for effect in effects), max(effect.upper for effect in effects))


def _corners(group: RoundedGroup) -> list[Group]:
    """The group with each possible number and the smallest and largest possible SD."""
    counts = possible_counts(group.n, group.base)
    deviations = (max(0.0, group.sd - group.sd_step / 2), group.sd + group.sd_step / 2)
    return [Group(n, group.mean, sd) for n, sd in product(counts, deviations)]


def _hull(intervals: Iterable[Interval]) -> Interval:
    lowers, uppers = zip(*intervals, strict=True)
    return min(lowers), max(uppers)
