"""Totals, clusters, the provisional diagnosis and levels of risk of single questionnaires."""

# ruff: noqa: E501 - a row of a table that is read by eye stays on one line

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clinic_outcomes.settings import Settings
from tests.outcomes.oracle import COURSE, by_clinic_and_network, groups, outcomes
from tests.outcomes.recomputed import ITEMS, accepted_table, index_courses, scored_questionnaires
from tests.support.marts import cells, mart
from tests.support.model_states import read_table
from tests.support.outcome_network import outcome_network

__all__ = ["outcome_network"]

# Clusters of PCL-5 and CAPS-5: B is items 1 to 5, C 6 and 7, D 8 to 14, E 15 to 20. Those needed: 1, 1, 2, 2.
CLUSTERS = {"b": range(1, 6), "c": range(6, 8), "d": range(8, 15), "e": range(15, 21)}
NEEDED = {"b": 1, "c": 1, "d": 2, "e": 2}

TABLES = {
    "patient": "patient_id\nP1",
    "assessment": """
        assessment_id | patient_id | instrument      | instrument_version | recall_window | assessed_day | delivered_total
        meets         | P1         | pcl_5           | weekly             | -             | 1            | 12
        one_short     | P1         | pcl_5           | -                  | past_month    | 2            | -
        gap           | P1         | pcl_5           | -                  | -             | 3            | -
        contradicted  | P1         | pcl_5           | -                  | -             | 4            | 13
        total_alone   | P1         | pcl_5           | -                  | -             | 5            | 33
        nothing       | P1         | pcl_5           | -                  | -             | 6            | -
        mild          | P1         | phq_9           | -                  | -             | 7            | 9
        moderate      | P1         | phq_9           | -                  | -             | 8            | 10
        sleepless     | P1         | qids_sr16       | -                  | -             | 9            | -
        sleep_gap     | P1         | qids_sr16       | -                  | -             | 10           | -
        calm          | P1         | c_ssrs_screener | -                  | -             | 11           | -
        wish          | P1         | c_ssrs_screener | -                  | -             | 12           | -
        past          | P1         | c_ssrs_screener | -                  | -             | 13           | -
        plan          | P1         | c_ssrs_screener | -                  | -             | 14           | -
        method        | P1         | c_ssrs_screener | -                  | -             | 15           | -
        unknown       | P1         | c_ssrs_screener | -                  | -             | 16           | -
        """,
    # `.` is an item without a row. The C-SSRS asks items 3 to 5 after a yes to 2 only, and 7 after a yes to 6.
    # Appetite and weight of the QIDS are one of two each: items 6 or 7, 8 or 9. Domains of `sleepless`: sleep 3 (items
    # 1 to 4), item 5 1, appetite and weight 3, psychomotor 2 (15 and 16).
    "assessment_item": """
        assessment_id | patient_id | answers
        meets         | P1         | 20000202200000220000
        one_short     | P1         | 44444440200000444444
        gap           | P1         | 444444444444444444.4
        contradicted  | P1         | 20000202200000220000
        sleepless     | P1         | 12301.3.20000021
        sleep_gap     | P1         | 1.301.3.20000021
        calm          | P1         | 00...0.
        wish          | P1         | 10...0.
        past          | P1         | 00...10
        plan          | P1         | 110010.
        method        | P1         | 111000.
        unknown       | P1         | 11.000.
        """,
}
EXPECTED = """
    assessment   | total | status          | days | band     | case  | risk
    meets        | 12    | from_items      | 7    | -        | True  | -
    one_short    | 54    | from_items      | 30   | -        | False | -
    gap          | -     | missing_item    | -    | -        | -     | -
    contradicted | -     | contradicted    | -    | -        | -     | -
    total_alone  | 33    | delivered_total | -    | -        | -     | -
    nothing      | -     | no_score        | -    | -        | -     | -
    mild         | 9     | delivered_total | -    | mild     | -     | -
    moderate     | 10    | delivered_total | -    | moderate | -     | -
    sleepless    | 9     | from_items      | -    | mild     | -     | -
    sleep_gap    | -     | missing_item    | -    | -        | -     | -
    calm         | -     | no_total        | -    | -        | -     | none
    wish         | -     | no_total        | -    | -        | -     | low
    past         | -     | no_total        | -    | -        | -     | moderate
    plan         | -     | no_total        | -    | -        | -     | high
    method       | -     | no_total        | -    | -        | -     | moderate
    unknown      | -     | no_total        | -    | -        | -     | -
    """
