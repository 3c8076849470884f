"""Questionnaires filled in, their answers, and the escalations that answers trigger.

Every person has a severity before treatment and a fall of their own; a score at a visit follows from both and from
how many sessions lie behind; answers scatter around the score's share of each item. So totals and answers agree.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clinic_outcomes.synthetic.columns import (
    MISSING,
    Floats,
    Indices,
    Integers,
    Mask,
    Rows,
    code_positions,
    draw_codes,
    draw_places,
    expand,
    stack,
    take,
    where,
)
from clinic_outcomes.synthetic.people import People
from clinic_outcomes.synthetic.programme import Population, Programme, Questionnaire, Visit
from clinic_outcomes.synthetic.treatment import MINUTE_UNITS, Treatment

NOBODY = -1
TRIGGERS = {"phq_9": "phq_9_item_9", "c_ssrs_screener": "c_ssrs_screener"}
"""What an escalation after an answer is called, by questionnaire."""
SHARED_SEVERITY = 0.75
"""Correlation of the severities that different questionnaires measure in one person."""
USUAL_SESSIONS = 6
EARLY_EFFECT = 0.45
"""Rate, a session of six, at which the effect builds up: about 40 % of it after the first, 90 % after the fourth."""
PERSON_SPREAD, ANSWER_SPREAD = 0.14, 0.15
"""Scatter of answers around the expected one, as shares of an item's range: the person's habit, and chance."""


@dataclass(frozen=True)
class Answers:
    """Assessments, their answers (of questionnaires delivered by item only) and escalations."""

    assessment: Rows
    assessment_item: Rows
    escalation: Rows


def draw_questionnaires(
    rng: np.random.Generator, people: People, treatment: Treatment, programme: Programme, population: Population
) -> Answers:
    """Draw every questionnaire of a clinic."""
    assessment = _visits(rng, people, treatment, programme)
    severity = _severity(rng, people, treatment, programme, population, assessment)
    item, total = _answers(rng, people, programme, population, assessment, severity)
    by_item = np.array([entry.delivered == "items" for entry in programme.questionnaires])[assessment["_questionnaire"]]
    assessment["delivered_total"] = where(~by_item, total)
    escalation = _escalations(rng, programme, population, assessment, item)
    return Answers(assessment, take(item, by_item[item["_assessment"]]), escalation)


def _visits(rng: np.random.Generator, people: People, treatment: Treatment, programme: Programme) -> Rows:
    parts = []
    in_trial = _in_trial(people, treatment, programme)
    for number, questionnaire in enumerate(programme.questionnaires):
        for visit in questionnaire.visits:
            due = _VISITS[visit.at](rng, visit, people, treatment)
            if questionnaire.trial_only:
                due = take(due, in_trial[due["_patient"]])
            rows = take(due, rng.random(len(due["_patient"])) < due.pop("_share"))
            count = len(rows["_patient"])
            for column, code in (
                ("instrument", questionnaire.instrument),
                ("instrument_version", visit.version),
                ("recall_window", visit.recall),
            ):
                rows[column] = np.full(count, code_positions("assessment", column)[code], dtype=np.int32)
            rows["_questionnaire"] = np.full(count, number)
            parts.append(rows)
    rows = stack(parts)
    minutes = np.maximum(rows["minutes_from_session_start"], -MINUTE_UNITS * 1440)
    return take(rows, np.lexsort((rows["_questionnaire"], minutes, rows["assessed_day"], rows["_patient"])))


def _in_trial(people: People, treatment: Treatment, programme: Programme) -> Mask:
    """Patients with a course in an arm of a trial."""
    arms = np.array([item.trial_arm is not None for item in programme.protocols])
    result = np.zeros(len(people.arrival), dtype=np.bool_)
    result[treatment.course["_patient"][arms[treatment.course["_protocol"]]]] = True
    return result


def _due(patient: Indices, day: npt.ArrayLike, share: npt.ArrayLike) -> Rows:
    """Visits without course or session, before any treatment."""
    count = len(patient)
    return {
        "_patient": patient,
        "_course": np.full(count, NOBODY),
        "_session": np.full(count, NOBODY),
        "_sessions_before": np.zeros(count, dtype=np.float32),
        "_days_since_last": np.zeros(count, dtype=np.float32),
        "_level": np.full(count, np.nan, dtype=np.float32),
        "_level_sd": np.zeros(count, dtype=np.float32),
        "assessed_day": np.asarray(day, dtype=np.int32),
        "minutes_from_session_start": np.full(count, MISSING, dtype=np.int32),
        "_share": np.broadcast_to(np.asarray(share, dtype=np.float64), count),
    }


def _at_intake(rng: np.random.Generator, visit: Visit, people: People, treatment: Treatment) -> Rows:
    patient = np.flatnonzero(people.treated)
    return _due(patient, people.patient["intake_day"][patient], visit.share)


def _is_first_course(treatment: Treatment) -> Mask:
    result: Mask = treatment.course["phase"] == code_positions("course", "phase")["induction"]
    return result


def _at_sessions(rng: np.random.Generator, visit: Visit, people: People, treatment: Treatment) -> Rows:
    session, course = treatment.session, treatment.course
    due_at = np.isin(session["sequence_number"], visit.sessions) & _is_first_course(treatment)[session["_course"]]
    if visit.drug:
        due_at &= session["drug"] == code_positions("session", "drug")[visit.drug]
    if visit.level:
        due_at &= session["_recorded"]
    chosen = np.flatnonzero(due_at)
    rows = take(session, chosen)
    due = _due(rows["_patient"], rows["session_day"], visit.share)
    due["_course"], due["_session"] = rows["_course"], chosen
    before = rows["sequence_number"] - 1
    if visit.minutes:
        minutes = rng.integers(visit.minutes.minimum, visit.minutes.maximum, len(chosen), endpoint=True)
        due["minutes_from_session_start"] = (minutes * MINUTE_UNITS).astype(np.int32)
        before = before + (minutes > 0)
    due["_sessions_before"] = _of_six(before, course["planned_sessions"][rows["_course"]])
    if visit.level:
        faded = visit.level.mean * visit.level.fade ** (rows["sequence_number"] - 1)
        due["_level"] = faded.astype(np.float32)
        due["_level_sd"] = np.full(len(chosen), visit.level.sd, dtype=np.float32)
    return due


def _of_six(sessions: npt.ArrayLike, planned: npt.ArrayLike) -> Floats:
    share: Floats = (np.asarray(sessions) * USUAL_SESSIONS / np.asarray(planned)).astype(np.float32)
    return share


def _at_start(rng: np.random.Generator, visit: Visit, people: People, treatment: Treatment) -> Rows:
    """Some days after the first session, however many sessions there have been until then."""
    first = np.flatnonzero(_is_first_course(treatment))
    course, session = take(treatment.course, first), treatment.session
    parts = []
    for days in visit.days:
        day = course["start_day"] + days + rng.integers(0, 3, len(first))
        share = visit.share * np.where(course["_given"] == course["planned_sessions"], 1.0, 0.5)
        due = _due(course["_patient"], day, share)
        due_day = np.full(len(treatment.course["start_day"]), -1)
        due_day[first] = day
        earlier = session["session_day"] < due_day[session["_course"]]
        given = np.bincount(session["_course"][earlier], minlength=len(due_day))[first]
        last = np.zeros(len(due_day), dtype=np.int64)
        np.maximum.at(last, session["_course"][earlier], session["session_day"][earlier])
        due["_course"] = first
        due["_sessions_before"] = _of_six(given, course["planned_sessions"])
        due["_days_since_last"] = (day - last[first]).astype(np.float32)
        parts.append(due)
    return stack(parts)


def _at_follow_up(rng: np.random.Generator, visit: Visit, people: People, treatment: Treatment) -> Rows:
    first = np.flatnonzero(_is_first_course(treatment))
    course = take(treatment.course, first)
    completed = course["_given"] == course["planned_sessions"]
    parts = []
    for place, days in enumerate(visit.days):
        late = rng.integers(0, 4, len(first))
        # Whoever broke off treatment answers less.
        share = visit.share * visit.kept**place * np.where(completed, 1.0, 0.5)
        due = _due(course["_patient"], course["_last_day"] + days + late, share)
        due["_course"] = first
        due["_sessions_before"] = _of_six(course["_given"], course["planned_sessions"])
        due["_days_since_last"] = (days + late).astype(np.float32)
        parts.append(due)
    return stack(parts)


_VISITS = {"intake": _at_intake, "session": _at_sessions, "start": _at_start, "follow_up": _at_follow_up}


def _severity(
    rng: np.random.Generator,
    people: People,
    treatment: Treatment,
    programme: Programme,
    population: Population,
    assessment: Rows,
) -> Floats:
    """Expected total of each assessment, in points."""
    count = len(people.arrival)
    patient, number = assessment["_patient"], assessment["_questionnaire"]
    common = rng.standard_normal(count, dtype=np.float32)
    own = rng.standard_normal((count, len(programme.questionnaires)), dtype=np.float32)
    z = SHARED_SEVERITY * common[patient] + np.sqrt(1 - SHARED_SEVERITY**2) * own[patient, number]
    groups = population.responders
    group = draw_places(rng, [item.share for item in groups], count)
    response = (
        np.array([item.mean for item in groups])[group]
        + rng.standard_normal(count) * np.array([item.sd for item in groups])[group]
    )
    benefit = np.zeros(count)
    benefit[treatment.course["_patient"]] = np.array([item.benefit for item in programme.protocols])[
        treatment.course["_protocol"]
    ]
    built_up = (1 - np.exp(-EARLY_EFFECT * assessment["_sessions_before"])) / (
        1 - np.exp(-EARLY_EFFECT * USUAL_SESSIONS)
    )
    relapse = rng.random(count)[patient]
    lost = relapse * (1 - np.exp2(-assessment["_days_since_last"] / population.relapse_half_life_days))
    forms = programme.questionnaires
    mean = np.array([item.baseline_mean for item in forms])[number]
    sd = np.array([item.baseline_sd for item in forms])[number]
    fall = np.array([item.fall for item in forms])[number]
    total = mean + sd * z - fall * (response * benefit)[patient] * built_up * (1 - lost)
    level = assessment["_level"]
    expected: Floats = np.where(np.isnan(level), total, level + assessment["_level_sd"] * z).astype(np.float32)
    return expected


def _answers(
    rng: np.random.Generator,
    people: People,
    programme: Programme,
    population: Population,
    assessment: Rows,
    severity: Floats,
) -> tuple[Rows, Integers]:
    """Answers of every assessment, and its total where it is complete."""
    forms = programme.questionnaires
    number, count = assessment["_questionnaire"], len(severity)
    items = np.array([form.items for form in forms])[number]
    highest = np.array([form.maximum_item_value for form in forms], dtype=np.float32)[number]
    owner, place = expand(items)
    answered = _answered(rng, population, items, owner, place)
    habit, offset = _item_effects(rng, people, forms)
    first = np.cumsum([0, *[form.items for form in forms]])[number]
    item = first[owner] + place
    scatter = rng.standard_normal(len(owner), dtype=np.float32) * np.float32(ANSWER_SPREAD)
    scatter += habit[assessment["_patient"][owner], item]
    scatter *= highest[owner]
    scatter += (severity / items)[owner] + offset[item]
    value = np.clip(np.rint(scatter), 0, highest[owner]).astype(np.int32)
    _leave_out(answered, value, forms, number)
    sums = np.add.reduceat(value, np.cumsum(items) - items) if count else np.zeros(0, dtype=np.int32)
    complete = np.bincount(owner, weights=answered == 1, minlength=count) == items
    rows: Rows = {
        "_assessment": owner,
        "_patient": assessment["_patient"][owner],
        "item_number": (place + 1).astype(np.int32),
        "item_value": where(answered == 1, value),
    }
    return take(rows, answered >= 0), where(complete, sums)


def _answered(
    rng: np.random.Generator, population: Population, items: Indices, owner: Indices, place: Indices
) -> npt.NDArray[np.int8]:
    """1 where there is an answer, 0 where it is blank, -1 where the questionnaire had been broken off before."""
    missing, count = population.missing_answers, len(items)
    blanks = rng.random(count) < missing.questionnaires
    broken_off = rng.random(count) < missing.broken_off
    stops_at = np.where(broken_off, rng.integers(1, items, size=count), items)
    result = np.ones(len(owner), dtype=np.int8)
    result[blanks[owner] & (rng.random(len(owner), dtype=np.float32) < missing.answers)] = 0
    result[place >= stops_at[owner]] = -1
    return result


def _leave_out(
    answered: npt.NDArray[np.int8], value: Integers, forms: tuple[Questionnaire, ...], number: Indices
) -> None:
    """Blank the items that a questionnaire does not ask for after what was answered before."""
    items = np.array([form.items for form in forms])[number]
    start = np.cumsum(items) - items
    for place, form in enumerate(forms):
        own = start[number == place]
        for skip in form.skips:
            asked = own + skip.item - 1
            skipped = own[(answered[asked] == 1) & (value[asked] == skip.value)]
            for item in skip.items:
                left_out = skipped + item - 1
                answered[left_out] = np.minimum(answered[left_out], 0)


def _item_effects(
    rng: np.random.Generator, people: People, forms: tuple[Questionnaire, ...]
) -> tuple[npt.NDArray[np.float32], Floats]:
    """How each person answers each item (a share of its range), and how the item lies against the others (points)."""
    items = sum(form.items for form in forms)
    habit = rng.standard_normal((len(people.arrival), items), dtype=np.float32) * np.float32(PERSON_SPREAD)
    offsets = []
    for form in forms:
        own = np.array([form.item_offsets.get(number, 0.0) for number in range(1, form.items + 1)])
        offsets.append(own - own.mean())
    return habit, np.concatenate(offsets).astype(np.float32)


def _escalations(
    rng: np.random.Generator, programme: Programme, population: Population, assessment: Rows, item: Rows
) -> Rows:
    """An escalation for nearly every questionnaire with an answer about suicide that is too high."""
    forms = programme.questionnaires
    number = assessment["_questionnaire"][item["_assessment"]]
    positive = np.zeros(len(number), dtype=np.bool_)
    for place, form in enumerate(forms):
        for asks, value in form.danger_items.items():
            positive |= (number == place) & (item["item_number"] == asks) & (item["item_value"] > value)
    which = np.unique(item["_assessment"][positive])
    count = len(which)
    action = draw_codes(rng, "escalation", "escalation_action", population.escalation_actions, count)
    taken = action != code_positions("escalation", "escalation_action")["none"]
    status = code_positions("escalation", "escalation_status")
    still_open = ~taken | (rng.random(count) < 0.02)
    triggers = code_positions("escalation", "escalation_trigger")
    trigger = np.array([triggers[TRIGGERS.get(form.instrument, "other")] for form in forms], dtype=np.int32)
    day = assessment["assessed_day"][which]
    escalation: Rows = {
        "_patient": assessment["_patient"][which],
        "_assessment": which,
        "escalation_trigger": trigger[assessment["_questionnaire"][which]],
        "escalation_day": day,
        "action_minutes": where(taken, np.rint(np.minimum(rng.lognormal(3.2, 1.0, count), 10_000)) * MINUTE_UNITS),
        "escalation_action": action,
        "escalation_status": np.where(still_open, status["open"], status["closed"]).astype(np.int32),
        "_from": day,
    }
    return take(escalation, rng.spawn(1)[0].random(count) >= population.not_escalated_share)
