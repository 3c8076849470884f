"""Clinics differ by more than chance even where none is remarkable; these widen funnel limits to allow for it.

After Spiegelhalter 2005, Stat Med 24:1185, with one correction. Winsorised z scores vary less than the whole: those of
a standard normal have a mean square of 0.6787, not 1, and limits made from it are crossed twice as often as they say.
The dispersion here is divided by it. The additive form is the better one for clinics of unlike size: the multiplicative
widens the limits of large and small clinics alike. Measurements are in ``docs/decisions``.
"""

from __future__ import annotations

from math import exp, pi, sqrt

import numpy as np
from numpy.typing import ArrayLike

from clinic_outcomes.statistics.quantiles import normal_quantile

WINSORISED_SHARE = 0.1

# From fewer clinics nothing can be said of how much clinics differ.
FEWEST_CLINICS = 5


def winsorised_normal_square(share: float = WINSORISED_SHARE) -> float:
    """Mean square of a standard normal whose lowest and highest ``share`` are set to the quantiles there.

    With c the upper quantile and f the density: 1 - 2 share - 2 c f(c) + 2 share c².
    """
    cut = -normal_quantile(share)
    density = exp(-cut * cut / 2) / sqrt(2 * pi)
    return 1 - 2 * share - 2 * cut * density + 2 * share * cut * cut


def dispersion(z_scores: ArrayLike) -> float:
    """How many times as much clinics vary as chance would have them: phi, about 1 where all are in control.

    The lowest and highest tenth of the ``z_scores`` (``funnel.z_scores``) are set to the deciles (linear between
    scores), so that the very clinics that a funnel should find do not hide themselves by widening it.
    Raises ``ValueError`` for fewer than ``FEWEST_CLINICS``.
    """
    z = np.sort(np.asarray(z_scores, dtype=np.float64))
    if len(z) < FEWEST_CLINICS:
        raise ValueError("too few clinics to say how much clinics differ")
    lowest, highest = np.quantile(z, [WINSORISED_SHARE, 1 - WINSORISED_SHARE])
    return float(np.mean(np.clip(z, lowest, highest) ** 2)) / winsorised_normal_square()


def multiplicative_spread(phi: float) -> float:
    """What ``funnel_limits`` multiplies z by, the same for every clinic: √phi, and never below 1."""
    return sqrt(max(1.0, phi))


def variance_between_clinics(phi: float, denominators: ArrayLike, target: float) -> float:
    """Variance of the clinics' true shares about the target (tau²), 0 where they vary no more than by chance.

    By moments, with I clinics and w the inverse of ``sampling_variance``: (I phi - (I - 1)) / (Σw - Σw²/Σw).
    Raises ``ValueError`` for a target of 0 or 1, where nothing can vary.
    """
    sizes = np.asarray(denominators, dtype=np.int64)
    network = int(sizes.sum())
    weights = 1 / np.array([sampling_variance(int(size), target, network) for size in np.sort(sizes)])
    excess = len(sizes) * phi - (len(sizes) - 1)
    return max(0.0, excess / float(weights.sum() - (weights**2).sum() / weights.sum()))


def sampling_variance(denominator: int, target: float, network_denominator: int) -> float:
    """Variance by chance of a clinic's share about that of its network: p(1 - p)/n · (1 - n/N).

    Raises ``ValueError`` where it is 0: a target of 0 or 1, or a clinic that is the whole network.
    """
    variance = target * (1 - target) / denominator * (1 - denominator / network_denominator)
    if variance <= 0:
        raise ValueError("a share that cannot vary has no dispersion")
    return variance


def additive_spread(variance_between: float, denominator: int, target: float, network_denominator: int) -> float:
    """What ``funnel_limits`` multiplies z by for a clinic of this size: √(1 + tau² / ``sampling_variance``)."""
    return sqrt(1 + variance_between / sampling_variance(denominator, target, network_denominator))
