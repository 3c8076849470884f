"""Cohorts made to published aggregates: the marts must come to the numbers that the studies published.

Everything is built, nothing drawn. What no source gives, such as scores before treatment of Feder 2021, is assumed here
and tested nowhere. Each study is a clinic of one home, so that the marts are built once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import numpy as np
import pytest

from clinic_outcomes.model import model
from clinic_outcomes.settings import Settings
from tests.support.columnar_states import write_columnar_state
from tests.support.made_once import made_once
from tests.support.model_states import small_settings
from tests.support.published_studies import ALBOTT, AUDIT, FEDER, OSMIND, RODRIGUES, ROSS
from tests.support.whole_numbers import whole_numbers

Columns = dict[str, list[object]]
THREE_A_WEEK = (0, 2, 4, 7, 9, 11)
"""Days of six infusions in two weeks, counted from the first."""
FIRST_DAY = 10
"""Day of everybody's first session."""


TITLES = {
    FEDER.clinic_id: "Feder 2021",
    ALBOTT.clinic_id: "Albott 2018",
    ROSS.clinic_id: "Ross 2019",
    OSMIND.clinic_id: "Osmind registry",
    RODRIGUES.clinic_id: "Rodrigues 2022",
    AUDIT.clinic_id: "Ketamine audit",
}


