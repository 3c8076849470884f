"""How long a response lasts: by hand for clinics small enough to read, and against lifelines for a modelled network."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lifelines import KaplanMeierFitter
from lifelines.utils import restricted_mean_survival_time

from clinic_outcomes.settings import Settings
from tests.outcomes.recomputed import accepted_table, course_ends, index_courses, scored_questionnaires
from tests.support.courses_by_hand import clinic_tables
from tests.support.marts import mart
from tests.support.model_states import read_table
from tests.support.outcome_network import outcome_network

__all__ = ["outcome_network"]

RULES = {"observed_through": "days_observed_through", "last_score": "days_to_last_score"}
HORIZON_DAYS = 84

# Everybody responds on day 24, the last of the two weeks after the session: from 50 to 20. Lost after 7, 14, 14, 21,
# 27, 28, 28, 34, 40 and 41 days.
TEN = """
    person | protocol    | arm    | sessions | watched | scores
    A1     | iv_ketamine | active | 10       | 200     | 9:50 24:20 31:45
    A2     | iv_ketamine | active | 10       | 200     | 9:50 24:20 38:45
    A3     | iv_ketamine | active | 10       | 200     | 9:50 24:20 30:30 38:45 60:10
    A4     | iv_ketamine | active | 10       | 200     | 9:50 24:20 45:45
    A5     | iv_ketamine | active | 10       | 200     | 9:50 24:20 51:45
    A6     | iv_ketamine | active | 10       | 200     | 9:50 24:20 52:45
    A7     | iv_ketamine | active | 10       | 200     | 9:50 24:20 52:45
    A8     | iv_ketamine | active | 10       | 200     | 9:50 24:20 58:45
    A9     | iv_ketamine | active | 10       | 200     | 9:50 24:20 64:45
    A10    | iv_ketamine | active | 10       | 200     | 9:50 24:20 65:45
    A11    | iv_ketamine | active | 10       | 200     | 9:50 24:45 38:20
    """

# Lost after 7 days, watched for 10, lost after 14, watched for 30.
FOUR = """
    person | protocol | sessions | watched | scores
    B1     | sgb      | 10       | 200     | 9:50 24:20 31:45
    B2     | sgb      | 10       | 34      | 9:50 24:20 33:20
    B3     | sgb      | 10       | 200     | 9:50 24:20 38:45
    B4     | sgb      | 10       | 54      | 9:50 24:20 42:25
    """

# Two of four lost, the others watched for 40 days: the curve ends level at one half.
LEVEL = """
    person | protocol | sessions | watched | scores
    C1     | nad_plus | 10       | 200     | 9:50 24:20 34:45
    C2     | nad_plus | 10       | 200     | 9:50 24:20 44:45
    C3     | nad_plus | 10       | 64      | 9:50 24:20
    C4     | nad_plus | 10       | 64      | 9:50 24:20
    """

# One rule a person. 30 percent under 50 is 35.
EDGES = """
    person      | protocol    | sessions | watched | end            | censored             | scores
    watched     | iv_ketamine | 0 7      | 100     | completed 7    | -                    | 0:50 10:20 30:35
    lost        | iv_ketamine | 0 7      | 100     | completed 7    | -                    | 0:50 10:20 30:36 40:10
    withdrew    | iv_ketamine | 0 7      | 100     | completed 7    | withdrew 25          | 0:50 10:20 24:22 30:45
    died        | iv_ketamine | 0 7      | 100     | completed 7    | died 60              | 0:50 10:20
    lost_day    | iv_ketamine | 0 7      | 100     | completed 7    | lost_to_follow_up 30 | 0:50 10:20 30:45
    closed      | iv_ketamine | 0 7      | 100     | site_closed 40 | -                    | 0:50 10:20 39:30
    closed_end  | iv_ketamine | 0 7      | 40      | completed 7    | site_closed 40       | 0:50 10:20
    unwatched   | iv_ketamine | 0 7      | -       | completed 7    | -                    | 0:50 10:20 25:30
    never_again | iv_ketamine | 0 7      | -       | completed 7    | -                    | 0:50 10:20
    too_early   | iv_ketamine | 0 7      | 8       | completed 7    | -                    | 0:50 10:20 30:45
    kept_going  | iv_ketamine | 0 7      | 100     | completed 7    | -                    | 0:50 10:20 45:30
    kept_going  | iv_ketamine | 35 42    | 100     | -              | -                    | -
    switched    | iv_ketamine | 0 7      | 100     | completed 7    | -                    | 0:50 10:20 50:20 50+30:45
    switched    | sgb         | 50       | 100     | -              | -                    | -
    before      | iv_ketamine | 0 7      | 100     | completed 7    | -                    | 0:50 10:20 50-30:45
    before      | sgb         | 50       | 100     | -              | -                    | -
    interleaved | sgb         | 0 40     | 100     | -              | -                    | -
    interleaved | iv_ketamine | 5 12     | 100     | completed 12   | -                    | 0:50 20:20 35:25 60:45
    relapsed    | iv_ketamine | 0 7      | 100     | completed 7    | -                    | 0:50 10:20 20:40 60:20
    failed      | iv_ketamine | 0 7      | 100     | completed 7    | -                    | 0:50 10:36 30:10
    """
# `relapsed` had no response at the last score within two weeks of the last session, `failed` never.
EDGES_EXPECTED = """
    person      | reason             | observed_through | last_score
    watched     | end_of_observation | 90               | 20
    lost        | -                  | 20               | 20
    withdrew    | withdrew           | 15               | 14
    died        | died               | 50               | 0
    lost_day    | -                  | 20               | 20
    closed      | site_closed        | 30               | 29
    closed_end  | site_closed        | 30               | 0
    unwatched   | last_score         | 15               | 15
    never_again | last_score         | 0                | 0
    too_early   | end_of_observation | 0                | 0
    kept_going  | end_of_observation | 90               | 35
    switched    | other_protocol     | 40               | 40
    before      | -                  | 40               | 40
    interleaved | other_protocol     | 20               | 15
    """
CLINICS = {
    "ten": clinic_tables(TEN),
    "four": clinic_tables(FOUR),
    "level": clinic_tables(LEVEL),
    "edges": clinic_tables(EDGES),
}


def curve(settings: Settings, name: str, clinic_id: str, dimension: str, rule: str) -> pd.DataFrame:
    rows = mart(settings, name)
    chosen = rows[(rows.clinic_id == clinic_id) & (rows.dimension == dimension) & (rows.censoring_rule == rule)]
    return chosen.sort_values("days_since_response") if "days_since_response" in chosen else chosen


def test_median_lies_in_the_middle_of_a_stretch_at_one_half(others_by_hand: Settings) -> None:
    """Five of ten lost by day 27, the sixth on day 28."""
    for dimension in ("protocol", "trial_arm"):
        (row,) = curve(others_by_hand, "agg_survival_medians", "ten", dimension, "observed_through").itertuples()
        assert (row.category, row.people, row.events, row.median_days) == (
            "iv_ketamine" if dimension == "protocol" else "active",
            10,
            10,
            27.5,
        )
    # The area: 10 people's days, none beyond 84.
    assert row.restricted_mean_days == pytest.approx((7 + 14 + 14 + 21 + 27 + 28 + 28 + 34 + 40 + 41) / 10, abs=1e-12)


def test_median_is_unknown_where_the_curve_ends_at_one_half(others_by_hand: Settings) -> None:
    (row,) = curve(others_by_hand, "agg_survival_medians", "level", "protocol", "observed_through").itertuples()
    assert math.isnan(row.median_days)
    # Nobody was watched for 84 days, and half were still in response.
    assert (row.last_day, math.isnan(row.restricted_mean_days)) == (40, True)


def test_curve_by_hand(others_by_hand: Settings) -> None:
    rows = curve(others_by_hand, "agg_survival", "four", "protocol", "observed_through")
    found = rows[["days_since_response", "at_risk", "events", "censored", "survival"]].to_numpy().tolist()
    assert found == [
        [0, 4, 0, 0, 1],
        [7, 4, 1, 0, 0.75],
        [10, 3, 0, 1, 0.75],
        [14, 2, 1, 0, 0.375],
        [30, 1, 0, 1, 0.375],
    ]
    # To the last score: B2 after 9 days, B4 after 18.
    rows = curve(others_by_hand, "agg_survival", "four", "protocol", "last_score")
    assert rows[["days_since_response", "at_risk", "events"]].to_numpy().tolist() == [
        [0, 4, 0], [7, 4, 1], [9, 3, 0], [14, 2, 1], [18, 1, 0],
    ]  # fmt: skip


LIFE_TABLES = """
    clinic | week | lost | at_risk | value
    ten    | 1    | 1    | 10      | 0.9
    ten    | 2    | 3    | 9       | 0.7
    ten    | 3    | 4    | 7       | 0.6
    ten    | 4    | 7    | 6       | 0.3
    ten    | 5    | 8    | 3       | 0.2
    ten    | 6    | 10   | 2       | 0
    four   | 1    | 1    | 4       | 0.75
    four   | 2    | 2    | 3       | 0.45
    four   | 3    | 2    | 1       | 0.45
    four   | 4    | 2    | 1       | 0.45
    four   | 5    | 2    | 1       | 0.45
    """


def test_life_table_by_hand(others_by_hand: Settings) -> None:
    """In week 2 of `four` one of three is lost and one stops being watched: 1 - 1 / 2.5 = 0.6, of 0.75."""
    figures = mart(others_by_hand, "agg_figures")
    rows = figures[
        figures.measure.str.fullmatch(r"pcl_5_survival_week_\d\d_sustained_response")
        & figures.clinic_id.isin(["ten", "four"])
        & (figures.dimension == "protocol")
    ]
    found = {
        (row.clinic_id, int(row.measure[20:22]), int(row.numerator), int(row.denominator), float(row.value))
        for row in rows.itertuples()
    }
    expected = {
        (
            row["clinic"],
            int(row["week"] or 0),
            int(row["lost"] or 0),
            int(row["at_risk"] or 0),
            float(row["value"] or 0),
        )
        for row in read_table(LIFE_TABLES)
    }
    assert found == expected
    assert (rows.patients == rows.denominator).all()
    assert (rows.numerator_patients == rows.numerator).all()


def test_losses_stay_with_the_network_when_a_clinic_has_nobody_left(others_by_hand: Settings) -> None:
    """In week 7 nobody of `ten` is at risk any more; 13 of the two clinics have lost response by then."""
    figures = mart(others_by_hand, "agg_figures").set_index("figure_id")
    row = figures.loc["pcl_5_survival_week_07_sustained_response/network/protocol/iv_ketamine"]
    assert (int(row.numerator), row.clinics, row.numerator_clinics) == (13, 1, 2)


def test_each_rule_of_watching_by_hand(others_by_hand: Settings) -> None:
    rows = mart(others_by_hand, "fct_durability")
    rows = rows[(rows.clinic_id == "edges") & (rows.protocol == "iv_ketamine")]
    found = {
        (row.patient_key.removeprefix("edges").strip("|/:"), None if row.is_lost else row.censoring_reason,
         row.days_observed_through, row.days_to_last_score)
        for row in rows.itertuples()
    }  # fmt: skip
    expected = {
        (row["person"], row["reason"], int(row["observed_through"] or 0), int(row["last_score"] or 0))
        for row in read_table(EDGES_EXPECTED)
    }
    assert found == expected


def test_words_of_a_row_of_a_life_table(others_by_hand: Settings) -> None:
    measures = mart(others_by_hand, "dim_measures").set_index("measure")
    row = measures.loc["pcl_5_survival_week_04_sustained_response"]
    assert row.label == "PCL-5: still in response at the end of week 4"
    assert (row.figure_type, row.completeness_measure) == ("life_table_row", "pcl_5_course_end_paired_share")
    assert row.threshold_set and "same protocol" in row.definition
    weeks = measures[measures.quantity == "sustained_response"]
    assert sorted(weeks.time_point) == [f"survival_week_{week:02}" for week in range(1, 27)]
    assert set(weeks.instrument) == {"pcl_5"}


# ---- against pandas and lifelines, from the accepted rows of a modelled network


@pytest.fixture(scope="module")
def recomputed(outcome_network: Settings) -> pd.DataFrame:
    """One row per responder and instrument with both times, from the clinics' accepted rows."""
    scores = scored_questionnaires(outcome_network)
    courses = index_courses(outcome_network)
    ends = course_ends(courses, scores)
    responders = ends[ends.is_response].copy()
    dispositions = accepted_table(outcome_network, "disposition", ["course_id", "disposition", "disposition_day",
        "censoring_day", "censoring_reason"])  # fmt: skip
    responders = responders.merge(dispositions, on=["clinic_id", "course_id"], how="left")
    by_person = dict(tuple(scores.groupby(["clinic_id", "patient_id", "instrument"])))
    rows = [_followed(person, by_person[person.clinic_id, person.patient_id, person.instrument])
            for person in responders.itertuples()]  # fmt: skip
    return responders.reset_index(drop=True).join(pd.DataFrame(rows))


