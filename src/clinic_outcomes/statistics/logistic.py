"""Logistic regression by Newton's method, refused where the data cannot carry it.

The score equations Xᵀ(y - p) = 0 with p = 1 / (1 + exp(-Xb)), solved by steps (XᵀWX)⁻¹ Xᵀ(y - p), W = p(1 - p).
Source: McCullagh and Nelder 1989, Generalized Linear Models, chapter 4; ten events a coefficient after Peduzzi et al.
1996, J Clin Epidemiol 49:1373.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]

FEWEST_EVENTS_A_COEFFICIENT = 10

# Newton doubles the digits with each step, from a few steps on. Where groups are separated, steps never become small.
MOST_STEPS = 25
SMALLEST_STEP = 1e-11


class NoFitError(ValueError):
    """The data do not carry the model: too few events, groups that are separated, or no solution."""


@dataclass(frozen=True)
class LogisticFit:
    """Coefficients on the logit scale and their standard errors, in the order of the columns of the design."""

    coefficients: Floats
    standard_errors: Floats


def fit_logistic(design: Floats, responses: Floats) -> LogisticFit:
    """Fit ``responses`` (0 or 1) on the columns of ``design``, of which one is the intercept.

    Raises ``NoFitError`` with fewer than ten people with the response, or without it, per column; and where the columns
    are not independent or the likelihood has no maximum (separation).
    """
    events = min(int(responses.sum()), len(responses) - int(responses.sum()))
    if events < FEWEST_EVENTS_A_COEFFICIENT * design.shape[1]:
        raise NoFitError("too few people with, or without, the response")
    coefficients = np.zeros(design.shape[1])
    for _ in range(MOST_STEPS):
        fitted = special.expit(design @ coefficients)
        information = design.T @ (design * (fitted * (1 - fitted))[:, None])
        try:
            step = np.linalg.solve(information, design.T @ (responses - fitted))
        except np.linalg.LinAlgError:
            raise NoFitError("columns are not independent, or groups are separated") from None
        coefficients = coefficients + step
        if np.max(np.abs(step)) < SMALLEST_STEP:
            return LogisticFit(coefficients, np.sqrt(np.diag(np.linalg.inv(information))))
    raise NoFitError("the likelihood has no maximum")


def independent_columns(design: Floats) -> list[int]:
    """Columns that are no linear combination of those before them: a constant one beside an intercept is left out.

    Raises ``NoFitError`` where there are no rows.
    """
    if len(design) == 0:
        raise NoFitError("nobody to fit a model to")
    kept: list[int] = []
    for column in range(design.shape[1]):
        if np.linalg.matrix_rank(design[:, [*kept, column]]) > len(kept):
            kept.append(column)
    return kept
