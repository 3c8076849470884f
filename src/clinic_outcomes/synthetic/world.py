"""All canonical tables of one clinic, over its whole time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clinic_outcomes.contract import load_contract
from clinic_outcomes.mapping import System
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.synthetic.columns import (
    MISSING,
    NO_KEY,
    Indices,
    Integers,
    Keys,
    Mask,
    Rows,
    code_positions,
    key_space,
    length,
    local_codes,
)
from clinic_outcomes.synthetic.events import draw_events
from clinic_outcomes.synthetic.network import Place, set_tokens
from clinic_outcomes.synthetic.people import draw_history, draw_people
from clinic_outcomes.synthetic.programme import Population, Programme, Range
from clinic_outcomes.synthetic.questionnaires import draw_questionnaires
from clinic_outcomes.synthetic.treatment import draw_treatment

FIRST_DATE = np.datetime64("2024-01-01")
"""Date of day 0 of a clinic's time. No date is ever written; only years of service and reporting periods are."""
PEOPLE_A_SITE = 400
MOST_SITES = 4
PARENTS = {"_course": ("course", "course_id"), "_session": ("session", "session_id")}
PARENTS |= {"_assessment": ("assessment", "assessment_id")}
FIRST_DAYS = {
    "referral": "received_day",
    "course": "start_day",
    "session": "session_day",
    "assessment": "assessed_day",
}


@dataclass(frozen=True)
class World:
    """Canonical tables of a clinic.

    Each row has ``_patient``, its position in ``patient``, and ``_from``, the person's day from which the clinic
    knows the row, save those of ``site`` and ``organisation``. ``arrival`` is each patient's day 0, counted over
    the clinic's time, as are the days on which its organisation is sold and on which it closes.
    """

    tables: dict[str, Rows]
    arrival: Integers
    sold_on_day: int | None = None
    closes_on_day: int | None = None


def draw_world(
    rng: np.random.Generator,
    system: System,
    programme: Programme,
    population: Population,
    count: int,
    last_day: int,
    place: Place,
    clinic_id: str = "",
    cluster_days: Range | None = None,
) -> World:
    """Draw a clinic to which ``count`` people are referred up to ``last_day`` of its time, or until it closes.

    ``place`` says whom it shares with the other clinics of the network. ``cluster_days`` are the days of the clinic's
    time in which serious events heap up; none where they do not.
    """
    sold_on_day, closes_on_day = programme.ownership.sold_on_day, programme.ownership.closes_on_day.get(clinic_id)
    people = draw_people(rng, count, last_day if closes_on_day is None else min(last_day, closes_on_day), population)
    tables: dict[str, Rows] = {"patient": people.patient, "referral": people.referral}
    tables |= draw_history(rng, people, population)
    treatment = draw_treatment(rng, people, programme, population)
    tables["adverse_event"] = draw_events(rng, people, treatment, programme, population, cluster_days)
    tables |= {"course": treatment.course, "session": treatment.session, "disposition": treatment.disposition}
    if programme.questionnaires:
        answers = draw_questionnaires(rng, people, treatment, programme, population)
        tables |= {"assessment": answers.assessment, "assessment_item": answers.assessment_item}
        tables["escalation"] = answers.escalation
    tables |= _sites(rng, tables["session"], people.arrival, count, sold_on_day)
    for table in ("patient", "referral"):
        tables[table]["_patient"] = np.arange(count)
    _set_first_days(tables)
    _set_service_periods(tables, people.arrival)
    set_tokens(rng, system, tables["patient"], tables["referral"], place)
    _draw_keys(rng, system, tables)
    _set_trial_arms(tables["course"], system, programme)
    return World(tables, people.arrival, sold_on_day, closes_on_day)


