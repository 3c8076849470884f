"""Funnel limits and dispersion against scipy's distributions and tables small enough to check by eye."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from clinic_outcomes.statistics.funnel import funnel_limits, mean_limits, z_scores
from clinic_outcomes.statistics.overdispersion import (
    additive_spread,
    dispersion,
    multiplicative_spread,
    sampling_variance,
    variance_between_clinics,
    winsorised_normal_square,
)


def close(expected: object) -> object:
    return pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_scores_about_a_known_target() -> None:
    x = np.arange(41)
    mid_p = (stats.binom.cdf(x, 40, 0.3) + stats.binom.cdf(x - 1, 40, 0.3)) / 2
    mid_p_above = (stats.binom.sf(x, 40, 0.3) + stats.binom.sf(x - 1, 40, 0.3)) / 2
    expected = np.where(mid_p < 0.5, stats.norm.ppf(mid_p), stats.norm.isf(mid_p_above))
    assert z_scores(x, 40, 0.3) == close(expected)


def test_scores_within_a_network() -> None:
    """40 of the network's 200 people, of whom 60 responded."""
    x = np.arange(41)
    mid_p = (stats.hypergeom.cdf(x, 200, 60, 40) + stats.hypergeom.cdf(x - 1, 200, 60, 40)) / 2
    usual = slice(3, 25)
    assert z_scores(x, 40, 0.3, 200)[usual] == close(stats.norm.ppf(mid_p)[usual])


def test_scores_by_hand() -> None:
    """2 of 4 people are the clinic's, 2 of 4 responded: none 1/6, one 4/6, both 1/6; mid-p 1/12, 1/2 and 11/12."""
    assert z_scores([0, 1, 2], 2, 0.5, 4) == close(stats.norm.ppf([1 / 12, 1 / 2, 11 / 12]))
    with pytest.raises(ValueError, match="not possible"):
        z_scores([3], 2, 0.5, 4)
    with pytest.raises(ValueError, match="not possible"):
        z_scores([0], 3, 0.5, 4)


def test_limits_by_hand() -> None:
    """2 people about 0.5: mid-p 1/8, 1/2, 7/8. A lower tail of 0.2 lies 0.2 of the way from 0 to 1 responder."""
    assert funnel_limits(2, 0.5, 0.4) == close((0.1, 0.9))
    # 5 % is rarer than nobody at all: such a clinic cannot be outside.
    assert funnel_limits(2, 0.5, 0.05) == (0.0, 1.0)


def test_limits_come_closer_with_size_and_wider_with_spread() -> None:
    for target in (0.1, 0.5, 0.9):
        widths = [np.diff(funnel_limits(n, target, 0.05, 10_000))[0] for n in (25, 50, 100, 200, 400, 9_000)]
        assert widths == sorted(widths, reverse=True)
        narrow, wide = funnel_limits(200, target), funnel_limits(200, target, spread=1.5)
        assert wide[0] < narrow[0] < target < narrow[1] < wide[1]
    # Far from the ends and with many people they are those of the normal distribution.
    assert funnel_limits(20_000, 0.5, 0.002) == pytest.approx(
        (0.5 - 3.0902 * 0.5 / 20_000**0.5, 0.5 + 3.0902 * 0.5 / 20_000**0.5), abs=2e-6
    )


def test_limits_of_means() -> None:
    assert mean_limits(25, 30.0, 10.0) == close((30 - 1.959963984540054 * 2, 30 + 1.959963984540054 * 2))
    # A quarter of the network: the variance is three quarters.
    assert mean_limits(25, 30.0, 10.0, 0.05, 100)[1] - 30 == close(1.959963984540054 * 2 * 0.75**0.5)
    assert mean_limits(25, 30.0, 10.0, 0.05, 25) == (30.0, 30.0)


def test_dispersion_by_hand() -> None:
    """Eleven scores: the second lowest and second highest are the deciles, so -9 and 9 count as -2 and 2."""
    scores = [-9, -2, -1, -1, 0, 0, 0, 1, 1, 2, 9]
    assert dispersion(scores) == close((4 * 4 + 4 * 1) / 11 / winsorised_normal_square())
    assert winsorised_normal_square() == close(
        stats.norm.expect(lambda z: np.clip(z, stats.norm.ppf(0.1), stats.norm.ppf(0.9)) ** 2)
    )
    assert dispersion(scores[::-1]) == dispersion(scores)
    with pytest.raises(ValueError, match="too few"):
        dispersion([1, 2, 3, 4])


def test_variance_between_by_hand() -> None:
    """Five clinics of 80 in a network of 400, share 0.5: each has a variance by chance of 1/320 * 4/5 = 1/400.

    With phi = 4: (5 * 4 - 4) / (5 * 400 - 400) = 1/100, so that the spread is √(1 + 4).
    """
    assert sampling_variance(80, 0.5, 400) == close(1 / 400)
    between = variance_between_clinics(4.0, [80] * 5, 0.5)
    assert between == close(1 / 100)
    assert additive_spread(between, 80, 0.5, 400) == close(5**0.5)
    assert variance_between_clinics(0.7, [80] * 5, 0.5) == 0
    assert (multiplicative_spread(4.0), multiplicative_spread(0.7)) == (2.0, 1.0)
    with pytest.raises(ValueError, match="cannot vary"):
        variance_between_clinics(4.0, [80] * 5, 0.0)


def test_arguments_out_of_range() -> None:
    for arguments in ((0, 0.5), (10, 1.5), (10, 0.5, 0.0), (10, 0.5, 0.05, 9), (10, 0.5, 0.05, None, 0.0)):
        with pytest.raises(ValueError, match=r"funnel|probability|network"):
            funnel_limits(*arguments)
    with pytest.raises(ValueError, match="network"):
        mean_limits(10, 30.0, 5.0, 0.05, 9)
