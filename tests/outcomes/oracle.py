"""Outcomes worked out in pandas from the clinics' accepted rows alone, each as its definition reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from clinic_outcomes.settings import Settings
from tests.outcomes.recomputed import (
    RESPONSE_PERCENT,
    accepted_table,
    index_courses,
    scored_questionnaires,
)

COURSE = ["clinic_id", "course_id"]
PERSON = ["clinic_id", "patient_id"]
GROUP = ["instrument", "time_point", "dimension", "category"]


@dataclass(frozen=True)
class TimePoint:
    """A window of days from an anchor: the first session, the last, or the nth."""

    anchor: str
    first: int
    last: int
    taken: str
    target: int = 0
    within_hours: bool = False


TIME_POINTS: Mapping[str, TimePoint] = {
    "within_24_hours": TimePoint("session 1", 0, 1, "first", within_hours=True),
    "after_session_1": TimePoint("session 1", 0, 14, "last"),
    "after_session_4": TimePoint("session 4", 0, 14, "last"),
    "after_session_6": TimePoint("session 6", 0, 14, "last"),
    "course_end": TimePoint("last session", 0, 14, "last"),
    "week_1": TimePoint("first session", 4, 10, "nearest", 7),
    "week_2": TimePoint("first session", 11, 20, "nearest", 14),
    "week_4": TimePoint("first session", 21, 41, "nearest", 28),
    "week_8": TimePoint("first session", 42, 69, "nearest", 56),
    "week_12": TimePoint("first session", 70, 111, "nearest", 84),
    "week_26": TimePoint("first session", 140, 224, "nearest", 182),
    "last": TimePoint("first session", 1, 36500, "last"),
}
"""The time points, written again as docs/architecture.md and the issue name them."""

THRESHOLDS: Mapping[str, Mapping[str, int]] = {
    "pcl_5": {"partial": 20, "meaningful": 10, "reliable": 15, "end_state": 28},
    "caps_5": {"partial": 20, "reliable": 13, "end_state": 8},
    "phq_9": {"partial": 25, "meaningful": 5, "reliable": 6, "remission": 4},
    "gad_7": {"partial": 25, "meaningful": 4, "reliable": 4, "remission": 4},
    "madrs": {"partial": 25, "remission": 9},
}
"""Thresholds of the sets in use, beside those of response."""
RECALL_DAYS = {"past_month": 30, "past_2_weeks": 14, "past_week": 7, "past_day": 1, "current": 0}
SAME_DAY = ("past_day", "since_last_visit", "current")


def begins_before(scores: pd.DataFrame, day: pd.Series) -> pd.Series:
    """On an earlier day, or on that day and not begun after the session's start."""
    return (scores.assessed_day < day) | ((scores.assessed_day == day) & (scores.after_session == 0))


