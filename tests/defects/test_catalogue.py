"""Every defect of the catalogue is caught by the rule that it names, nothing else is found, and the docs say so."""

from __future__ import annotations

from collections import Counter

import pytest

from clinic_outcomes.contract import load_contract
from clinic_outcomes.records import RuleCount
from tests.defects.clinic import Defect, Judged, expected_rows, judge_catalogue, load_catalogue
from tests.defects.generated import judge_clean
from tests.defects.rules_page import PAGE, render

CATALOGUE = load_catalogue()
GENERATED = ("_present", "_in_range", "_in_code_list", "_well_formed", "_known", "_accepted", "key_unique", "readable")
"""How the names of rules end that the contract gives."""


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    """All defects, judged together by one run of the stage."""
    return judge_catalogue(tmp_path_factory.mktemp("catalogue"))


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> tuple[RuleCount, ...]:
    """Clean generated data of all systems, judged."""
    return judge_clean(tmp_path_factory.mktemp("clean"))


def test_the_catalogue_has_many_kinds_in_all_tables() -> None:
    assert len({defect.name for defect in CATALOGUE}) == len(CATALOGUE) >= 60
    assert {defect.table for defect in CATALOGUE} == set(load_contract().tables)


def test_the_sound_clinic_breaks_no_rule(judged: Judged) -> None:
    assert judged.of(None) == set()


@pytest.mark.parametrize("defect", CATALOGUE, ids=lambda defect: defect.name)
def test_the_named_rule_finds_the_defect_and_no_other_does(judged: Judged, defect: Defect) -> None:
    assert defect.finds
    assert judged.named(defect) == set(defect.finds)
    assert judged.of(defect.name) == expected_rows(defect, judged.quarantining)


def test_the_counts_are_those_of_the_rows_found(judged: Judged) -> None:
    rows = Counter((place.table, rule) for place, rule in judged.found)
    assert {(count.table, count.rule): count.rows for count in judged.record.rules if count.rows} == dict(rows)
    wrong = [f"{count.table}.{count.rule}" for count in judged.record.rules if count.rows > count.checked]
    assert wrong == [], "a rule finds rows that it does not speak of"


def test_every_rule_written_by_hand_has_a_defect(judged: Judged) -> None:
    shown = {(defect.table, defect.rule) for defect in CATALOGUE}
    by_hand = {(count.table, count.rule) for count in judged.record.rules if not count.rule.endswith(GENERATED)}
    assert len(by_hand) > 100
    assert by_hand - shown == set()


def test_no_row_of_clean_generated_data_is_quarantined(clean: tuple[RuleCount, ...]) -> None:
    assert sum(count.checked for count in clean if count.rule == "key_unique") > 10_000
    assert [count for count in clean if count.rows and count.severity != "notice"] == []


def test_notices_on_clean_generated_data_are_few(clean: tuple[RuleCount, ...]) -> None:
    rows = {count.table: count.checked for count in clean if count.rule == "key_unique"}
    assert [count for count in clean if count.rows * 50 > rows[count.table]] == []


def test_the_page_of_rules_is_what_was_measured(judged: Judged, clean: tuple[RuleCount, ...]) -> None:
    assert PAGE.read_text(encoding="utf-8") == render(judged, clean), "run: python -m tests.defects.rules_page"
