"""The disclosure policy refuses numbers that would protect nobody, and names figures that there are."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from clinic_outcomes.protect.policy import Policy, load_policy

SEEDS = Path(__file__).parents[2] / "dbt_project" / "seeds"


def _changed(path: str, value: object) -> dict[str, Any]:
    """The policy with one value changed: ``rates.smallest_denominator``, ``means.units.0.steps``."""
    policy: dict[str, Any] = load_policy().model_dump(mode="json")
    *parents, last = path.split(".")
    part: Any = policy
    for name in parents:
        part = part[int(name)] if name.isdigit() else part[name]
    if last.isdigit():
        part[int(last)] = value
    else:
        part[last] = value
    return policy


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param("counts.smallest_shown", 12, id="a count that is rounded to 10"),
        pytest.param("counts.smallest_shown", 1, id="every count"),
        pytest.param("counts.rounding_base", 1, id="exact counts"),
        pytest.param("rates.smallest_denominator", 30, id="a first step below the smallest denominator"),
        pytest.param("rates.steps", {}, id="no steps"),
        pytest.param("rates.steps", {25: 2, 100: 5}, id="a coarser step for more people"),
        pytest.param("rates.steps", {25: 5, 102: 2}, id="a step from what no rounded denominator is"),
        pytest.param("rates.steps", {25: 3}, id="a step of which 100 percent is no multiple"),
        pytest.param("rates.steps", {25: "0.5"}, id="half a percent"),
        pytest.param("means.units.0.steps", {25: 0}, id="exact means"),
        pytest.param("means.units.0.steps", {25: "0.00001"}, id="means finer than their exact decimals"),
        pytest.param("means.units.1.unit", "points", id="a unit listed twice"),
        pytest.param("network.smallest_clinics", 2, id="a network of two clinics"),
        pytest.param("network.smallest_clinics_where_pairs_attack", 3, id="two of three clinics learn the third"),
        pytest.param("network.largest_share_percent", 100, id="a network of one clinic"),
        pytest.param("network.clinics_set_aside", 3, id="clinics that the marts do not set aside"),
        pytest.param("all_or_none.0.reason", "", id="listed without a reason"),
        pytest.param("all_or_none.0.shown", ["some"], id="neither none nor all"),
        pytest.param("all_or_none.1.measures", ["any_event_share"], id="listed twice"),
        pytest.param("attack.smallest_upper_bound", 10, id="an attacker who knows that a cell is 10 or less"),
        pytest.param("attack.smallest_width", 4, id="a withheld cell known better than a rounded one"),
        pytest.param("attack.attackers", "nobody", id="nobody attacks"),
        pytest.param("refresh.smallest_change", 12, id="a change of a few people"),
        pytest.param("recipients.0.holds", ["network_figures", "own_figures"], id="the public with figures of its own"),
        pytest.param("recipients.2.holds", ["network_figures", "own_exact_figures"], id="exact and not marked"),
        pytest.param("recipients.2.is_confidential", True, id="confidential without need"),
        pytest.param("recipients.3.is_confidential", False, id="exact figures that may circulate"),
        pytest.param("recipients.3.recipient", "clinic", id="a class of recipients twice"),
        pytest.param("coarsening.1", {"action": "withhold"}, id="withholding nobody knows what"),
        pytest.param("coarsening.1", {"action": "repeat"}, id="repeating twice"),
        pytest.param("coarsening.0", {"action": "repeat", "figures_of": "clinics"}, id="repeating a part"),
        pytest.param("counts.threshold", 13, id="a number nobody reads"),
    ],
)
def test_nonsense_is_refused(path: str, value: object) -> None:
    with pytest.raises(ValidationError):
        Policy.model_validate(_changed(path, value))


def test_the_policy_survives_being_written_down() -> None:
    assert Policy.model_validate_json(load_policy().model_dump_json()) == load_policy()


@pytest.mark.parametrize(
    ("figure_type", "unit", "shown_denominator", "step"),
    [
        ("count", "patients", None, "5"),
        ("rate", "percent", 25, "5"),
        ("rate", "percent", 95, "5"),
        ("rate", "percent", 100, "2"),
        ("rate", "percent", 495, "2"),
        ("rate", "percent", 500, "1"),
        ("life_table_row", "percent", 100, "2"),
        ("mean", "points", 95, "2"),
        ("mean", "points", 100, "1"),
        ("mean", "mg/kg", 25, "0.1"),
        ("model_value", "ratio", 95, "0.2"),
        ("model_value", "events per 100 sessions", 495, "0.5"),
        ("model_value", "events per 100 sessions", 500, "0.1"),
    ],
)
def test_the_step_goes_by_the_shown_denominator(
    figure_type: str, unit: str, shown_denominator: int | None, step: str
) -> None:
    assert load_policy().rounding_step(figure_type, unit, shown_denominator) == Decimal(step)


@pytest.mark.parametrize(
    ("figure_type", "unit", "shown_denominator"),
    [("model_value", "furlongs", 100), ("median", "days", 100), ("rate", "percent", 20), ("rate", "percent", None)],
)
def test_what_has_no_step_is_not_rounded_somehow(figure_type: str, unit: str, shown_denominator: int | None) -> None:
    with pytest.raises(KeyError):
        load_policy().rounding_step(figure_type, unit, shown_denominator)


@pytest.mark.parametrize(("attackers", "clinics"), [("outsider", 3), ("clinics", 3), ("pairs", 4)])
def test_pairs_of_clinics_need_one_clinic_more(attackers: str, clinics: int) -> None:
    assert Policy.model_validate(_changed("attack.attackers", attackers)).smallest_clinics == clinics


def _seed(name: str) -> list[Mapping[str, str]]:
    with (SEEDS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_what_may_be_all_or_none_is_measured_in_percent_or_events() -> None:
    measured = {row["measure"]: row["figure_type"] for row in _seed("measures")}
    given = {
        row["quantity"]: row["figure_type"] for seed in ("outcome_", "item_") for row in _seed(f"{seed}quantities")
    }
    for entry in load_policy().all_or_none:
        assert {measured[name] for name in entry.measures} <= {"rate", "mean", "model_value"}
        assert {given[name] for name in entry.quantities} <= {"rate", "life_table_row"}
