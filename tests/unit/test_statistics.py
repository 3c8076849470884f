"""Intervals and effect sizes against scipy.stats, statsmodels and published figures."""

from __future__ import annotations

import math

import pytest
from scipy import stats
from statsmodels.stats import meta_analysis
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint
from statsmodels.stats.rates import confint_poisson
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from clinic_outcomes.statistics.effect_sizes import cohens_d, cohens_d_interval, hedges_g, paired_d, pooled_sd
from clinic_outcomes.statistics.intervals import (
    Group,
    clopper_pearson_interval,
    difference_of_means,
    garwood_interval,
    mean_interval,
    newcombe_interval,
    welch_degrees_of_freedom,
    wilson_interval,
)

SHARES = [(0, 25), (1, 30), (10, 15), (3, 15), (57, 400), (399, 400), (400, 400), (5_000, 20_000)]

# PCL-5 totals, small enough to sum by eye.
LOW = [12.0, 20.0, 25.0, 33.0, 40.0, 41.0]
HIGH = [30.0, 44.0, 45.0, 52.0, 61.0, 61.0, 66.0, 70.0]


def close(expected: object) -> object:
    return pytest.approx(expected, rel=1e-9, abs=1e-9)


def group(values: list[float]) -> Group:
    mean = math.fsum(values) / len(values)
    squares = math.fsum((value - mean) ** 2 for value in values)
    return Group(len(values), mean, math.sqrt(squares / (len(values) - 1)))


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.998])
@pytest.mark.parametrize(("numerator", "denominator"), SHARES)
def test_share(numerator: int, denominator: int, confidence: float) -> None:
    wilson = proportion_confint(numerator, denominator, 1 - confidence, method="wilson")
    exact = proportion_confint(numerator, denominator, 1 - confidence, method="beta")
    assert wilson_interval(numerator, denominator, confidence) == close(wilson)
    assert clopper_pearson_interval(numerator, denominator, confidence) == close(exact)


def test_published_shares() -> None:
    """Newcombe 1998 (Stat Med 17:857), table I: 81 of 263, 15 of 148, 0 of 20 and 1 of 29."""
    published = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0.0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }
    for counts, interval in published.items():
        assert wilson_interval(*counts) == pytest.approx(interval, abs=5e-5)
    assert clopper_pearson_interval(0, 20) == pytest.approx((0.0, 0.1684), abs=5e-5)
    assert clopper_pearson_interval(1, 29) == pytest.approx((0.0009, 0.1776), abs=5e-5)


@pytest.mark.parametrize("events", [0, 1, 3, 12, 250])
def test_rate(events: int) -> None:
    lower, upper = confint_poisson(events, 40.0, method="exact-c")
    assert garwood_interval(events, 40.0) == close((0.0 if events == 0 else lower, upper))


def test_published_rate() -> None:
    """Ulm 1990 (Am J Epidemiol 131:373): none observed has 3.689 as upper end; 10 observed 4.795 to 18.390."""
    assert garwood_interval(0, 1.0) == pytest.approx((0.0, 3.689), abs=5e-4)
    assert garwood_interval(10, 1.0) == pytest.approx((4.795, 18.390), abs=5e-4)


@pytest.mark.parametrize("first", SHARES)
@pytest.mark.parametrize("second", [(3, 15), (0, 25), (120, 120)])
def test_difference_of_shares(first: tuple[int, int], second: tuple[int, int]) -> None:
    expected = confint_proportions_2indep(*first, *second, method="newcomb", compare="diff")
    assert newcombe_interval(*first, *second) == close(expected)


