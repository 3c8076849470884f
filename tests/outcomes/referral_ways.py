"""What became of each person referred, reckoned person by person from a clinic's accepted rows."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from clinic_outcomes.files import latest
from clinic_outcomes.settings import Settings

STEPS = ("referred", "contacted", "consulted", "decided", "treated", "completed", "maintained")
TARGET_DAYS = 2
NEVER = 10**6
LISTS = ["unreadable_columns", "trauma_types", "trauma_types_source_code"]


@dataclass
class Way:
    """What became of one person referred, and the days it happened; a day that is not known is left out."""

    clinic_id: str
    source: str
    steps: set[str] = field(default_factory=set)
    recorded: set[str] = field(default_factory=set)
    days: dict[str, int] = field(default_factory=dict)
    status: str = "open"
    closing_reason: str = ""
    candidate: bool = False
    without_criteria: bool = False
    reason: str = "not_recorded"
    referrals: int = 1
    watched: int | None = None
    open_days: int | None = None
    in_time: bool = False

    @property
    def furthest(self) -> str:
        return [step for step in STEPS if step in self.steps][-1]


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows with ``None`` for everything missing."""
    return [{k: None if pd.isna(v) else v for k, v in row.items()} for row in table.to_dict("records")]


def way_of(
    clinic_id: str, referrals: list[dict[str, Any]], courses: list[dict[str, Any]], watched_to: int | None
) -> Way:
    """Walk one person's way. ``courses`` have ``phase``, ``planned``, ``ended`` and their ``days`` in order."""
    origin = min(r["received_day"] for r in referrals)

    def order(r: dict[str, Any]) -> tuple[Any, ...]:
        texts = [(r[n] is None, r[n] or "") for n in ("source_type", "closing_reason")]
        days = [NEVER if r[n] is None else r[n] for n in ("contacted_day", "consulted_day", "decided_day")]
        return (r["received_day"], *days, *texts, r["referral_id"])

    referrals = sorted(referrals, key=order)
    way = Way(clinic_id, referrals[0]["source_type"] or "not_recorded", referrals=len(referrals))
    way.steps.add("referred")
    way.recorded.add("referred")
    way.days["referred"] = origin
    for step in ("contacted", "consulted", "decided"):
        name = f"{step}_day"
        if any(r[name] is not None for r in referrals):
            way.recorded.add(step)
        known = [r[name] for r in referrals if r[name] is not None and r[name] >= r["received_day"]]
        if known:
            way.days[step] = min(known)
    if any(r["candidacy"] is not None for r in referrals):
        way.recorded.add("decided")
    for course in courses:
        if course["days"] and course["days"][0] >= origin:
            _treated(way, course)
    last = max(STEPS.index(step) for step in way.recorded)
    # Completion is implied by maintenance alone, the steps of the referral by treatment.
    way.steps = set(STEPS[: last + 1])
    _judge(way, referrals, watched_to)
    return way


def _treated(way: Way, course: dict[str, Any]) -> None:
    """Add a course that began on or after the first referral."""
    way.recorded.add("treated")
    way.days["treated"] = min(way.days.get("treated", NEVER), course["days"][0])
    if course["phase"] == "maintenance":
        way.recorded.add("maintained")
        way.days["maintained"] = min(way.days.get("maintained", NEVER), course["days"][0])
        return
    done = None
    if course["planned"] is not None and len(course["days"]) >= course["planned"]:
        done = course["days"][int(course["planned"]) - 1]
    elif course["ended"] == "completed":
        done = course["days"][-1]
    if done is not None:
        way.recorded.add("completed")
        way.days["completed"] = min(way.days.get("completed", NEVER), done)


