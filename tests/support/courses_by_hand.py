"""Tables of small clinics written as one row a course: its sessions, its end and the person's scores.

``scores`` are ``day:total``, with minutes from the session's start after the day (``10+180:20``) and a recall window
after the total (``10+180:20/past_day``). A person's scores may stand in any of their rows. ``end`` is a disposition and
its day, ``censored`` a reason and its day; ``watched`` the last day watched. ``-`` is not recorded.
"""

from __future__ import annotations

import re

from tests.support.model_states import read_table

INSTRUMENT = "pcl_5"
DRUGS = {"iv_ketamine": "ketamine", "midazolam_control": "midazolam", "sgb": "ropivacaine", "nad_plus": "nad_plus"}


def clinic_tables(text: str, *, instrument: str = INSTRUMENT) -> dict[str, str]:
    """Canonical tables, as ``write_state`` takes them, of the courses in ``text``."""
    rows = [{"planned": None, "arm": None, "end": None, "censored": None} | row for row in read_table(text)]
    people: dict[str, str] = {}
    courses, sessions, dispositions, scores = [], [], [], []
    for number, row in enumerate(rows, start=1):
        person, protocol, course = _text(row["person"]), _text(row["protocol"]), f"K{number}"
        people[person] = _text(row["watched"])
        courses.append((course, person, protocol, _text(row["arm"]), _text(row["planned"])))
        for place, day in enumerate((row["sessions"] or "").split(), start=1):
            sessions.append((f"S{number}_{place}", person, course, day, DRUGS[protocol]))
        if row["end"] or row["censored"]:
            end, end_day = (row["end"] or f"completed {(row['sessions'] or '').split()[-1]}").split()
            reason, reason_day = (row["censored"] or "- -").split()
            dispositions.append((course, person, end, end_day, reason_day, reason))
        for place, score in enumerate((row["scores"] or "").split(), start=1):
            scores.append((f"Q{number}_{place:02}", person, instrument, *_score(score)))
    return {
        "patient": _table("patient_id observed_through_day", list(people.items())),
        "course": _table("course_id patient_id protocol trial_arm planned_sessions", courses),
        "session": _table("session_id patient_id course_id session_day drug", sessions),
        "disposition": _table(
            "course_id patient_id disposition disposition_day censoring_day censoring_reason", dispositions
        ),
        "assessment": _table(
            "assessment_id patient_id instrument assessed_day minutes_from_session_start delivered_total recall_window",
            scores,
        ),
    }


def _score(text: str) -> tuple[str, str, str, str]:
    found = re.fullmatch(r"(?P<day>\d+)(?P<minutes>[+-]\d+)?:(?P<total>\d+)(/(?P<recall>\w+))?", text)
    assert found, text
    return found["day"], (found["minutes"] or "-").lstrip("+"), found["total"], found["recall"] or "-"


def _text(cell: str | None) -> str:
    return cell or "-"


def _table(header: str, rows: list[tuple[str, ...]]) -> str:
    return "\n".join(" | ".join(row) for row in [tuple(header.split()), *rows])