def _followed(person: object, scores: pd.DataFrame) -> dict[str, object]:
    """Times of one responder, score by score in order."""
    p = person
    limits = [(day, half, reason) for day, half, reason in [
        (p.next_protocol_day, 0, "other_protocol"),
        (p.censoring_day, 1, p.censoring_reason),
        (p.observed_through_day, 1, "end_of_observation"),
    ] if not pd.isna(day)]  # fmt: skip
    end_day, half, reason = min(limits, key=lambda limit: (limit[0], limit[1]))
    last = p.assessed_day
    for score in scores.sort_values(["assessed_day", "after_session"]).itertuples():
        if (score.assessed_day, score.after_session) <= (p.assessed_day, p.after_session):
            continue
        if (score.assessed_day, score.after_session) > (end_day, half):
            break
        last = score.assessed_day
        if (p.baseline - score.total) * 100 < p.percent * p.baseline:
            lost_after = score.assessed_day - p.assessed_day
            return {"lost": True, "reason": None, "observed_through": lost_after, "last_score": lost_after}
    watched = max(end_day - p.assessed_day, 0)
    return {"lost": False, "reason": reason, "observed_through": watched, "last_score": last - p.assessed_day}


def test_every_responder_as_recomputed(outcome_network: Settings, recomputed: pd.DataFrame) -> None:
    found = mart(outcome_network, "fct_durability")
    assert len(found) > 500
    columns = ["clinic_id", "protocol", "instrument", "baseline_total", "score_total", "responded_day",
               "days_observed_through", "days_to_last_score"]  # fmt: skip
    mine = recomputed[["clinic_id", "protocol", "instrument", "baseline", "total", "assessed_day", "observed_through",
                       "last_score"]]  # fmt: skip
    assert sorted(found[columns].itertuples(index=False, name=None)) == sorted(
        tuple(row[:3]) + tuple(int(cell) for cell in row[3:]) for row in mine.itertuples(index=False, name=None)
    )
    lost = found[found.is_lost]
    assert len(lost) == recomputed.lost.sum() > 50
    censored = found[~found.is_lost].censoring_reason.value_counts().to_dict()
    assert censored == recomputed[~recomputed.lost].reason.value_counts().to_dict()
    assert len(censored) >= 3