# meets: B item 1, C item 6, D items 8 and 9, E items 15 and 16, each 2. gap lacks item 19, of cluster E.
EXPECTED_CLUSTERS = """
    assessment   | cluster | items | answered | total | present
    contradicted | b       | 5     | 5        | -     | -
    contradicted | c       | 2     | 2        | -     | -
    contradicted | d       | 7     | 7        | -     | -
    contradicted | e       | 6     | 6        | -     | -
    gap          | b       | 5     | 5        | 20    | 5
    gap          | c       | 2     | 2        | 8     | 2
    gap          | d       | 7     | 7        | 28    | 7
    gap          | e       | 6     | 5        | -     | -
    meets        | b       | 5     | 5        | 2     | 1
    meets        | c       | 2     | 2        | 2     | 1
    meets        | d       | 7     | 7        | 4     | 2
    meets        | e       | 6     | 6        | 4     | 2
    one_short    | b       | 5     | 5        | 20    | 5
    one_short    | c       | 2     | 2        | 8     | 2
    one_short    | d       | 7     | 7        | 2     | 1
    one_short    | e       | 6     | 6        | 24    | 6
    """


CLINICS = {"scoring": TABLES}


def test_questionnaires_are_scored_as_by_eye(others_by_hand: Settings) -> None:
    found = cells(
        others_by_hand,
        """
        SELECT split_part(assessment_key, '/', 2) AS assessment, total_score AS total, score_status AS status,
            recall_days AS days, band, is_provisional_case AS case, risk_level AS risk
        FROM {fct_assessments} WHERE clinic_id = 'scoring' ORDER BY assessed_day
        """,
    )
    assert found == read_table(EXPECTED)


def test_clusters_are_those_seen_by_eye(others_by_hand: Settings) -> None:
    found = cells(
        others_by_hand,
        """
        SELECT split_part(assessment_key, '/', 2) AS assessment, cluster, items, items_answered AS answered,
            cluster_total AS total, symptoms_present AS present
        FROM {fct_assessment_clusters} WHERE clinic_id = 'scoring' ORDER BY assessment, cluster
        """,
    )
    assert found == read_table(EXPECTED_CLUSTERS)


def test_questionnaires_without_a_total_are_counted_by_reason(others_by_hand: Settings) -> None:
    found = cells(
        others_by_hand,
        """
        SELECT category, numerator::INTEGER AS questionnaires, patients FROM {agg_figures}
        WHERE measure = 'scores_without_total' AND clinic_id = 'network' ORDER BY category
        """,
    )
    expected = """
        category     | questionnaires | patients
        ''           | 4              | 1
        contradicted | 1              | 1
        missing_item | 2              | 1
        no_score     | 1              | 1
        """
    assert found == read_table(expected)


@pytest.fixture(scope="module")
def answers(outcome_network: Settings) -> pd.DataFrame:
    """A row a complete PCL-5 or CAPS-5 whose total is that of its items, with its clusters."""
    items = accepted_table(outcome_network, "assessment_item", ["assessment_id", "item_number", "item_value"])
    forms = scored_questionnaires(outcome_network)
    forms = forms[forms.instrument.isin(("pcl_5", "caps_5")) & forms.answered.notna()]
    wide = items.pivot(index=["clinic_id", "assessment_id"], columns="item_number", values="item_value")
    wide = wide.reindex(pd.MultiIndex.from_frame(forms[["clinic_id", "assessment_id"]]))
    clusters = {name: wide[list(numbers)].sum(axis=1) for name, numbers in CLUSTERS.items()}
    symptoms = {name: (wide[list(numbers)] >= 2).sum(axis=1) for name, numbers in CLUSTERS.items()}
    case = pd.concat([symptoms[name] >= needed for name, needed in NEEDED.items()], axis=1).all(axis=1)
    return pd.DataFrame(clusters | {f"{name}_symptoms": found for name, found in symptoms.items()} | {"case": case})


def keyed(frame: pd.DataFrame) -> pd.DataFrame:
    parts = frame.assessment_key.str.split("/", n=1)
    return frame.assign(clinic_id=parts.str[0], assessment_id=parts.str[1]).set_index(["clinic_id", "assessment_id"])


