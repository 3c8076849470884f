"""Recovery as NHS Talking Therapies defines it: by eye, and against pandas over the network."""

# ruff: noqa: E501 - a row of a table that is read by eye stays on one line

from __future__ import annotations

import pandas as pd
import pytest

from clinic_outcomes.settings import Settings
from tests.outcomes.oracle import (
    COURSE,
    PERSON,
    baselines,
    begins_before,
    by_clinic_and_network,
)
from tests.outcomes.recomputed import accepted_table, index_courses, scored_questionnaires
from tests.support.marts import mart
from tests.support.model_states import read_table
from tests.support.outcome_network import outcome_network

__all__ = ["outcome_network"]

CASENESS = {"phq_9": 10, "pcl_5": 32}
RELIABLE = {"phq_9": 6, "pcl_5": 10}

# First and last PHQ-9 and PCL-5. PHQ-9: caseness from 10, reliable from 6; PCL-5: caseness from 32, reliable from 10.
PEOPLE = """
    person       | end         | sessions | phq_first | phq_last | pcl_first | pcl_last | recovered | reliably | improved | worsened | counts
    recovered    | completed   | 2        | 15        | 9        | 50        | 31       | yes       | yes      | yes      | no       | yes
    by_a_hair    | dropped_out | 2        | 10        | 9        | 32        | 31       | yes       | no       | no       | no       | yes
    one_at_case  | completed   | 2        | 9         | 3        | 40        | 30       | yes       | yes      | yes      | no       | yes
    still_case   | completed   | 2        | 20        | 10       | 60        | 31       | no        | no       | yes      | no       | yes
    contrary     | completed   | 2        | 15        | 9        | 20        | 30       | yes       | no       | no       | no       | yes
    worse        | completed   | 2        | 12        | 18       | 40        | 41       | no        | no       | no       | yes      | yes
    not_at_case  | completed   | 2        | 9         | 3        | 31        | 20       | no        | no       | yes      | no       | no
    no_last      | completed   | 2        | 15        | -        | 50        | 30       | no        | no       | yes      | no       | yes
    no_first     | completed   | 2        | -         | 5        | 20        | 20       | no        | no       | no       | no       | yes
    ongoing      | ongoing     | 2        | 15        | 5        | 50        | 20       | -         | -        | -        | -        | -
    no_end       | -           | 2        | 15        | 5        | 50        | 20       | -         | -        | -        | -        | -
    one_session  | completed   | 1        | 15        | 5        | 50        | 20       | -         | -        | -        | -        | -
    """
# Finished: nine. Not at caseness: one, so eight in the denominator of recovery, of whom four recovered, two reliably.
FIGURES = """
    measure                          | numerator | denominator
    nhs_finished_courses             | 9         | -
    nhs_paired_share                 | 7         | 9
    nhs_recovery_share               | 4         | 8
    nhs_reliable_recovery_share      | 2         | 8
    nhs_reliable_improvement_share   | 5         | 9
    nhs_reliable_deterioration_share | 1         | 9
    """


def tables() -> dict[str, str]:
    """Two sessions on days 10 and 17; the first scores on day 5, the last on day 20."""
    lines: dict[str, list[str]] = {
        "patient": ["patient_id"],
        "course": ["course_id | patient_id | protocol"],
        "session": ["session_id | patient_id | course_id | session_day | drug"],
        "disposition": ["course_id | patient_id | disposition"],
        "assessment": ["assessment_id | patient_id | instrument | assessed_day | delivered_total"],
    }
    for row in read_table(PEOPLE):
        name = row["person"]
        lines["patient"].append(f"{name}")
        lines["course"].append(f"{name} | {name} | iv_ketamine")
        for number in range(int(row["sessions"] or 0)):
            lines["session"].append(f"{name}{number} | {name} | {name} | {10 + 7 * number} | ketamine")
        if row["end"]:
            lines["disposition"].append(f"{name} | {name} | {row['end']}")
        for column, instrument, day in (
            *(("phq_first", "phq_9", 5), ("phq_last", "phq_9", 20)),
            *(("pcl_first", "pcl_5", 5), ("pcl_last", "pcl_5", 20)),
        ):
            if row[column]:
                lines["assessment"].append(f"{name}_{column} | {name} | {instrument} | {day} | {row[column]}")
    return {name: "\n".join(rows) for name, rows in lines.items()}


WITHOUT_PHQ_9 = "\n".join(line for line in tables()["assessment"].splitlines() if "phq_9" not in line)
CLINICS = {"recovery": tables(), "recovery_unknown": tables() | {"assessment": WITHOUT_PHQ_9}}
"""One clinic with both questionnaires, one that lacks the PHQ-9."""


def test_courses_are_judged_as_by_eye(by_hand: Settings) -> None:
    found = mart(by_hand, "fct_recovery").sort_values("course_key")
    assert set(found.clinic_id) == {"recovery"}
    columns = {"recovered": "is_recovered", "reliably": "is_reliably_recovered", "improved": "is_reliably_improved"}
    columns["worsened"] = "is_reliably_deteriorated"
    expected = {row["person"]: row for row in read_table(PEOPLE) if row["counts"]}
    assert {key.split("/")[1] for key in found.course_key} == set(expected)
    for row in found.to_dict("records"):
        told = expected[row["course_key"].split("/")[1]]
        assert {name: row[column] for name, column in columns.items()} == {
            name: told[name] == "yes" for name in columns
        }, told["person"]
        assert row["was_not_at_caseness"] == (told["counts"] == "no"), told["person"]