def _sites(
    rng: np.random.Generator, session: Rows, arrival: Integers, people: int, sold_on_day: int | None
) -> dict[str, Rows]:
    """Sites and their owners; sessions name the owner of their time.

    All sites change hands on the day on which their organisation is sold; where it is not, the last of several does.
    """
    count = int(min(MOST_SITES, 1 + people // PEOPLE_A_SITE))
    owners = 2 if count > 1 or sold_on_day is not None else 1
    home = rng.integers(1, count, len(arrival), endpoint=True)
    site = home[session["_patient"]]
    acquired_on = int(arrival.max(initial=0)) * 2 // 3 if sold_on_day is None else sold_on_day
    later = arrival[session["_patient"]] + session["session_day"] >= acquired_on
    sold = site == count if sold_on_day is None else np.ones(len(site), dtype=np.bool_)
    session["site_id"] = site.astype(np.uint64)
    session["organisation_id"] = np.where(sold & later, owners, 1).astype(np.uint64)
    status = code_positions("site", "site_status")
    site_status = np.full(count, status["operating"], dtype=np.int32)
    if owners > 1 and sold_on_day is None:
        site_status[-1] = status["acquired"]
    numbers = np.arange(1, count + 1)
    return {
        "organisation": {
            "organisation_id": np.arange(1, owners + 1).astype(np.uint64),
            "organisation_status": np.full(owners, status["operating"], dtype=np.int32),
        },
        "site": {
            "site_id": numbers.astype(np.uint64),
            "organisation_id": np.where(numbers == count, owners, 1).astype(np.uint64),
            "site_status": site_status,
        },
    }


def _set_trial_arms(course: Rows, system: System, programme: Programme) -> None:
    """The arm of a trial that each course belongs to, as its clinics call it."""
    column = load_contract().tables["course"].column("trial_arm")
    sets = [mapping.codes for mapping in system.columns if mapping.target == column and mapping.codes]
    if not sets:
        return
    arms = local_codes(system.codes[sets[0]])
    unknown = sorted({p.trial_arm for p in programme.protocols if p.trial_arm} - set(arms))
    if unknown:
        raise ClinicOutcomesError(f"system {system.name}: no such trial arm in codes.csv: {', '.join(unknown)}")
    places = [arms.index(p.trial_arm) if p.trial_arm else MISSING for p in programme.protocols]
    course["trial_arm"] = np.array(places, dtype=np.int32)[course["_protocol"]]


def _set_first_days(tables: dict[str, Rows]) -> None:
    tables["patient"]["_from"] = np.zeros(length(tables["patient"]), dtype=np.int32)
    for table, column in FIRST_DAYS.items():
        if table in tables:
            tables[table]["_from"] = tables[table][column]
    if "assessment_item" in tables:
        items = tables["assessment_item"]
        items["_from"] = tables["assessment"]["_from"][items["_assessment"]]


def _set_service_periods(tables: dict[str, Rows], arrival: Integers) -> None:
    """The year in which each row came about."""
    for rows in tables.values():
        if "_from" in rows:
            day = arrival[rows["_patient"]] + np.maximum(rows["_from"], 0)
            dates = FIRST_DATE + day.astype("timedelta64[D]")
            rows["service_period"] = (dates.astype("datetime64[Y]").astype(np.int32) + 1970).astype(np.int32)


def _draw_keys(rng: np.random.Generator, system: System, tables: dict[str, Rows]) -> None:
    """A key of its own for every row, and the keys of the rows it belongs to."""
    contract = load_contract()
    for name, table in contract.tables.items():
        own = table.column(table.primary_key[0])
        if name in tables and own.references is None and own.name not in tables[name]:
            tables[name][own.name] = key_space(system, own).draw(rng, length(tables[name]))
    patients = tables["patient"]
    for name, key in _keys_of_patients(system):
        if name in tables:
            tables[name][key] = patients["patient_id"][tables[name]["_patient"]]
    for rows in tables.values():
        if "_patient" in rows:
            rows["patient_id"] = patients["patient_id"][rows["_patient"]]
        for position, (parent, key) in PARENTS.items():
            if position in rows and key not in rows:
                rows[key] = _key_of(tables[parent][key], rows[position])


def _keys_of_patients(system: System) -> list[tuple[str, str]]:
    """Tables, with their key, of which the delivered column of the key is also that of the patient's."""
    contract = load_contract()
    found = []
    for name, table in contract.tables.items():
        key = table.primary_key[0]
        for source in system.mapped_sources:
            columns = {m.target.name: m.source_columns for m in system.mappings(source, name) if m.target}
            if key != "patient_id" and key in columns and columns[key] == columns.get("patient_id"):
                found.append((name, key))
    return found


def _key_of(keys: Keys, position: Indices) -> Keys:
    """Keys at positions; none where the position is negative."""
    has: Mask = position >= 0
    if not len(keys):
        return np.full(len(position), NO_KEY, dtype=np.uint64)
    return np.where(has, keys[np.maximum(position, 0)], np.uint64(NO_KEY))