def test_totals_are_those_of_pandas(outcome_network: Settings) -> None:
    marts = keyed(mart(outcome_network, "fct_assessments"))
    marts = marts[marts.instrument.isin(ITEMS) & marts.total_score.notna()]
    expected = scored_questionnaires(outcome_network).set_index(["clinic_id", "assessment_id"])
    assert set(marts.index) == set(expected.index)
    assert (marts.total_score.reindex(expected.index) == expected.total).all()
    assert len(expected) > 20_000


def test_clusters_and_cases_are_those_of_pandas(outcome_network: Settings, answers: pd.DataFrame) -> None:
    clusters = keyed(mart(outcome_network, "fct_assessment_clusters"))
    for name in CLUSTERS:
        own = clusters[clusters.cluster == name].reindex(answers.index)
        assert (own.cluster_total == answers[name]).all()
        assert (own.symptoms_present == answers[f"{name}_symptoms"]).all()
    cases = keyed(mart(outcome_network, "fct_assessments")).is_provisional_case
    assert (cases.reindex(answers.index).astype(bool) == answers.case).all()
    assert cases.notna().sum() == len(answers)


def test_figures_of_items_are_exactly_those_of_pandas(outcome_network: Settings, answers: pd.DataFrame) -> None:
    pairs = outcomes(outcome_network).query("time_point in ('course_end', 'last')")
    pairs = pairs[pairs.instrument.isin(("pcl_5", "caps_5"))]
    for stage, key in (("before", "baseline_id"), ("after", "assessment_id")):
        named = answers.add_prefix(f"{stage}_").reset_index(names=["clinic_id", key])
        pairs = pairs.merge(named, on=["clinic_id", key], how="left")
    pairs = pairs.merge(groups(outcome_network, index_courses(outcome_network)), on=[*COURSE, "patient_id"])
    both = pairs.before_b.notna() & pairs.after_b.notna()
    was_case = pairs.before_case.eq(True)
    quantities = {"diagnosis_lost_share": (was_case & pairs.after_case.eq(False), was_case & both)}
    for name in CLUSTERS:
        quantities[f"cluster_{name}_change"] = ((pairs[f"after_{name}"] - pairs[f"before_{name}"]).where(both, 0), both)
    told = mart(outcome_network, "agg_figures").merge(mart(outcome_network, "dim_measures"), on="measure")
    keys = ["instrument", "time_point", "dimension", "category"]
    for quantity, (numerator, denominator) in quantities.items():
        rows_of = pairs.assign(numerator=numerator.astype(float), denominator=denominator.astype(int))
        sums = by_clinic_and_network(
            rows_of, keys, {"numerator": ("numerator", "sum"), "denominator": ("denominator", "sum")}
        )
        figures = told[(told.quantity == quantity) & told.dimension.isin(sums.index.unique("dimension"))]
        figures = figures.set_index(["clinic_id", *keys])
        assert len(figures) > 40
        of = sums.reindex(figures.index).fillna(0)
        assert list(figures.numerator.astype(float)) == list(of.numerator)
        assert list(figures.denominator) == list(of.denominator)
        assert list(figures.patients) == list(of.denominator)
        assert of.denominator.sum() > 0


def test_provisional_diagnoses_before_treatment_are_those_of_pandas(
    outcome_network: Settings, answers: pd.DataFrame
) -> None:
    from tests.outcomes.oracle import baselines

    courses = index_courses(outcome_network)
    before = baselines(courses, scored_questionnaires(outcome_network)).query("instrument == 'pcl_5'")
    before = before.set_index(["clinic_id", "assessment_id"]).join(answers.case, how="inner")
    treated = courses.groupby("protocol").size()
    cases = before.groupby("protocol").case.agg(["sum", "size"])
    told = mart(outcome_network, "agg_figures").query("clinic_id == 'network' and dimension == 'protocol'")
    told = told.set_index(["measure", "category"])
    for protocol in treated.index:
        share = told.loc["pcl_5_provisional_diagnosis_share", protocol]
        known = told.loc["pcl_5_baseline_items_share", protocol]
        assert (int(share.numerator), share.denominator) == tuple(cases.loc[protocol])
        assert (int(known.numerator), known.denominator) == (cases.loc[protocol, "size"], treated[protocol])
    assert np.all(cases["sum"] > 0)
