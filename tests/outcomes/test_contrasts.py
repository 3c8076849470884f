"""Groups compared, and reliable change after Jacobson and Truax: against scipy and statsmodels."""

from __future__ import annotations

from math import ceil, floor, isnan, sqrt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from clinic_outcomes.model import model
from clinic_outcomes.settings import Settings
from tests.outcomes.oracle import baselines, groups, outcomes
from tests.outcomes.recomputed import index_courses, scored_questionnaires
from tests.support.marts import mart
from tests.support.model_states import small_settings, write_state
from tests.support.outcome_network import outcome_network

__all__ = ["outcome_network"]

REFERENCES = {"protocol": "midazolam_control", "comorbid_depression": "no", "veteran": "no"}
KEYS = ["clinic_id", "instrument", "time_point", "dimension", "category"]
TOLERANCE = 1e-9


@pytest.fixture(scope="module")
def pairs(outcome_network: Settings) -> dict[tuple[str, ...], pd.DataFrame]:
    """People with both scores by clinic (or network), instrument, time point, dimension and category."""
    rows = outcomes(outcome_network).merge(
        groups(outcome_network, index_courses(outcome_network)), on=["clinic_id", "course_id", "patient_id"]
    )
    rows = rows[rows.paired & rows.time_point.isin(("course_end", "week_2", "last"))]
    rows = rows[rows.dimension.isin(REFERENCES)]
    together = pd.concat([rows, rows.assign(clinic_id="network")])
    return {tuple(map(str, key)): part for key, part in together.groupby(KEYS)}


@pytest.fixture(scope="module")
def found(outcome_network: Settings) -> pd.DataFrame:
    rows = mart(outcome_network, "agg_contrasts")
    return rows[rows.dimension.isin(REFERENCES)]


def test_every_category_is_compared_with_its_reference(
    pairs: dict[tuple[str, ...], pd.DataFrame], found: pd.DataFrame
) -> None:
    expected = {
        key
        for key in pairs
        if key[4] != REFERENCES[key[3]]
        and (*key[:4], REFERENCES[key[3]]) in pairs
        and not (key[2] == "week_2" and key[3] != "protocol")
    }
    assert set(found[KEYS].itertuples(index=False, name=None)) == expected
    assert len(expected) > 60


def test_differences_of_means_are_those_of_statsmodels(
    pairs: dict[tuple[str, ...], pd.DataFrame], found: pd.DataFrame
) -> None:
    compared = 0
    for row in found.to_dict("records"):
        key = tuple(row[name] for name in KEYS)
        first = pairs[key].change_points.astype(float).to_numpy()
        second = pairs[(*key[:4], row["reference_category"])].change_points.astype(float).to_numpy()
        assert (row["n"], row["reference_n"]) == (len(first), len(second))
        assert row["mean_difference"] == pytest.approx(first.mean() - second.mean(), rel=TOLERANCE, abs=TOLERANCE)
        if min(len(first), len(second)) < 2 or min(first.std(), second.std()) == 0:
            continue
        welch = CompareMeans(DescrStatsW(first), DescrStatsW(second))
        lower, upper = welch.tconfint_diff(usevar="unequal")
        assert row["mean_difference_lower"] == pytest.approx(lower, rel=TOLERANCE, abs=TOLERANCE)
        assert row["mean_difference_upper"] == pytest.approx(upper, rel=TOLERANCE, abs=TOLERANCE)
        n_1, n_2 = len(first), len(second)
        pooled = sqrt(((n_1 - 1) * first.var(ddof=1) + (n_2 - 1) * second.var(ddof=1)) / (n_1 + n_2 - 2))
        d = (first.mean() - second.mean()) / pooled
        g = d * (1 - 3 / (4 * (n_1 + n_2 - 2) - 1))
        z = stats.norm.ppf(0.975)
        for name, size in (("cohens_d", d), ("hedges_g", g)):
            reach = z * sqrt((n_1 + n_2) / (n_1 * n_2) + size**2 / (2 * (n_1 + n_2)))
            told = [row[name], row[f"{name}_lower"], row[f"{name}_upper"]]
            np.testing.assert_allclose(told, [size, size - reach, size + reach], rtol=TOLERANCE, atol=TOLERANCE)
        compared += 1
    assert compared > 50


def test_differences_and_ratios_of_shares_are_those_of_statsmodels(
    pairs: dict[tuple[str, ...], pd.DataFrame], found: pd.DataFrame
) -> None:
    ratios = 0
    for row in found.to_dict("records"):
        key = tuple(row[name] for name in KEYS)
        first, second = pairs[key], pairs[(*key[:4], row["reference_category"])]
        a, n_1 = int(first.response.sum()), int(first.judged_response.sum())
        b, n_2 = int(second.response.sum()), int(second.judged_response.sum())
        assert (row["response"], row["judged_response"]) == (a, n_1)
        assert (row["reference_response"], row["reference_judged_response"]) == (b, n_2)
        lower, upper = confint_proportions_2indep(a, n_1, b, n_2, compare="diff", method="newcomb")
        told = [row["risk_difference"], row["risk_difference_lower"], row["risk_difference_upper"]]
        np.testing.assert_allclose(told, [a / n_1 - b / n_2, lower, upper], rtol=TOLERANCE, atol=TOLERANCE)
        if a and b:
            lower, upper = confint_proportions_2indep(a, n_1, b, n_2, compare="ratio", method="log")
            told = [row["risk_ratio"], row["risk_ratio_lower"], row["risk_ratio_upper"]]
            np.testing.assert_allclose(told, [(a / n_1) / (b / n_2), lower, upper], rtol=TOLERANCE)
            ratios += 1
        else:
            assert isnan(row["risk_ratio_lower"])
            assert isnan(row["risk_ratio_upper"])
    assert ratios > 50


