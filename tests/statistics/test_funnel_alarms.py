"""How often clinics that are no different from the rest lie outside the funnel, by simulation with a fixed seed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from clinic_outcomes.statistics.funnel import ALARM, WARNING, funnel_limits
from clinic_outcomes.statistics.overdispersion import (
    additive_spread,
    dispersion,
    multiplicative_spread,
    variance_between_clinics,
)
from tests.statistics.networks import Networks, monte_carlo_bounds, outside, shares_and_sizes, simulate

CLINICS = 12
SIZES = np.array([25, 30, 40, 50, 60, 80, 100, 150, 200, 250, 300, 400])


@pytest.mark.parametrize("probability", [WARNING, ALARM])
def test_clinics_in_control_alarm_at_the_nominal_rate(probability: float) -> None:
    """2,560 networks of 12 clinics, of 16 mixes of sizes and shares that span the range."""
    generator = np.random.default_rng(20_050_401)
    scores = np.concatenate(
        [simulate(generator, sizes, share, 160).z_scores() for share, sizes in shares_and_sizes(generator, CLINICS, 16)]
    )
    assert scores.shape == (2_560, CLINICS)
    lower, upper = monte_carlo_bounds(probability, scores.size)
    assert lower <= outside(scores, probability) <= upper


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_neither_small_nor_large_clinics_alarm_more(share: float) -> None:
    """2,000 networks a share. A test of one size and share is discrete, so none has exactly 5 %.

    That of the mid-p value lies between 2.5 and 6.5 % here, and Monte Carlo error adds 1 % either way. The largest
    clinic holds a quarter of the network: judged as if the network's share were known from elsewhere it would alarm at
    half the rate, against the others alone at 1.7 times.
    """
    networks = simulate(np.random.default_rng(7), SIZES, share, 2_000)
    scores = networks.z_scores()
    for clinic in range(CLINICS):
        assert 0.015 < outside(scores[:, clinic], WARNING) < 0.075
    lower, upper = monte_carlo_bounds(WARNING, 2_000)
    assert lower <= outside(scores[:, -1], WARNING) <= upper


def additive_scores(networks: Networks) -> np.ndarray:
    """Scores divided by the additive spread of their network and clinic."""
    scores = networks.z_scores()
    spreads = np.empty_like(scores)
    for row, (z, share) in enumerate(zip(scores, networks.shares, strict=True)):
        between = variance_between_clinics(dispersion(z), networks.sizes, share)
        spreads[row] = [additive_spread(between, int(size), share, networks.people) for size in networks.sizes]
    return scores / spreads


@pytest.mark.parametrize("clinics", [12, 36])
@pytest.mark.parametrize("spread_of_logits", [0.2, 0.5, 1.0])
def test_overdispersed_clinics_alarm_at_about_the_nominal_rate(spread_of_logits: float, clinics: int) -> None:
    """True shares differ, normally on the logit scale: uncorrected, 17 to 65 % lie outside the 95 % limits.

    Corrected it is 4 to 7.5 % and at most 0.8 %: not exactly nominal, for the variance between clinics is itself an
    estimate from 12 or 36 clinics, whose error makes tails heavier than the normal's, and logits are not shares.
    """
    sizes = np.tile(SIZES, clinics // CLINICS)
    networks = simulate(np.random.default_rng(11), sizes, 0.3, 600 if clinics == 12 else 200, spread_of_logits)
    assert outside(networks.z_scores(), WARNING) > 0.15
    corrected = additive_scores(networks)
    assert 0.04 < outside(corrected, WARNING) < 0.075
    assert 0.001 < outside(corrected, ALARM) < 0.008


def test_the_correction_does_not_hide_a_clinic_that_differs() -> None:
    """One clinic of 250 with half the odds of the others: found in most networks, corrected or not."""
    generator = np.random.default_rng(3)
    networks = simulate(generator, SIZES, 0.5, 300)
    networks.responders[:, 9] = generator.binomial(250, 1 / 3, 300)
    assert outside(networks.z_scores()[:, 9], ALARM) > 0.9
    assert outside(additive_scores(networks)[:, 9], ALARM) > 0.5


def test_dispersion_of_clinics_in_control_is_one() -> None:
    generator = np.random.default_rng(5)
    assert np.mean([dispersion(generator.standard_normal(500)) for _ in range(200)]) == pytest.approx(1, abs=0.02)
    assert np.mean([dispersion(2 * generator.standard_normal(500)) for _ in range(200)]) == pytest.approx(4, abs=0.08)


def test_multiplicative_limits_of_clinics_of_one_size() -> None:
    """40 clinics of 200: with one size both corrections are the same, and alarm about as they say."""
    networks = simulate(np.random.default_rng(13), np.full(40, 200), 0.5, 400, 0.3)
    scores = networks.z_scores()
    spreads = np.array([multiplicative_spread(dispersion(z)) for z in scores])
    assert 0.04 < outside(scores / spreads[:, None], WARNING) < 0.075


@pytest.mark.parametrize("probability", [WARNING, ALARM])
def test_limits_and_scores_agree(probability: float) -> None:
    """A clinic lies outside the limits exactly where its score says so."""
    networks = simulate(np.random.default_rng(17), SIZES, 0.2, 60)
    scores = networks.z_scores()
    for row, share in enumerate(networks.shares):
        for clinic, size in enumerate(SIZES):
            lower, upper = funnel_limits(int(size), float(share), probability, networks.people)
            observed = networks.responders[row, clinic] / size
            alarmed = abs(scores[row, clinic]) > stats.norm.isf(probability / 2)
            assert (observed < lower or observed > upper) == alarmed
