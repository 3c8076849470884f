"""Adverse events: those of sessions, and a few before treatment or of unknown onset."""

from __future__ import annotations

import numpy as np

from clinic_outcomes.synthetic.columns import (
    MISSING,
    Doubles,
    Indices,
    Integers,
    Rows,
    code_positions,
    draw_codes,
    stack,
    take,
    where,
)
from clinic_outcomes.synthetic.people import People
from clinic_outcomes.synthetic.programme import EventRate, Population, Programme
from clinic_outcomes.synthetic.treatment import MINUTE_UNITS, Treatment

TABLE = "adverse_event"
NOBODY = -1
GRADES = {"mild": 1, "moderate": 2, "severe": 3}
DAY_ENDS_AT_MINUTE = 840
"""Minutes from a session's start after which an event ends on the next day: sessions start at about ten."""
LONGEST_MINUTES = 7_200
BEFORE_TREATMENT_SHARE, UNKNOWN_ONSET_SHARE = 0.01, 0.004
"""Shares of those treated with an event at intake, and with one whose day nobody knows."""
# Bounds of CTCAE v5 for hypertension: systolic pressure at the peak, by grade.
HYPERTENSION_MMHG = {2: (140, 159), 3: (160, 188)}


def draw_events(
    rng: np.random.Generator, people: People, treatment: Treatment, programme: Programme, population: Population
) -> Rows:
    """Draw adverse events, and raise the peak blood pressure of sessions with hypertension to what its grade says."""
    parts = []
    for number, kind in enumerate(programme.session_kinds.values()):
        sessions = np.flatnonzero(treatment.session["_kind"] == number)
        for rate in kind.adverse_events:
            parts.append(_events_of_sessions(rng, treatment, sessions, rate))
        if kind.serious_terms:
            parts.append(_serious_events(rng, treatment, sessions, kind.serious_share, kind.serious_terms))
    parts.append(_events_without_session(rng, people, treatment))
    rows = stack(parts)
    rows = take(rows, np.lexsort((rows["onset_minutes"], rows["_session"], rows["onset_day"], rows["_patient"])))
    rows |= _consequences(rng, rows, population)
    _raise_pressures(rng, rows, treatment)
    return rows


def _event_rows(treatment: Treatment, session: Indices, term: Integers, severity: Integers, grade: Integers) -> Rows:
    of = take(treatment.session, session)
    return {
        "_patient": of["_patient"],
        "_course": of["_course"],
        "_session": session,
        "_from": of["session_day"],
        "term": term,
        "severity": severity,
        "grade": grade,
        "onset_day": of["session_day"],
    }


def _events_of_sessions(rng: np.random.Generator, treatment: Treatment, sessions: Indices, rate: EventRate) -> Rows:
    repeats = treatment.session["sequence_number"][sessions] - 1
    chosen = sessions[rng.random(len(sessions)) < rate.share * rate.fade**repeats]
    count = len(chosen)
    severity = draw_codes(rng, TABLE, "severity", rate.severities, count)
    term = np.full(count, code_positions(TABLE, "term")[rate.term], dtype=np.int32)
    rows = _event_rows(treatment, chosen, term, severity, _grade(severity))
    onset = rng.integers(rate.onset_minutes.minimum, rate.onset_minutes.maximum, count, endpoint=True)
    # Gamma with shape 2: few events end at once, few last very long.
    duration = np.maximum(rng.gamma(2.0, rate.mean_duration_minutes / 2, count), 2)
    return rows | _times(onset, np.minimum(onset + duration, LONGEST_MINUTES)) | {"_serious": np.zeros(count, np.int32)}


def _grade(severity: Integers) -> Integers:
    position = code_positions(TABLE, "severity")
    return np.select([severity == position[name] for name in GRADES], list(GRADES.values())).astype(np.int32)


def _times(onset: Indices, end: Doubles) -> Rows:
    return {
        "onset_minutes": (onset * MINUTE_UNITS).astype(np.int32),
        "end_minutes": (np.rint(end) * MINUTE_UNITS).astype(np.int32),
    }


