"""What stands beside outcomes: who is lost on the way, bounds over all starters, and relief within hours."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from clinic_outcomes.settings import Settings
from tests.outcomes.recomputed import accepted_table, course_ends, index_courses, scored_questionnaires
from tests.support import marts
from tests.support.courses_by_hand import clinic_tables
from tests.support.marts import mart
from tests.support.model_states import read_table
from tests.support.outcome_network import outcome_network

__all__ = ["outcome_network"]

# Eight starters. Three respond and two do not; three have no score after the course. `quitter` did not complete it.
STARTERS = """
    person    | protocol    | planned | sessions | watched | scores
    responder | iv_ketamine | 2       | 0 7      | 100     | 0:50 10:20
    another   | iv_ketamine | 2       | 0 7      | 100     | 0:60 10:42
    quitter   | iv_ketamine | 2       | 0        | 100     | 0:40 10:28
    unmoved   | iv_ketamine | 2       | 0 7      | 100     | 0:50 10:36
    worse     | iv_ketamine | 2       | 0 7      | 100     | 0:50 10:70
    silent    | iv_ketamine | 2       | 0 7      | 100     | 0:50
    gone      | iv_ketamine | 2       | 0        | 100     | 0:50
    unasked   | iv_ketamine | 2       | 0 7      | 100     | 10:20
    """
# The same with a last score of `silent`.
ONE_MORE_RESPONDED = STARTERS.replace("0:50\n    gone", "0:50 10:35\n    gone")
ONE_MORE_FAILED = STARTERS.replace("0:50\n    gone", "0:50 10:36\n    gone")

# Plans, ends and times of courses. `new` may still come to its third session; the plan of `loose` is not recorded,
# that of `short` is a course of two.
PROGRESS = """
    person  | protocol    | planned | sessions              | watched | end                     | scores
    full    | iv_ketamine | 6       | 0 4 8 12 16 20        | 100     | completed 20            | 0:50 7:40 14:30
    slow    | iv_ketamine | 6       | 0 10 20 29 38 47      | 100     | completed 47            | 0:50 10:40 21:40 31:30
    beyond  | iv_ketamine | 6       | 0 4 8 12 16 20 24     | 100     | completed 24            | 0:50
    quit    | iv_ketamine | 6       | 0 4 8                 | 100     | dropped_out 12          | 0:50 9:40
    harmed  | iv_ketamine | 6       | 0                     | 100     | stopped_adverse_event 2 | 0:50
    new     | iv_ketamine | 6       | 0 4                   | 20      | -                       | 0:50
    quiet   | iv_ketamine | 6       | 0 4                   | 90      | -                       | 0:50
    loose   | iv_ketamine | -       | 0 4 8                 | 100     | dropped_out 9           | 0:50
    short   | iv_ketamine | -       | 0 4                   | 100     | completed 4             | 0:50
    other   | sgb         | 1       | 0                     | 100     | completed 0             | 0:50
    """
PROGRESS_EXPECTED = """
    session_number | at_risk | reached | dropped | still_going | dropped_out | stopped_adverse_event | not_recorded
    1              | 9       | 9       | 0       | 0           | 0           | 0                     | 0
    2              | 9       | 8       | 1       | 0           | 0           | 1                     | 0
    3              | 7       | 5       | 1       | 1           | 0           | 0                     | 1
    4              | 5       | 3       | 2       | 0           | 2           | 0                     | 0
    5              | 3       | 3       | 0       | 0           | 0           | 0                     | 0
    6              | 3       | 3       | 0       | 0           | 0           | 0                     | 0
    """
SHARES_EXPECTED = """
    measure                           | category    | numerator | denominator
    reached_session_share             | 1           | 9         | 9
    reached_session_share             | 2           | 8         | 9
    reached_session_share             | 3           | 5         | 7
    reached_session_share             | 4           | 3         | 7
    reached_session_share             | 5           | 3         | 7
    reached_session_share             | 6           | 3         | 7
    reached_session_share             | 7_or_more   | 0         | 1
    course_completed_share            | iv_ketamine | 4         | 8
    course_completed_share            | sgb         | 1         | 1
    four_sessions_within_28_days_share| iv_ketamine | 2         | 7
    four_sessions_within_28_days_share| sgb         | 0         | 0
    six_sessions_within_28_days_share | iv_ketamine | 2         | 7
    six_sessions_within_28_days_share | sgb         | 0         | 0
    weekly_assessment_share           | iv_ketamine | 15        | 22
    weekly_assessment_share           | sgb         | 1         | 1
    assessment_gap_over_10_days_share | iv_ketamine | 2         | 3
    assessment_gap_over_10_days_share | sgb         | 0         | 0
    """

# The first session is on day 10, the second on day 13. Everybody but `unbased` has a baseline of 50.
HOURS = """
    person     | protocol    | sessions | watched | scores
    past_month | iv_ketamine | 10 13    | 100     | 9:50 10+180:20/past_month
    same_day   | iv_ketamine | 10 13    | 100     | 9:50 10+120:30/since_last_visit
    past_day   | iv_ketamine | 10 13    | 100     | 9:50 11:30/past_day
    both_forms | iv_ketamine | 10 13    | 100     | 9:50 10+60:20/past_2_weeks 11:45/current
    before     | iv_ketamine | 10 13    | 100     | 9:70 10-30:50/past_day 10+120:40/current
    unminuted  | iv_ketamine | 10 13    | 100     | 9:70 10:50/past_day
    two_days   | iv_ketamine | 10 13    | 100     | 9:50 12:20/past_day
    next_visit | iv_ketamine | 10 11    | 100     | 9:50 11+30:20/current
    at_visit   | iv_ketamine | 10 11    | 100     | 9:50 11-30:20/current
    unbased    | iv_ketamine | 10 13    | 100     | 10+60:20/past_month 11:20/past_day
    unknown    | iv_ketamine | 10 13    | 100     | 9:50 10+60:20
    nothing    | iv_ketamine | 10 13    | 100     | 9:50
    """
# A form whose recall window is not recorded is not assessable. 15 points are reliable.
HOURS_EXPECTED = """
    person     | baseline | score | not_assessable | reliable
    past_month | 50       | -     | yes            | -
    same_day   | 50       | 30    | no             | yes
    past_day   | 50       | 30    | no             | yes
    both_forms | 50       | 45    | no             | no
    before     | 50       | 40    | no             | no
    unminuted  | 50       | -     | no             | -
    two_days   | 50       | -     | no             | -
    next_visit | 50       | -     | no             | -
    at_visit   | 50       | 20    | no             | yes
    unbased    | -        | 20    | no             | -
    unknown    | 50       | -     | yes            | -
    nothing    | 50       | -     | no             | -
    """
CLINICS = {
    "starters": clinic_tables(STARTERS),
    "responded": clinic_tables(ONE_MORE_RESPONDED),
    "failed": clinic_tables(ONE_MORE_FAILED),
    "progress": clinic_tables(PROGRESS),
    "hours": clinic_tables(HOURS),
    "uncoursed": {name: clinic_tables(PROGRESS)[name] for name in ("patient", "session", "assessment")},
}


def shares(settings: Settings, clinic_id: str, measures: str) -> dict[tuple[str, str], tuple[int, int]]:
    """Numerator and denominator by measure and category."""
    found = marts.rows(
        settings,
        "SELECT measure, category, numerator::BIGINT, denominator FROM {agg_figures} "
        f"WHERE clinic_id = '{clinic_id}' AND regexp_full_match(measure, '{measures}')",
    )
    return {(measure, category): (numerator, denominator) for measure, category, numerator, denominator in found}


def responses(settings: Settings, clinic_id: str) -> dict[str, Fraction]:
    """Response at the end of the course: of those with both scores, of completers, and in the worst and best case."""
    found = shares(settings, clinic_id, "pcl_5_course_end_.*response.*_share")
    return {
        measure.removeprefix("pcl_5_course_end_"): Fraction(*parts)
        for (measure, category), parts in found.items()
        if category == "iv_ketamine"
    }


def test_completers_starters_and_bounds_by_hand(by_hand: Settings) -> None:
    found = responses(by_hand, "starters")
    assert found["response_share"] == Fraction(3, 5)
    assert found["completer_response_share"] == Fraction(2, 4)
    assert found["response_worst_case_share"] == Fraction(3, 8)
    assert found["response_best_case_share"] == Fraction(6, 8)
    paired = shares(by_hand, "starters", "pcl_5_course_end_paired_share")
    assert paired["pcl_5_course_end_paired_share", "iv_ketamine"] == (5, 8)


def test_a_missing_last_score_moves_the_figures_within_the_bounds(by_hand: Settings) -> None:
    before = responses(by_hand, "starters")
    worst, best = before["response_worst_case_share"], before["response_best_case_share"]
    for clinic_id, moved in (("responded", (4, 6)), ("failed", (3, 5))):
        after = responses(by_hand, clinic_id)
        assert (after["response_worst_case_share"], after["response_best_case_share"]) == tuple(
            Fraction(part, 8) for part in moved
        )
        assert worst <= after["response_worst_case_share"] <= after["response_best_case_share"] <= best
    assert responses(by_hand, "responded")["response_share"] == Fraction(4, 6)
    assert responses(by_hand, "failed")["response_share"] == Fraction(3, 6)


def test_drop_out_by_hand(by_hand: Settings) -> None:
    rows = mart(by_hand, "agg_drop_out")
    rows = rows[(rows.clinic_id == "progress") & (rows.protocol == "iv_ketamine")].set_index("session_number")
    for row in read_table(PROGRESS_EXPECTED):
        expected = {name: int(value or 0) for name, value in row.items()}
        found = rows.loc[expected.pop("session_number")]
        for name, value in expected.items():
            column = name if name in found else f"reason_{name}"
            assert found[column] == value, (row["session_number"], name)


def test_shares_of_courses_by_hand(by_hand: Settings) -> None:
    expected = {
        (str(row["measure"]), str(row["category"])): (int(row["numerator"] or 0), int(row["denominator"] or 0))
        for row in read_table(SHARES_EXPECTED)
    }
    measures = "|".join(sorted({measure for measure, _ in expected}))
    found = shares(by_hand, "progress", measures)
    # Nobody here is under the protocols of other clinics, or under none.
    assert {key: parts for key, parts in found.items() if key in expected or parts != (0, 0)} == expected


def test_nothing_is_known_of_plans_where_courses_are_not_delivered(by_hand: Settings) -> None:
    assert "uncoursed" not in set(mart(by_hand, "agg_drop_out").clinic_id)
    measures = "(reached_session|course_completed|four_sessions_within_28_days)_share"
    found = shares(by_hand, "uncoursed", measures)
    assert {key: parts for key, parts in found.items() if parts[1]} == {
        # Everybody but `new` was watched for 28 days; `full`, `beyond` had their fourth session in time.
        ("four_sessions_within_28_days_share", "not_recorded"): (2, 9),
    }
    assert {measure for measure, _ in found} == {"four_sessions_within_28_days_share"}


def test_relief_within_hours_by_hand(by_hand: Settings) -> None:
    rows = mart(by_hand, "fct_outcomes")
    rows = rows[(rows.clinic_id == "hours") & (rows.time_point == "within_24_hours")]
    people = {row.patient_key.rsplit("|", 1)[-1].removeprefix("hours").strip("|/:"): row for row in rows.itertuples()}
    for expected in read_table(HOURS_EXPECTED):
        row = people.pop(expected["person"])
        found = {
            "person": expected["person"],
            "baseline": _number(row.baseline_total),
            "score": _number(row.score_total),
            "not_assessable": "yes" if row.has_unassessable_score and pd.isna(row.score_total) else "no",
            "reliable": {True: "yes", False: "no"}.get(row.is_reliable_improvement),
        }
        assert found == expected
    assert not people


def _number(value: float) -> str | None:
    return None if pd.isna(value) else str(int(value))


def test_figures_of_relief_within_hours_by_hand(by_hand: Settings) -> None:
    """Five people with both scores, three of them reliably better; two whose only form asks about too long a time."""
    figures = mart(by_hand, "agg_figures").set_index("figure_id")

    def figure(quantity: str) -> tuple[float, float | None]:
        row = figures.loc[f"pcl_5_within_24_hours_{quantity}/hours/protocol/iv_ketamine"]
        return float(row.numerator), None if pd.isna(row.denominator) else float(row.denominator)

    assert figure("paired_share") == (5, 12)
    assert figure("reliable_improvement_share") == (3, 5)
    assert figure("not_assessable") == (2, None)
    assert figure("change") == (30 - 50 + 30 - 50 + 45 - 50 + 40 - 50 + 20 - 50, 5)


# ---- against pandas, from the accepted rows of a modelled network


@pytest.fixture(scope="module")
def courses(outcome_network: Settings) -> pd.DataFrame:
    """Index courses with their end, and whether they are over."""
    rows = index_courses(outcome_network).merge(
        accepted_table(outcome_network, "disposition", ["course_id", "disposition"]),
        on=["clinic_id", "course_id"],
        how="left",
    )
    rows["completed"] = (rows.disposition == "completed") | (rows.sessions_given >= rows.planned_sessions)
    silent = rows.observed_through_day - rows.last_day >= 28
    ended = rows.disposition.notna() & (rows.disposition != "ongoing")
    unrecorded = rows.disposition.isna() & (silent | rows.next_protocol_day.notna())
    rows["over"] = rows.completed | ended | unrecorded
    return rows


def with_network(rows: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([rows, rows.assign(clinic_id="network")])


def test_drop_out_as_recomputed(outcome_network: Settings, courses: pd.DataFrame) -> None:
    found = mart(outcome_network, "agg_drop_out").set_index(["clinic_id", "protocol", "session_number"])
    checked = 0
    for (clinic_id, protocol), rows in with_network(courses).groupby(["clinic_id", "protocol"]):
        for number in range(1, int(rows.planned_sessions.max()) + 1):
            planned = rows[(rows.planned_sessions >= number) & (rows.sessions_given >= number - 1)]
            if planned.empty:
                continue
            row = found.loc[clinic_id, protocol, number]
            stopped = planned[(planned.sessions_given < number) & planned.over]
            assert (row.at_risk, row.reached, row.dropped) == (
                len(planned),
                (planned.sessions_given >= number).sum(),
                len(stopped),
            )
            assert row.reason_site_closed == (stopped.disposition == "site_closed").sum()
            assert row.reason_dropped_out == (stopped.disposition == "dropped_out").sum()
            checked += len(stopped)
    assert courses.planned_sessions.notna().all()
    assert checked > 400


def _check(
    found: Mapping[tuple[str, str], tuple[int, int]], expected: dict[str, tuple[int, int]], measure: str
) -> None:
    shown = {category: parts for (name, category), parts in found.items() if name == measure and parts[1]}
    assert shown == {category: parts for category, parts in expected.items() if parts[1]}
    assert shown


def test_shares_of_courses_as_recomputed(outcome_network: Settings, courses: pd.DataFrame) -> None:
    sessions = accepted_table(outcome_network, "session", ["session_id", "course_id", "session_day"])
    days = sessions.sort_values("session_day").groupby(["clinic_id", "course_id"]).session_day.apply(list)
    rows = courses.merge(days.rename("days").reset_index(), on=["clinic_id", "course_id"])
    for clinic_id, people in with_network(rows).groupby("clinic_id"):
        found = shares(outcome_network, str(clinic_id), ".*(reached_session|completed|within_28_days)_share")
        by_protocol = dict(tuple(people.groupby("protocol")))
        _check(
            found,
            {name: (int(group.completed.sum()), int(group.over.sum())) for name, group in by_protocol.items()},
            "course_completed_share",
        )
        for word, number in (("four", 4), ("six", 6)):
            expected = {}
            for name, group in by_protocol.items():
                due = group[(group.planned_sessions >= number) & (group.observed_through_day - group.first_day >= 28)]
                in_time = [len(d) >= number and d[number - 1] - d[0] <= 28 for d in due.days]
                expected[name] = (sum(in_time), len(due))
            _check(found, expected, f"{word}_sessions_within_28_days_share")
        studied = people[people.protocol == "iv_ketamine"]
        expected = {}
        for number in range(1, 7):
            known = studied[(studied.planned_sessions >= number) & (studied.over | (studied.sessions_given >= number))]
            expected[str(number)] = (int((known.sessions_given >= number).sum()), len(known))
        _check(found, expected, "reached_session_share")


def test_weekly_assessment_as_recomputed(outcome_network: Settings, courses: pd.DataFrame) -> None:
    scores = scored_questionnaires(outcome_network)
    scores = scores[scores.instrument == "pcl_5"]
    days = scores.groupby(["clinic_id", "patient_id"]).assessed_day.apply(lambda column: sorted(set(column)))
    counted = []
    for course in courses.itertuples():
        asked = days.get((course.clinic_id, course.patient_id), [])
        weeks = [
            range(start, start + 7)
            for start in range(course.first_day, course.last_day + 1, 7)
            if start + 6 <= course.observed_through_day
        ]
        inside = [course.first_day, *(d for d in asked if course.first_day <= d <= course.last_day), course.last_day]
        counted.append(
            {
                "due": len(weeks),
                "asked": sum(any(day in week for day in asked) for week in weeks),
                "could": course.last_day - course.first_day > 10,
                "gap": max(np.diff(inside)) > 10,
            }
        )
    rows = courses.join(pd.DataFrame(counted))
    for clinic_id, people in with_network(rows).groupby("clinic_id"):
        found = shares(outcome_network, str(clinic_id), "(weekly_assessment|assessment_gap_over_10_days)_share")
        sums = people.groupby("protocol")[["asked", "due", "gap", "could"]].sum()
        weekly = {name: (int(row.asked), int(row.due)) for name, row in sums.iterrows()}
        gaps = {name: (int(row.gap), int(row.could)) for name, row in sums.iterrows()}
        _check(found, weekly, "weekly_assessment_share")
        if any(could for _, could in gaps.values()):
            _check(found, gaps, "assessment_gap_over_10_days_share")


def test_completers_starters_and_bounds_as_recomputed(outcome_network: Settings, courses: pd.DataFrame) -> None:
    ends = course_ends(courses, scored_questionnaires(outcome_network))
    delivered = accepted_table(outcome_network, "assessment", ["instrument"]).drop_duplicates()
    checked = 0
    for instrument in ("pcl_5", "caps_5", "phq_9"):
        clinics = set(delivered[delivered.instrument == instrument].clinic_id)
        starters = courses[courses.clinic_id.isin(clinics)]
        due = starters[starters.observed_through_day >= starters.last_day].merge(
            ends[ends.instrument == instrument][["clinic_id", "course_id", "baseline", "is_response"]],
            on=["clinic_id", "course_id"],
            how="left",
        )
        # Without a score, or from a baseline of zero, response is not known.
        due["known"] = (due.baseline > 0).fillna(False)
        due["responded"] = due.is_response.eq(True) & due.known
        for (clinic_id, protocol), people in with_network(due).groupby(["clinic_id", "protocol"]):
            found = {
                measure.removeprefix(f"{instrument}_course_end_"): parts
                for (measure, category), parts in shares(
                    outcome_network, str(clinic_id), f"{instrument}_course_end_.*(response|paired).*_share"
                ).items()
                if category == protocol
            }
            completers = people[people.completed & people.known]
            responders = int(people.responded.sum())
            assert found["response_share"] == (responders, people.known.sum())
            assert found["response_worst_case_share"] == (responders, len(people))
            assert found["response_best_case_share"] == (responders + (~people.known).sum(), len(people))
            assert found["completer_response_share"] == (completers.responded.sum(), len(completers))
            checked += responders
    assert checked > 1500
