"""Index courses, scores and ends of courses worked out in pandas from the clinics' accepted rows alone."""

from __future__ import annotations

import duckdb
import pandas as pd

from clinic_outcomes.settings import Settings

ITEMS = {"pcl_5": (20, 4), "caps_5": (20, 4), "phq_9": (9, 3), "gad_7": (7, 3), "madrs": (10, 6)}
"""Items of each outcome instrument and the highest answer."""
RESPONSE_PERCENT = {"pcl_5": 30, "caps_5": 30, "phq_9": 50, "gad_7": 50, "madrs": 50}


def accepted_table(settings: Settings, table: str, columns: list[str]) -> pd.DataFrame:
    """Accepted rows of all clinics that deliver ``table``."""
    parts = []
    for path in sorted(settings.state.glob(f"*/latest/accepted/{table}.parquet")):
        parts.append(duckdb.sql(f"SELECT clinic_id, {', '.join(columns)} FROM read_parquet('{path}')").df())
    return pd.concat(parts, ignore_index=True)


def scored_questionnaires(settings: Settings) -> pd.DataFrame:
    """Questionnaires of outcome instruments with a total: all items answered, or a delivered total and no item."""
    forms = accepted_table(settings, "assessment", ["assessment_id", "patient_id", "instrument", "recall_window",
        "assessed_day", "minutes_from_session_start", "delivered_total"])  # fmt: skip
    forms = forms[forms.instrument.isin(ITEMS)]
    answers = accepted_table(settings, "assessment_item", ["assessment_id", "item_number", "item_value"])
    answers = answers.merge(forms[["clinic_id", "assessment_id", "instrument"]], on=["clinic_id", "assessment_id"])
    answers = answers[answers.item_value.notna()]
    size = answers.instrument.map({name: items for name, (items, _) in ITEMS.items()})
    highest = answers.instrument.map({name: top for name, (_, top) in ITEMS.items()})
    answers["counts"] = answers.item_number.between(1, size) & answers.item_value.between(0, highest)
    answers["points"] = answers.item_value.where(answers.counts)
    sums = answers.groupby(["clinic_id", "assessment_id"]).agg(
        answered=("item_value", "count"), counted=("counts", "sum"), summed=("points", "sum")
    )
    forms = forms.merge(sums.reset_index(), on=["clinic_id", "assessment_id"], how="left")
    size = forms.instrument.map({name: items for name, (items, _) in ITEMS.items()})
    highest = forms.instrument.map({name: items * top for name, (items, top) in ITEMS.items()})
    complete = forms.counted == size
    agrees = forms.delivered_total.isna() | (forms.delivered_total == forms.summed)
    alone = forms.answered.isna() & forms.delivered_total.between(0, highest)
    forms["total"] = forms.summed.where(complete & agrees, forms.delivered_total.where(alone))
    forms["after_session"] = (forms.minutes_from_session_start.astype(float) > 0).astype(int)
    return forms[forms.total.notna()].reset_index(drop=True)


def index_courses(settings: Settings) -> pd.DataFrame:
    """Each person's first course with a session under each protocol."""
    sessions = accepted_table(settings, "session", ["session_id", "patient_id", "course_id", "session_day"])
    courses = accepted_table(settings, "course", ["course_id", "protocol", "trial_arm", "planned_sessions", "phase"])
    sessions = sessions.merge(courses, on=["clinic_id", "course_id"], how="left")
    by_course = sessions.groupby(["clinic_id", "patient_id", "course_id", "protocol"]).session_day.agg(
        first_day="min", last_day="max", sessions_given="count"
    )
    first = by_course.reset_index().sort_values(["first_day", "course_id"])
    first = first.drop_duplicates(["clinic_id", "patient_id", "protocol"]).merge(
        courses[["clinic_id", "course_id", "trial_arm", "planned_sessions"]], on=["clinic_id", "course_id"]
    )
    others = first.merge(sessions[["clinic_id", "patient_id", "protocol", "session_day"]],
        on=["clinic_id", "patient_id"], suffixes=("", "_other"))  # fmt: skip
    others = others[(others.protocol != others.protocol_other) & (others.session_day > others.first_day)]
    following = others.groupby(["clinic_id", "course_id"]).session_day.min().rename("next_protocol_day")
    people = accepted_table(settings, "patient", ["patient_id", "observed_through_day"])
    return first.merge(following.reset_index(), on=["clinic_id", "course_id"], how="left").merge(
        people, on=["clinic_id", "patient_id"], how="left"
    )


def course_ends(courses: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Baseline and last score in the two weeks after the last session; a row a course and instrument with both."""
    order = ["assessed_day", "after_session", "minutes_from_session_start", "assessment_id"]
    pairs = courses.merge(scores, on=["clinic_id", "patient_id"]).sort_values(order, na_position="first")
    keys = ["clinic_id", "course_id", "instrument"]
    before = (pairs.assessed_day < pairs.first_day) | (
        (pairs.assessed_day == pairs.first_day) & (pairs.after_session == 0)
    )
    baselines = pairs[before].groupby(keys).total.last().rename("baseline")
    follows = (pairs.assessed_day > pairs.last_day) | (
        (pairs.assessed_day == pairs.last_day) & (pairs.after_session == 1)
    )
    in_window = follows & (pairs.assessed_day <= pairs.last_day + 14)
    own = (
        pairs.next_protocol_day.isna()
        | (pairs.assessed_day < pairs.next_protocol_day)
        | ((pairs.assessed_day == pairs.next_protocol_day) & (pairs.after_session == 0))
    )
    watched = pairs.observed_through_day.isna() | (pairs.observed_through_day >= pairs.last_day)
    ends = pairs[in_window & own & watched].groupby(keys).tail(1).merge(baselines.reset_index(), on=keys)
    ends["percent"] = ends.instrument.map(RESPONSE_PERCENT)
    ends["is_response"] = (ends.baseline > 0) & ((ends.baseline - ends.total) * 100 >= ends.percent * ends.baseline)
    return ends
