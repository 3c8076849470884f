"""The comparison of clinics in the marts against an independent fit and scipy's distributions, on a large network."""

from __future__ import annotations

import duckdb
import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from clinic_outcomes.settings import Settings
from tests.support.outcome_network import CLINICS, outcome_network

__all__ = ["outcome_network"]

FAILED = ("no_response", "partial_response", "intolerance")


def mart(settings: Settings, name: str) -> pd.DataFrame:
    return read(settings.marts / "latest" / "core" / f"{name}.parquet")


def accepted(settings: Settings, table: str) -> pd.DataFrame:
    """Rows of a table of every clinic that delivers it."""
    files = [settings.state / clinic / "latest" / "accepted" / f"{table}.parquet" for clinic in CLINICS]
    rows = pd.concat([read(file) for file in files if file.is_file()], ignore_index=True)
    return rows.assign(patient_key=rows.clinic_id + "/" + rows.patient_id)


def read(file: object) -> pd.DataFrame:
    rows = duckdb.read_parquet(str(file))
    return pd.DataFrame(rows.fetchall(), columns=rows.columns)


@pytest.fixture(scope="module")
def people(outcome_network: Settings) -> pd.DataFrame:
    """Who is compared, and what they came with, put together from delivered rows."""
    courses = mart(outcome_network, "fct_index_courses")
    outcomes = mart(outcome_network, "fct_outcomes")
    judged = outcomes[
        outcomes.course_key.isin(courses[courses.protocol == "iv_ketamine"].course_key)
        & (outcomes.instrument == "pcl_5")
        & (outcomes.time_point == "last")
        & outcomes.is_response.notna()
    ].copy()
    conditions, treatments = accepted(outcome_network, "condition"), accepted(outcome_network, "prior_treatment")
    failed = treatments[
        treatments.treatment_class.isin(["ssri", "snri"])
        & (treatments.adequate_trial == "yes")
        & treatments.treatment_outcome.isin(FAILED)
    ]
    failures = judged.patient_key.map(failed.groupby("patient_key").size()).fillna(0)
    judged["depression"] = judged.patient_key.isin(conditions[conditions.diagnosis == "mdd"].patient_key)
    anxious = conditions[conditions.diagnosis.isin(["gad", "panic_disorder"])]
    judged["anxiety"] = judged.patient_key.isin(anxious.patient_key)
    judged["no_conditions"] = ~judged.clinic_id.isin(conditions.clinic_id)
    judged["one_failure"], judged["more_failures"] = failures == 1, failures >= 2
    judged["no_treatments"] = ~judged.clinic_id.isin(treatments.clinic_id)
    return judged


def expected_of(people: pd.DataFrame) -> np.ndarray:
    """Fitted probabilities by a general optimiser on the log-likelihood, other scaling, columns that vary."""
    names = ["depression", "anxiety", "no_conditions", "one_failure", "more_failures", "no_treatments"]
    varying = [name for name in names if people[name].nunique() > 1]
    severity = (people.baseline_total.astype(float) - people.baseline_total.mean()) / 12
    design = np.column_stack([np.ones(len(people)), severity, *(people[name].astype(float) for name in varying)])
    response = people.is_response.astype(float).to_numpy()

    def loss(b: np.ndarray) -> float:
        return float(np.sum(np.logaddexp(0, design @ b) - response * (design @ b)))

    def score(b: np.ndarray) -> np.ndarray:
        return design.T @ (1 / (1 + np.exp(-design @ b)) - response)

    def curvature(b: np.ndarray) -> np.ndarray:
        p = 1 / (1 + np.exp(-design @ b))
        return (design.T * (p * (1 - p))) @ design

    start = optimize.minimize(loss, np.zeros(design.shape[1]), jac=score, hess=curvature, method="trust-exact").x
    solution = optimize.root(score, start, jac=curvature, tol=1e-14)
    assert np.abs(score(solution.x)).max() < 1e-8
    return 1 / (1 + np.exp(-design @ solution.x))


def test_observed_over_expected(outcome_network: Settings, people: pd.DataFrame) -> None:
    people = people.assign(expected=expected_of(people))
    assert len(people) > 500
    clinics = people.groupby("clinic_id").agg(
        n=("is_response", "size"), o=("is_response", "sum"), e=("expected", "sum")
    )
    comparison = mart(outcome_network, "agg_clinic_comparison").set_index("clinic_id")
    assert sorted(comparison.index) == sorted(clinics.index)
    for clinic_id, row in clinics.iterrows():
        assert comparison.people[clinic_id] == row.n
        assert comparison.responders[clinic_id] == row.o
        assert comparison.observed_expected[clinic_id] == pytest.approx(float(row.o) / row.e, rel=1e-9, abs=1e-9)
    # With an intercept, the network as a whole has as many responders as are expected.
    assert comparison.expected_responders.sum() == pytest.approx(comparison.responders.sum(), abs=1e-6)


def test_adjusted_scores(outcome_network: Settings, people: pd.DataFrame) -> None:
    expected = pd.Series(expected_of(people), index=people.index)
    variance = (expected * (1 - expected)).groupby(people.clinic_id).sum()
    difference = (
        people.is_response.astype(float).groupby(people.clinic_id).sum() - expected.groupby(people.clinic_id).sum()
    )
    z = difference / np.sqrt(variance * (1 - variance / variance.sum()))
    comparison = mart(outcome_network, "agg_clinic_comparison").set_index("clinic_id")
    for clinic_id in z.index:
        assert comparison.adjusted_z[clinic_id] == pytest.approx(z[clinic_id], rel=1e-7, abs=1e-7)


def test_funnel(outcome_network: Settings) -> None:
    """The score of each clinic is the mid-p value of its responders, and its flags follow from it."""
    comparison = mart(outcome_network, "agg_clinic_comparison")
    network, responders = int(comparison.people.sum()), int(comparison.responders.sum())
    for clinic in comparison.itertuples():
        below = stats.hypergeom.cdf([clinic.responders - 1, clinic.responders], network, responders, clinic.people)
        z = stats.norm.ppf(below.mean())
        assert clinic.z == pytest.approx(z, abs=1e-7)
        assert clinic.is_outside_95 == (abs(z) > stats.norm.isf(0.025))
        assert clinic.is_outside_998 == (abs(z) > stats.norm.isf(0.001))
        assert clinic.is_outside_corrected_95 == (abs(z) > clinic.spread * stats.norm.isf(0.025))
        assert clinic.lower_998 < clinic.lower_95 < responders / network < clinic.upper_95 < clinic.upper_998
        assert clinic.corrected_lower_95 <= clinic.lower_95
        assert clinic.observed_expected_lower < clinic.observed_expected < clinic.observed_expected_upper
