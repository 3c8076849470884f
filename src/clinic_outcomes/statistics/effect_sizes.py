"""Standardised differences of means: Cohen's d and Hedges' g of two groups, d of changes within people.

Intervals are normal approximations, as trial reports and meta-analyses give them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from clinic_outcomes.statistics.intervals import Group
from clinic_outcomes.statistics.quantiles import two_sided_normal


@dataclass(frozen=True)
class EffectSize:
    """A standardised difference and its interval."""

    value: float
    lower: float
    upper: float


def pooled_sd(first: Group, second: Group) -> float:
    """√(((n₁ - 1) s₁² + (n₂ - 1) s₂²) / (n₁ + n₂ - 2))."""
    squares = (first.n - 1) * first.sd**2 + (second.n - 1) * second.sd**2
    return sqrt(squares / (first.n + second.n - 2))


def cohens_d_interval(d: float, n_1: int, n_2: int, confidence: float = 0.95) -> EffectSize:
    """The interval of a known d between groups of ``n_1`` and ``n_2``: d ± z √((n₁ + n₂)/(n₁n₂) + d²/(2(n₁ + n₂))).

    Source: Hedges and Olkin 1985, Statistical Methods for Meta-Analysis, chapter 5. Feder 2021 (Am J Psychiatry
    178:193) reports d = 1.13 of 15 and 15 people as 0.36 to 1.91, which is this interval.
    Raises ``ValueError`` for a group without people.
    """
    if n_1 < 1 or n_2 < 1:
        raise ValueError("both groups need people")
    variance = (n_1 + n_2) / (n_1 * n_2) + d * d / (2 * (n_1 + n_2))
    half_width = two_sided_normal(confidence) * sqrt(variance)
    return EffectSize(d, d - half_width, d + half_width)


def cohens_d(first: Group, second: Group, confidence: float = 0.95) -> EffectSize:
    """Cohen's d: (m₁ - m₂) / pooled SD, with ``cohens_d_interval``. Raises ``ValueError`` where both SDs are 0.

    Source: Cohen 1988, Statistical Power Analysis for the Behavioral Sciences, chapter 2.
    """
    return cohens_d_interval(_standardised(first, second), first.n, second.n, confidence)


def small_sample_correction(degrees_of_freedom: float) -> float:
    """The factor that takes Cohen's d to Hedges' g: 1 - 3 / (4 df - 1).

    Source: Hedges 1981, J Educ Stat 6:107, his approximation, within 0.0004 of the exact factor from 10 degrees of
    freedom. Raises ``ValueError`` for 1 degree of freedom or fewer.
    """
    if degrees_of_freedom <= 1:
        raise ValueError("the small-sample correction needs more than 1 degree of freedom")
    return 1 - 3 / (4 * degrees_of_freedom - 1)


def hedges_g(first: Group, second: Group, confidence: float = 0.95) -> EffectSize:
    """Hedges' g: Cohen's d times ``small_sample_correction(n₁ + n₂ - 2)``.

    The interval is that of ``cohens_d_interval`` about g, with g for d in it.

    Raises ``ValueError`` where both SDs are 0 or n₁ + n₂ is below 4.
    """
    g = small_sample_correction(first.n + second.n - 2) * _standardised(first, second)
    return cohens_d_interval(g, first.n, second.n, confidence)


def paired_d(n: int, mean_change: float, sd_of_changes: float, confidence: float = 0.95) -> EffectSize:
    """Cohen's d of changes within people (d_z): mean change / SD of changes, ± z √(1/n + d²/(2n)).

    It answers another question than d between groups and must not be compared with it. Source: Borenstein et al. 2009,
    Introduction to Meta-Analysis, formula 4.28, for standardisation by the SD of the differences.
    Raises ``ValueError`` for n below 2 or an SD that is not above 0.
    """
    group = Group(n, mean_change, sd_of_changes)
    if group.sd == 0:
        raise ValueError("changes without spread have no standardised size")
    d = group.mean / group.sd
    half_width = two_sided_normal(confidence) * sqrt(1 / n + d * d / (2 * n))
    return EffectSize(d, d - half_width, d + half_width)


def _standardised(first: Group, second: Group) -> float:
    spread = pooled_sd(first, second)
    if spread == 0:
        raise ValueError("groups without spread have no standardised difference")
    return (first.mean - second.mean) / spread
