"""When a score counts: baselines, windows, ties, the cut at another protocol, who is due and what a form can tell."""

# ruff: noqa: E501 - a row of a table that is read by eye stays on one line

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from clinic_outcomes.settings import Settings
from tests.support.courses_by_hand import clinic_tables
from tests.support.marts import mart
from tests.support.model_states import read_table

# Sessions begin on day 10. A score is day:total, with minutes from the start of the session after the day.
COURSES = """
    person    | protocol          | planned | sessions    | watched | scores
    baseline  | iv_ketamine       | 1       | 10          | 400     | 3:61 9:60 10-5:59 10+30:20
    unclear   | iv_ketamine       | 1       | 10          | 400     | 9:60 10:58 10+1:20
    late      | iv_ketamine       | 1       | 10          | 400     | 10+1:50 24:40
    hours     | iv_ketamine       | 2       | 10 17       | 400     | 9:60 10+90:30/past_week 10+120:41/past_day 11:42/past_day
    too_long  | iv_ketamine       | 2       | 10 17       | 400     | 9:60 10+90:30/past_week 11:31/past_2_weeks
    between   | iv_ketamine       | 2       | 10 17       | 400     | 9:60 12:50 16:49 17-5:48 17+5:30 31:29 32:28
    weekly    | iv_ketamine       | 1       | 10          | 400     | 9:60 13:1 14:50 16:49 18:48 20:47 21:46 30:45 31:44
    tied      | iv_ketamine       | 1       | 10          | 400     | 9:60 16:50 18:40 24+1:33 24+2:32
    crossing  | midazolam_control | 1       | 10          | 400     | 9:60 15:55 20-5:54 20+5:30 25:29
    crossing  | iv_ketamine       | 1       | 20          | 400     | -
    watched   | iv_ketamine       | 1       | 10          | 30      | 9:60
    unwatched | iv_ketamine       | 1       | 10          | 20      | 9:60
    """
# `too_long` has scores within 24 hours, but they ask about longer. A tie in days is the earlier score's; of one day the
# last score is the later one's. What `crossing` had from the first session under ketamine on is that protocol's.
EXPECTED = """
    person    | protocol          | time_point      | baseline | score | unassessable
    baseline  | iv_ketamine       | course_end      | 59       | 20    | no
    unclear   | iv_ketamine       | course_end      | 58       | 20    | no
    late      | iv_ketamine       | course_end      | -        | 40    | no
    late      | iv_ketamine       | week_2          | -        | 40    | no
    hours     | iv_ketamine       | within_24_hours | 60       | 41    | yes
    hours     | iv_ketamine       | after_session_1 | 60       | 42    | no
    too_long  | iv_ketamine       | within_24_hours | 60       | -     | yes
    too_long  | iv_ketamine       | after_session_1 | 60       | 31    | no
    between   | iv_ketamine       | within_24_hours | 60       | -     | no
    between   | iv_ketamine       | after_session_1 | 60       | 48    | no
    between   | iv_ketamine       | course_end      | 60       | 29    | no
    between   | iv_ketamine       | last            | 60       | 28    | no
    weekly    | iv_ketamine       | week_1          | 60       | 49    | no
    weekly    | iv_ketamine       | week_2          | 60       | 46    | no
    weekly    | iv_ketamine       | week_4          | 60       | 44    | no
    weekly    | iv_ketamine       | week_8          | 60       | -     | no
    tied      | iv_ketamine       | week_1          | 60       | 50    | no
    tied      | iv_ketamine       | week_2          | 60       | 33    | no
    tied      | iv_ketamine       | course_end      | 60       | 32    | no
    crossing  | midazolam_control | course_end      | 60       | 54    | no
    crossing  | midazolam_control | last            | 60       | 54    | no
    crossing  | iv_ketamine       | week_1          | 54       | 29    | no
    crossing  | iv_ketamine       | course_end      | 54       | 29    | no
    """
# Week 2 opens on day 21, week 4 on day 31.
DUE = {
    ("watched", "week_2"): True,
    ("watched", "week_4"): False,
    ("unwatched", "course_end"): True,
    ("unwatched", "week_1"): True,
    ("unwatched", "week_2"): False,
    ("late", "week_26"): True,
}


CLINICS = {"windows": clinic_tables(COURSES)}


@pytest.fixture(scope="module")
def found(by_hand: Settings) -> dict[tuple[str, str, str], dict[str, Any]]:
    rows = mart(by_hand, "fct_outcomes").query("clinic_id == 'windows'")
    courses = mart(by_hand, "fct_index_courses")[["course_key", "protocol"]]
    rows = rows.merge(courses, on="course_key")
    rows["person"] = rows.patient_key.str.split("/").str[1]
    return {(row["person"], row["protocol"], row["time_point"]): row for row in rows.to_dict("records")}


@pytest.mark.parametrize(
    "case", read_table(EXPECTED), ids=lambda case: f"{case['person']}-{case['protocol']}-{case['time_point']}"
)
def test_the_score_of_a_time_point(
    case: dict[str, str | None], found: dict[tuple[str, str, str], dict[str, Any]]
) -> None:
    row = found[str(case["person"]), str(case["protocol"]), str(case["time_point"])]
    scores = [row[name] for name in ("baseline_total", "score_total")]
    told = [None if pd.isna(score) else str(int(score)) for score in scores]
    assert told == [case["baseline"], case["score"]]
    assert row["has_unassessable_score"] == (case["unassessable"] == "yes")


@pytest.mark.parametrize(("person", "time_point"), DUE)
def test_who_is_due(person: str, time_point: str, found: dict[tuple[str, str, str], dict[str, Any]]) -> None:
    assert found[person, "iv_ketamine", time_point]["is_due"] == DUE[person, time_point]


def test_a_session_that_was_never_given_has_no_time_point(
    found: dict[tuple[str, str, str], dict[str, Any]],
) -> None:
    assert not [key for key in found if key[2] in ("after_session_4", "after_session_6")]
    assert ("late", "iv_ketamine", "after_session_1") in found
