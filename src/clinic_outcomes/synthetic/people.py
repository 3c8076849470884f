"""Patients, their referrals and what they bring: diagnoses, earlier treatments, medications."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from clinic_outcomes.synthetic.columns import (
    MISSING,
    Indices,
    Integers,
    Mask,
    Rows,
    code_positions,
    draw_code_sets,
    draw_codes,
    normal,
    stack,
    take,
    where,
)
from clinic_outcomes.synthetic.programme import MedicationChanges, Population, Treatment

TOP_AGE = 90
UNTREATED = 36_500
"""Day that no period reaches: something that did not happen."""


@dataclass(frozen=True)
class People:
    """Patients and referrals, one of each a person, and facts about them that no table carries.

    ``arrival`` is the day on which the referral came, counted over the clinic's whole time: with it, any relative
    day can be placed in a reporting period. ``first_session_due`` is ``UNTREATED`` for those never treated.
    """

    patient: Rows
    referral: Rows
    arrival: Integers
    treated: Mask
    first_session_due: Integers
    weight_kg: Integers


def draw_people(rng: np.random.Generator, count: int, last_day: int, population: Population) -> People:
    """Draw the people referred to one clinic up to ``last_day``, in order of arrival."""
    funnel = population.funnel
    arrival = np.sort(rng.integers(0, last_day, count)).astype(np.int32)
    contacted = rng.random(count) < funnel.contacted
    consulted = contacted & (rng.random(count) < funnel.consulted)
    fate = rng.random(count)
    candidate = consulted & (fate < funnel.candidate)
    deferred = consulted & ~candidate & (fate < funnel.candidate + funnel.deferred)
    treated = candidate & (rng.random(count) < funnel.treated)

    contacted_day = _days(rng, funnel.days_to_contact, count)
    consulted_day = contacted_day + 1 + _days(rng, funnel.days_to_consultation, count)
    decided_day = consulted_day + _days(rng, funnel.days_to_decision, count)
    intake_day = decided_day + _days(rng, funnel.days_to_intake, count)
    consent_day = intake_day + rng.integers(0, 2, count).astype(np.int32)
    first_session_due = intake_day + 2 + _days(rng, funnel.days_to_first_session, count)
    decision = code_positions("referral", "candidacy")
    referral: Rows = {
        "source_type": draw_codes(rng, "referral", "source_type", population.referral_sources, count),
        "received_day": np.zeros(count, dtype=np.int32),
        "contacted_day": where(contacted, contacted_day),
        "consulted_day": where(consulted, consulted_day),
        "decided_day": where(consulted, decided_day),
        "candidacy": where(
            consulted,
            np.select([candidate, deferred], [decision["candidate"], decision["deferred"]], decision["not_candidate"]),
        ),
        "candidacy_reason": _candidacy_reason(rng, consulted, candidate, deferred, population),
        "closing_reason": _closing_reason(rng, contacted, consulted, candidate, treated, deferred, population),
        "_closing_day": where(~treated, decided_day + 30),
    }
    patient: Rows = {
        "intake_day": where(treated, intake_day),
        "_age": _age(rng, population, count),
        "sex": draw_codes(rng, "patient", "sex", population.sexes, count),
        "veteran": draw_codes(rng, "patient", "veteran", population.veteran, count),
        "trauma_types": where(consulted, _trauma_types(rng, population, count)),
        "symptom_duration_band": where(
            consulted, draw_codes(rng, "patient", "symptom_duration_band", population.symptom_durations, count)
        ),
        "off_label_consent_day": where(treated & (rng.random(count) < 0.985), consent_day),
        "_consulted_day": where(consulted, consulted_day),
    }
    patient["age_years"] = np.minimum(patient["_age"], TOP_AGE).astype(np.int32)
    weight = population.weight_kg
    return People(
        patient=patient,
        referral=referral,
        arrival=arrival,
        treated=treated,
        first_session_due=np.where(treated, first_session_due, UNTREATED).astype(np.int32),
        weight_kg=np.rint(normal(rng, weight.mean, weight.sd, weight.minimum, weight.maximum, count)).astype(np.int32),
    )


def draw_history(rng: np.random.Generator, people: People, population: Population) -> dict[str, Rows]:
    """Diagnoses, earlier treatments and medications of those who were consulted, known from the consultation on."""
    consulted = np.flatnonzero(people.patient["_consulted_day"] >= 0)
    return {
        "condition": _conditions(rng, people, consulted, population),
        "prior_treatment": _prior_treatments(rng, people, consulted, population),
        "medication": _medications(rng, people, consulted, population),
    }


def _days(rng: np.random.Generator, mean: float, count: int) -> Integers:
    return np.minimum(rng.exponential(mean, count), mean * 6).astype(np.int32)


def _age(rng: np.random.Generator, population: Population, count: int) -> Integers:
    age = population.age_years
    years = np.floor(normal(rng, age.mean, age.sd, age.minimum, age.maximum, count))
    return years.astype(np.int32)


def _trauma_types(rng: np.random.Generator, population: Population, count: int) -> Integers:
    """Types of trauma as bits; what is not disclosed stands alone."""
    drawn = draw_code_sets(rng, "patient", "trauma_types", population.trauma_types, count)
    undisclosed = np.int32(1) << np.int32(code_positions("patient", "trauma_types")["not_disclosed"])
    return np.where(drawn == undisclosed, drawn, drawn & ~undisclosed).astype(np.int32)


def _candidacy_reason(
    rng: np.random.Generator, consulted: Mask, candidate: Mask, deferred: Mask, population: Population
) -> Integers:
    position = code_positions("referral", "candidacy_reason")
    refused = draw_codes(rng, "referral", "candidacy_reason", population.not_candidate_reasons, len(consulted))
    reason = np.select(
        [candidate, deferred], [position["criteria_met"], position["information_missing"]], default=refused
    )
    return where(consulted, reason)


def _closing_reason(
    rng: np.random.Generator,
    contacted: Mask,
    consulted: Mask,
    candidate: Mask,
    treated: Mask,
    deferred: Mask,
    population: Population,
) -> Integers:
    """Why the referral ended without treatment; those deferred stay open."""
    position = code_positions("referral", "closing_reason")
    count = len(contacted)
    reason = np.select(
        [~contacted, ~consulted, candidate],
        [
            np.full(count, position["not_reached"], dtype=np.int32),
            draw_codes(rng, "referral", "closing_reason", population.not_consulted_reasons, count),
            draw_codes(rng, "referral", "closing_reason", population.not_treated_reasons, count),
        ],
        default=position["not_candidate"],
    )
    return where(~treated & ~deferred, reason)


def _entries(rng: np.random.Generator, who: Indices, shares: Mapping[str, float]) -> tuple[Indices, Indices]:
    """Who has which entry: positions in ``who`` repeated, and positions in ``shares``, in order of person."""
    has = rng.random((len(who), len(shares))) < np.array(list(shares.values()))
    owner, entry = np.nonzero(has)
    return who[owner], entry


def _conditions(rng: np.random.Generator, people: People, consulted: Indices, population: Population) -> Rows:
    position = code_positions("condition", "diagnosis")
    no_ptsd = code_positions("referral", "candidacy_reason")["no_ptsd"]
    with_ptsd = consulted[people.referral["candidacy_reason"][consulted] != no_ptsd]
    owner, entry = _entries(rng, consulted, population.diagnoses)
    codes = np.array([position[code] for code in population.diagnoses], dtype=np.int32)[entry]
    rows = stack(
        [
            {"_patient": with_ptsd, "diagnosis": np.full(len(with_ptsd), position["ptsd"], dtype=np.int32)},
            {"_patient": owner, "diagnosis": codes},
        ]
    )
    rows = take(rows, np.argsort(rows["_patient"], kind="stable"))
    count = len(rows["_patient"])
    start = -rng.integers(30, 7_300, count).astype(np.int32)
    known = rng.random(count) < 0.8
    ended = known & (rng.random(count) < 0.05) & (rows["diagnosis"] != position["ptsd"])
    rows["start_day"] = where(known, start)
    rows["stop_day"] = where(ended, start // 2)
    return rows | {"_from": people.patient["_consulted_day"][rows["_patient"]]}


def _drawn_treatments(
    rng: np.random.Generator, who: Indices, treatments: Mapping[str, Treatment], table: str, column: str
) -> Rows:
    position = code_positions(table, column)
    owner, entry = _entries(rng, who, {name: treatment.share for name, treatment in treatments.items()})
    classes = np.array([position[treatment.treatment_class] for treatment in treatments.values()], dtype=np.int32)
    rxnorm = np.array([treatment.rxnorm or MISSING for treatment in treatments.values()])
    return {"_patient": owner, column: classes[entry], "rxnorm_code": rxnorm.astype(np.int32)[entry]}


def _prior_treatments(rng: np.random.Generator, people: People, consulted: Indices, population: Population) -> Rows:
    table = "prior_treatment"
    rows = _drawn_treatments(rng, consulted, population.treatments_before, table, "treatment_class")
    count = len(rows["_patient"])
    start = -rng.integers(120, 5_000, count).astype(np.int32)
    known = rng.random(count) < 0.7
    return rows | {
        "adequate_trial": draw_codes(rng, table, "adequate_trial", population.adequate, count),
        "treatment_outcome": draw_codes(rng, table, "treatment_outcome", population.earlier_outcomes, count),
        "start_day": where(known, start),
        "stop_day": where(known, np.minimum(start + rng.integers(20, 500, count), -1)),
        "_from": people.patient["_consulted_day"][rows["_patient"]],
    }


def _medications(rng: np.random.Generator, people: People, consulted: Indices, population: Population) -> Rows:
    """Medications taken when consulted, some of them stopped later, and those begun around the course."""
    changes = population.medication_changes
    rows = _drawn_treatments(rng, consulted, population.medications, "medication", "medication_class")
    count = len(rows["_patient"])
    known_day = people.patient["_consulted_day"][rows["_patient"]]
    treated = people.treated[rows["_patient"]]
    around = people.first_session_due[rows["_patient"]] + _changed_after(rng, changes, count)
    stop_day = np.where(treated, np.maximum(around, known_day), known_day + rng.integers(0, 90, count)).astype(np.int32)
    stopped = rng.random(count) < changes.stopped
    taken = rows | {
        "start_day": where(rng.random(count) < 0.85, -rng.integers(1, 1_500, count)),
        "stop_day": where(stopped, stop_day),
        "_from": np.where(stopped, stop_day, known_day).astype(np.int32),
    }
    begun = _begun_medications(rng, people, population)
    rows = stack([taken, begun])
    return take(rows, np.argsort(rows["_patient"], kind="stable"))


def _begun_medications(rng: np.random.Generator, people: People, population: Population) -> Rows:
    changes = population.medication_changes
    begun = {
        name: population.medications[name].model_copy(update={"share": share})
        for name, share in changes.started.items()
    }
    rows = _drawn_treatments(rng, np.flatnonzero(people.treated), begun, "medication", "medication_class")
    count = len(rows["_patient"])
    around = people.first_session_due[rows["_patient"]] + _changed_after(rng, changes, count)
    start_day = np.maximum(around, people.patient["_consulted_day"][rows["_patient"]]).astype(np.int32)
    return rows | {"start_day": start_day, "stop_day": np.full(count, MISSING, dtype=np.int32), "_from": start_day}


def _changed_after(rng: np.random.Generator, changes: MedicationChanges, count: int) -> Integers:
    return rng.integers(changes.days.minimum, changes.days.maximum, count, endpoint=True).astype(np.int32)
