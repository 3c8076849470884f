"""Simulated networks of clinics, whole arrays at a time, and how often their clinics lie outside funnel limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from clinic_outcomes.statistics.funnel import z_scores

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Networks:
    """``responders[s, i]`` of ``sizes[i]`` people of clinic i in simulation s."""

    sizes: Counts
    responders: Counts

    @property
    def people(self) -> int:
        return int(self.sizes.sum())

    @property
    def shares(self) -> Floats:
        """The network's share in each simulation."""
        return self.responders.sum(axis=1) / self.people

    def z_scores(self) -> Floats:
        """Of each clinic in each simulation; networks with the same total are looked up together."""
        scores = np.empty(self.responders.shape)
        totals = self.responders.sum(axis=1)
        for total in np.unique(totals):
            same_total = np.flatnonzero(totals == total)
            for size in np.unique(self.sizes):
                cells = np.ix_(same_total, np.flatnonzero(self.sizes == size))
                scores[cells] = z_scores(self.responders[cells], int(size), total / self.people, self.people)
        return scores


def simulate(
    generator: np.random.Generator, sizes: Counts, share: float, simulations: int, spread_of_logits: float = 0.0
) -> Networks:
    """Clinics about one share; with a spread, the logits of their true shares are normal about it."""
    logits = np.log(share / (1 - share)) + spread_of_logits * generator.standard_normal((simulations, len(sizes)))
    return Networks(sizes, generator.binomial(sizes, 1 / (1 + np.exp(-logits))))


def outside(scores: Floats, probability: float) -> float:
    """The share of scores beyond the two-sided limits of ``probability``."""
    return float(np.mean(np.abs(scores) > stats.norm.isf(probability / 2)))


def monte_carlo_bounds(probability: float, draws: int, confidence: float = 0.999) -> tuple[float, float]:
    """Between which a simulated rate lies if the true one is ``probability``."""
    lower, upper = stats.binom.interval(confidence, draws, probability)
    return lower / draws, upper / draws


def shares_and_sizes(generator: np.random.Generator, clinics: int, networks: int) -> Iterator[tuple[float, Counts]]:
    """Shares from 0.1 to 0.9 and sizes from 25 to 400, evenly."""
    for share in np.linspace(0.1, 0.9, networks):
        yield float(share), generator.integers(25, 401, clinics)