def _serious_events(
    rng: np.random.Generator, treatment: Treatment, sessions: Indices, share: float, terms: tuple[str, ...]
) -> Rows:
    """Severe events that meet a criterion of seriousness."""
    chosen = sessions[rng.random(len(sessions)) < share]
    count = len(chosen)
    term = draw_codes(rng, TABLE, "term", dict.fromkeys(terms, 1.0), count)
    severity = np.full(count, code_positions(TABLE, "severity")["severe"], dtype=np.int32)
    rows = _event_rows(treatment, chosen, term, severity, _grade(severity))
    criteria = code_positions(TABLE, "seriousness_criteria")
    bits = np.where(rng.random(count) < 0.4, criteria["hospitalisation"], criteria["important_medical_event"])
    onset = rng.integers(10, 120, count)
    times = _times(onset, (onset + rng.integers(60, 3_000, count)).astype(np.float64))
    return rows | times | {"_serious": (1 << bits).astype(np.int32)}


def _events_without_session(rng: np.random.Generator, people: People, treatment: Treatment) -> Rows:
    """Events at intake, before any treatment, and events after it whose day is unknown."""
    patient = np.flatnonzero(people.treated)
    early = patient[rng.random(len(patient)) < BEFORE_TREATMENT_SHARE]
    unknown = patient[rng.random(len(patient)) < UNKNOWN_ONSET_SHARE]
    position, severity = code_positions(TABLE, "term"), code_positions(TABLE, "severity")["mild"]
    intake = people.patient["intake_day"][early]
    who = np.concatenate([early, unknown])
    count = len(who)
    term = np.where(np.arange(count) < len(early), position["insomnia"], position["fatigue"]).astype(np.int32)
    return {
        "_patient": who,
        "_course": np.full(count, NOBODY),
        "_session": np.full(count, NOBODY),
        "_from": np.concatenate([intake, people.first_session_due[unknown]]).astype(np.int32),
        "term": term,
        "severity": np.full(count, severity, dtype=np.int32),
        "grade": np.ones(count, dtype=np.int32),
        "onset_day": np.concatenate([intake, np.full(len(unknown), MISSING)]).astype(np.int32),
        "onset_minutes": np.full(count, MISSING, dtype=np.int32),
        "end_minutes": np.full(count, MISSING, dtype=np.int32),
        "_serious": np.zeros(count, dtype=np.int32),
    }


def _consequences(rng: np.random.Generator, rows: Rows, population: Population) -> Rows:
    """End, outcome, relation to treatment, action and seriousness of each event."""
    count = len(rows["term"])
    timed = rows["end_minutes"] != MISSING
    ended = timed & (rng.random(count) >= population.no_end_share)
    days_later = np.maximum(rows["end_minutes"] // MINUTE_UNITS - DAY_ENDS_AT_MINUTE, 0) // 1440 + (
        rows["end_minutes"] > DAY_ENDS_AT_MINUTE * MINUTE_UNITS
    )
    end_day = where(ended, rows["onset_day"] + days_later)
    outcome, yes_no = code_positions(TABLE, "outcome"), code_positions(TABLE, "serious")
    open_outcome = draw_codes(rng, TABLE, "outcome", {"unknown": 0.6, "recovering": 0.3, "not_recovered": 0.1}, count)
    relatedness = draw_codes(rng, TABLE, "relatedness", population.relatedness, count)
    action = draw_codes(rng, TABLE, "action_taken", population.actions, count)
    of_session = rows["_session"] != NOBODY
    return {
        "end_day": end_day,
        "end_minutes": where(ended, rows["end_minutes"]),
        "outcome": np.where(ended, outcome["recovered"], open_outcome).astype(np.int32),
        "relatedness": np.where(of_session, relatedness, code_positions(TABLE, "relatedness")["not_related"]),
        "action_taken": np.where(of_session, action, code_positions(TABLE, "action_taken")["none"]),
        "serious": np.where(rows["_serious"] > 0, yes_no["yes"], yes_no["no"]).astype(np.int32),
        "seriousness_criteria": where(rows["_serious"] > 0, rows["_serious"]),
        "_from": np.maximum(rows["_from"], end_day).astype(np.int32),
    }


def _raise_pressures(rng: np.random.Generator, rows: Rows, treatment: Treatment) -> None:
    hypertension = rows["term"] == code_positions(TABLE, "term")["hypertension"]
    for grade, (low, high) in HYPERTENSION_MMHG.items():
        session = np.unique(rows["_session"][hypertension & (rows["grade"] == grade)])
        session = session[session != NOBODY]
        peak = rng.integers(low, high, len(session), endpoint=True).astype(np.int32)
        # A clinic writes the reading it took at the peak, never below the one before.
        before = treatment.session["systolic_before_mmhg"][session]
        treatment.session["systolic_before_mmhg"][session] = np.minimum(before, peak - 5)
        treatment.session["systolic_peak_mmhg"][session] = peak