def test_figures_are_those_counted_by_eye(by_hand: Settings) -> None:
    told = mart(by_hand, "agg_figures")
    told = told[told.measure.str.startswith("nhs_")]
    assert set(told.clinic_id) == {"recovery", "network"}
    assert set(told.dimension) == {"protocol"}
    own = told[told.clinic_id == "recovery"].set_index("measure")
    for row in read_table(FIGURES):
        figure = own.loc[str(row["measure"])]
        assert int(figure.numerator) == int(row["numerator"] or 0), row["measure"]
        assert (None if pd.isna(figure.denominator) else str(figure.denominator)) == row["denominator"], row["measure"]


def test_the_thresholds_in_use_are_named(by_hand: Settings) -> None:
    measures = mart(by_hand, "dim_measures").set_index("measure")
    assert measures.threshold_set["nhs_recovery_share"] == "nhs_talking_therapies"
    assert "onebright.com" in measures.source["nhs_recovery_share"]
    assert measures.threshold_set["nhs_finished_courses"] == ""


@pytest.fixture(scope="module")
def finished(outcome_network: Settings) -> pd.DataFrame:
    """Finished courses of clinics with both questionnaires, with their first and last scores."""
    scores, courses = scored_questionnaires(outcome_network), index_courses(outcome_network)
    ends = accepted_table(outcome_network, "disposition", ["course_id", "disposition"])
    courses = courses.merge(ends, on=COURSE)
    courses = courses[(courses.disposition != "ongoing") & (courses.sessions_given >= 2)]
    forms = accepted_table(outcome_network, "assessment", ["instrument"]).drop_duplicates()
    both = forms[forms.instrument.isin(CASENESS)].groupby("clinic_id").size()
    courses = courses[courses.clinic_id.isin(both[both == 2].index)]
    first = baselines(courses, scores)
    pairs = courses.merge(scores, on=PERSON)
    own = pairs.next_protocol_day.isna() | begins_before(pairs, pairs.next_protocol_day)
    pairs = pairs[~begins_before(pairs, pairs.first_day) & (pairs.assessed_day <= pairs.last_day + 14) & own]
    order = ["assessed_day", "after_session", "minutes_from_session_start", "assessment_id"]
    last = pairs.sort_values(order, na_position="first").groupby([*COURSE, "instrument"]).tail(1)
    for instrument in CASENESS:
        for name, chosen in (("first", first), ("last", last)):
            totals = chosen[chosen.instrument == instrument].set_index(COURSE).total.astype("float64")
            # An unknown score is a NaN: every comparison with it is false.
            courses = courses.merge(totals.rename(f"{name}_{instrument}").reset_index(), on=COURSE, how="left")
    return courses


def test_figures_are_exactly_those_of_pandas(outcome_network: Settings, finished: pd.DataFrame) -> None:
    at_case = {i: finished[f"first_{i}"] >= least for i, least in CASENESS.items()}
    not_at_case = {i: finished[f"first_{i}"] < least for i, least in CASENESS.items()}
    well = {i: finished[f"last_{i}"] < least for i, least in CASENESS.items()}
    fall = {i: finished[f"first_{i}"] - finished[f"last_{i}"] for i in CASENESS}
    better = (fall["phq_9"] >= RELIABLE["phq_9"]) | (fall["pcl_5"] >= RELIABLE["pcl_5"])
    worse = (fall["phq_9"] <= -RELIABLE["phq_9"]) | (fall["pcl_5"] <= -RELIABLE["pcl_5"])
    recovered = (at_case["phq_9"] | at_case["pcl_5"]) & well["phq_9"] & well["pcl_5"]
    everybody = pd.Series(data=True, index=finished.index)
    counted = ~(not_at_case["phq_9"] & not_at_case["pcl_5"])
    expected = {
        "nhs_finished_courses": (everybody, None),
        "nhs_paired_share": (fall["phq_9"].notna() & fall["pcl_5"].notna(), everybody),
        "nhs_recovery_share": (recovered, counted),
        "nhs_reliable_recovery_share": (recovered & better & ~worse, counted),
        "nhs_reliable_improvement_share": (better & ~worse, everybody),
        "nhs_reliable_deterioration_share": (worse & ~better, everybody),
    }
    told = mart(outcome_network, "agg_figures")
    for measure, (numerator, denominator) in expected.items():
        parts = finished.assign(top=numerator, bottom=numerator if denominator is None else denominator)
        sums = by_clinic_and_network(parts, ["protocol"], {"top": ("top", "sum"), "bottom": ("bottom", "sum")})
        figures = told[told.measure == measure].set_index(["clinic_id", "category"])
        of = sums.reindex(figures.index).fillna(0)
        assert set(sums.index) <= set(figures.index)
        assert list(figures.numerator.astype(int)) == list(of.top)
        assert list(figures.patients) == list(of.bottom)
        if denominator is not None:
            assert list(figures.denominator) == list(of.bottom)
        assert of.top.sum() > 0
