"""Pressure, infusion, dose, discharge and dissociation of sessions: a network against pandas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from clinic_outcomes.settings import Settings
from tests.outcomes.recomputed import accepted_table
from tests.support.marts import mart, rows
from tests.support.outcome_network import outcome_network

__all__ = ["outcome_network"]

PRESSURES = [f"{part}_{when}_mmhg" for when in ("before", "peak", "discharge") for part in ("systolic", "diastolic")]
GRADES = {"systolic": [120, 140, 160], "diastolic": [80, 90, 100]}
WINDOWS = {"before": (-120, 0, 0), "40_minutes": (25, 75, 40), "120_minutes": (90, 150, 120)}
BANDS = {
    ("iv_ketamine", "ketamine"): (0.2, 1.0),
    ("sgb_ketamine", "ketamine"): (0.2, 1.0),
    ("midazolam_control", "midazolam"): (0.04, 0.05),
}
"""Of the protocols of the network, all of them given by vein and in mg/kg."""


@pytest.fixture(scope="module")
def recomputed(outcome_network: Settings) -> pd.DataFrame:
    """A row a session, a column a measure: what it says, NaN where it says nothing."""
    given = accepted_table(outcome_network, "session", ["session_id", "patient_id", "course_id", "session_day",
        "sequence_number", "drug", "route", "dose_mg_per_kg", "infusion_minutes", "recovery_minutes", "monitored",
        *PRESSURES])  # fmt: skip
    courses = accepted_table(outcome_network, "course", ["course_id", "protocol"])
    given = given.merge(courses, on=["clinic_id", "course_id"], how="left").set_index(["clinic_id", "session_id"])
    numbers = [*PRESSURES, "dose_mg_per_kg", "infusion_minutes", "recovery_minutes"]
    given[numbers] = given[numbers].astype(float)
    for columns in (
        pressures(given),
        conduct(given),
        discharges(given, outcome_network),
        scores(given, outcome_network),
    ):
        given = given.join(columns)
    records = given[[*PRESSURES, "recovery_minutes", "events", "forms"]].notna().any(axis=1)
    given["sessions_without_safety_record_share"] = ~(records | given.monitored.isin(["yes", "no"]))
    given["systolic_peak_mmhg"] = given.systolic_peak_mmhg.where(given.pressure_recorded_share == 1)
    number = given.sequence_number.astype("Int64")
    given["session_of_course"] = number.astype("string").where(number <= 12, "13_or_more").where(number.notna())
    return given.reset_index()


def pressures(given: pd.DataFrame) -> pd.DataFrame:
    """Rises, both definitions of hypertension and the grades."""
    both = given[PRESSURES[:4]].notna().all(axis=1)
    rise = {part: given[f"{part}_peak_mmhg"] - given[f"{part}_before_mmhg"] for part in GRADES}
    high = {when: (given[f"systolic_{when}_mmhg"] > 164) | (given[f"diastolic_{when}_mmhg"] > 99)
        for when in ("before", "peak")}  # fmt: skip
    grade = {when: np.maximum(*(np.searchsorted(limits, given[f"{part}_{when}_mmhg"], side="right")
        for part, limits in GRADES.items())) for when in ("before", "peak")}  # fmt: skip
    told = pd.DataFrame(
        {
            "systolic_rise_mmhg": rise["systolic"],
            "diastolic_rise_mmhg": rise["diastolic"],
            "hypertension_165_100_share": (high["peak"] & ~high["before"]).astype(float),
            "hypertension_rise_share": ((rise["systolic"] >= 40) | (rise["diastolic"] >= 25)).astype(float),
            "hypertension_grade_share": (grade["peak"] > grade["before"]).astype(float),
        }
    ).where(both)
    return told.assign(pressure_recorded_share=both.astype(float))


def conduct(given: pd.DataFrame) -> pd.DataFrame:
    """Length of infusions, and doses."""
    infused = given.drug.isin(["ketamine", "midazolam", "placebo"]) & (given.route == "intravenous")
    lowest, highest = (
        pd.Series(
            [BANDS.get(key, (np.nan, np.nan))[end] for key in zip(given.protocol, given.drug, strict=True)], given.index
        )
        for end in (0, 1)
    )
    outside = (given.dose_mg_per_kg < lowest) | (given.dose_mg_per_kg > highest)
    return pd.DataFrame(
        {
            "infusion_on_target_share": given.infusion_minutes.between(40, 50)
            .astype(float)
            .where(infused & given.infusion_minutes.notna()),
            "dose_outside_band_share": outside.astype(float).where(lowest.notna() & given.dose_mg_per_kg.notna()),
        }
    )


def discharges(given: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Who left before they were ready, and the events of each session."""
    columns = ["session_id", "onset_minutes", "end_minutes", "end_day"]
    events = accepted_table(settings, "adverse_event", columns).dropna(subset="session_id")
    events = events.join(given, on=["clinic_id", "session_id"])
    minutes = events[["onset_minutes", "end_minutes"]].astype(float)
    infused = events.infusion_minutes.notna() | events.route.isin(["injection_block"])
    earliest = events.recovery_minutes + events.infusion_minutes.fillna(0)
    ended = minutes.end_minutes.notna() & ((minutes.end_minutes <= earliest) | ~infused)
    ended |= minutes.end_minutes.isna() & (events.end_day.astype(float) <= events.session_day)
    events["there"] = ((minutes.onset_minutes < earliest) & ~ended).astype(int)
    by_session = events.groupby(["clinic_id", "session_id"]).agg(events=("there", "size"), there=("there", "max"))
    by_session = by_session.reindex(given.index)
    high = {when: (given[f"systolic_{when}_mmhg"] >= 165) | (given[f"diastolic_{when}_mmhg"] >= 100)
        for when in ("before", "discharge")}  # fmt: skip
    early = (given.recovery_minutes < 30) | (high["discharge"] & ~high["before"]) | (by_session.there > 0)
    return by_session[["events"]].assign(
        discharged_before_ready_share=early.astype(float).where(given.recovery_minutes.notna())
    )


