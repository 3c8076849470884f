"""Every defect of the catalogue is caught by the rule that it names, and nothing else is found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pytest

from clinic_outcomes.contract import load_contract
from clinic_outcomes.records import ValidateRecord
from clinic_outcomes.settings import Settings
from clinic_outcomes.validate import load_rules, validate
from tests.defects.clinic import (
    CLINIC,
    STATE,
    Defect,
    Place,
    expected_rows,
    found_rows,
    load_catalogue,
    write_state,
)

CATALOGUE = load_catalogue()


@dataclass(frozen=True)
class Judged:
    record: ValidateRecord
    found: dict[str | None, set[tuple[Place, str]]]
    quarantining: frozenset[tuple[str, str]]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    """All defects, judged together by one run of the stage."""
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    places = write_state(settings, CATALOGUE)
    record = validate(CLINIC, settings, STATE)
    found: dict[str | None, set[tuple[Place, str]]] = {place.defect: set() for place in places.values()}
    for place, rule in found_rows(settings, places):
        found[place.defect].add((place, rule))
    quarantining = frozenset((rule.table, rule.rule) for rule in load_rules(settings) if rule.quarantines)
    return Judged(record, found, quarantining)


def test_the_catalogue_has_many_kinds_in_all_tables() -> None:
    assert len({defect.name for defect in CATALOGUE}) == len(CATALOGUE) >= 60
    assert {defect.table for defect in CATALOGUE} == set(load_contract().tables)


def test_the_sound_clinic_breaks_no_rule(judged: Judged) -> None:
    assert judged.found[None] == set()


@pytest.mark.parametrize("defect", CATALOGUE, ids=lambda defect: defect.name)
def test_the_named_rule_finds_the_defect_and_no_other_does(judged: Judged, defect: Defect) -> None:
    named = {
        place.row for place, rule in judged.found[defect.name] if (place.table, rule) == (defect.table, defect.rule)
    }
    assert named == set(defect.finds)
    assert defect.finds
    assert judged.found[defect.name] == expected_rows(defect, judged.quarantining)


def test_the_counts_are_those_of_the_rows_found(judged: Judged) -> None:
    rows = Counter((place.table, rule) for found in judged.found.values() for place, rule in found)
    assert {(count.table, count.rule): count.rows for count in judged.record.rules if count.rows} == dict(rows)
    wrong = [f"{count.table}.{count.rule}" for count in judged.record.rules if count.rows > count.checked]
    assert wrong == [], "a rule finds rows that it does not speak of"


def test_every_rule_written_by_hand_has_a_defect(judged: Judged) -> None:
    shown = {(defect.table, defect.rule) for defect in CATALOGUE}
    generated = (
        "_present",
        "_in_range",
        "_in_code_list",
        "_well_formed",
        "_known",
        "_accepted",
        "key_unique",
        "readable",
    )
    by_hand = {(count.table, count.rule) for count in judged.record.rules if not count.rule.endswith(generated)}
    assert by_hand - shown == set()