def groups(recomputed: pd.DataFrame) -> dict[tuple[str, str, str, str], pd.DataFrame]:
    """Responders of each clinic and the network by instrument, protocol and trial arm."""
    people = pd.concat([
        recomputed.assign(dimension="protocol", category=recomputed.protocol),
        recomputed[recomputed.trial_arm.notna()].assign(dimension="trial_arm", category=lambda rows: rows.trial_arm),
    ])  # fmt: skip
    everybody = pd.concat([people, people.assign(clinic_id="network")])
    return dict(tuple(everybody.groupby(["clinic_id", "instrument", "dimension", "category"])))


def keyed(rows: pd.DataFrame) -> dict[tuple[str, ...], pd.DataFrame]:
    return dict(tuple(rows.groupby(["clinic_id", "instrument", "dimension", "category", "censoring_rule"])))


def test_curves_equal_lifelines(outcome_network: Settings, recomputed: pd.DataFrame) -> None:
    found = keyed(mart(outcome_network, "agg_survival"))
    expected = {(*key, rule): people for key, people in groups(recomputed).items() for rule in RULES}
    assert found.keys() == expected.keys()
    assert len(found) > 60
    for key, people in expected.items():
        fitted = KaplanMeierFitter().fit(people[key[4]].astype(float), people.lost.astype(bool))
        rows = found[key].sort_values("days_since_response").set_index("days_since_response")
        table = fitted.event_table
        assert rows.index.tolist() == table.index.tolist(), key
        assert (rows.at_risk == table.at_risk).all(), key
        assert (rows.events == table.observed).all(), key
        assert (rows.censored == table.censored).all(), key
        survival = fitted.survival_function_.iloc[:, 0]
        np.testing.assert_allclose(rows.survival, survival, rtol=0, atol=1e-9)
        inside = (survival > 1e-12) & (survival < 1)
        band = fitted.confidence_interval_[inside]
        np.testing.assert_allclose(rows.survival_lower[inside], band.iloc[:, 0], rtol=0, atol=1e-9)
        np.testing.assert_allclose(rows.survival_upper[inside], band.iloc[:, 1], rtol=0, atol=1e-9)
        assert rows[["survival_lower", "survival_upper"]][~inside].isna().all().all()


