"""The gamma-Poisson shrinker against published scores, another fit and numerical integration."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import integrate, optimize, stats

from clinic_outcomes.statistics.gamma_poisson import (
    GammaMixture,
    NoFitError,
    fit_prior,
    geometric_means,
    log_likelihood,
    posterior_quantiles,
)

Floats = NDArray[np.float64]

# Example of the R package openEBGM 0.9.1 (vignette on posterior calculations, FDA's CAERS reports): the parameters, and
# N, E with the EBGM, 5 % and 95 % quantiles printed for them.
CAERS = GammaMixture(3.25379356, 0.39988854, 2.02612692, 1.90807970, 0.06534557)
PUBLISHED = [
    (16, 0.40643623, 23.26, 15.68, 33.48),
    (19, 0.89690107, 16.78, 11.65, 23.55),
    (6, 0.07866508, 18.28, 10.16, 30.83),
    (8, 0.30482718, 15.25, 9.00, 24.52),
    (11, 0.56317044, 14.28, 8.98, 21.78),
    (1, 0.0360548272, 2.23, 0.49, 13.85),
    (1, 0.0765792610, 1.92, 0.47, 11.77),
]


def table(seed: int, groups: int, terms: int, size: float) -> tuple[Floats, Floats]:
    """Counts and expected counts: nine cells in ten near what is expected, one in ten about four times that."""
    random = np.random.default_rng(seed)
    expected = size * np.outer(random.gamma(2, 1, groups), random.gamma(0.5, 1, terms)).ravel() + 1e-3
    rare = random.random(groups * terms) < 0.1
    ratios = np.where(rare, random.gamma(4, 1, groups * terms), random.gamma(8, 1 / 8, groups * terms))
    return random.poisson(ratios * expected).astype(float), expected


def independent_log_likelihood(logs: Floats, counts: Floats, expected: Floats) -> float:
    """By scipy's negative binomial; parameters are logarithms of shapes and rates, and the logit of the probability.

    A shape is at most e⁹ = 8,103, where a component hardly varies: far beyond, that distribution loses its digits.
    """
    shape_1, rate_1, shape_2, rate_2 = np.exp(np.minimum(logs[:4], 9))
    weight = 1 / (1 + np.exp(-logs[4]))
    first = stats.nbinom.pmf(counts, shape_1, rate_1 / (rate_1 + expected))
    second = stats.nbinom.pmf(counts, shape_2, rate_2 / (rate_2 + expected))
    return float(np.log(weight * first + (1 - weight) * second).sum())


@pytest.mark.parametrize(("count", "expected", "mean", "lower", "upper"), PUBLISHED)
def test_published_scores(count: int, expected: float, mean: float, lower: float, upper: float) -> None:
    """Quantiles there are found to a hundredth."""
    assert geometric_means(CAERS, [count], [expected])[0] == pytest.approx(mean, abs=0.005)
    assert posterior_quantiles(CAERS, [count], [expected])[0] == pytest.approx(lower, abs=0.015)
    assert posterior_quantiles(CAERS, [count], [expected], 0.95)[0] == pytest.approx(upper, abs=0.015)


@pytest.mark.parametrize(("count", "expected"), [(0, 0.2), (1, 3.7), (6, 0.0787), (45, 30.0)])
def test_likelihood_and_scores_by_integration(count: int, expected: float) -> None:
    """The Poisson probability of the count and its logarithm's mean, integrated over the prior on a scale of logs."""
    prior = GammaMixture(0.7, 0.4, 9.0, 8.0, 0.2)
    logs = np.linspace(-40, 7, 400_001)
    ratios = np.exp(logs)
    density = 0.2 * stats.gamma.pdf(ratios, 0.7, scale=1 / 0.4) + 0.8 * stats.gamma.pdf(ratios, 9, scale=1 / 8)
    joint = density * stats.poisson.pmf(count, ratios * expected) * ratios
    marginal = integrate.simpson(joint, x=logs)
    assert log_likelihood(prior, [count], [expected]) == pytest.approx(np.log(marginal), abs=1e-7)
    mean_log = integrate.simpson(joint * logs, x=logs) / marginal
    assert geometric_means(prior, [count], [expected])[0] == pytest.approx(np.exp(mean_log), rel=1e-6)
    cumulative = integrate.cumulative_trapezoid(joint, logs, initial=0) / marginal
    for probability in (0.05, 0.5, 0.95):
        quantile = posterior_quantiles(prior, [count], [expected], probability)[0]
        assert np.interp(np.log(quantile), logs, cumulative) == pytest.approx(probability, abs=1e-6)


