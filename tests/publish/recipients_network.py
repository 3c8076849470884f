"""A network of five clinics with figures of every kind, published once: for tests of who is given what."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb

from clinic_outcomes.files import canonical_json
from clinic_outcomes.protect import protect, released_folder
from clinic_outcomes.publish import publish
from clinic_outcomes.settings import Settings
from tests.publish.reports import DIMENSIONS, HEADER, THRESHOLDS, Row, plain_measure, questionnaire, table
from tests.support.release_marts import build_marts

CLINICS = """
clinic_id | title         | reporting_period | is_stale
alder     | Alder House   | 2024-03          | false
birch     | Birch Clinic  | 2024-03          | false
cedar     | Cedar Centre  | 2024-02          | true
dogwood   | Dogwood House | 2024-03          | false
elm       | Elm Practice  | 2024-03          | false
"""
COVERAGE = "clinic_id | table_name | delivered\n" + "\n".join(
    f"{name} | {table_name} | {'false' if (name, table_name) == ('cedar', 'adverse_event') else 'true'}"
    for name in ("alder", "birch", "cedar", "dogwood", "elm")
    for table_name in ("patient", "adverse_event")
)
# Responders of those with both scores, people treated, with a severe event, with sedation. No number is another's.
PEOPLE = {
    "alder": (97, 203, 391, 21, 41),
    "birch": (104, 211, 377, 33, 57),
    "cedar": (61, 187, 343, 7, 3),
    "dogwood": (127, 223, 369, 47, 36),
    "elm": (151, 227, 357, 52, 44),
}
MEASURES: list[Row] = [
    *questionnaire("pcl_5", "PCL-5", "last", "Last", ["paired_share", "response_share", "change"], 1),
    plain_measure("patients_treated", "treatment", "count", "patients"),
    plain_measure("sessions_given", "treatment", "count", "sessions", "session"),
    plain_measure("infusion_minutes_mean", "treatment", "mean", "minutes", "session"),
    plain_measure("severe_event_share", "safety", "rate", "percent"),
    plain_measure("any_event_share", "safety", "rate", "percent"),
    plain_measure("response_observed_expected", "outcomes", "model_value", "ratio"),
    plain_measure("rows_quarantined_share", "data_quality", "rate", "percent", "row"),
    plain_measure("referred_by_network_clinic", "referral", "count", "patients"),
]
SIGNALS = """
    SELECT * FROM (VALUES
        ('clinic', 'birch', 'sedation', 57, 377, 131, 1467, 0.00031415, 2.718281, true),
        ('clinic', 'birch', 'nausea', 5, 377, 17, 1467, 0.31, 1.01, false),
        ('clinic', 'elm', 'headache', 44, 357, 144, 1487, 0.0001, NULL, NULL),
        ('drug', 'ketamine', 'sedation', 188, 1837, 0, 1, 0.5, 9.9, true)
    ) AS t(axis, category, term, people_with_event, people_treated, elsewhere_with_event, elsewhere_treated,
           adjusted_p_value, ebgm, is_signal)
"""


def figures(people: dict[str, tuple[int, ...]]) -> str:
    """The figures of these clinics and of all together."""
    lines = ["measure | clinic_id | dimension | category | numerator | denominator | value | patients | clinics"]

    def add(measure: str, clinic: str, group: tuple[str, str], numbers: tuple[float, int | None, float, int]) -> None:
        numerator, denominator, value, patients = numbers
        shown = "-" if denominator is None else denominator
        place = f"{measure} | {clinic} | {group[0] or chr(39) * 2} | {group[1] or chr(39) * 2}"
        clinics = len(people) if clinic == "network" else 1
        lines.append(f"{place} | {numerator} | {shown} | {value} | {patients} | {clinics}")

    every = {**people, "network": tuple(map(sum, zip(*people.values(), strict=True)))}
    for clinic, (responders, pairs, treated, severe, sedated) in every.items():
        ketamine = ("protocol", "iv_ketamine")
        add("patients_treated", clinic, ("", ""), (treated, None, treated, treated))
        add("pcl_5_last_paired_share", clinic, ketamine, (pairs, treated, pairs / treated, treated))
        add("pcl_5_last_response_share", clinic, ketamine, (responders, pairs, responders / pairs, pairs))
        add("pcl_5_last_change", clinic, ketamine, (-17 * pairs, pairs, -17, pairs))
        add("sessions_given", clinic, ketamine, (8 * treated, None, 8 * treated, treated))
        add("infusion_minutes_mean", clinic, ketamine, (45 * 6 * treated, 6 * treated, 45, treated))
        add("severe_event_share", clinic, ("", ""), (severe, treated, severe / treated, treated))
        add("any_event_share", clinic, ("term", "sedation"), (sedated, treated, sedated / treated, treated))
        add("any_event_share", clinic, ("trial_arm", "a_ketamine"), (sedated, treated, sedated / treated, treated))
        add("rows_quarantined_share", clinic, ("", ""), (40, 2000, 0.02, 0))
        if clinic != "network":
            add("response_observed_expected", clinic, ketamine, (responders, pairs, 0.987654, pairs))
            add("referred_by_network_clinic", "network", ("referring_clinic", clinic), (100, None, 100, 100))
    return "\n".join(lines)


def build(
    home: Path, people: dict[str, tuple[int, ...]] | None = None, clinics: str = CLINICS, **marts: str
) -> Settings:
    """Marts of this network with signals, and what protect released of them."""
    made = {"thresholds": THRESHOLDS, "dimensions": DIMENSIONS, "coverage": COVERAGE} | marts
    measures = table(HEADER, MEASURES)
    build_marts(home, measures=measures, figures=figures(people or PEOPLE), clinics=clinics, **made)
    core = home / "marts" / made.get("build_id", "00000000000000b1") / "core"
    core.mkdir()
    duckdb.execute(f"COPY ({SIGNALS}) TO '{core}/agg_signals.parquet' (FORMAT parquet)")
    settings = Settings(home=home)
    protect(settings)
    return settings


def audit(settings: Settings, *, passed: bool) -> None:
    """What the audit of the latest build found."""
    path = released_folder(settings) / "protect.json"
    notes = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(canonical_json(notes | {"audit": {"passed": passed}}), encoding="utf-8")


def release_of(settings: Settings) -> Path:
    """The folder of the release."""
    return settings.releases / publish(settings).release_id


def contents(folder: Path) -> dict[str, str]:
    """File below a folder → its text."""
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
