"""Exact intervals of shares and rates against statsmodels and scipy, for numbers up to 5,000."""

from __future__ import annotations

from decimal import Decimal, localcontext

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.rates import confint_poisson

from clinic_outcomes.statistics.intervals import (
    byar_interval,
    clopper_pearson_interval,
    garwood_interval,
    upper_bound_of_none,
    upper_rate_of_none,
)

CONFIDENCES = [0.9, 0.95, 0.99]


def grid() -> tuple[list[int], list[int]]:
    """Every share of up to 40 people; from there, sizes up to 5,000 with few, some, most and all of them."""
    pairs = {(x, n) for n in range(1, 41) for x in range(n + 1)}
    for n in sorted({round(n) for n in np.geomspace(41, 5_000, 60)} | {206, 1_779, 1_985}):
        inside = {round(x) for x in np.linspace(0, n, 24)}
        pairs |= {(x, n) for x in inside | {1, 2, 3, n - 2, n - 1}}
    numerators, denominators = zip(*sorted(pairs), strict=True)
    return list(numerators), list(denominators)


@pytest.mark.parametrize("confidence", CONFIDENCES)
def test_clopper_pearson(confidence: float) -> None:
    numerators, denominators = grid()
    result = np.array(
        [clopper_pearson_interval(x, n, confidence) for x, n in zip(numerators, denominators, strict=True)]
    )
    expected = np.column_stack(
        proportion_confint(np.array(numerators), np.array(denominators), 1 - confidence, method="beta")
    )
    assert max(denominators) == 5_000
    np.testing.assert_allclose(result, expected, rtol=1e-9, atol=1e-9)
    assert result.min() == 0.0
    assert result.max() == 1.0


@pytest.mark.parametrize(("x", "n"), [(0, 1), (1, 1), (0, 206), (3, 206), (2, 5_000), (2_500, 5_000), (4_999, 5_000)])
@pytest.mark.parametrize("confidence", CONFIDENCES)
def test_clopper_pearson_by_inverting_the_binomial_test(x: int, n: int, confidence: float) -> None:
    expected = stats.binomtest(x, n).proportion_ci(confidence, method="exact")
    assert clopper_pearson_interval(x, n, confidence) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize("confidence", CONFIDENCES)
def test_garwood(confidence: float) -> None:
    events = np.unique(np.concatenate([np.arange(60), np.geomspace(60, 5_000, 80).round()])).astype(int)
    for exposure in (1.0, 0.37, 12_345.6):
        result = np.array([garwood_interval(int(x), exposure, confidence) for x in events])
        expected = np.column_stack(confint_poisson(events, exposure, method="exact-c", alpha=1 - confidence))
        # Statsmodels asks for a chi-square quantile with 0 degrees of freedom where there is no event.
        expected[events == 0, 0] = 0.0
        np.testing.assert_allclose(result, expected, rtol=1e-9, atol=0)
        tail = (1 - confidence) / 2
        # What an exact interval is: the ends are the rates at which the events seen are as rare as the tail.
        np.testing.assert_allclose(stats.poisson.cdf(events, result[:, 1] * exposure), tail, rtol=1e-9)
        np.testing.assert_allclose(stats.poisson.sf(events[1:] - 1, result[1:, 0] * exposure), tail, rtol=1e-9)


def test_two_events_in_200_patient_years() -> None:
    assert garwood_interval(2, 200, 0.9) == pytest.approx((0.001776808, 0.031478968), abs=5e-10)


def test_byar_with_thirty_digits() -> None:
    """x (1 - 1/9x ± z/3√x)³ in decimals; and close to the exact interval from ten events on."""
    z = Decimal("1.959963984540054235524594430521")
    with localcontext(prec=30):
        for events in [*range(1, 80), 999, 5_000]:
            ends = []
            for number, sign in ((Decimal(events), -1), (Decimal(events + 1), 1)):
                ends.append(float(number * (1 - 1 / (9 * number) + sign * z / (3 * number.sqrt())) ** 3 / 200))
            assert byar_interval(events, 200) == pytest.approx(ends, rel=1e-12)
            if events >= 10:
                assert byar_interval(events, 200) == pytest.approx(garwood_interval(events, 200), rel=2e-3)


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.998, 0.999999])
def test_never_negative(confidence: float) -> None:
    """At a high confidence the cube of Byar's formula is negative for one event."""
    for events in range(30):
        lower, upper = byar_interval(events, 3.5, confidence)
        assert 0 <= lower <= events / 3.5 < upper
    assert byar_interval(0, 3.5, confidence)[0] == 0.0
    assert byar_interval(1, 3.5, 0.998)[0] == 0.0


@pytest.mark.parametrize(("n", "percent"), [(1_985, 0.15), (1_779, 0.17), (206, 1.44)])
def test_none_seen(n: int, percent: float) -> None:
    """0 of 1,985 people: at most 0.15 %, by a one-sided 95 % bound."""
    assert round(100 * upper_bound_of_none(n), 2) == percent


def test_none_seen_is_one_sided() -> None:
    """A one-sided 95 % bound is the upper end of a two-sided 90 % interval."""
    for n in (1, 2, 30, 1_985, 5_000):
        assert upper_bound_of_none(n) == pytest.approx(proportion_confint(0, n, 0.1, method="beta")[1], abs=1e-12)
        assert upper_rate_of_none(n) == pytest.approx(confint_poisson(0, n, method="exact-c", alpha=0.1)[1], rel=1e-12)
        assert (1 - upper_bound_of_none(n, 0.99)) ** n == pytest.approx(0.01, rel=1e-9)
        assert np.exp(-upper_rate_of_none(n, 0.99) * n) == pytest.approx(0.01, rel=1e-9)


def test_arguments_out_of_range() -> None:
    with pytest.raises(ValueError, match="exposure must be above 0"):
        byar_interval(2, 0)
    with pytest.raises(ValueError, match="events must not be negative"):
        byar_interval(-1, 10)
    with pytest.raises(ValueError, match="a share needs"):
        upper_bound_of_none(0)
    with pytest.raises(ValueError, match="exposure must be above 0"):
        upper_rate_of_none(0)
    with pytest.raises(ValueError, match="confidence"):
        upper_bound_of_none(10, 95)
    with pytest.raises(ValueError, match="confidence"):
        upper_rate_of_none(10, 95)
