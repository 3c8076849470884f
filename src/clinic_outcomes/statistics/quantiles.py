"""Quantiles of the distributions that intervals and limits are made of.

Each takes plain numbers and gives ``nan`` outside its domain, as scipy does.
"""

from __future__ import annotations

from scipy import special


def normal_quantile(probability: float) -> float:
    """Where the standard normal distribution function reaches ``probability``."""
    return float(special.ndtri(probability))


def student_t_quantile(probability: float, degrees_of_freedom: float) -> float:
    """Where Student's t distribution function reaches ``probability``; degrees of freedom above 0, whole or not."""
    return float(special.stdtrit(degrees_of_freedom, probability))


def chi_square_quantile(probability: float, degrees_of_freedom: float) -> float:
    """Where the chi-square distribution function reaches ``probability``; degrees of freedom above 0."""
    return float(2 * special.gammaincinv(degrees_of_freedom / 2, probability))


def beta_quantile(probability: float, a: float, b: float) -> float:
    """Where the beta distribution function with shapes ``a`` and ``b``, both above 0, reaches ``probability``."""
    return float(special.betaincinv(a, b, probability))


def two_sided_normal(confidence: float) -> float:
    """The z of a two-sided interval, for example 1.96 for 0.95.

    Raises ``ValueError`` unless 0 < ``confidence`` < 1.
    """
    _check_confidence(confidence)
    return normal_quantile((1 + confidence) / 2)


def two_sided_t(confidence: float, degrees_of_freedom: float) -> float:
    """The t of a two-sided interval.

    Raises ``ValueError`` unless 0 < ``confidence`` < 1 and the degrees of freedom are above 0.
    """
    _check_confidence(confidence)
    if degrees_of_freedom <= 0:
        raise ValueError("degrees of freedom must be above 0")
    return student_t_quantile((1 + confidence) / 2, degrees_of_freedom)


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError("confidence must lie between 0 and 1")