def test_published_difference_of_shares() -> None:
    """Newcombe 1998 (Stat Med 17:873), table II, method 10: 56/70 - 48/80 and 10/10 - 0/10."""
    assert newcombe_interval(56, 70, 48, 80) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert newcombe_interval(10, 10, 0, 10) == pytest.approx((0.6075, 1.0), abs=5e-5)


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.998])
def test_mean(confidence: float) -> None:
    known = group(LOW)
    expected = DescrStatsW(LOW).tconfint_mean(1 - confidence)
    assert mean_interval(known.n, known.mean, known.sd, confidence) == close(expected)


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.998])
def test_difference_of_means(confidence: float) -> None:
    compared = CompareMeans(DescrStatsW(LOW), DescrStatsW(HIGH))
    result = difference_of_means(group(LOW), group(HIGH), confidence)
    assert (result.lower, result.upper) == close(compared.tconfint_diff(1 - confidence, usevar="unequal"))
    assert result.difference == close(sum(LOW) / 6 - sum(HIGH) / 8)
    assert result.degrees_of_freedom == close(stats.ttest_ind(LOW, HIGH, equal_var=False).df)


def test_groups_without_spread() -> None:
    same = Group(10, 4.0, 0.0)
    assert mean_interval(10, 4.0, 0.0) == (4.0, 4.0)
    assert welch_degrees_of_freedom(same, Group(12, 3.0, 0.0)) == 20
    assert welch_degrees_of_freedom(same, Group(12, 3.0, 5.0)) == close(11)
    assert welch_degrees_of_freedom(Group(9, 0.0, 1e-90), Group(9, 0.0, 1e-90)) == close(16)
    with pytest.raises(ValueError, match="without spread"):
        cohens_d(same, same)
    with pytest.raises(ValueError, match="without spread"):
        paired_d(10, 4.0, 0.0)


def test_effect_sizes() -> None:
    low, high = group(LOW), group(HIGH)
    assert pooled_sd(low, high) == close(
        CompareMeans(DescrStatsW(LOW), DescrStatsW(HIGH)).std_meandiff_pooledvar / math.sqrt(1 / 6 + 1 / 8)
    )
    d, g = cohens_d(low, high), hedges_g(low, high)
    smd, _ = meta_analysis.effectsize_smd(low.mean, low.sd, low.n, high.mean, high.sd, high.n)
    assert g.value == close(smd)
    # J for 12 degrees of freedom is 1 - 3/47.
    assert g.value == close(d.value * 44 / 47)
    assert d.upper - d.value == close(d.value - d.lower)
    assert ((d.upper - d.value) / stats.norm.ppf(0.975)) ** 2 == close(14 / 48 + d.value**2 / 28)


def test_feder_2021() -> None:
    """Feder 2021: d = 1.13, 95 % interval 0.36 to 1.91, of 15 and 15 people; d itself is rounded to 0.01."""
    effect = cohens_d_interval(1.13, 15, 15)
    assert (effect.lower, effect.upper) == pytest.approx((0.36, 1.91), abs=0.01)


def test_paired_effect_size() -> None:
    """Five changes of mean 10 and SD 5: d = 2, variance 1/5 + 4/10."""
    effect = paired_d(5, 10.0, 5.0)
    assert effect.value == 2.0
    assert (effect.upper - 2.0) == close(1.959963984540054 * math.sqrt(0.6))


@pytest.mark.parametrize(("numerator", "denominator"), [(1, 0), (-1, 5), (6, 5)])
def test_shares_that_are_none(numerator: int, denominator: int) -> None:
    for interval in (wilson_interval, clopper_pearson_interval):
        with pytest.raises(ValueError, match="a share needs"):
            interval(numerator, denominator)


def test_arguments_out_of_range() -> None:
    with pytest.raises(ValueError, match="at least 2 values"):
        mean_interval(1, 3.0, 0.0)
    with pytest.raises(ValueError, match="never negative"):
        mean_interval(5, 3.0, -1.0)
    with pytest.raises(ValueError, match="exposure"):
        garwood_interval(3, 0.0)
    for confidence in (0.0, 1.0, 95.0):
        with pytest.raises(ValueError, match="confidence"):
            wilson_interval(1, 2, confidence)
        with pytest.raises(ValueError, match="confidence"):
            clopper_pearson_interval(1, 2, confidence)
        with pytest.raises(ValueError, match="confidence"):
            garwood_interval(1, 2, confidence)
