"""Funnel plots: whether a clinic's figure differs from its network's by more than chance, given its size.

The network's share includes the clinic. So a clinic is judged given the network's total: of ``network_denominator``
people ``network_numerator`` responded, and the clinic has ``denominator`` of them. Were they no different from the
rest, their responders would follow the hypergeometric distribution. Where a target comes from elsewhere it is the
binomial. Both are discrete and hit no nominal rate exactly; the mid-p value (half of what is observed counts as more
extreme) comes closest on average, from 25 to 400 people and shares from 0.1 to 0.9: see ``docs/decisions``.

Sources: Spiegelhalter 2005, Stat Med 24:1185 (funnel plots, interpolated limits, overdispersion); Lancaster 1961, J Am
Stat Assoc 56:223 (mid-p).
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from clinic_outcomes.statistics.quantiles import normal_quantile

Interval = tuple[float, float]
Floats = NDArray[np.float64]

# The two pairs of limits of a funnel: one clinic in 20, and one in 500, lies outside by chance.
WARNING = 0.05
ALARM = 0.002


def funnel_limits(
    denominator: int,
    target: float,
    probability: float = WARNING,
    network_denominator: int | None = None,
    spread: float = 1.0,
) -> Interval:
    """The shares between which a clinic of ``denominator`` people lies but for a ``probability`` of chance.

    ``target`` is the network's share over ``network_denominator`` people, the clinic's own among them, or one known
    from elsewhere. Limits are those of mid-p values, linear between whole numbers of responders. ``spread`` widens
    them for overdispersion: their z is multiplied by it (``overdispersion``).
    Raises ``ValueError`` for arguments out of range.
    """
    if not 0 < probability < 1 or spread <= 0:
        raise ValueError("probability must lie between 0 and 1 and spread above 0")
    support, lower_tail, upper_tail = _tails(denominator, target, network_denominator)
    tail = float(special.ndtr(normal_quantile(probability / 2) * spread))
    # np.interp stays at its ends: where even the last value is not rare enough, the limit is that value.
    lower = float(np.interp(tail, lower_tail, support))
    upper = float(np.interp(tail, upper_tail[::-1], support[::-1]))
    return lower / denominator, upper / denominator


def z_scores(numerators: ArrayLike, denominator: int, target: float, network_denominator: int | None = None) -> Floats:
    """Each numerator's mid-p value as a z score: standard normal, nearly, where the clinic is as the target says.

    Beyond ``funnel_limits`` of a probability exactly where |z| is above that probability's quantile. Other arguments
    are those of ``funnel_limits``. Raises ``ValueError`` for a numerator that is not possible.
    """
    support, lower_tail, upper_tail = _tails(denominator, target, network_denominator)
    positions = np.asarray(numerators, dtype=np.int64) - int(support[0])
    if np.any(positions < 0) or np.any(positions >= len(support)):
        raise ValueError("a numerator is not possible with this denominator and target")
    # From the smaller tail: 1 minus a tiny tail would be 1.
    z = np.where(lower_tail <= upper_tail, special.ndtri(lower_tail), -special.ndtri(upper_tail))
    scores: Floats = z[positions]
    return scores


def mean_limits(
    denominator: int,
    target: float,
    sd: float,
    probability: float = WARNING,
    network_denominator: int | None = None,
    spread: float = 1.0,
) -> Interval:
    """Funnel limits of a mean: target ± z · spread · sd / √n, with the SD of single values known.

    Where the target is the mean over ``network_denominator`` people, the clinic's own among them, the standard error is
    that of a part about its whole: times √(1 - n/N). Raises ``ValueError`` for arguments out of range.
    """
    if denominator < 1 or sd < 0 or not 0 < probability < 1 or spread <= 0:
        raise ValueError("a mean needs people, an SD that is not negative and a probability between 0 and 1")
    if network_denominator is not None and network_denominator < denominator:
        raise ValueError("a clinic cannot have more people than the network")
    part = 1.0 if network_denominator is None else 1 - denominator / network_denominator
    half_width = -normal_quantile(probability / 2) * spread * sd * sqrt(part / denominator)
    return target - half_width, target + half_width


def _tails(denominator: int, target: float, network_denominator: int | None) -> tuple[Floats, Floats, Floats]:
    """Possible numerators, and for each its lower and upper mid-p value; both strictly monotone."""
    if denominator < 1 or not 0 <= target <= 1:
        raise ValueError("a funnel needs a denominator above 0 and a target from 0 to 1")
    if network_denominator is None:
        support, log_probability = _binomial(denominator, target)
    else:
        network_numerator = round(target * network_denominator)
        support, log_probability = _hypergeometric(denominator, network_numerator, network_denominator)
    probability = np.exp(log_probability)
    lower_tail = np.cumsum(probability) - probability / 2
    upper_tail = np.cumsum(probability[::-1])[::-1] - probability / 2
    return support, lower_tail, upper_tail


def _binomial(denominator: int, target: float) -> tuple[Floats, Floats]:
    support = np.arange(denominator + 1, dtype=np.float64)
    log_probability = (
        _log_combinations(denominator, support)
        + special.xlogy(support, target)
        + special.xlog1py(denominator - support, -target)
    )
    return support, log_probability


def _hypergeometric(denominator: int, network_numerator: int, network_denominator: int) -> tuple[Floats, Floats]:
    if network_denominator < denominator:
        raise ValueError("a clinic cannot have more people than the network")
    others = network_denominator - network_numerator
    support = np.arange(max(0, denominator - others), min(denominator, network_numerator) + 1, dtype=np.float64)
    log_probability = (
        _log_combinations(network_numerator, support)
        + _log_combinations(others, denominator - support)
        - _log_combinations(network_denominator, np.float64(denominator))
    )
    return support, log_probability


def _log_combinations(total: int, chosen: ArrayLike) -> Floats:
    result: Floats = -np.log1p(total) - special.betaln(np.subtract(total, chosen) + 1, np.add(chosen, 1))
    return result
