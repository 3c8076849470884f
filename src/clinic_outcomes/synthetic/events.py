"""Adverse events: those of sessions, those that end a course, and a few before treatment or of unknown onset."""

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
    draw_places,
    length,
    stack,
    take,
    where,
)
from clinic_outcomes.synthetic.people import People
from clinic_outcomes.synthetic.programme import EventRate, Population, Programme, Range, Weights
from clinic_outcomes.synthetic.treatment import MINUTE_UNITS, Treatment

TABLE = "adverse_event"
NOBODY = -1
GRADES = {"mild": 1, "moderate": 2, "severe": 3, "life_threatening": 4}
DAY_ENDS_AT_MINUTE = 840
"""Minutes from a session's start after which an event ends on the next day: sessions start at about ten."""
LONGEST_MINUTES = 7_200
BEFORE_TREATMENT_SHARE, UNKNOWN_ONSET_SHARE = 0.01, 0.004
"""Shares of those treated with an event at intake, and with one whose day nobody knows."""
CLUSTER_PEOPLE = 6
CLUSTER_ENDS_WITHIN_DAYS = 3
"""A clinic knows an event when it has ended: those of a cluster must have by the end of the period."""
# Bounds of CTCAE v5 for hypertension, by grade: systolic pressures at the peak, and the highest diastolic one.
HYPERTENSION_MMHG = {2: (140, 159, 99), 3: (160, 188, 120)}


def draw_events(
    rng: np.random.Generator,
    people: People,
    treatment: Treatment,
    programme: Programme,
    population: Population,
    cluster_days: Range | None = None,
) -> Rows:
    """Draw adverse events, and set the pressures of sessions with hypertension to what its grade says.

    Sessions without a record have none. ``cluster_days`` are days of the clinic's time in which up to
    ``CLUSTER_PEOPLE`` people have a serious event, marked ``_cluster``.
    """
    rows = stack(_reported_events(rng, people, treatment, programme, population))
    rows = take(rows, np.lexsort((rows["onset_minutes"], rows["_session"], rows["onset_day"], rows["_patient"])))
    rows |= _consequences(rng, rows, population) | {
        "_stops": np.zeros(length(rows)),
        "_cluster": np.zeros(length(rows)),
    }
    late = rng.spawn(1)[0]
    further = _stopping_events(late, treatment, programme)
    if cluster_days:
        further += _cluster_events(late, people, treatment, programme, population, cluster_days)
    if further:
        more = stack(further)
        more |= _consequences(late, more, population)
        rows = stack([rows, more])
        rows = take(rows, np.argsort(rows["_patient"], kind="stable"))
    stopped = code_positions(TABLE, "action_taken")["course_stopped"]
    rows["action_taken"] = np.where(rows["_stops"] == 1, stopped, rows["action_taken"]).astype(np.int32)
    of_session = rows["_session"] != NOBODY
    recorded = np.append(treatment.session["_recorded"], np.bool_(True))[rows["_session"]]
    rows = take(rows, ~of_session | recorded)
    _set_pressures(late, rows, treatment)
    return rows


def _reported_events(
    rng: np.random.Generator, people: People, treatment: Treatment, programme: Programme, population: Population
) -> list[Rows]:
    parts = []
    for number, kind in enumerate(programme.session_kinds.values()):
        sessions = np.flatnonzero(treatment.session["_kind"] == number)
        for rate in kind.adverse_events:
            parts.append(_events_of_sessions(rng, treatment, sessions, rate))
        if kind.serious_terms:
            chosen = sessions[rng.random(len(sessions)) < kind.serious_share]
            parts.append(_serious_events(rng, treatment, chosen, kind.serious_terms, population))
    parts.append(_events_without_session(rng, people, treatment))
    return parts


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
    return _timed_events(rng, treatment, chosen, rate, rate.severities)


def _timed_events(
    rng: np.random.Generator, treatment: Treatment, chosen: Indices, rate: EventRate, severities: Weights
) -> Rows:
    count = len(chosen)
    severity = draw_codes(rng, TABLE, "severity", severities, count)
    term = np.full(count, code_positions(TABLE, "term")[rate.term], dtype=np.int32)
    rows = _event_rows(treatment, chosen, term, severity, _grade(severity))
    onset = rng.integers(rate.onset_minutes.minimum, rate.onset_minutes.maximum, count, endpoint=True)
    # Gamma with shape 2: few events end at once, few last very long.
    duration = np.maximum(rng.gamma(2.0, rate.mean_duration_minutes / 2, count), 2)
    return rows | _times(onset, np.minimum(onset + duration, LONGEST_MINUTES)) | {"_serious": np.zeros(count, np.int32)}


