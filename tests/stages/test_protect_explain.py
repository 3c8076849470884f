"""Why a figure is withheld, as engineers are told it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from clinic_outcomes.cli import app
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.protect import protect
from clinic_outcomes.protect.explaining import KEYS, SMALL_DENOMINATOR, WORDS, explain, policy_keys
from clinic_outcomes.protect.policy import ROOM, load_policy
from clinic_outcomes.settings import Settings
from tests.support.release_marts import build_marts

MEASURES = """
measure | section   | sort_order | label          | figure_type | unit     | contributors | quantity
people  | treatment | 10         | People treated | count       | patients | patient      | ''
share   | outcomes  | 30         | Share improved | rate        | percent  | patient      | ''
"""
# Of 60 people 4 are in group one: 56 in group two and 60 in all, shown together, would tell the 4.
FIGURES = """
measure | clinic_id | dimension | category | numerator | denominator | patients | clinics
people  | alder     | ''        | ''       | 60        | -           | 60       | 1
people  | alder     | group     | one      | 4         | -           | 4        | 1
people  | alder     | group     | two      | 56        | -           | 56       | 1
people  | birch     | ''        | ''       | 70        | -           | 70       | 1
share   | alder     | ''        | ''       | 9         | 20          | 20       | 1
"""
RELATIONS = """
    SELECT 'groups' AS relation_id, '=' AS comparison, 'people' AS count_id, 'alder' AS clinic_id, dimension,
        category, coefficient
    FROM (VALUES ('', '', -1), ('group', 'one', 1), ('group', 'two', 1)) AS member (dimension, category, coefficient)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data home with a protected build of two clinics."""
    home = tmp_path_factory.mktemp("home")
    build_marts(home, measures=MEASURES, figures=FIGURES)
    relations = home / "marts" / "latest" / "release" / "agg_relations.parquet"
    with duckdb.connect() as connection:
        kept = connection.execute(f"CREATE TABLE kept AS FROM '{relations}'")
        kept.execute(f"INSERT INTO kept BY NAME {RELATIONS}")
        kept.execute(f"COPY kept TO '{relations}' (FORMAT parquet)")
    protect(Settings(home=home))
    return home


def _said(home: Path, *arguments: str) -> str:
    result = CliRunner().invoke(app, ["--home", str(home), "protect", "--explain", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_a_small_count_is_told_with_its_rule_and_threshold(home: Path) -> None:
    said = _said(home, "people/alder/group/one").splitlines()
    assert said[0] == "people/alder/group/one: withheld (too_few_people)"
    assert "too_few_people" in said[1]
    assert said[1].endswith("[counts.smallest_shown = 13]")
    assert said[2] == "  numerator: people/alder/group/one"
    assert len(said) == 3


def test_what_goes_for_the_sake_of_another_names_it(home: Path) -> None:
    # One of the two must go with the 4; the total is missed more.
    (found,) = explain(Settings(home=home), "people/alder/group/two")
    assert (found.status, found.reason) == ("withheld", "complementary")
    assert [(near.name, near.relations, near.figures) for near in found.protects] == [
        ("people/alder/group/one", 1, ("people/alder/group/one",))
    ]
    assert "  protects, in the same relation: people/alder/group/one" in found.lines()


def test_a_shown_figure_breaks_no_rule(home: Path) -> None:
    assert _said(home, "people/birch//").startswith("people/birch//: shown (shown)\n  shown: every rule holds")


def test_each_rule_broken_is_told(home: Path) -> None:
    said = _said(home, "share/alder//")
    assert "rates.smallest_denominator = 25" in said
    assert re.search(r"too_few_people: .*numerator.*remainder.*\[counts\.smallest_shown = 13\]", said)


def test_a_count_is_told_by_the_figures_made_of_it(home: Path) -> None:
    # The denominator of the share is no figure by itself.
    assert _said(home, "share/of/alder//").startswith("share/alder//: withheld")


@pytest.mark.parametrize("name", ["people/alder/group/one", "people/alder/group/two", "share/alder//"])
def test_no_count_is_printed_unless_asked_for(home: Path, name: str) -> None:
    numbers = {"4", "56", "60", "9", "20", "11"}
    thresholds = re.compile(r"\[[^]]*\]")
    assert not numbers & set(re.findall(r"\d+", thresholds.sub("", _said(home, name))))
    assert numbers & set(re.findall(r"\d+", thresholds.sub("", _said(home, name, "--exact"))))


def test_exact_counts_are_told_when_asked_for(home: Path) -> None:
    assert "  denominator: share/of/alder// = 20\n" in _said(home, "share/alder//", "--exact")


def test_json_says_the_same(home: Path) -> None:
    (found,) = json.loads(_said(home, "people/alder/group/one", "--json"))
    assert found["made_of"] == [{"role": "numerator", "name": "people/alder/group/one", "value": None}]
    assert found["reason"] == "too_few_people"


def test_an_unknown_name_is_answered_by_the_three_nearest(home: Path) -> None:
    with pytest.raises(ClinicOutcomesError) as caught:
        explain(Settings(home=home), "people/alder/group/ones")
    assert str(caught.value).endswith(
        "the nearest are people/alder/group/one, people/alder/group/two, people/alder//"
    ), str(caught.value)


def test_a_build_that_is_not_protected_is_not_explained(tmp_path: Path) -> None:
    build_marts(tmp_path, measures=MEASURES, figures=FIGURES)
    with pytest.raises(ClinicOutcomesError, match="run the stage protect first"):
        explain(Settings(home=tmp_path), "people/alder//")


def _reasons_in_code() -> set[str]:
    """Every reason that SQL, or SQL within Python, gives a figure."""
    found: set[str] = set()
    for path in (*ROOM.glob("*.sql"), *ROOM.glob("*.py")):
        text = path.read_text(encoding="utf-8")
        found |= set(re.findall(r"'reason': '(\w+)'", text))
        found |= set(re.findall(r"reason = '(\w+)'", text))
        for decided in re.findall(r"CASE\s+WHEN(?:(?!\bEND\b).)*?END AS reason", text, flags=re.DOTALL):
            found |= set(re.findall(r"(?:THEN|ELSE) '(\w+)'", decided))
    return found


def test_every_reason_has_words_and_keys() -> None:
    reasons, policy = _reasons_in_code(), load_policy()
    assert {"few_events_between", "shown", "complementary", "not_refreshed", "repeated"} <= reasons
    assert reasons == set(WORDS) == {*KEYS, "small_denominator"}
    for reason in reasons:
        for figure_type in SMALL_DENOMINATOR:
            for key in policy_keys(reason, figure_type, figure_type == "rate", policy):
                value: object = policy
                for part in key.split("."):
                    value = getattr(value, part)
