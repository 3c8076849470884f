"""Deliveries that arrive one by one at a small clinic, in any order, and what the stages have made of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from clinic_outcomes import ledger
from clinic_outcomes.harmonise import harmonise
from clinic_outcomes.mapping import load_clinic
from clinic_outcomes.receive import receive
from clinic_outcomes.recipe import recipe
from clinic_outcomes.records import AdmitRecord
from clinic_outcomes.settings import Settings
from tests.support.deliveries import deliver
from tests.support.harmonised_clinic import CLINIC, small_clinic
from tests.support.short_keys import ANY_KEY

SALT = "5a" * 32
HEAD = f"""\
title: Example
format: csv
sources:
  people: {{file: 'people*.csv', required: false}}
  referrals: {{file: 'referrals*.csv', required: false}}
  questionnaires: {{file: 'questionnaires*.csv', required: false}}
  answers: {{file: 'answers*.csv', required: false}}
key_patterns: {{patient_id: '{ANY_KEY}', referral_id: '{ANY_KEY}', assessment_id: '{ANY_KEY}'}}
"""
COLUMNS = """\
people,person,patient,patient_id,,,
people,age,patient,age_years,year,,
people,action,patient,record_action,,action,
referrals,referral,referral,referral_id,,,
referrals,person,referral,patient_id,,,
referrals,received,referral,received_day,day,,
referrals,closing,referral,closing_reason,,closing,
referrals,action,referral,record_action,,action,
questionnaires,questionnaire,assessment,assessment_id,,,
questionnaires,person,assessment,patient_id,,,
questionnaires,day,assessment,assessed_day,day,,
questionnaires,,assessment,instrument,,,pcl_5
questionnaires,action,assessment,record_action,,action,
answers,questionnaire,assessment_item,assessment_id,,,
answers,item,assessment_item,item_number,,,
answers,person,assessment_item,patient_id,,,
answers,value,assessment_item,item_value,point,,
answers,action,assessment_item,record_action,,action,
"""
CODES = "action,delete,delete\nclosing,lost,not_reached\n"
HEADERS = {
    "people": "person,age,action",
    "referrals": "referral,person,received,closing,action",
    "questionnaires": "questionnaire,person,day,action",
    "answers": "questionnaire,item,person,value,action",
}
TABLES = {
    "people": "patient",
    "referrals": "referral",
    "questionnaires": "assessment",
    "answers": "assessment_item",
}


@dataclass(frozen=True)
class Delivery:
    """A delivery: its files by name, each with its rows as CSV lines without the header."""

    sequence: int
    kind: str
    files: Mapping[str, tuple[str, ...]]
    period: str = "2026-08"
    period_status: str | None = None


def make_clinic(home: Path, thresholds: Mapping[str, int] | None = None) -> Settings:
    """A clinic with people, referrals, questionnaires and answers, and its own thresholds. All have the same salt."""
    settings = small_clinic(home, HEAD, COLUMNS, CODES)
    settings.salt_file.parent.mkdir(parents=True, exist_ok=True)
    settings.salt_file.write_text(SALT)
    own = "".join(f"  {name}: {{value: {value}, reason: small}}\n" for name, value in (thresholds or {}).items())
    if own:
        path = settings.clinics / f"{CLINIC}.yml"
        path.write_text(path.read_text() + "thresholds:\n" + own)
    return settings


def land(settings: Settings, delivery: Delivery, folder: str = "") -> None:
    """Put a delivery into landing."""
    files: dict[str, bytes | str] = {
        name: "\n".join((HEADERS[name.split("_")[0].removesuffix(".csv")], *rows)) + "\n"
        for name, rows in delivery.files.items()
    }
    target = settings.landing / CLINIC / (folder or f"drop_{delivery.sequence}_{delivery.kind}")
    deliver(target, files, CLINIC, delivery.sequence, delivery.kind, delivery.period)
    if delivery.period_status is not None:
        manifest = json.loads((target / "manifest.json").read_text())
        (target / "manifest.json").write_text(json.dumps(manifest | {"period_status": delivery.period_status}))


def take_in(settings: Settings, delivery: Delivery | None = None, folder: str = "") -> None:
    """Land a delivery (if any), receive all, take them as admitted, and harmonise them."""
    if delivery:
        land(settings, delivery, folder)
    under = recipe(load_clinic(CLINIC, settings), settings)
    for record in receive(CLINIC, settings):
        assert record.received, record.problems
        path = ledger.admit_path(CLINIC, record.delivery_id, under, settings)
        ledger.keep(path, AdmitRecord(clinic_id=CLINIC, delivery_id=record.delivery_id, recipe=under, admitted=True))
    harmonise(CLINIC, settings)


def sequences(delivery_ids: Iterable[str]) -> list[int]:
    """The export sequences of deliveries, as their ids tell."""
    return [int(delivery_id.split("-")[0]) for delivery_id in delivery_ids]