@pytest.mark.parametrize(("seed", "groups", "terms", "size"), [(1, 8, 60, 2.0), (2, 5, 30, 6.0), (3, 10, 40, 0.5)])
def test_fit_against_another(seed: int, groups: int, terms: int, size: float) -> None:
    """Nelder and Mead's search without slopes, in other parameters, begun at three places and again where it ended."""
    counts, expected = table(seed, groups, terms, size)
    prior = fit_prior(counts, expected)
    best: optimize.OptimizeResult | None = None
    for start in ([1.4, 0.0, 2.0, 2.0, -2.0], [0.0, -1.0, 1.0, 1.0, -1.0], [2.0, 0.5, 3.0, 3.0, 0.0]):
        for _ in range(4):
            found = optimize.minimize(
                lambda logs: -independent_log_likelihood(logs, counts, expected),
                start,
                method="Nelder-Mead",
                options={"maxiter": 4_000, "maxfev": 4_000, "xatol": 1e-8, "fatol": 1e-10},
            )
            start = found.x
        if best is None or found.fun < best.fun:
            best = found
    assert best is not None
    assert log_likelihood(prior, counts, expected) == pytest.approx(-best.fun, abs=1e-3)
    shape_1, rate_1, shape_2, rate_2 = np.exp(np.minimum(best.x[:4], 9))
    other = GammaMixture(shape_1, rate_1, shape_2, rate_2, 1 / (1 + np.exp(-best.x[4])))
    np.testing.assert_allclose(
        geometric_means(prior, counts, expected), geometric_means(other, counts, expected), rtol=2e-3
    )
    np.testing.assert_allclose(
        posterior_quantiles(prior, counts, expected), posterior_quantiles(other, counts, expected), rtol=2e-3
    )


def test_shrinkage() -> None:
    """A cell of one event stays where the others are, however small its expected count; many events are believed."""
    counts, expected = table(1, 8, 60, 2.0)
    counts[:2], expected[:2] = [1, 60], [0.02, 6.0]
    prior = fit_prior(counts, expected)
    single, many = geometric_means(prior, [1, 60], [0.02, 6.0])
    assert single < 3
    assert 8 < many < 10
    lower = posterior_quantiles(prior, [1, 60], [0.02, 6.0])
    assert lower[0] < 1
    assert lower[1] > 7


def test_where_nothing_differs() -> None:
    """Counts that vary by chance alone: all scores lie near 1, and the search comes to an end where nothing varies."""
    random = np.random.default_rng(4)
    expected = random.gamma(2, 10, 240)
    counts = random.poisson(expected)
    prior = fit_prior(counts, expected)
    scores = geometric_means(prior, counts, expected)
    assert np.median(np.abs(scores - 1)) < 0.05
    assert posterior_quantiles(prior, counts, expected).max() < 2


def test_the_same_cells_give_the_same_prior() -> None:
    counts, expected = table(5, 4, 30, 2.0)
    prior = fit_prior(counts, expected)
    assert prior == fit_prior(counts.copy(), expected.copy())
    turned = fit_prior(counts[::-1], expected[::-1])
    # In another order sums differ in their last digits: nothing of it is left in what is rounded to four decimals.
    np.testing.assert_allclose(
        geometric_means(turned, counts, expected), geometric_means(prior, counts, expected), rtol=5e-6
    )


def test_no_fit() -> None:
    with pytest.raises(NoFitError, match="too few cells"):
        fit_prior([1] * 24, [1.0] * 24)
    with pytest.raises(ValueError, match="never negative"):
        fit_prior([1] * 30, [0.0] * 30)
    with pytest.raises(ValueError, match="never negative"):
        geometric_means(CAERS, [-1], [1.0])
    # No event at all is a table like any other: what is expected is far more than what is seen.
    assert geometric_means(fit_prior([0] * 30, [2.0] * 30), [0], [2.0])[0] < 0.1
