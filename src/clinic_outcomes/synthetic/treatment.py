"""Courses, sessions and how courses end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clinic_outcomes.synthetic.columns import (
    Doubles,
    Indices,
    Integers,
    Rows,
    code_positions,
    cumulate,
    draw_codes,
    draw_places,
    expand,
    normal,
    stack,
    take,
    where,
)
from clinic_outcomes.synthetic.people import People
from clinic_outcomes.synthetic.programme import DoseSlips, Population, Programme, Range, SessionKind, Spread

DOSE_UNITS = 1_000
"""Units of the last place in a milligram (``dose_mg`` has three decimals)."""
DOSE_PER_KG_UNITS = 10_000
MINUTE_UNITS = 100
LEAST_SHARE_OF_DOSE = 0.4
"""Of the lowest dose that a programme names, the share below which nobody is dosed."""
SMALL_DOSE_MG_PER_KG = 0.2
LEAST_PULSE_PRESSURE_MMHG = 15


@dataclass(frozen=True)
class Treatment:
    """Courses, sessions and dispositions; ``_protocol`` and ``_kind`` are positions in the programme's lists.

    A session that is not ``_recorded`` has nothing written down of what was watched.
    """

    course: Rows
    session: Rows
    disposition: Rows


def draw_treatment(rng: np.random.Generator, people: People, programme: Programme, population: Population) -> Treatment:
    """Draw the courses of those treated: a first one, and maintenance for some who completed it."""
    first = _first_courses(rng, people, programme)
    first_sessions = _sessions_of(rng, first, programme, maintenance=False)
    later = _maintenance_courses(rng, first, first_sessions, programme)
    later_sessions = _sessions_of(rng, later, programme, maintenance=True)
    later_sessions["_course"] = later_sessions["_course"] + len(first["_patient"])
    course, session = stack([first, later]), stack([first_sessions, later_sessions])
    course["_last_day"] = _last_day(course, session)
    order = np.lexsort((course["start_day"], course["_patient"]))
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    course = take(course, order)
    session["_course"] = place[session["_course"]]
    session = take(session, np.lexsort((session["sequence_number"], session["_course"])))
    session |= _administrations(rng, session, course, people, programme, population)
    session |= _pressures(rng, session, programme, population)
    session |= _unrecorded(rng.spawn(1)[0], session, course, population)
    return Treatment(course, session, _dispositions(rng, course, population))


def _between(rng: np.random.Generator, ranges: list[Range], which: Indices) -> Integers:
    low = np.array([item.minimum for item in ranges])[which]
    high = np.array([item.maximum for item in ranges])[which]
    return rng.integers(low, high, endpoint=True).astype(np.int32)


def _first_courses(rng: np.random.Generator, people: People, programme: Programme) -> Rows:
    patient = np.flatnonzero(people.treated)
    protocol = draw_places(rng, [item.share for item in programme.protocols], len(patient))
    planned = np.array([len(item.sessions) for item in programme.protocols])[protocol]
    dropout = np.array([item.dropout_share for item in programme.protocols])[protocol]
    # The session after which somebody drops out is geometric in the share lost at each.
    lost_after = np.where(dropout > 0, rng.geometric(np.maximum(dropout, 1e-9)), planned)
    return {
        "_patient": patient,
        "_protocol": protocol,
        "_given": np.minimum(lost_after, planned),
        "protocol": _protocol_codes(programme)[protocol],
        "planned_sessions": planned.astype(np.int32),
        "phase": np.full(len(patient), code_positions("course", "phase")["induction"], dtype=np.int32),
        "start_day": people.first_session_due[patient],
    }


def _protocol_codes(programme: Programme) -> Integers:
    position = code_positions("course", "protocol")
    return np.array([position[item.protocol] for item in programme.protocols], dtype=np.int32)


def _sessions_of(rng: np.random.Generator, course: Rows, programme: Programme, maintenance: bool) -> Rows:
    """Session days of courses, and each session's kind."""
    names = list(programme.session_kinds)
    kinds, ranges = [], []
    for protocol in programme.protocols:
        upkeep = protocol.maintenance
        sessions = protocol.sessions if not maintenance else (upkeep.session,) * upkeep.sessions if upkeep else ()
        kinds.append([names.index(name) for name in sessions])
        ranges.append(upkeep.days_between if maintenance and upkeep else protocol.days_between)
    width = max(map(len, kinds))
    table = np.array([row + [0] * (width - len(row)) for row in kinds], dtype=np.int64).reshape(len(kinds), width)
    owner, place = expand(course["_given"])
    protocol_of = course["_protocol"][owner]
    gap = np.where(place == 0, 0, _between(rng, ranges, protocol_of))
    return {
        "_patient": course["_patient"][owner],
        "_course": owner,
        "_kind": table[protocol_of, place] if width else place,
        "session_day": (course["start_day"][owner] + cumulate(gap, owner)).astype(np.int32),
        "sequence_number": (place + 1).astype(np.int32),
    }


