"""DuMouchel's gamma-Poisson shrinker (MGPS): observed over expected, drawn towards what the whole table shows.

Each cell of a table of groups by terms has a count n and an expected count E. The count is Poisson with mean r E, and
the ratios r of all cells are drawn from one prior, a mixture of two gamma distributions. Its five parameters are those
of the largest likelihood over all cells, empty ones among them; the distribution of a count is then a mixture of two
negative binomials. Given n, the ratio is again a mixture of two gamma distributions, with n added to the shapes, E to
the rates, and the probability of the first component replaced by what it is given n. EBGM is its geometric mean, EB05
its 5 % quantile. A cell with few events stays near the prior however large n/E is.

Source: DuMouchel 1999, Am Stat 53:177.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import exp

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special

Floats = NDArray[np.float64]

FEWEST_CELLS_A_PARAMETER = 5
PARAMETERS = 5

# Searched are the logarithm of each component's mean, its coefficient of variation 1/√shape, and the probability of the
# first. One that does not vary at all lies at an end of that range, where a search over shapes would go on for ever.
_LOWEST = (-12.0, 0.01, -12.0, 0.01, 0.0)
_HIGHEST = (7.0, 10.0, 7.0, 10.0, 1.0)

# The likelihood has several maxima. All pairs of these components are tried first, and searches begin at the best.
_GRID_OF_LOG_MEANS = (-6.0, -4.0, -2.0, -1.0, -0.5, -0.15, 0.15, 0.4, 0.7, 1.1, 1.6, 2.2, 3.0)
_GRID_OF_VARIATIONS = (0.03, 0.2, 0.5, 1.0, 2.0, 5.0)
_GRID_OF_PROBABILITIES = (0.03, 0.1, 0.3, 0.5)
_SEARCHES = 8
_MOST_CALLS = 3_000

# Likelihoods that differ by less are of one solution, or of two as good; the first start that found it is taken.
_SAME_LIKELIHOOD = 1e-7


class NoFitError(ValueError):
    """The table has too few cells, or its likelihood no maximum that could be found."""


@dataclass(frozen=True)
class GammaMixture:
    """The prior: shape and rate of two gamma distributions, and the probability of the first."""

    shape_1: float
    rate_1: float
    shape_2: float
    rate_2: float
    probability_1: float


def fit_prior(observed: ArrayLike, expected: ArrayLike) -> GammaMixture:
    """The prior of the largest likelihood over cells with ``observed`` and ``expected`` counts, the latter above 0.

    The same cells in the same order give the same prior. Raises ``NoFitError`` with fewer than five cells a parameter,
    and where no search comes to an end; ``ValueError`` for a negative count, or an expected one that is not above 0.
    """
    cells = _Cells.of(observed, expected)
    if len(cells.counts) < FEWEST_CELLS_A_PARAMETER * PARAMETERS:
        raise NoFitError("too few cells to fit a prior to")
    found = [
        optimize.minimize(
            _loss,
            start,
            args=(cells,),
            jac=True,
            # A truncated Newton search in plain C: what calls linear algebra waits for its threads on five numbers.
            method="TNC",
            bounds=list(zip(_LOWEST, _HIGHEST, strict=True)),
            options={"ftol": 1e-14, "xtol": 1e-10, "gtol": 1e-9, "maxfun": _MOST_CALLS},
        )
        for start in _starts(cells)
    ]
    finished = [result for result in found if np.isfinite(result.fun) and result.nfev < _MOST_CALLS]
    if not finished:
        raise NoFitError("no search for the prior came to an end")
    least = min(result.fun for result in finished)
    best = next(result for result in finished if result.fun <= least + _SAME_LIKELIHOOD)
    return _prior(best.x)


def log_likelihood(prior: GammaMixture, observed: ArrayLike, expected: ArrayLike) -> float:
    """Logarithm of the probability of all counts under ``prior``."""
    return float(np.sum(_Cells.of(observed, expected).log_mixture(prior)[0]))


def geometric_means(prior: GammaMixture, observed: ArrayLike, expected: ArrayLike) -> Floats:
    """EBGM of each cell: exp of the posterior mean of the logarithm of observed over expected."""
    cells = _Cells.of(observed, expected)
    first = cells.log_mixture(prior)[1]
    log_mean_1 = special.digamma(prior.shape_1 + cells.counts) - np.log(prior.rate_1 + cells.means)
    log_mean_2 = special.digamma(prior.shape_2 + cells.counts) - np.log(prior.rate_2 + cells.means)
    result: Floats = np.exp(first * log_mean_1 + (1 - first) * log_mean_2)
    return result


def posterior_quantiles(
    prior: GammaMixture, observed: ArrayLike, expected: ArrayLike, probability: float = 0.05
) -> Floats:
    """Quantiles of each cell's posterior, by bisection between those of its components; EB05 unless told otherwise."""
    cells = _Cells.of(observed, expected)
    first = cells.log_mixture(prior)[1]
    shape_1, rate_1 = prior.shape_1 + cells.counts, prior.rate_1 + cells.means
    shape_2, rate_2 = prior.shape_2 + cells.counts, prior.rate_2 + cells.means
    end_1 = special.gammaincinv(shape_1, probability) / rate_1
    end_2 = special.gammaincinv(shape_2, probability) / rate_2
    lower, upper = np.minimum(end_1, end_2), np.maximum(end_1, end_2)
    # Each step halves the range: after 60 its ends are neighbours.
    for _ in range(60):
        middle = (lower + upper) / 2
        below = first * special.gammainc(shape_1, rate_1 * middle)
        below += (1 - first) * special.gammainc(shape_2, rate_2 * middle)
        lower, upper = np.where(below < probability, middle, lower), np.where(below < probability, upper, middle)
    result: Floats = (lower + upper) / 2
    return result