@pytest.fixture(scope="session")
def study_cohorts(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a home with all studies and the marts made of them; made once a test session."""
    return made_once(tmp_path_factory, "study_cohorts", _make)


def _make(folder: Path) -> Settings:
    settings = write_studies(folder)
    model(settings)
    return settings


def write_studies(folder: Path) -> Settings:
    """Write the accepted rows of every study below ``folder``, ready to be modelled."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = small_settings(folder, TITLES)
    with duckdb.connect() as connection:
        for write in (write_feder, write_albott, write_ross, write_osmind, write_rodrigues, write_audit):
            write(connection, settings)
    return settings


def write_feder(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Two arms of 15: six infusions in two weeks, CAPS-5 before and at two weeks, responders followed until relapse.

    With 15 people an arm the nearest difference to 11.88, which is a model's estimate, is 178 / 15 = 11.87. PCL-5
    scores run beside those of CAPS-5 with the same responses and losses; the paper gives none.
    """
    before = (
        [50, 48, 47, 46, 45, 44, 43, 42, 41, 40, 41, 40, 39, 38, 43],
        [50, 48, 47, 46, 45, 44, 43, 42, 41, 40, 41, 40, 39, 38, 43],
    )
    # The first ten and the first three fell by 30 % or more.
    fall = (
        [35, 31, 27, 25, 23, 22, 19, 17, 15, 13, 11, 9, 6, 5, -3],
        [26, 20, 15, 11, 9, 8, 7, 5, 4, 2, 0, -3, -6, -9, -12],
    )
    # Days from the response at two weeks to the score that has lost it; the last of each responds to the end.
    # Half of the ten have lost it by day 27, and the next loses it on day 28.
    lost_after = ((14, 18, 21, 24, 27, 28, 35, 42, 56, None), (14, 35, None))
    ages = (whole_numbers(15, 589, 13.8, 18, 80), whole_numbers(15, 577, 13.0, 18, 80))
    sexes = (["female"] * 13 + ["male", "other"], ["female"] * 10 + ["male"] * 5)
    people = [f"{arm}{place:02d}" for arm in "KM" for place in range(15)]
    days = [THREE_A_WEEK] * 30
    # One person given ketamine was stopped by the physician.
    days[10] = THREE_A_WEEK[:3]
    drugs = ["ketamine"] * 15 + ["midazolam"] * 15
    doses = [FEDER.ketamine_mg_per_kg] * 15 + [FEDER.midazolam_mg_per_kg] * 15
    scores: list[tuple[str, int, str, int]] = []
    for place, person in enumerate(people):
        arm, number = divmod(place, 15)
        start, change = before[arm][number], fall[arm][number]
        course = [(-2, start), (14, start - change)]
        if number < len(lost_after[arm]):
            course += _follow_up(start, start - change, lost_after[arm][number])
        scores += [(person, day, "caps_5", score) for day, score in course]
        scores += [(person, day, "pcl_5", score + 8) for day, score in course[:1]]
        scores += [(person, day, "pcl_5", math.ceil(score * (start + 8) / start)) for day, score in course[1:]]
    write_columnar_state(
        connection,
        settings,
        FEDER.clinic_id,
        _tables(
            connection,
            patient=_people(people, age_years=ages[0] + ages[1], sex=sexes[0] + sexes[1]),
            course=_courses(
                people,
                protocol=["iv_ketamine"] * 15 + ["midazolam_control"] * 15,
                trial_arm=["ketamine"] * 15 + ["midazolam"] * 15,
            ),
            session=_sessions(people, days, drugs, doses, minutes=40),
            assessment=_assessments(scores),
            disposition={
                "course_id": [f"C{person}" for person in people],
                "patient_id": list(people),
                "disposition": ["stopped_physician" if place == 10 else "completed" for place in range(30)],
                "disposition_day": [FIRST_DAY + given[-1] for given in days],
            },
        ),
    )


def _follow_up(start: int, response: int, lost_after: int | None) -> list[tuple[int, int]]:
    """Days and scores after the response at two weeks: response kept a week before it is lost, or to the end."""
    kept = (14 + 20, 14 + 60, 14 + 84) if lost_after is None else (14 + lost_after - 1,)
    lost = [] if lost_after is None else [(14 + lost_after, start - 2)]
    return [(day, response) for day in kept] + lost


def write_albott(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """15 veterans, six infusions, PCL-5 and MADRS before and the day after the last."""
    # Of a mean of 15, the interval's half is 2.145 SE: the SD is 10.25 or 3.6 times the root of 15, over 2.145.
    pcl_5 = whole_numbers(15, 499, 18.5, 0, 68)
    madrs = whole_numbers(15, 399, 6.5, 10, 45)
    people = [f"V{place:02d}" for place in range(15)]
    scores = []
    for person, fell, mood in zip(people, pcl_5, madrs, strict=True):
        scores += [(person, -1, "pcl_5", max(50, fell + 12)), (person, 12, "pcl_5", max(50, fell + 12) - fell)]
        # Half or more of the points before in all but the one who fell least.
        start = 2 * mood + 2 if mood == madrs[0] else mood + 10
        scores += [(person, -1, "madrs", start), (person, 12, "madrs", start - mood)]
    write_columnar_state(
        connection,
        settings,
        ALBOTT.clinic_id,
        _tables(
            connection,
            patient=_people(people, veteran=["yes"] * 15),
            course=_courses(people),
            session=_sessions(people, [THREE_A_WEEK] * 15, ["ketamine"] * 15, ["0.5"] * 15, minutes=40),
            assessment=_assessments(scores),
        ),
    )


def write_ross(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """30 veterans of combat, six infusions of an hour with rising doses, PHQ-9 and PCL-5 before and after."""
    phq_9 = (whole_numbers(30, 567, 4.5, 9, 27), whole_numbers(30, 285, 5.0, 0, 27))
    pcl_5 = (whole_numbers(30, 1686, 10.0, 33, 80), whole_numbers(30, 939, 15.0, 0, 80))
    people = [f"R{place:02d}" for place in range(30)]
    scores = []
    for place, person in enumerate(people):
        for day, part in ((-1, 0), (12, 1)):
            scores += [(person, day, "phq_9", phq_9[part][place]), (person, day, "pcl_5", pcl_5[part][place])]
    session = _sessions(people, [THREE_A_WEEK] * 30, ["ketamine"] * 30, ["0"] * 30, minutes=ROSS.infusion_minutes)
    session["dose_mg_per_kg"] = ["1.44", "1.64", "1.84", "2.04", "2.24", "2.44"] * 30
    write_columnar_state(
        connection,
        settings,
        ROSS.clinic_id,
        _tables(
            connection,
            patient=_people(people, veteran=["yes"] * 30, trauma_types=[["combat"]] * 30),
            course=_courses(people),
            session=session,
            assessment=_assessments(scores),
        ),
    )


def write_osmind(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """8,142 treated; 82 % have six infusions in 20 days, the others three; 1,306 of the former have every score."""
    treated, scored = OSMIND.treated, OSMIND.with_complete_pcl_5
    six = round(treated * 0.82)
    people = [f"O{place:04d}" for place in range(treated)]
    days = [tuple(range(0, 24, 4)) if place < six else (0, 4, 8) for place in range(treated)]
    scores: list[tuple[str, int, str, int]] = []
    for person, course in zip(people, _osmind_scores(), strict=False):
        # Each score after an infusion is taken before the next one: after the first, the fourth and the sixth.
        scores += [(person, day, "pcl_5", score) for day, score in zip((-1, 2, 14, 22), course, strict=True)]
    assert len(scores) == 4 * scored
    depressed = people[: round(treated * 0.90)]
    sexes = ["female"] * round(treated * 0.66)
    write_columnar_state(
        connection,
        settings,
        OSMIND.clinic_id,
        _tables(
            connection,
            patient=_people(
                people,
                age_years=whole_numbers(treated, round(treated * 42.3), 12, 18, 89),
                sex=sexes + ["male"] * (treated - len(sexes)),
            ),
            course=_courses(people),
            session=_sessions(people, days, ["ketamine"] * treated, ["1.0"] * treated, minutes=45),
            assessment=_assessments(scores),
            condition={
                "condition_id": [f"D{person}" for person in depressed],
                "patient_id": list(depressed),
                "diagnosis": ["mdd"] * len(depressed),
            },
        ),
    )


def _osmind_scores() -> list[tuple[int, int, int, int]]:
    """PCL-5 before, and after the first, fourth and sixth infusion; whoever has responded stays a responder."""
    count = OSMIND.with_complete_pcl_5
    before = whole_numbers(count, 60_729, 12.5, 20, 80)  # 46.5 a person
    # Who responds has nothing to do with the score before: 7 shares no factor with 1,306.
    rank = [place * 7 % count for place in range(count)]
    after_1, after_4, after_6 = round(count * 0.27), round(count * 0.60), round(count * 0.70)
    fall = [math.ceil(0.5 * b) if r < after_4 else math.floor(0.1 * b) for b, r in zip(before, rank, strict=True)]
    # To a fall of 18.6 a person: as many points more as are missing, evenly over those who responded.
    each, some = divmod(round(18.6 * count) - sum(fall), after_4)
    fall = [f + each + (r < some) if r < after_4 else f for f, r in zip(fall, rank, strict=True)]
    return [
        (
            b,
            b - (math.ceil(0.35 * b) if r < after_1 else math.floor(0.1 * b)),
            b - f,
            b - (max(f, math.ceil(0.35 * b)) if r < after_6 else math.floor(0.15 * b)),
        )
        for b, f, r in zip(before, fall, rank, strict=True)
    ]


def write_rodrigues(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """203 people with four infusions each; everybody with a side effect has it after the first and the second."""
    people = [f"T{place:03d}" for place in range(RODRIGUES.people)]
    shares = {
        "somnolence": RODRIGUES.drowsiness_percent,
        "dizziness": RODRIGUES.dizziness_percent,
        "dissociation": RODRIGUES.dissociation_percent,
        "nausea": RODRIGUES.nausea_percent,
    }
    events = []
    for start, (term, percent) in enumerate(shares.items()):
        affected = round(len(people) * percent / 100)
        # Each effect begins elsewhere among the people, so that some have several and some none.
        chosen = [people[(40 * start + place) % len(people)] for place in range(affected)]
        events += [(person, term, session) for person in chosen for session in (1, 2)]
    write_columnar_state(
        connection,
        settings,
        RODRIGUES.clinic_id,
        _tables(
            connection,
            patient=_people(people),
            course=_courses(people, planned_sessions=[4] * len(people)),
            session=_sessions(
                people, [(0, 3, 7, 10)] * len(people), ["ketamine"] * len(people), ["0.5"] * len(people), minutes=40
            ),
            adverse_event={
                "adverse_event_id": [f"E{place}" for place in range(len(events))],
                "patient_id": [person for person, _, _ in events],
                "course_id": [f"C{person}" for person, _, _ in events],
                "session_id": [f"S{person}-{session}" for person, _, session in events],
                "term": [term for _, term, _ in events],
                "severity": ["mild"] * len(events),
                "serious": ["no"] * len(events),
                "onset_day": [FIRST_DAY + 3 * (session - 1) for _, _, session in events],
            },
        ),
    )


def write_audit(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Sessions of two routes, an arm each, spread evenly over the people of the route; nothing ever happened."""
    people, arms, days = [], [], []
    for arm, count, sessions in zip(("intravenous", "intramuscular"), AUDIT.people, AUDIT.sessions, strict=True):
        people += [f"{arm[:7]}{place:03d}" for place in range(count)]
        arms += [arm] * count
        days += [range(0, 7 * (sessions // count + (place < sessions % count)), 7) for place in range(count)]
    write_columnar_state(
        connection,
        settings,
        AUDIT.clinic_id,
        _tables(
            connection,
            patient=_people(people),
            course=_courses(people, trial_arm=arms, planned_sessions=[None] * len(people)),
            session=_sessions(people, days, ["ketamine"] * len(people), ["0.5"] * len(people), minutes=40),
            adverse_event={"adverse_event_id": [], "patient_id": [], "term": []},
        ),
    )


def _people(people: Sequence[str], **more: Sequence[object]) -> Columns:
    watched = [FIRST_DAY + 14 + 84] * len(people)
    return {"patient_id": list(people), "observed_through_day": list(watched)} | {k: list(v) for k, v in more.items()}


def _courses(people: Sequence[str], **more: Sequence[object]) -> Columns:
    count = len(people)
    columns: Columns = {
        "course_id": [f"C{person}" for person in people],
        "patient_id": list(people),
        "protocol": ["iv_ketamine"] * count,
        "planned_sessions": [6] * count,
        "phase": ["induction"] * count,
        "start_day": [FIRST_DAY] * count,
    }
    return columns | {name: list(values) for name, values in more.items()}


def _sessions(
    people: Sequence[str], days: Sequence[Sequence[int]], drugs: Sequence[str], doses: Sequence[str], minutes: int
) -> Columns:
    """Sessions of each person on days counted from the first, with one drug and dose a person."""
    given = [
        (person, number, FIRST_DAY + day, drug, dose)
        for person, own, drug, dose in zip(people, days, drugs, doses, strict=True)
        for number, day in enumerate(own, start=1)
    ]
    return {
        "session_id": [f"S{person}-{number}" for person, number, *_ in given],
        "patient_id": [person for person, *_ in given],
        "course_id": [f"C{person}" for person, *_ in given],
        "session_day": [day for _, _, day, _, _ in given],
        "sequence_number": [number for _, number, *_ in given],
        "drug": [drug for *_, drug, _ in given],
        "dose_mg_per_kg": [dose for *_, dose in given],
        "route": ["intravenous"] * len(given),
        "infusion_minutes": [minutes] * len(given),
        "recovery_minutes": [30] * len(given),
    }


def _assessments(scores: Sequence[tuple[str, int, str, int]]) -> Columns:
    """Totals of people by instrument, on days counted from the first session."""
    return {
        "assessment_id": [f"Q{person}-{instrument}-{day}" for person, day, instrument, _ in scores],
        "patient_id": [person for person, *_ in scores],
        "course_id": [f"C{person}" for person, *_ in scores],
        "instrument": [instrument for *_, instrument, _ in scores],
        "assessed_day": [FIRST_DAY + day for _, day, *_ in scores],
        "delivered_total": [score for *_, score in scores],
    }


def _tables(connection: duckdb.DuckDBPyConnection, **tables: Mapping[str, Sequence[object]]) -> dict[str, str]:
    """SQL of each table, of columns that the connection reads."""
    for name, columns in tables.items():
        arrays = {}
        for column, values in columns.items():
            arrays[column] = np.empty(len(values), dtype=object)
            arrays[column][:] = values
        connection.register(f"study_{name}", arrays)
    return {name: f"SELECT * FROM study_{name}" for name in tables}