def _judge(way: Way, referrals: list[dict[str, Any]], watched_to: int | None) -> None:
    first = [way.days[s] for s in ("contacted", "consulted", "decided", "treated") if s in way.days]
    way.in_time = bool(first) and min(first) - way.days["referred"] <= TARGET_DAYS
    way.watched = None if watched_to is None else int(watched_to - way.days["referred"])
    way.open_days = None if watched_to is None else int(watched_to - max(r["received_day"] for r in referrals))
    if "treated" in way.steps:
        way.status = "treated"
    elif referrals[-1]["closing_reason"] is not None:
        way.status, way.closing_reason = "lost", referrals[-1]["closing_reason"]
    decisions = [r for r in referrals if r["candidacy"] is not None or r["decided_day"] is not None]
    way.candidate = any(r["candidacy"] == "candidate" for r in decisions)
    if decisions:
        wanted = [r for r in decisions if r["candidacy"] == "candidate"] or decisions
        decided = max(-1 if r["decided_day"] is None else r["decided_day"] for r in wanted)
        wanted = [r for r in wanted if (-1 if r["decided_day"] is None else r["decided_day"]) == decided]
        received = max(r["received_day"] for r in wanted)
        chosen = min(
            (r for r in wanted if r["received_day"] == received),
            key=lambda r: (*[(r[n] is None, r[n] or "") for n in ("candidacy", "candidacy_reason")],),
        )
        way.without_criteria = chosen["candidacy_reason"] in (None, "information_missing")
        way.reason = chosen["candidacy_reason"] or "not_recorded"
    # What was recorded later than a later step was not the first, whose day is then not known.
    raw = dict(way.days)
    for step in ("contacted", "consulted", "decided"):
        later = [raw[s] for s in STEPS[STEPS.index(step) + 1 : 5] if s in raw]
        if step in raw and later and raw[step] > min(later):
            del way.days[step]
    if "completed" in raw and raw["completed"] > raw.get("maintained", NEVER):
        del way.days["completed"]


@dataclass
class Network:
    """Accepted rows of all clinics and the marts made of them."""

    settings: Settings
    tables: dict[str, pd.DataFrame]
    ways: list[Way]
    marts: Path

    def read(self, query: str) -> pd.DataFrame:
        marts = {path.stem: f"'{path}'" for path in self.marts.rglob("*.parquet")}
        return duckdb.sql(query.format_map(marts)).df()


def load(settings: Settings) -> Network:
    tables: dict[str, pd.DataFrame] = {}
    for name in ("patient", "referral", "course", "session", "disposition"):
        paths = [p / "accepted" / f"{name}.parquet" for p in map(latest, sorted(settings.state.iterdir())) if p]
        rows = [
            duckdb.sql(f"SELECT * EXCLUDE (unreadable_columns) FROM '{path}'").df() for path in paths if path.is_file()
        ]
        tables[name] = pd.concat(rows).drop(columns=["trauma_types", "trauma_types_source_code"], errors="ignore")
    person = ["clinic_id", "patient_id"]
    watched = {tuple(r[n] for n in person): r["observed_through_day"] for r in records(tables["patient"])}
    ended = {(r["clinic_id"], r["course_id"]): r["disposition"] for r in records(tables["disposition"])}
    plans = {(r["clinic_id"], r["course_id"]): r for r in records(tables["course"])}
    sessions: dict[Any, dict[Any, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for r in records(tables["session"]):
        sessions[r["clinic_id"], r["patient_id"]][r["course_id"]].append(r["session_day"])
    referrals: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for r in records(tables["referral"]):
        referrals[r["clinic_id"], r["patient_id"]].append(r)
    ways = []
    for who, theirs in sorted(referrals.items()):
        courses = [
            {
                "days": sorted(days),
                "phase": plans[who[0], course]["phase"],
                "planned": plans[who[0], course]["planned_sessions"],
                "ended": ended.get((who[0], course)),
            }
            for course, days in sessions[who].items()
        ]
        ways.append(way_of(who[0], theirs, courses, watched[who]))
    marts = latest(settings.marts)
    assert marts is not None
    return Network(settings, tables, ways, marts)