def first_day(curve: pd.Series, *, under: float) -> float:
    reached = curve[curve < under]
    return float(reached.index[0]) if len(reached) else math.nan


def test_medians_and_restricted_means_equal_lifelines(outcome_network: Settings, recomputed: pd.DataFrame) -> None:
    found = keyed(mart(outcome_network, "agg_survival_medians"))
    known = {"median": 0, "mean": 0}
    for key, people in groups(recomputed).items():
        for rule in RULES:
            (row,) = found[(*key, rule)].itertuples()
            fitted = KaplanMeierFitter().fit(people[rule].astype(float), people.lost.astype(bool))
            survival = fitted.survival_function_.iloc[:, 0]
            # The first day at one half, and the first under it.
            median = (first_day(survival, under=0.5 + 1e-9) + first_day(survival, under=0.5 - 1e-9)) / 2
            band = fitted.confidence_interval_.where((survival > 1e-12) & (survival < 1), axis=0)
            ends = [first_day(band.iloc[:, end], under=0.5 + 1e-12) for end in (0, 1)]
            np.testing.assert_equal([row.median_days, row.median_lower, row.median_upper], [median, *ends])
            assert (row.people, row.events) == (len(people), people.lost.sum())
            mean = math.nan
            if people[rule].max() >= HORIZON_DAYS or survival.iloc[-1] < 1e-12:
                mean = restricted_mean_survival_time(fitted, t=HORIZON_DAYS)
            np.testing.assert_allclose(row.restricted_mean_days, mean, rtol=0, atol=1e-9)
            known["median"] += not math.isnan(median)
            known["mean"] += not math.isnan(mean)
    assert known["median"] > 5
    assert known["mean"] > 20