@dataclass(frozen=True)
class _Cells:
    """Cells of a table: their counts and expected counts, and each distinct count once, for there are few."""

    counts: Floats
    means: Floats

    @classmethod
    def of(cls, observed: ArrayLike, expected: ArrayLike) -> _Cells:
        counts, means = np.asarray(observed, dtype=np.float64), np.asarray(expected, dtype=np.float64)
        if np.any(counts < 0) or np.any(means <= 0):
            raise ValueError("observed counts are never negative, expected ones above 0")
        return cls(counts, means)

    @cached_property
    def distinct(self) -> tuple[Floats, NDArray[np.intp]]:
        """The distinct counts, and which of them each cell has."""
        return np.unique(self.counts, return_inverse=True)

    @cached_property
    def log_factorials(self) -> Floats:
        result: Floats = special.gammaln(self.counts + 1)
        return result

    def log_component(self, shape: float, rate: float) -> Floats:
        """Logarithm of the probability of each count where the ratio is gamma: a negative binomial distribution."""
        counts, position = self.distinct
        result: Floats = (
            (special.gammaln(shape + counts) - special.gammaln(shape))[position]
            - self.log_factorials
            - shape * np.log1p(self.means / rate)
            + special.xlogy(self.counts, self.means / (rate + self.means))
        )
        return result

    def log_components(self, prior: GammaMixture) -> tuple[Floats, Floats]:
        """Of each count under the first and under the second component."""
        return self.log_component(prior.shape_1, prior.rate_1), self.log_component(prior.shape_2, prior.rate_2)

    def log_mixture(self, prior: GammaMixture) -> tuple[Floats, Floats]:
        """Logarithm of the probability of each count, and the probability of the first component given the count."""
        return _mixed(prior, *self.log_components(prior))

    def component_slopes(self, shape: float, rate: float, share: Floats) -> tuple[np.float64, np.float64]:
        """Slopes in a component's log mean and variation, where ``share`` is its probability given each count.

        Shape is 1/variation² and rate is shape/mean: both move with the variation, the rate alone with the mean.
        """
        counts, position = self.distinct
        in_shape = (special.digamma(shape + counts) - special.digamma(shape))[position] - np.log1p(self.means / rate)
        in_rate = shape / rate - (shape + self.counts) / (rate + self.means)
        in_log_mean = -rate * np.sum(share * in_rate)
        in_variation = -2 * np.sqrt(shape) * np.sum(share * (in_shape * shape + in_rate * rate))
        return in_log_mean, in_variation


def _prior(parameters: ArrayLike) -> GammaMixture:
    log_mean_1, variation_1, log_mean_2, variation_2, probability_1 = np.asarray(parameters, dtype=np.float64)
    shape_1, shape_2 = variation_1**-2, variation_2**-2
    return GammaMixture(
        float(shape_1),
        float(shape_1 / np.exp(log_mean_1)),
        float(shape_2),
        float(shape_2 / np.exp(log_mean_2)),
        float(probability_1),
    )


def _mixed(prior: GammaMixture, log_1: Floats, log_2: Floats) -> tuple[Floats, Floats]:
    with np.errstate(divide="ignore"):
        log_first = np.log(prior.probability_1) + log_1
        log_both = np.logaddexp(log_first, np.log1p(-prior.probability_1) + log_2)
    return log_both, np.exp(log_first - log_both)


def _starts(cells: _Cells) -> list[tuple[float, ...]]:
    """The points of the grid with the largest likelihoods, best first; one for each pair of means, to be apart."""
    components = list(product(_GRID_OF_LOG_MEANS, _GRID_OF_VARIATIONS))
    logs = np.array([cells.log_component(variation**-2, variation**-2 / exp(mean)) for mean, variation in components])
    # Over the largest of its cell, so that none vanishes; it is the same for all.
    likelihoods = np.maximum(np.exp(logs - logs.max(axis=0)), 1e-300)
    best: dict[tuple[float, ...], tuple[float, tuple[float, ...]]] = {}
    for probability, (position, first) in product(_GRID_OF_PROBABILITIES, enumerate(components)):
        mixtures = np.log(probability * likelihoods[position] + (1 - probability) * likelihoods).sum(axis=1)
        for second, value in zip(components, mixtures.tolist(), strict=True):
            means = tuple(sorted((first[0], second[0])))
            best[means] = min(best.get(means, (-value, ())), (-value, (*first, *second, probability)))
    return [start for _, start in sorted(best.values())[:_SEARCHES]]


def _loss(parameters: Floats, cells: _Cells) -> tuple[float, Floats]:
    """Minus the log-likelihood and its slopes in the parameters that are searched."""
    prior = _prior(parameters)
    log_1, log_2 = cells.log_components(prior)
    log_both, first = _mixed(prior, log_1, log_2)
    # A component without weight may be the better by any factor: no slope need be steeper than this.
    ratio_1, ratio_2 = (np.exp(np.minimum(log_one - log_both, 50.0)) for log_one in (log_1, log_2))
    slopes = np.array(
        [
            *cells.component_slopes(prior.shape_1, prior.rate_1, first),
            *cells.component_slopes(prior.shape_2, prior.rate_2, 1 - first),
            np.sum(ratio_1 - ratio_2),
        ]
    )
    return -float(np.sum(log_both)), -slopes