def _stopping_events(rng: np.random.Generator, treatment: Treatment, programme: Programme) -> list[Rows]:
    """The event for which a course was stopped, at its last session: no mild one where its term has others."""
    session, disposition = treatment.session, treatment.disposition
    last = np.cumsum(np.bincount(session["_course"], minlength=len(treatment.course["_patient"]))) - 1
    for_event = code_positions("disposition", "disposition")["stopped_adverse_event"]
    stopped = last[disposition["_course"][disposition["disposition"] == for_event]]
    parts = []
    for number, kind in enumerate(programme.session_kinds.values()):
        chosen = stopped[session["_kind"][stopped] == number]
        which = draw_places(rng, [rate.share for rate in kind.adverse_events] or [1], len(chosen))
        for place, rate in enumerate(kind.adverse_events):
            severities = {name: share for name, share in rate.severities.items() if name != "mild"} or rate.severities
            rows = _timed_events(rng, treatment, chosen[which == place], rate, severities)
            parts.append(rows | _marks(rows, stops=1))
    return parts


def _cluster_events(
    rng: np.random.Generator,
    people: People,
    treatment: Treatment,
    programme: Programme,
    population: Population,
    days: Range,
) -> list[Rows]:
    """Serious events of some people, each at the first session within the days that has such events at all."""
    session, kinds = treatment.session, list(programme.session_kinds.values())
    day = people.arrival[session["_patient"]] + session["session_day"]
    due = (day >= days.minimum) & (day <= days.maximum - CLUSTER_ENDS_WITHIN_DAYS) & session["_recorded"]
    due &= np.array([bool(kind.serious_terms) for kind in kinds])[session["_kind"]]
    sessions = np.flatnonzero(due)
    _, first = np.unique(session["_patient"][sessions], return_index=True)
    chosen = np.sort(rng.permutation(sessions[first])[:CLUSTER_PEOPLE])
    parts = []
    for number, kind in enumerate(kinds):
        own = chosen[session["_kind"][chosen] == number]
        if len(own):
            rows = _serious_events(rng, treatment, own, kind.serious_terms, population)
            parts.append(rows | _marks(rows, cluster=1))
    return parts


def _marks(rows: Rows, stops: int = 0, cluster: int = 0) -> Rows:
    return {"_stops": np.full(length(rows), stops), "_cluster": np.full(length(rows), cluster)}


def _grade(severity: Integers) -> Integers:
    position = code_positions(TABLE, "severity")
    return np.select([severity == position[name] for name in GRADES], list(GRADES.values())).astype(np.int32)


def _times(onset: Indices, end: Doubles) -> Rows:
    return {
        "onset_minutes": (onset * MINUTE_UNITS).astype(np.int32),
        "end_minutes": (np.rint(end) * MINUTE_UNITS).astype(np.int32),
    }


def _serious_events(
    rng: np.random.Generator,
    treatment: Treatment,
    chosen: Indices,
    terms: tuple[str, ...],
    population: Population,
) -> Rows:
    """Severe or life-threatening events that meet a criterion of seriousness, one at each of the sessions."""
    count = len(chosen)
    term = draw_codes(rng, TABLE, "term", dict.fromkeys(terms, 1.0), count)
    positions, criteria = code_positions(TABLE, "severity"), code_positions(TABLE, "seriousness_criteria")
    bits = 1 << np.where(rng.random(count) < 0.4, criteria["hospitalisation"], criteria["important_medical_event"])
    onset = rng.integers(10, 120, count)
    times = _times(onset, (onset + rng.integers(60, 3_000, count)).astype(np.float64))
    threatens = np.zeros(count)
    for name, share in population.life_threatening.items():
        threatens[term == code_positions(TABLE, "term")[name]] = share
    threatening = rng.spawn(1)[0].random(count) < threatens
    severity = np.where(threatening, positions["life_threatening"], positions["severe"]).astype(np.int32)
    serious = np.where(threatening, bits | 1 << criteria["life_threatening"], bits).astype(np.int32)
    return _event_rows(treatment, chosen, term, severity, _grade(severity)) | times | {"_serious": serious}


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


def _set_pressures(rng: np.random.Generator, rows: Rows, treatment: Treatment) -> None:
    """Give sessions with hypertension the pressures of its grade, and all its events in a session the worst grade."""
    session, severity = treatment.session, code_positions(TABLE, "severity")
    events = np.flatnonzero((rows["term"] == code_positions(TABLE, "term")["hypertension"]) & (rows["_session"] >= 0))
    worst = np.zeros(len(session["_kind"]), dtype=np.int32)
    np.maximum.at(worst, rows["_session"][events], rows["grade"][events])
    rows["grade"][events] = worst[rows["_session"][events]]
    for name, grade in GRADES.items():
        rows["severity"][events[rows["grade"][events] == grade]] = severity[name]
    for grade, (low, high, highest_diastolic) in HYPERTENSION_MMHG.items():
        chosen = np.flatnonzero(worst == grade)
        peak = rng.integers(low, high, len(chosen), endpoint=True).astype(np.int32)
        diastolic = np.minimum(session["diastolic_peak_mmhg"][chosen], highest_diastolic)
        session["systolic_peak_mmhg"][chosen], session["diastolic_peak_mmhg"][chosen] = peak, diastolic
        # A clinic writes the reading it took at the peak, never below those before and after.
        for name, most in (("systolic_before_mmhg", peak - 5), ("systolic_discharge_mmhg", peak)):
            session[name][chosen] = np.minimum(session[name][chosen], most)
        for name in ("diastolic_before_mmhg", "diastolic_discharge_mmhg"):
            session[name][chosen] = np.minimum(session[name][chosen], diastolic)