def scores(given: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Scores of CADSS and CADSS-6 at the time points of each session."""
    forms = accepted_table(settings, "assessment",
        ["assessment_id", "session_id", "instrument", "minutes_from_session_start", "delivered_total"])  # fmt: skip
    forms = forms[forms.instrument.isin(["cadss", "cadss_6"])].dropna(subset="session_id")
    items = accepted_table(settings, "assessment_item", ["assessment_id", "item_value"])
    sums = items.groupby(["clinic_id", "assessment_id"]).item_value.agg(["sum", "count"]).reset_index()
    forms = forms.merge(sums, on=["clinic_id", "assessment_id"], how="left")
    forms["score"] = forms["sum"].where(forms["count"] == forms.instrument.map({"cadss": 23, "cadss_6": 6}))
    forms["score"] = forms.score.fillna(forms.delivered_total.astype(float).where(forms["count"].isna()))
    forms["minutes"] = forms.minutes_from_session_start.astype(float)
    told = pd.DataFrame({"forms": forms.groupby(["clinic_id", "session_id"]).size()}).reindex(given.index)
    for instrument in ("cadss", "cadss_6"):
        for time_point, (first, last, target) in WINDOWS.items():
            near = forms[(forms.instrument == instrument) & forms.score.notna() & forms.minutes.between(first, last)]
            near = near.assign(distance=(near.minutes - target).abs()).sort_values(
                ["distance", "minutes", "assessment_id"]
            )
            told[f"{instrument}_{time_point}"] = near.groupby(["clinic_id", "session_id"]).score.first()
    passed = pd.Series(np.nan, given.index)
    for instrument in ("cadss_6", "cadss"):
        before, after = told[f"{instrument}_before"], told[f"{instrument}_120_minutes"]
        passed = (after <= before).astype(float).where(before.notna() & after.notna(), passed)
    return told.assign(dissociation_passed_share=passed)


Figure = tuple[Decimal, int, int]


def summed(sessions: pd.DataFrame, measure: str) -> Figure:
    """Numerator, denominator and patients of a measure over some sessions."""
    known = sessions[sessions[measure].notna()]
    patients = known.groupby(["clinic_id", "patient_id"]).ngroups
    return Decimal(str(round(float(known[measure].astype(float).sum()), 4))), len(known), patients


def of_people(sessions: pd.DataFrame) -> Figure:
    """People with treatment-emergent hypertension in any session, of those with a known pressure in any."""
    known = sessions[sessions.hypertension_165_100_share.notna()]
    ever = known.groupby(["clinic_id", "patient_id"]).hypertension_165_100_share.max()
    return Decimal(int(ever.sum())), len(ever), len(ever)


def parts(sessions: pd.DataFrame, dimensions: Iterable[str]) -> Mapping[tuple[str, str, str], pd.DataFrame]:
    """Sessions of each clinic and of the network, over everything and by each dimension."""
    found = {}
    for clinic_id, own in [("network", sessions), *sessions.groupby("clinic_id")]:
        for dimension in dimensions:
            groups = own.groupby(dimension) if dimension else [("", own)]
            found |= {(str(clinic_id), dimension, str(category)): part for category, part in groups}
    return found


def test_figures_are_those_recounted_with_pandas(outcome_network: Settings, recomputed: pd.DataFrame) -> None:
    everywhere = parts(recomputed, ["", "protocol", "drug"])
    by_number = parts(recomputed, ["session_of_course"])
    measures = set(mart(outcome_network, "dim_measures").query("section == 'session_safety'").measure)
    expected = {
        (measure, *key): summed(part, measure)
        for measure in measures - {"patients_hypertension_165_100_share"}
        for key, part in everywhere.items()
    }
    expected |= {("patients_hypertension_165_100_share", *key): of_people(part) for key, part in everywhere.items()}
    for measure in ("pressure_recorded_share", "hypertension_165_100_share", "cadss_40_minutes", "cadss_6_40_minutes"):
        expected |= {(measure, *key): summed(part, measure) for key, part in by_number.items()}
    found = {
        (measure, clinic_id, dimension, category): (numerator, denominator, patients)
        for measure, clinic_id, dimension, category, numerator, denominator, patients in rows(
            outcome_network,
            """
            SELECT measure, clinic_id, dimension, category, numerator, denominator, patients
            FROM {agg_figures} JOIN {dim_measures} USING (measure) WHERE section = 'session_safety'
            """,
        )
    }
    # Told but not recounted are cells without a session; recounted but not told, clinics without the questionnaire.
    assert {key: value for key, value in found.items() if key not in expected and value != (0, 0, 0)} == {}
    assert {key: value for key, value in expected.items() if key not in found and value[1] > 0} == {}
    both = found.keys() & expected.keys()
    assert len(both) > 500
    assert {key: found[key] for key in both} == {key: expected[key] for key in both}


def test_the_network_tests_every_judgement(recomputed: pd.DataFrame) -> None:
    told = [name for name in recomputed if name.endswith("_share") and recomputed[name].notna().any()]
    both_ways = {name for name in told if recomputed[name].astype(float).nunique() == 2}
    assert both_ways >= {"hypertension_165_100_share", "hypertension_rise_share", "hypertension_grade_share",
        "infusion_on_target_share", "dose_outside_band_share", "discharged_before_ready_share"}  # fmt: skip