def test_arms_are_compared_with_the_arm_of_the_reference_protocol(outcome_network: Settings) -> None:
    arms = mart(outcome_network, "agg_contrasts").query("dimension == 'trial_arm'")
    courses = index_courses(outcome_network)
    controls = set(courses[courses.protocol == "midazolam_control"].trial_arm.dropna())
    assert set(arms.reference_category) == controls
    assert controls.isdisjoint(arms.category)
    with_arms = set(courses[courses.trial_arm.notna()].clinic_id)
    assert set(arms.clinic_id) == with_arms | {"network"}


@pytest.fixture(scope="module")
def before(outcome_network: Settings) -> pd.DataFrame:
    courses = index_courses(outcome_network).query("protocol == 'iv_ketamine'")
    return baselines(courses, scored_questionnaires(outcome_network))


def test_reliable_change_follows_the_formula(outcome_network: Settings, before: pd.DataFrame) -> None:
    told = mart(outcome_network, "agg_reliable_change").set_index("instrument")
    for instrument, reliability in {"pcl_5": 0.82, "caps_5": 0.78, "phq_9": 0.84, "gad_7": 0.83}.items():
        totals = before[before.instrument == instrument].total.astype(float)
        row = told.loc[instrument]
        assert row.people == len(totals)
        difference_sd = totals.std(ddof=1) * sqrt(2 * (1 - reliability))
        assert row.baseline_mean == pytest.approx(totals.mean(), rel=TOLERANCE)
        assert row.baseline_sd == pytest.approx(totals.std(ddof=1), rel=TOLERANCE)
        assert row.sample_difference_sd == pytest.approx(difference_sd, rel=TOLERANCE)
        assert row.sample_reliable_change == pytest.approx(1.96 * difference_sd, rel=TOLERANCE)
    for instrument, (mean, sd) in {"phq_9": (2.91, 3.5), "gad_7": (2.95, 3.4)}.items():
        totals = before[before.instrument == instrument].total.astype(float)
        own = totals.std(ddof=1)
        cut_off = (sd * totals.mean() + own * mean) / (sd + own)
        assert told.cut_off_c[instrument] == pytest.approx(cut_off, rel=TOLERANCE)
    assert np.isnan(told.cut_off_c["pcl_5"])


def test_the_threshold_of_the_instrument_unless_another_is_chosen(outcome_network: Settings) -> None:
    """A fall of 6 points of the PHQ-9 is reliable; its file names no end state."""
    rows = mart(outcome_network, "fct_outcomes").query("time_point == 'last' and instrument == 'phq_9'")
    rows = rows[rows.change.notna()]
    assert list(rows.is_reliable_improvement) == list(rows.change <= -6)
    assert 0.2 < (rows.change <= -6).mean() < 0.8
    assert (rows.change == -6).any()
    assert rows.is_clinically_significant.isna().all()


def test_a_computed_threshold_can_be_chosen(tmp_path: Path) -> None:
    """Baselines 9, 12, 15, 18, 21 (mean 15, SD 4.743); last scores fall by 5, 6, 7, 8 and 10."""
    chosen = "phq_9.reliable_change_points=jacobson_truax_sample,phq_9.end_state_maximum=cut_off_c"
    totals, falls = [9, 12, 15, 18, 21], [5, 6, 7, 8, 10]
    sd = float(np.std(totals, ddof=1))
    least = floor(1.96 * sd * sqrt(2) * sqrt(1 - 0.84)) + 1
    cut_off = ceil((3.5 * 15 + sd * 2.91) / (3.5 + sd)) - 1
    settings = small_settings(tmp_path, {"alder": "Alder House"})
    forms = [
        *(f"b{n} | P{n} | phq_9 | 1 | {total}" for n, total in enumerate(totals)),
        *(f"l{n} | P{n} | phq_9 | 9 | {total - falls[n]}" for n, total in enumerate(totals)),
    ]
    everybody = range(len(totals))
    write_state(
        settings,
        "alder",
        {
            "patient": "\n".join(["patient_id", *(f"P{n}" for n in everybody)]),
            "course": "\n".join(
                ["course_id | patient_id | protocol", *(f"K{n} | P{n} | iv_ketamine" for n in everybody)]
            ),
            "session": "\n".join(
                [
                    "session_id | patient_id | course_id | session_day | drug",
                    *(f"S{n} | P{n} | K{n} | 3 | ketamine" for n in everybody),
                ]
            ),
            "assessment": "\n".join(
                ["assessment_id | patient_id | instrument | assessed_day | delivered_total", *forms]
            ),
        },
    )
    settings = Settings(**settings.model_dump(exclude={"threshold_sets"}), threshold_sets=chosen)
    model(settings)
    rows = mart(settings, "fct_outcomes").query("time_point == 'last' and instrument == 'phq_9'")
    rows = rows.sort_values("patient_key")
    assert list(rows.is_reliable_improvement) == [fall >= least for fall in falls]
    assert 0 < sum(fall >= least for fall in falls) < 5
    both = zip(totals, falls, strict=True)
    expected = [None if b <= cut_off else fall >= least and b - fall <= cut_off for b, fall in both]
    told = [None if pd.isna(value) else bool(value) for value in rows.is_clinically_significant]
    assert told == expected
    assert len(set(expected)) > 1