def _last_day(course: Rows, session: Rows) -> Integers:
    last = np.zeros(len(course["_patient"]), dtype=np.int32)
    np.maximum.at(last, session["_course"], session["session_day"])
    return last


def _maintenance_courses(rng: np.random.Generator, course: Rows, session: Rows, programme: Programme) -> Rows:
    upkeep = [item.maintenance for item in programme.protocols]
    share = np.array([item.share if item else 0.0 for item in upkeep])
    sessions = np.array([item.sessions if item else 1 for item in upkeep])
    completed = course["_given"] == course["planned_sessions"]
    chosen = completed & (rng.random(len(completed)) < share[course["_protocol"]])
    rows = take({name: course[name] for name in course}, chosen)
    protocol = rows["_protocol"]
    ranges = [item.days_between if item else Range(minimum=0, maximum=0) for item in upkeep]
    rows["start_day"] = _last_day(course, session)[chosen] + _between(rng, ranges, protocol)
    rows["planned_sessions"] = sessions[protocol].astype(np.int32)
    rows["_given"] = rng.integers(1, sessions[protocol], endpoint=True)
    rows["phase"] = np.full(len(protocol), code_positions("course", "phase")["maintenance"], dtype=np.int32)
    return rows


def _spread_by_kind(
    rng: np.random.Generator, spreads: list[Spread | None], kind: Indices, units: int, step: int
) -> Integers:
    """A drawn quantity in units of its last place and multiples of ``step``; missing where its kind has none."""
    has = np.array([item is not None for item in spreads])
    some = [item or Spread(mean=0, sd=0, minimum=0, maximum=0) for item in spreads]
    drawn = (
        rng.standard_normal(len(kind)) * np.array([i.sd for i in some])[kind] + np.array([i.mean for i in some])[kind]
    )
    low, high = np.array([i.minimum for i in some])[kind], np.array([i.maximum for i in some])[kind]
    return where(has[kind], np.rint(np.clip(drawn, low, high) * units / step) * step)


