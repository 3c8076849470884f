"""Outcomes of index courses: windows checked by eye, and every sum and share against pandas."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from clinic_outcomes.settings import Settings
from tests.outcomes.oracle import GROUP, by_clinic_and_network, groups, outcomes
from tests.outcomes.recomputed import index_courses
from tests.support.marts import mart
from tests.support.outcome_network import outcome_network

__all__ = ["outcome_network"]

COUNTS = [
    *("with_baseline", "paired", "judged_response", "response", "judged_partial_response", "partial_response"),
    *("judged_remission", "remission", "judged_meaningful_improvement", "meaningful_improvement"),
    *("judged_worse", "worse", "judged_reliable_improvement", "reliable_improvement"),
    *("judged_reliable_deterioration", "reliable_deterioration", "judged_clinically_significant"),
    *("clinically_significant", "judged_completer_response", "completer_response", "best_case_response"),
    *("not_assessable", "same_recall", "recall_before_treatment"),
]
TOLERANCE = 1e-9
SHARES = {
    "paired_share": ("paired", "due"),
    "response_share": ("response", "judged_response"),
    "response_worst_case_share": ("response", "due"),
    "response_best_case_share": ("best_case_response", "due"),
    "completer_response_share": ("completer_response", "judged_completer_response"),
    "partial_response_share": ("partial_response", "judged_partial_response"),
    "remission_share": ("remission", "judged_remission"),
    "meaningful_improvement_share": ("meaningful_improvement", "judged_meaningful_improvement"),
    "worse_share": ("worse", "judged_worse"),
    "reliable_improvement_share": ("reliable_improvement", "judged_reliable_improvement"),
    "reliable_deterioration_share": ("reliable_deterioration", "judged_reliable_deterioration"),
    "clinically_significant_share": ("clinically_significant", "judged_clinically_significant"),
    "same_recall_share": ("same_recall", "paired"),
    "recall_before_treatment_share": ("recall_before_treatment", "paired"),
}
MEANS = {"baseline": "baseline_points", "score": "score_points", "change": "change_points"}
TOLD_AT_ALL_TIME_POINTS = ("protocol", "trial_arm")


@pytest.fixture(scope="module")
def expected(outcome_network: Settings) -> pd.DataFrame:
    """Sums of each clinic and the network, by instrument, time point, dimension and category."""
    rows = outcomes(outcome_network).merge(
        groups(outcome_network, index_courses(outcome_network)), on=["clinic_id", "course_id", "patient_id"]
    )
    told = rows.dimension.isin(TOLD_AT_ALL_TIME_POINTS) | rows.time_point.isin(("course_end", "last"))
    sums = {name: (name, "sum") for name in COUNTS} | {"due": ("course_id", "size")}
    for points in MEANS.values():
        sums |= {f"{points}_{how}": (points, how) for how in ("sum", "mean", "std")}
    return by_clinic_and_network(rows[told], GROUP, sums)


@pytest.fixture(scope="module")
def found(outcome_network: Settings, expected: pd.DataFrame) -> pd.DataFrame:
    rows = mart(outcome_network, "agg_outcomes")
    return rows[rows.dimension.isin(expected.index.unique("dimension")) & (rows.due > 0)].set_index(
        ["clinic_id", *GROUP]
    )


def test_the_network_is_large_enough(outcome_network: Settings) -> None:
    assert mart(outcome_network, "fct_index_courses").patient_key.nunique() >= 2000


def test_every_group_is_told_of_and_no_other(expected: pd.DataFrame, found: pd.DataFrame) -> None:
    assert set(found.index) == set(expected.index)
    assert len(expected) > 1000


@pytest.mark.parametrize("name", ["due", *COUNTS])
def test_counts_are_those_of_pandas(name: str, expected: pd.DataFrame, found: pd.DataFrame) -> None:
    difference = found[name].reindex(expected.index) - expected[name]
    assert difference[difference != 0].head(10).to_dict() == {}
    assert expected[name].sum() > 0


@pytest.mark.parametrize("name", MEANS)
def test_means_and_deviations_are_those_of_pandas(name: str, expected: pd.DataFrame, found: pd.DataFrame) -> None:
    own, theirs = expected[expected.paired > 0], found.reindex(expected.index[expected.paired > 0])
    np.testing.assert_allclose(theirs[f"{name}_mean"], own[f"{MEANS[name]}_mean"], rtol=TOLERANCE)
    np.testing.assert_allclose(theirs[f"{name}_sd"], own[f"{MEANS[name]}_std"], rtol=TOLERANCE, atol=TOLERANCE)


def test_intervals_of_the_mean_change_are_those_of_scipy(expected: pd.DataFrame, found: pd.DataFrame) -> None:
    several = expected[expected.paired > 1]
    error = several.change_points_std / np.sqrt(several.paired)
    lower, upper = stats.t.interval(0.95, several.paired - 1, loc=several.change_points_mean, scale=error)
    spread = (error > 0).to_numpy()
    theirs = found.reindex(several.index)[spread]
    np.testing.assert_allclose(theirs.change_lower, lower[spread], rtol=TOLERANCE, atol=TOLERANCE)
    np.testing.assert_allclose(theirs.change_upper, upper[spread], rtol=TOLERANCE, atol=TOLERANCE)


def test_intervals_of_the_response_are_those_of_statsmodels(expected: pd.DataFrame, found: pd.DataFrame) -> None:
    from statsmodels.stats.proportion import proportion_confint

    known = expected[expected.judged_response > 0]
    lower, upper = proportion_confint(known.response, known.judged_response, method="wilson")
    theirs = found.reindex(known.index)
    np.testing.assert_allclose(theirs.response_lower, lower, rtol=TOLERANCE, atol=TOLERANCE)
    np.testing.assert_allclose(theirs.response_upper, upper, rtol=TOLERANCE, atol=TOLERANCE)


def figures(settings: Settings, quantities: Iterable[str]) -> pd.DataFrame:
    rows = mart(settings, "agg_figures").merge(mart(settings, "dim_measures"), on="measure")
    return rows[rows.quantity.isin(list(quantities)) & (rows.dimension != "")]


@pytest.mark.parametrize("quantity", [*SHARES, *MEANS, "paired", "not_assessable"])
def test_figures_are_exactly_those_of_pandas(quantity: str, outcome_network: Settings, expected: pd.DataFrame) -> None:
    told = figures(outcome_network, [quantity])
    told = told[told.dimension.isin(expected.index.unique("dimension"))].set_index(["clinic_id", *GROUP])
    assert len(told) > 20
    of = expected.reindex(told.index).fillna(0)
    numerator, denominator = (
        (f"{MEANS[quantity]}_sum", "paired") if quantity in MEANS else SHARES.get(quantity, (quantity, None))
    )
    assert [int(value) for value in told.numerator] == list(of[numerator].astype(int))
    people = of[denominator or numerator].astype(int)
    assert list(told.patients) == list(people)
    if denominator:
        assert list(told.denominator) == list(people)
        for value, top, bottom in zip(told.value, of[numerator], people, strict=True):
            assert np.isnan(float(value)) if bottom == 0 else abs(float(value) - top / bottom) <= 5.1e-7
    behind = denominator if quantity in MEANS else numerator
    assert list(told.numerator_patients) == list(of[behind].astype(int))


def test_the_deviation_of_the_change_is_told(outcome_network: Settings, expected: pd.DataFrame) -> None:
    told = figures(outcome_network, ["change_sd"])
    told = told[told.dimension.isin(expected.index.unique("dimension"))].set_index(["clinic_id", *GROUP])
    assert len(told) > 20
    np.testing.assert_allclose(told.value.astype(float), expected.reindex(told.index).change_points_std, atol=5.1e-7)