def baselines(courses: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """The last score before the first session, a row a course and instrument."""
    pairs = courses.merge(scores, on=PERSON)
    pairs = pairs[begins_before(pairs, pairs.first_day)]
    order = ["assessed_day", "minutes_from_session_start", "assessment_id"]
    return pairs.sort_values(order, na_position="first").groupby([*COURSE, "instrument"]).tail(1)


def anchors(settings: Settings, courses: pd.DataFrame, point: TimePoint) -> pd.DataFrame:
    """Courses that reach the anchor, with its day and that of the session after it."""
    if point.anchor == "first session":
        return courses.assign(anchor_day=courses.first_day, next_session_day=float("nan"))
    if point.anchor == "last session":
        return courses.assign(anchor_day=courses.last_day, next_session_day=float("nan"))
    sessions = accepted_table(settings, "session", ["session_id", "course_id", "session_day", "sequence_number"])
    sessions = sessions.sort_values(["session_day", "sequence_number", "session_id"])
    by_course = sessions.groupby(COURSE).session_day
    sessions = sessions.assign(number=by_course.cumcount() + 1, next_session_day=by_course.shift(-1))
    nth = sessions[sessions.number == int(point.anchor.split()[1])].rename(columns={"session_day": "anchor_day"})
    return courses.merge(nth[[*COURSE, "anchor_day", "next_session_day"]], on=COURSE)


def taken_scores(frame: pd.DataFrame, scores: pd.DataFrame, point: TimePoint) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The score of each course and instrument in the window, and the courses with one of too long a recall."""
    pairs = frame.merge(scores, on=PERSON)
    begins = pairs.anchor_day + point.first
    counts_days = point.anchor == "first session"
    inside = pairs.assessed_day >= begins if counts_days else ~begins_before(pairs, begins)
    inside &= pairs.assessed_day <= pairs.anchor_day + point.last
    for limit in (pairs.next_session_day, pairs.next_protocol_day):
        inside &= limit.isna() | begins_before(pairs, limit)
    pairs = pairs[inside]
    too_long = pairs.iloc[:0]
    if point.within_hours:
        allowed = pairs.recall_window.isin(SAME_DAY)
        pairs, too_long = pairs[allowed], pairs[~allowed]
    keys = [*COURSE, "instrument"]
    order = ["assessed_day", "after_session", "minutes_from_session_start", "assessment_id"]
    if point.taken == "last":
        chosen = pairs.sort_values(order, na_position="first").groupby(keys).tail(1)
    else:
        distance = (pairs.assessed_day - pairs.anchor_day - point.target).abs() if point.taken == "nearest" else 0
        pairs = pairs.assign(distance=distance)
        chosen = pairs.sort_values(["distance", *order]).groupby(keys).head(1)
    return chosen, too_long[keys].drop_duplicates()


def outcomes(settings: Settings) -> pd.DataFrame:
    """A row a course, time point that it reached and instrument that its clinic delivers, scored or not."""
    scores, courses = scored_questionnaires(settings), index_courses(settings)
    forms = accepted_table(settings, "assessment", ["instrument"]).drop_duplicates()
    forms = forms[forms.instrument.isin(THRESHOLDS)]
    ends = accepted_table(settings, "disposition", ["course_id", "disposition"])
    courses = courses.merge(ends, on=COURSE, how="left")
    courses["is_completed"] = (courses.disposition == "completed") | (
        courses.sessions_given >= courses.planned_sessions.fillna(10**6)
    )
    before = baselines(courses, scores)[[*COURSE, "instrument", "total", "recall_window", "assessment_id"]]
    before = before.rename(
        columns={"total": "baseline", "recall_window": "baseline_recall", "assessment_id": "baseline_id"}
    )
    parts = []
    for name, point in TIME_POINTS.items():
        frame = anchors(settings, courses, point)
        frame["due"] = frame.observed_through_day.isna() | (
            frame.observed_through_day >= frame.anchor_day + point.first
        )
        chosen, too_long = taken_scores(frame, scores, point)
        rows = frame.merge(forms, on="clinic_id").merge(before, on=[*COURSE, "instrument"], how="left")
        after = chosen[[*COURSE, "instrument", "assessment_id", "total", "recall_window", "assessed_day"]]
        rows = rows.merge(after, on=[*COURSE, "instrument"], how="left")
        rows = rows.merge(too_long.assign(too_long=True), on=[*COURSE, "instrument"], how="left")
        parts.append(rows.assign(time_point=name))
    return judged(pd.concat(parts, ignore_index=True))


def judged(rows: pd.DataFrame) -> pd.DataFrame:
    """Every judgement as two columns: whether it can be made (``judged_…``), and whether it is true."""
    rows = rows[rows.due].copy()
    paired = rows.baseline.notna() & rows.total.notna()
    change = rows.total - rows.baseline

    def threshold(name: str) -> pd.Series:
        return rows.instrument.map({i: own.get(name) for i, own in THRESHOLDS.items()}).astype(float)

    response, partial = rows.instrument.map(RESPONSE_PERCENT).astype(float), threshold("partial")
    fall, above_zero = -100 * change, paired & (rows.baseline > 0)
    truths = {
        "response": (above_zero, fall >= response * rows.baseline),
        "partial_response": (above_zero, (fall >= partial * rows.baseline) & (fall < response * rows.baseline)),
        "remission": (paired & (rows.baseline > threshold("remission")), rows.total <= threshold("remission")),
        "meaningful_improvement": (paired & threshold("meaningful").notna(), -change >= threshold("meaningful")),
        "worse": (paired & threshold("meaningful").notna(), change >= threshold("meaningful")),
        "reliable_improvement": (paired & threshold("reliable").notna(), -change >= threshold("reliable")),
        "reliable_deterioration": (paired & threshold("reliable").notna(), change >= threshold("reliable")),
        "clinically_significant": (
            paired & (rows.baseline > threshold("end_state")),
            (-change >= threshold("reliable")) & (rows.total <= threshold("end_state")),
        ),
    }
    for name, (can_be, is_true) in truths.items():
        rows[f"judged_{name}"], rows[name] = can_be, can_be & is_true
    rows["judged_completer_response"] = rows.judged_response & rows.is_completed
    rows["completer_response"] = rows.response & rows.is_completed
    rows["best_case_response"] = rows.response | ~rows.judged_response
    rows["not_assessable"] = rows.too_long.eq(True) & rows.total.isna()
    rows["same_recall"] = paired & (rows.recall_window == rows.baseline_recall)
    since_start = rows.assessed_day - rows.first_day
    rows["recall_before_treatment"] = paired & (rows.recall_window.map(RECALL_DAYS) > since_start)
    rows["with_baseline"], rows["paired"] = rows.baseline.notna(), paired
    for name, points in (("baseline", rows.baseline), ("score", rows.total), ("change", change)):
        rows[f"{name}_points"] = points.where(paired)
    return rows


def groups(settings: Settings, courses: pd.DataFrame) -> pd.DataFrame:
    """Groups that courses belong to: protocol and trial arm, and some strata of those under intravenous ketamine."""
    study = courses[courses.protocol == "iv_ketamine"]
    people = accepted_table(settings, "patient", ["patient_id", "veteran", "trauma_types"])
    study = study.merge(people, on=PERSON, how="left")
    diagnoses = accepted_table(settings, "condition", ["patient_id", "diagnosis"])
    depressed = diagnoses[diagnoses.diagnosis == "mdd"][PERSON].drop_duplicates().assign(comorbid_depression="yes")
    study = study.merge(depressed, on=PERSON, how="left").fillna({"comorbid_depression": "no", "veteran": "unknown"})
    study["sessions_received"] = study.sessions_given.map(lambda given: "six_or_more" if given >= 6 else str(given))
    parts = [
        courses.assign(dimension="protocol", category=courses.protocol),
        courses.assign(dimension="trial_arm", category=courses.trial_arm).dropna(subset="category"),
        study.explode("trauma_types").assign(dimension="trauma_type", category=lambda rows: rows.trauma_types),
        *(
            study.assign(dimension=name, category=study[name])
            for name in ("veteran", "comorbid_depression", "sessions_received")
        ),
    ]
    named = pd.concat([part[[*COURSE, *PERSON[1:], "dimension", "category"]] for part in parts])
    return named.dropna(subset="category").drop_duplicates([*PERSON, "dimension", "category"])


def by_clinic_and_network(rows: pd.DataFrame, keys: list[str], sums: Mapping[str, tuple[str, str]]) -> pd.DataFrame:
    """The same sums of each clinic and of all together, told apart by ``clinic_id``."""
    network = rows.assign(clinic_id="network")
    return pd.concat([rows, network]).groupby(["clinic_id", *keys]).agg(**sums)
