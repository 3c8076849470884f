"""Ratios, the exact test and the control of false discoveries against scipy and statsmodels; IC against its formula."""

from __future__ import annotations

from math import log2

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import Table2x2
from statsmodels.stats.multitest import multipletests

from clinic_outcomes.statistics.disproportionality import (
    FourFoldTable,
    exact_p_value,
    expected_events,
    false_discovery_adjusted,
    information_component,
    proportional_reporting_ratio,
    reporting_odds_ratio,
)

# With the event and treated, in the group and elsewhere.
TABLES = [(12, 80, 30, 900), (1, 30, 1, 30), (3, 40, 250, 5_000), (200, 400, 190, 410), (5, 5_000, 20, 9_000)]
WITH_EMPTY_CELL = [(0, 40, 12, 300), (5, 40, 0, 300), (40, 40, 12, 300), (5, 40, 300, 300), (0, 10, 0, 10)]


def close(expected: object) -> object:
    return pytest.approx(expected, rel=1e-9, abs=1e-12)


def cells(a: int, n: int, c: int, m: int, added: float = 0.0) -> Table2x2:
    return Table2x2(np.array([[a + added, n - a + added], [c + added, m - c + added]]), shift_zeros=False)


@pytest.mark.parametrize(("counts", "added"), [(c, 0.0) for c in TABLES] + [(c, 0.5) for c in WITH_EMPTY_CELL])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_ratios(counts: tuple[int, int, int, int], added: float, confidence: float) -> None:
    table, expected = FourFoldTable(*counts), cells(*counts, added)
    assert table.has_empty_cell == (added > 0)
    odds, risk = reporting_odds_ratio(table, confidence), proportional_reporting_ratio(table, confidence)
    assert odds is not None
    assert risk is not None
    assert (odds.value, odds.lower, odds.upper) == close(
        (expected.oddsratio, *expected.oddsratio_confint(1 - confidence))
    )
    assert (risk.value, risk.lower, risk.upper) == close(
        (expected.riskratio, *expected.riskratio_confint(1 - confidence))
    )


def test_ratios_by_hand() -> None:
    """12 of 80 against 30 of 900: 15 % over 3.33 %, and 12/68 over 30/870."""
    table = FourFoldTable(12, 80, 30, 900)
    ratio, odds = proportional_reporting_ratio(table), reporting_odds_ratio(table)
    assert ratio is not None
    assert odds is not None
    assert ratio.value == close(4.5)
    assert odds.value == close(12 * 870 / (68 * 30))
    assert expected_events(table) == close(80 * 42 / 980)


@pytest.mark.parametrize("counts", [(0, 0, 3, 10), (3, 10, 0, 0), (0, 0, 0, 0)])
def test_nobody_to_compare_with(counts: tuple[int, int, int, int]) -> None:
    table = FourFoldTable(*counts)
    assert proportional_reporting_ratio(table) is None
    assert reporting_odds_ratio(table) is None
    assert exact_p_value(table) == 1.0


@pytest.mark.parametrize("counts", TABLES + WITH_EMPTY_CELL + [(60, 400, 60, 20_000)])
def test_exact_p_value(counts: tuple[int, int, int, int]) -> None:
    a, n, c, m = counts
    expected = stats.fisher_exact([[a, n - a], [c, m - c]], alternative="greater").pvalue
    assert exact_p_value(FourFoldTable(*counts)) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("observed", [0, 1, 3, 10, 40])
@pytest.mark.parametrize("expected", [0.01, 1.0, 7.5])
def test_information_component(observed: int, expected: float) -> None:
    """The closed form, and near it what it stands for: the 2.5 % quantile of a gamma distribution, in bits."""
    component, lower = information_component(observed, expected)
    assert component == close(log2((observed + 0.5) / (expected + 0.5)))
    shrunk = observed + 0.5
    assert lower == close(component - 3.3 / shrunk**0.5 - 2 / (shrunk * shrunk**0.5))
    quantile = log2(stats.gamma.ppf(0.025, shrunk, scale=1 / (expected + 0.5)))
    assert lower == pytest.approx(quantile, abs=0.1 if observed > 0 else 0.4)


def test_false_discoveries() -> None:
    p_values = np.random.default_rng(11).beta(0.4, 2, 200)
    p_values[10:14] = p_values[10]
    for p in (p_values, p_values[:1], np.ones(5), np.array([0.01, 0.04, 0.03, 0.005])):
        np.testing.assert_allclose(false_discovery_adjusted(p), multipletests(p, method="fdr_bh")[1], rtol=1e-12)
    # Four tests: 0.005 * 4/1 and 0.01 * 4/2 are 0.02, 0.03 * 4/3 and 0.04 * 4/4 are 0.04.
    np.testing.assert_allclose(false_discovery_adjusted([0.01, 0.04, 0.03, 0.005]), [0.02, 0.04, 0.04, 0.02])
    assert len(false_discovery_adjusted([])) == 0


@pytest.mark.parametrize("counts", [(5, 4, 1, 10), (-1, 4, 1, 10), (1, 4, 11, 10)])
def test_what_is_no_table(counts: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="some of those treated"):
        FourFoldTable(*counts)
