"""Adverse events worked out person by person and day by day, from the clinics' accepted rows alone."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

import pandas as pd

from clinic_outcomes.settings import PROJECT_ROOT, Settings
from tests.outcomes.recomputed import accepted_table

Person = tuple[str, str]
Place = tuple[str, str]
Counts = dict[tuple[str, str, str, str], tuple[int, int]]
"""Numerator and denominator by measure, clinic, dimension and category."""
POPULATIONS = ("", "protocol", "trial_arm")
RELATED = ("possible", "probable", "definite")
SEVERE = ("severe", "life_threatening", "fatal")
NETWORK = "network"


def known(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and math.isnan(value)) and value is not pd.NA


def records(settings: Settings, table: str, columns: str) -> list[dict[str, Any]]:
    """Accepted rows, of a person ``who``, with None where nothing was recorded."""
    rows = accepted_table(settings, table, columns.split()).to_dict("records")
    for row in rows:
        for name, value in row.items():
            # A list of criteria is no missing value, and cannot be asked whether it is.
            if not hasattr(value, "__len__") and not known(value):
                row[name] = None
        row["who"] = (row["clinic_id"], row["patient_id"])
    return rows


class Safety:
    """What happened to the treated people of a network, ready to be counted."""

    def __init__(self, settings: Settings) -> None:
        self.courses = {
            (row["clinic_id"], row["course_id"]): row
            for row in records(settings, "course", "course_id patient_id protocol trial_arm")
        }
        self.watched = {
            row["who"]: row["observed_through_day"]
            for row in records(settings, "patient", "patient_id observed_through_day")
        }
        self.sessions = records(
            settings,
            "session",
            "session_id patient_id course_id session_day sequence_number drug dose_mg_per_kg route"
            " infusion_minutes recovery_minutes organisation_id",
        )
        self.by_person: dict[Person, list[dict[str, Any]]] = defaultdict(list)
        for session in self.sessions:
            course = self.courses.get((session["clinic_id"], session["course_id"]), {})
            session["protocol"], session["trial_arm"] = course.get("protocol"), course.get("trial_arm")
            session["dose_band"] = dose_band(session)
            number = session["sequence_number"]
            session["session_of_course"] = None if number is None else str(number) if number <= 12 else "13_or_more"
            self.by_person[session["who"]].append(session)
        self.stopped = {
            (row["clinic_id"], row["course_id"])
            for row in records(settings, "disposition", "course_id patient_id disposition")
            if row["disposition"] == "stopped_adverse_event"
        }
        self.delivering = sorted({row["clinic_id"] for row in self.sessions})
        self.events = [event for event in self._events(settings) if event["emergent"]]

    def _events(self, settings: Settings) -> Iterable[dict[str, Any]]:
        with (PROJECT_ROOT / "dbt_project/seeds/adverse_event_terms.csv").open() as stream:
            class_of = {row["term"]: row["system_class"] for row in csv.DictReader(stream)}
        sessions = {(row["clinic_id"], row["session_id"]): row for row in self.sessions}
        for event in records(
            settings,
            "adverse_event",
            "adverse_event_id patient_id course_id session_id term system_class severity grade serious"
            " seriousness_criteria relatedness action_taken onset_day onset_minutes end_day end_minutes",
        ):
            own = sorted(self.by_person.get(event["who"], []), key=lambda row: (row["session_day"], row["session_id"]))
            session = sessions.get((event["clinic_id"], event["session_id"]))
            event["session"] = session
            event["emergent"] = bool(own) and (
                event["onset_day"] is None or event["onset_day"] >= own[0]["session_day"]
            )
            event["system_class"] = event["system_class"] or class_of.get(event["term"]) or "not_recorded"
            event["day"] = event["onset_day"] if event["onset_day"] is not None else (session or {}).get("session_day")
            course = self._course(event, session, own) or {}
            event["protocol"], event["trial_arm"] = course.get("protocol"), course.get("trial_arm")
            yield event

    def _course(self, event: dict[str, Any], session: Any, own: list[dict[str, Any]]) -> dict[str, Any] | None:
        """Its own course, that of its session, of the last session before it, or the only one."""
        before = [row for row in own if event["onset_day"] is not None and row["session_day"] <= event["onset_day"]]
        named = event["course_id"] or (session or {}).get("course_id") or (before[-1]["course_id"] if before else None)
        if named:
            return self.courses[event["clinic_id"], named]
        courses = [row for row in self.courses.values() if row["who"] == event["who"]]
        return courses[0] if len(courses) == 1 else None

    def people_by_population(self) -> dict[tuple[str, str], set[Person]]:
        """Treated people, all and by protocol and trial arm."""
        found: dict[tuple[str, str], set[Person]] = defaultdict(set)
        for session in self.sessions:
            for place in populations(session):
                found[place].add(session["who"])
        return found

    def shares_of_people(self) -> Counts:
        """Every share of treated people, of each clinic and of the network."""
        treated = self.people_by_population()
        hit: dict[tuple[str, str, str], set[Person]] = defaultdict(set)
        worst: dict[Person, int] = {}
        for event in self.events:
            worst[event["who"]] = max(worst.get(event["who"], 0), event["grade"] or 0)
            for place in hits(event):
                hit[place].add(event["who"])
        for key in self.stopped:
            course = self.courses[key]
            for place in populations(course)[:2]:
                hit["discontinued_for_event_share", *place].add(course["who"])
        for who, grade in worst.items():
            hit["any_event_share", "worst_grade", f"grade_{grade}" if grade else "not_recorded"].add(who)
        found: Counts = {}
        for (measure, dimension, category), people in hit.items():
            behind = treated[dimension, category] if dimension in POPULATIONS else treated["", ""]
            for clinic in [*self.delivering, NETWORK]:
                found[measure, clinic, dimension, category] = (
                    len(of(clinic, people & behind)),
                    len(of(clinic, behind)),
                )
        return found

    def shares_of_sessions(self) -> Counts:
        """Sessions with an event by what is known of the session, and by term."""
        given: dict[tuple[str, str, str], list[str]] = defaultdict(list)
        hit: dict[tuple[str, str, str], set[str]] = defaultdict(set)
        names = ("protocol", "trial_arm", "drug", "session_of_course", "dose_band")
        for session in self.sessions:
            for clinic in (session["clinic_id"], NETWORK):
                given[clinic, "", ""].append(session["session_id"])
                for name in names:
                    if session[name] is not None:
                        given[clinic, name, session[name]].append(session["session_id"])
        for event in self.events:
            if event["session"]:
                for clinic in (event["clinic_id"], NETWORK):
                    key = f"{event['clinic_id']}/{event['session_id']}"
                    hit[clinic, "", ""].add(key)
                    hit[clinic, "term", event["term"]].add(key)
                    for name in names:
                        if event["session"][name] is not None:
                            hit[clinic, name, event["session"][name]].add(key)
        return {
            ("sessions_with_event_share", *key): (
                len(hit[key]),
                len(given[(key[0], "", "") if key[1] == "term" else key]),
            )
            for key in {*hit, *given}
        }

    def person_time(self) -> dict[tuple[str, str, str], dict[str, int]]:
        """Days watched and events in them by clinic, dimension and category: every person's every day is looked at."""
        found: dict[tuple[str, str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
        days_of_events: dict[Person, list[tuple[int, list[Place]]]] = defaultdict(list)
        for event in self.events:
            if event["day"] is not None:
                days_of_events[event["who"]].append((event["day"], populations(event)))
        for who, sessions in self.by_person.items():
            if self.watched[who] is None:
                continue
            under: dict[int, set[Place]] = defaultdict(set)
            for session in sessions:
                under[session["session_day"]].update(populations(session))
            now: set[Place] = set()
            seen: set[Place] = set()
            for day in range(min(under), self.watched[who] + 1):
                now = under.get(day, now)
                happened = [places for on, places in days_of_events[who] if on == day]
                for place in now:
                    events = sum(place in places for places in happened)
                    for clinic in (who[0], NETWORK):
                        counts = found[clinic, *place]
                        counts["days"] += 1
                        counts["events"] += events
                        counts["days_until_first_event"] += place not in seen
                        counts["people_with_event"] += place not in seen and events > 0
                    if events:
                        seen.add(place)
        return found

    def event_times(self) -> tuple[Counts, dict[tuple[str, str, str, str], Fraction | None]]:
        """Shares of events resolved, and medians of onset and resolution, by clinic, term and protocol."""
        shares: dict[tuple[str, str, str, str], list[bool]] = defaultdict(list)
        minutes: dict[tuple[str, str, str, str], list[Fraction | float]] = defaultdict(list)
        for event in self.events:
            judged = resolution(event)
            places = [place for place in populations(event) if place[0] != "trial_arm"] + [("term", event["term"])]
            for clinic in (event["clinic_id"], NETWORK):
                for place in places:
                    for measure, answer in judged.items():
                        if answer is not None:
                            shares[measure, clinic, *place].append(answer)
                    if event["onset_minutes"] is not None:
                        began = Fraction(str(event["onset_minutes"]))
                        minutes["onset_minutes_median", clinic, *place].append(began)
                        if event["end_minutes"] is not None:
                            lasted: Fraction | float = Fraction(str(event["end_minutes"])) - began
                        elif event["end_day"] is None or event["end_day"] - event["onset_day"] > 1:
                            lasted = math.inf
                        else:
                            continue
                        minutes["resolution_minutes_median", clinic, *place].append(lasted)
        return {key: (sum(answers), len(answers)) for key, answers in shares.items()}, {
            key: median(values) for key, values in minutes.items()
        }


def hits(event: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Measure, dimension and category of every share of people that an event puts its person into."""
    places = populations(event)
    by_protocol = [place for place in places if place[0] != "trial_arm"]
    named = [(name, event[name] or "not_recorded") for name in ("system_class", "term", "severity")]
    more = [(name, event[name] or "not_recorded") for name in ("relatedness", "action_taken")]
    yield from (("any_event_share", *place) for place in places + named + more)
    if event["relatedness"] in RELATED:
        yield from (("related_event_share", *place) for place in [*by_protocol, ("term", event["term"])])
    if event["grade"] >= 3 if event["grade"] else event["severity"] in SEVERE:
        yield from (("severe_event_share", *place) for place in places)
    if event["serious"] == "yes":
        criteria = [("seriousness_criterion", criterion) for criterion in event["seriousness_criteria"]]
        yield from (("serious_event_share", *place) for place in places + named[:2] + criteria)
        yield from (("any_event_share", *place) for place in criteria)
    if event["action_taken"] == "course_stopped":
        yield from (("discontinued_for_event_share", *place) for place in by_protocol)


def populations(record: dict[str, Any]) -> list[Place]:
    """Everything, and the protocol and the trial arm of a session, course or event, where they are known."""
    return [("", "")] + [(name, record[name]) for name in POPULATIONS[1:] if record[name] is not None]


def of(clinic: str, people: set[Person]) -> set[Person]:
    return {who for who in people if clinic in (who[0], NETWORK)}


def dose_band(session: dict[str, Any]) -> str | None:
    if session["drug"] != "ketamine":
        return None
    dose = session["dose_mg_per_kg"]
    if dose is None:
        return "not_recorded"
    edges = (("under_0_4", 0.4), ("from_0_4", 0.6), ("from_0_6", 1.0001))
    return next((name for name, edge in edges if dose < edge), "over_1_0")


def resolution(event: dict[str, Any]) -> dict[str, bool | None]:
    """Whether an event had ended by then; None where nobody can tell."""
    no_end = event["end_day"] is None and event["end_minutes"] is None
    return {
        "end_not_recorded_share": no_end,
        "resolved_within_2_hours_share": False if no_end else ended_within(event, 120, same_day=None),
        "resolved_within_24_hours_share": False if no_end else ended_within(event, 1440, same_day=True),
        "resolved_by_discharge_share": ended_by_discharge(event, no_end),
    }


def ended_within(event: dict[str, Any], limit: int, same_day: bool | None) -> bool | None:
    if event["onset_minutes"] is not None and event["end_minutes"] is not None:
        return bool(event["end_minutes"] - event["onset_minutes"] <= limit)
    if event["onset_day"] is None or event["end_day"] is None:
        return None
    days = event["end_day"] - event["onset_day"]
    return same_day if days == 0 else None if days == 1 else False


def ended_by_discharge(event: dict[str, Any], no_end: bool) -> bool | None:
    session = event["session"]
    if session is None or (event["onset_day"] is not None and event["onset_day"] > session["session_day"]):
        return None
    left = discharge(session)
    if event["onset_minutes"] is not None and left is not None and event["onset_minutes"] > left:
        return None
    if no_end:
        return False
    if event["end_minutes"] is not None and left is not None:
        return bool(event["end_minutes"] <= left)
    return False if event["end_day"] is not None and event["end_day"] > session["session_day"] else None


def discharge(session: dict[str, Any]) -> Any:
    takes_time = session["route"] in (None, "intravenous", "subcutaneous", "other", "unmapped")
    if session["recovery_minutes"] is None or (session["infusion_minutes"] is None and takes_time):
        return None
    return session["recovery_minutes"] + (session["infusion_minutes"] or 0)


def median(values: list[Fraction | float]) -> Fraction | None:
    """The middle value, or what lies between the two; None where one of them is without end."""
    ordered = sorted(values)
    middle = [ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]]
    if math.inf in middle:
        return None
    return sum((Fraction(value) for value in middle), Fraction()) / 2
