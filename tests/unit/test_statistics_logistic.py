"""Logistic regression against statsmodels, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.discrete.discrete_model import Logit

from clinic_outcomes.statistics.logistic import NoFitError, fit_logistic, independent_columns


def people(count: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(23)
    severity, depressed = generator.normal(0, 1.5, count), generator.binomial(1, 0.4, count)
    design = np.column_stack([np.ones(count), severity, depressed])
    chance = 1 / (1 + np.exp(-(0.2 - 0.4 * severity + 0.5 * depressed)))
    return design, generator.binomial(1, chance).astype(float)


def test_coefficients() -> None:
    design, responses = people(2_000)
    fit = fit_logistic(design, responses)
    expected = Logit(responses, design).fit(disp=0, tol=1e-14, maxiter=100)
    assert fit.coefficients == pytest.approx(expected.params, rel=1e-9, abs=1e-9)
    assert fit.standard_errors == pytest.approx(expected.bse, rel=1e-9, abs=1e-9)


def test_two_groups_by_hand() -> None:
    """20 of 40 responded, and 30 of 40 beside them: odds 1 and 3, variance of their log ratio 2/20 + 1/30 + 1/10."""
    group = np.repeat([0.0, 1.0], 40)
    responses = np.concatenate([np.repeat([1.0, 0.0], 20), np.repeat([1.0, 0.0], [30, 10])])
    fit = fit_logistic(np.column_stack([np.ones(80), group]), responses)
    assert fit.coefficients == pytest.approx([0, np.log(3)], abs=1e-9)
    assert fit.standard_errors[1] == pytest.approx(np.sqrt(2 / 20 + 1 / 30 + 1 / 10), abs=1e-9)


def test_too_few_events() -> None:
    """Three columns need 30 with the response, and 30 without."""
    design, _ = people(200)
    responses = np.zeros(200)
    responses[:29] = 1
    for refused in (responses, 1 - responses, np.zeros(200)):
        with pytest.raises(NoFitError, match="too few"):
            fit_logistic(design, refused)
    responses[29] = 1
    fit_logistic(design, responses)


@pytest.mark.parametrize("others", [0, 30])
def test_separated_groups(others: int) -> None:
    """All of one group responded: the likelihood rises for ever, whatever becomes of the others."""
    group = np.repeat([0.0, 1.0], [60, 60])
    responses = np.concatenate([np.repeat([1.0, 0.0], [others, 60 - others]), np.ones(60)])
    with pytest.raises(NoFitError, match=r"separated|maximum"):
        fit_logistic(np.column_stack([np.ones(120), group]), responses)


def test_columns_that_say_nothing_new() -> None:
    ones, severity, flag = np.ones(6), np.arange(6.0), np.array([0, 1, 0, 1, 1, 0.0])
    assert independent_columns(np.column_stack([ones, severity, np.zeros(6), flag, flag, 1 - flag])) == [0, 1, 3]
    with pytest.raises(NoFitError, match="independent"):
        fit_logistic(np.ones((60, 2)), np.repeat([0.0, 1.0], 30))
    with pytest.raises(NoFitError, match="nobody"):
        independent_columns(np.empty((0, 3)))