def actuarial(days: pd.Series, lost: pd.Series) -> list[tuple[int, int, int, float]]:
    """Week, losses so far, at risk and share in response; weeks end with their seventh day."""
    week = np.maximum(np.ceil(days.astype(float) / 7), 1)
    survival, rows = 1.0, []
    for number in range(1, 27):
        at_risk = int((week >= number).sum())
        if at_risk == 0:
            break
        events = int(((week == number) & lost).sum())
        censored = int(((week == number) & ~lost).sum())
        survival *= 1 - events / (at_risk - 0.5 * censored)
        rows.append((number, int(((week <= number) & lost).sum()), at_risk, survival))
    return rows


def test_life_tables_equal_an_actuarial_computation(outcome_network: Settings, recomputed: pd.DataFrame) -> None:
    figures = mart(outcome_network, "agg_figures")
    rows = figures[figures.figure_type == "life_table_row"]
    found = {
        figure_id: (int(numerator), int(denominator), float(value), clinics, numerator_clinics)
        for figure_id, numerator, denominator, value, clinics, numerator_clinics in rows[
            ["figure_id", "numerator", "denominator", "value", "clinics", "numerator_clinics"]
        ].itertuples(index=False, name=None)
    }
    quantity = {"observed_through": "sustained_response", "last_score": "sustained_response_to_last_score"}
    expected = {}
    for (clinic_id, instrument, dimension, category), people in groups(recomputed).items():
        clinics = recomputed.loc[people.index].clinic_id
        for rule in RULES:
            week = np.maximum(np.ceil(people[rule].astype(float) / 7), 1)
            for number, losses, at_risk, survival in actuarial(people[rule], people.lost.astype(bool)):
                figure_id = (
                    f"{instrument}_survival_week_{number:02}_{quantity[rule]}/{clinic_id}/{dimension}/{category}"
                )
                expected[figure_id] = (
                    losses,
                    at_risk,
                    survival,
                    clinics[week >= number].nunique(),
                    clinics[(week <= number) & people.lost.astype(bool)].nunique(),
                )
    assert found.keys() == expected.keys()
    assert len(found) > 1000
    for figure_id, row in expected.items():
        assert found[figure_id][:2] == row[:2], figure_id
        # The figure has six decimals.
        assert found[figure_id][2] == pytest.approx(row[2], abs=5.000001e-7), figure_id
        assert found[figure_id][3:] == row[3:], figure_id


def test_nothing_exact_of_the_median_is_in_the_release(outcome_network: Settings) -> None:
    folder = Path(outcome_network.home / "marts" / "latest" / "release")
    measures = set(mart(outcome_network, "agg_figures").measure)
    # Medians of adverse events are others.
    medians = {measure for measure in measures if "median" in measure}
    assert medians <= {"onset_minutes_median", "resolution_minutes_median"}
    assert not list(folder.glob("*survival*")) + list(folder.glob("*durability*"))
