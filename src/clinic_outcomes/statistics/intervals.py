"""Confidence intervals of shares, rates and means, and of differences between two groups.

All are two-sided but for the upper bounds where nothing was seen; ``confidence`` is 0.95 unless told otherwise. An
interval is a pair (lower, upper) in the unit of what it is an interval of; shares run from 0 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import expm1, log1p, sqrt

from clinic_outcomes.statistics.quantiles import (
    beta_quantile,
    chi_square_quantile,
    two_sided_normal,
    two_sided_t,
)

Interval = tuple[float, float]


@dataclass(frozen=True)
class Group:
    """A group as a report tells it: how many, their mean, and their standard deviation (of a sample, n - 1)."""

    n: int
    mean: float
    sd: float

    def __post_init__(self) -> None:
        if self.n < 2:
            raise ValueError("a group needs at least 2 values to have a standard deviation")
        if self.sd < 0:
            raise ValueError("a standard deviation is never negative")


@dataclass(frozen=True)
class Difference:
    """First minus second mean, its interval, and the degrees of freedom that made it."""

    difference: float
    lower: float
    upper: float
    degrees_of_freedom: float


def wilson_interval(numerator: float, denominator: float, confidence: float = 0.95) -> Interval:
    """Score interval of a share.

    With p = x/n and z the normal quantile: (p + z²/2n ± z √(p(1 - p)/n + z²/4n²)) / (1 + z²/n).

    Source: Wilson 1927, J Am Stat Assoc 22:209; recommended by Brown, Cai and DasGupta 2001, Stat Sci 16:101.
    Raises ``ValueError`` unless 0 <= numerator <= denominator and denominator > 0.
    """
    _check_share(numerator, denominator)
    z = two_sided_normal(confidence)
    centre = numerator + z * z / 2
    half_width = z * sqrt(numerator * (denominator - numerator) / denominator + z * z / 4)
    total = denominator + z * z
    # At the ends the formula is exactly 0 or 1; rounding would leave something like -1e-17.
    lower = 0.0 if numerator == 0 else (centre - half_width) / total
    upper = 1.0 if numerator == denominator else (centre + half_width) / total
    return lower, upper


def clopper_pearson_interval(numerator: int, denominator: int, confidence: float = 0.95) -> Interval:
    """Exact interval of a share: beta quantiles of (x, n - x + 1) and (x + 1, n - x).

    Source: Clopper and Pearson 1934, Biometrika 26:404. Raises ``ValueError`` as ``wilson_interval`` does.
    """
    _check_share(numerator, denominator)
    two_sided_normal(confidence)
    tail = (1 - confidence) / 2
    others = denominator - numerator
    lower = 0.0 if numerator == 0 else beta_quantile(tail, numerator, others + 1)
    upper = 1.0 if others == 0 else beta_quantile(1 - tail, numerator + 1, others)
    return lower, upper


def garwood_interval(events: int, exposure: float, confidence: float = 0.95) -> Interval:
    """Exact Poisson interval of a rate of ``events`` over ``exposure`` (patient-years, sessions, expected events).

    χ²(a/2; 2x) / 2 and χ²(1 - a/2; 2x + 2) / 2 over the exposure, with a = 1 - confidence.
    Source: Garwood 1936, Biometrika 28:437.
    Raises ``ValueError`` for negative events or an exposure that is not above 0.
    """
    _check_rate(events, exposure)
    two_sided_normal(confidence)
    tail = (1 - confidence) / 2
    lower = 0.0 if events == 0 else chi_square_quantile(tail, 2 * events) / 2
    return lower / exposure, chi_square_quantile(1 - tail, 2 * events + 2) / 2 / exposure


def byar_interval(events: int, exposure: float, confidence: float = 0.95) -> Interval:
    """Byar's approximation of ``garwood_interval``, by hand and without a quantile of the chi-square distribution.

    With z the normal quantile: x (1 - 1/9x - z/3√x)³ and y (1 - 1/9y + z/3√y)³ over the exposure, y = x + 1. The lower
    end is 0 for no events, and where the cube would be negative.

    Source: Breslow and Day 1987, Statistical Methods in Cancer Research II (IARC 82), chapter 2, after Byar.
    Raises ``ValueError`` as ``garwood_interval`` does.
    """
    _check_rate(events, exposure)
    z = two_sided_normal(confidence)
    lower = 0.0 if events == 0 else events * max(0.0, 1 - 1 / (9 * events) - z / (3 * sqrt(events))) ** 3
    following = events + 1
    upper = following * (1 - 1 / (9 * following) + z / (3 * sqrt(following))) ** 3
    return lower / exposure, upper / exposure


def upper_bound_of_none(n: int, confidence: float = 0.95) -> float:
    """One-sided upper end of a share of which nothing was seen in ``n``: 1 - (1 - confidence)^(1/n), about 3/n.

    The share at which seeing nothing would be as rare as 1 - confidence.
    Source: Clopper and Pearson's interval, one-sided; Hanley and Lippman-Hand 1983, JAMA 249:1743 ("rule of three").
    Raises ``ValueError`` for n below 1.
    """
    _check_share(0, n)
    two_sided_normal(confidence)
    return -expm1(log1p(-confidence) / n)


def upper_rate_of_none(exposure: float, confidence: float = 0.95) -> float:
    """One-sided upper end of a rate of which no event was seen over ``exposure``: -ln(1 - confidence) / exposure.

    Raises ``ValueError`` for an exposure that is not above 0.
    """
    _check_rate(0, exposure)
    two_sided_normal(confidence)
    return -log1p(-confidence) / exposure


def newcombe_interval(
    numerator_1: float, denominator_1: float, numerator_2: float, denominator_2: float, confidence: float = 0.95
) -> Interval:
    """Interval of the difference of two independent shares, first minus second, from their Wilson intervals.

    With those as (l, u): d - √((p₁ - l₁)² + (u₂ - p₂)²) and d + √((u₁ - p₁)² + (p₂ - l₂)²).

    Source: method 10 of Newcombe 1998, Stat Med 17:873. Raises ``ValueError`` as ``wilson_interval`` does.
    """
    lower_1, upper_1 = wilson_interval(numerator_1, denominator_1, confidence)
    lower_2, upper_2 = wilson_interval(numerator_2, denominator_2, confidence)
    share_1, share_2 = numerator_1 / denominator_1, numerator_2 / denominator_2
    difference = share_1 - share_2
    below = sqrt((share_1 - lower_1) ** 2 + (upper_2 - share_2) ** 2)
    above = sqrt((upper_1 - share_1) ** 2 + (share_2 - lower_2) ** 2)
    return difference - below, difference + above


def mean_interval(n: int, mean: float, sd: float, confidence: float = 0.95) -> Interval:
    """Student's interval of a mean: mean ± t(n - 1) · sd / √n.

    Of a mean change within people (paired), ``sd`` is the standard deviation of the changes.
    Raises ``ValueError`` for n below 2 or a negative SD.
    """
    group = Group(n, mean, sd)
    half_width = two_sided_t(confidence, group.n - 1) * group.sd / sqrt(group.n)
    return mean - half_width, mean + half_width


def welch_degrees_of_freedom(first: Group, second: Group) -> float:
    """(s₁²/n₁ + s₂²/n₂)² / ((s₁²/n₁)²/(n₁ - 1) + (s₂²/n₂)²/(n₂ - 1)).

    Where both SDs are 0 the formula has no value; n₁ + n₂ - 2 is given, and the interval has no width anyway.
    Source: Welch 1947, Biometrika 34:28; Satterthwaite 1946, Biometrics Bulletin 2:110.
    """
    part_1, part_2 = first.sd**2 / first.n, second.sd**2 / second.n
    if part_1 + part_2 == 0:
        return first.n + second.n - 2
    # Shares of the variance instead of variances: very small SDs would vanish when raised to the fourth power.
    share_1, share_2 = part_1 / (part_1 + part_2), part_2 / (part_1 + part_2)
    return 1 / (share_1**2 / (first.n - 1) + share_2**2 / (second.n - 1))


def difference_of_means(first: Group, second: Group, confidence: float = 0.95) -> Difference:
    """Welch's interval of first minus second mean, which does not suppose equal variances.

    m₁ - m₂ ± t(df) √(s₁²/n₁ + s₂²/n₂), df as ``welch_degrees_of_freedom`` gives it.
    """
    degrees_of_freedom = welch_degrees_of_freedom(first, second)
    standard_error = sqrt(first.sd**2 / first.n + second.sd**2 / second.n)
    half_width = two_sided_t(confidence, degrees_of_freedom) * standard_error
    difference = first.mean - second.mean
    return Difference(difference, difference - half_width, difference + half_width, degrees_of_freedom)


def _check_share(numerator: float, denominator: float) -> None:
    if denominator <= 0 or not 0 <= numerator <= denominator:
        raise ValueError("a share needs a denominator above 0 and a numerator from 0 to the denominator")


def _check_rate(events: int, exposure: float) -> None:
    if events < 0 or exposure <= 0:
        raise ValueError("events must not be negative and exposure must be above 0")