def _administrations(
    rng: np.random.Generator,
    session: Rows,
    course: Rows,
    people: People,
    programme: Programme,
    population: Population,
) -> Rows:
    """What was given, how, and for how long."""
    kinds = list(programme.session_kinds.values())
    kind, count = session["_kind"], len(session["_kind"])
    drugs, routes = code_positions("session", "drug"), code_positions("session", "route")
    weight = people.weight_kg[session["_patient"]]
    dose = _spread_by_kind(rng, [item.dose_mg for item in kinds], kind, DOSE_UNITS, DOSE_UNITS)
    by_weight = np.array([item.dose_mg_per_kg is not None for item in kinds])[kind]
    per_kg = _dose_per_kg(rng, session, course, kinds) * _slips(rng.spawn(1)[0], count, population.dose_slips)
    # Written in whole milligrams, and small doses in tenths.
    step = np.where(per_kg < SMALL_DOSE_MG_PER_KG, DOSE_UNITS // 10, DOSE_UNITS)
    given = (np.rint(per_kg * weight * DOSE_UNITS / step) * step).astype(np.int32)
    infusion = _spread_by_kind(rng, [item.infusion_minutes for item in kinds], kind, MINUTE_UNITS, MINUTE_UNITS)
    monitored = draw_codes(rng, "session", "monitored", {"yes": 0.97, "no": 0.01, "unknown": 0.02}, count)
    return {
        "drug": np.array([drugs[item.drug] for item in kinds], dtype=np.int32)[kind],
        "route": np.array([routes[item.route] for item in kinds], dtype=np.int32)[kind],
        "dose_mg": np.where(by_weight, given, dose).astype(np.int32),
        # To the third decimal, as clinics write it.
        "dose_mg_per_kg": where(by_weight, np.rint(given / DOSE_UNITS / weight * 1_000) * (DOSE_PER_KG_UNITS // 1_000)),
        "infusion_minutes": where((infusion >= 0) & (rng.random(count) >= 0.01), infusion),
        "recovery_minutes": _spread_by_kind(
            rng, [item.recovery_minutes for item in kinds], kind, MINUTE_UNITS, MINUTE_UNITS
        ),
        "monitored": monitored,
    }


def _dose_per_kg(rng: np.random.Generator, session: Rows, course: Rows, kinds: list[SessionKind]) -> Doubles:
    """Dose that rises over the course; at the last level throughout maintenance."""
    doses = [item.dose_mg_per_kg for item in kinds]
    first = np.array([item.first if item else 0.0 for item in doses])[session["_kind"]]
    last = np.array([item.last if item else 0.0 for item in doses])[session["_kind"]]
    sd = np.array([item.sd if item else 0.0 for item in doses])[session["_kind"]]
    planned = course["planned_sessions"][session["_course"]]
    progress = (session["sequence_number"] - 1) / np.maximum(planned - 1, 1)
    maintenance = course["phase"][session["_course"]] == code_positions("course", "phase")["maintenance"]
    level = first + (last - first) * np.where(maintenance, 1.0, progress)
    lowest = LEAST_SHARE_OF_DOSE * np.minimum(first, last)
    dose: Doubles = np.clip(level + rng.standard_normal(len(level)) * sd, lowest, 2.0)
    return dose


def _slips(rng: np.random.Generator, count: int, slips: DoseSlips) -> Doubles:
    """By what each dose is multiplied that was reckoned wrongly; 1 for all others."""
    factor = np.array(slips.factors)[rng.integers(0, len(slips.factors), count)]
    result: Doubles = np.where(rng.random(count) < slips.share, factor, 1.0)
    return result


def _pressures(rng: np.random.Generator, session: Rows, programme: Programme, population: Population) -> Rows:
    """Blood pressure before, at its peak and at discharge, in mmHg; a few discharge readings are missing."""
    count = len(session["_kind"])
    kinds = list(programme.session_kinds.values())
    high, low = population.systolic_mmhg, population.diastolic_mmhg
    systolic = np.rint(normal(rng, high.mean, high.sd, high.minimum, high.maximum, count)).astype(np.int32)
    diastolic = np.rint(normal(rng, low.mean, low.sd, low.minimum, low.maximum, count)).astype(np.int32)
    diastolic = np.minimum(diastolic, systolic - LEAST_PULSE_PRESSURE_MMHG).astype(np.int32)
    rise = _spread_by_kind(rng, [item.systolic_rise_mmhg for item in kinds], session["_kind"], 1, 1)
    taken = rng.random(count) < 0.97
    return {
        "systolic_before_mmhg": systolic,
        "diastolic_before_mmhg": diastolic,
        "systolic_peak_mmhg": systolic + np.maximum(rise, 0),
        "diastolic_peak_mmhg": diastolic + np.maximum(rise, 0) * 6 // 10,
        "systolic_discharge_mmhg": where(taken, systolic + rise // 4),
        "diastolic_discharge_mmhg": where(taken, diastolic + rise // 6),
    }


def _unrecorded(rng: np.random.Generator, session: Rows, course: Rows, population: Population) -> Rows:
    """Columns of what was watched, blank in a few sessions; never in the last of a course, which says how it ended."""
    is_last = session["sequence_number"] == course["_given"][session["_course"]]
    recorded = is_last | (rng.random(len(is_last)) >= population.unrecorded_sessions_share)
    watched = ["recovery_minutes", "monitored", *(name for name in session if name.endswith("_mmhg"))]
    return {name: where(recorded, session[name]) for name in watched} | {"_recorded": recorded}


def _dispositions(rng: np.random.Generator, course: Rows, population: Population) -> Rows:
    """How each course ended: on the day of its last session, or some time after it for those who stayed away.

    A course is stopped for an adverse event on the day of the event, which is that of its last session.
    """
    position = code_positions("disposition", "disposition")
    reasons = code_positions("disposition", "censoring_reason")
    count = len(course["_patient"])
    completed = course["_given"] == course["planned_sessions"]
    ending = draw_codes(rng, "disposition", "disposition", population.endings, count)
    ending = np.where(completed, position["completed"], ending).astype(np.int32)
    on_last_day = completed | (ending == position["stopped_adverse_event"])
    day = course["_last_day"] + np.where(on_last_day, 0, rng.integers(5, 22, count)).astype(np.int32)
    censored = rng.random(count) < np.where(completed, 0.12, 0.45)
    censoring_day = day + rng.integers(0, 60, count).astype(np.int32)
    withdrew = rng.random(count) < 0.2
    return {
        "_patient": course["_patient"],
        "_course": np.arange(count),
        "disposition": ending,
        "disposition_day": day,
        "censoring_day": where(censored, censoring_day),
        "censoring_reason": where(censored, np.where(withdrew, reasons["withdrew"], reasons["lost_to_follow_up"])),
        "_from": np.where(censored, censoring_day, day).astype(np.int32),
    }
