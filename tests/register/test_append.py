"""Entering releases: what an entry holds, what it refuses, what became of numbers, and who said what."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pydantic import ValidationError

from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.register import (
    Entry,
    RefreshRules,
    append,
    entry_folder,
    list_releases,
    list_restatements,
    make_final,
    planning_basis,
    read_register,
    withdraw,
)
from clinic_outcomes.settings import Settings
from tests.support.register_builds import AUDIT, POLICY, enter, protect_like, release, write_build

# `treated` of alder grows by 6, then by 13; that of birch by 20, then not at all.
FIRST = """
measure | clinic_id | numerator | denominator
treated | alder     | 40        | -
treated | birch     | 60        | -
treated | cedar     | 5         | -
share   | alder     | 20        | 40
"""
SECOND = """
measure | clinic_id | numerator | denominator
treated | alder     | 46        | -
treated | birch     | 80        | -
treated | cedar     | 9         | -
share   | alder     | 20        | 46
"""
THIRD = """
measure | clinic_id | numerator | denominator
treated | alder     | 53        | -
treated | birch     | 80        | -
treated | cedar     | 13        | -
share   | alder     | 33        | 53
"""
SHARED = {"share/of": "treated"}
MARCH = {"alder": [("a1", "2024-03")], "birch": [("b1", "2024-03")], "cedar": [("c1", "2024-03")]}
APRIL = {
    "alder": [*MARCH["alder"], ("a2", "2024-04")],
    "birch": [*MARCH["birch"], ("b2", "2024-04")],
    "cedar": MARCH["cedar"],
}
MAY = {**APRIL, "alder": [*APRIL["alder"], ("a3", "2024-05")]}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


@pytest.fixture
def year(settings: Settings) -> Settings:
    release(settings, "build1", FIRST, deliveries=MARCH, counts=SHARED, period="2024-03")
    release(settings, "build2", SECOND, deliveries=APRIL, counts=SHARED, period="2024-04")
    release(settings, "build3", THIRD, deliveries=MAY, counts=SHARED, period="2024-05")
    return settings


def table(settings: Settings, number: int, name: str, columns: str) -> list[tuple[Any, ...]]:
    path = entry_folder(number, settings) / f"{name}.parquet"
    return duckdb.sql(f"SELECT {columns} FROM read_parquet('{path}') ORDER BY ALL").fetchall()


def shown(settings: Settings, number: int) -> dict[str, int]:
    rows = table(settings, number, "figures", "figure_id, shown_value, status")
    return {figure: int(value) for figure, value, status in rows if status == "shown"}


def test_a_figure_repeats_until_enough_has_changed(year: Settings) -> None:
    alder, birch, cedar, share = "treated/alder//", "treated/birch//", "treated/cedar//", "share/alder//"
    assert shown(year, 1) == {alder: 40, birch: 60, share: 50}
    assert shown(year, 2) == {alder: 40, birch: 80, share: 50}, "of 46, 20 are 43 percent, and nobody promised less"
    assert shown(year, 3) == {alder: 55, birch: 80, cedar: 15, share: 62}


def test_exact_values_are_those_of_the_last_refresh_beside_those_built(year: Settings) -> None:
    columns = "figure_id, numerator::INT, denominator, refreshed_in, built_numerator::INT, built_denominator"
    assert table(year, 2, "exact", columns) == [
        ("share/alder//", 20, 40, 1, 20, 46),
        ("treated/alder//", 40, None, 1, 46, None),
        ("treated/birch//", 80, None, 2, 80, None),
        ("treated/cedar//", None, None, None, 9, None),
    ]


def test_only_what_is_shown_anew_becomes_a_vintage(year: Settings) -> None:
    assert table(year, 2, "cells", "count_id, clinic_id, value::INT") == [
        ("share", "alder", 20),
        ("share/rest", "alder", 26),
        ("treated", "alder", 46),
        ("treated", "birch", 80),
        ("treated", "cedar", 9),
    ]
    assert table(year, 2, "told", "figure_id, role, count_id, clinic_id") == [
        ("treated/birch//", "numerator", "treated", "birch")
    ]


def test_an_entry_names_build_policy_deliveries_and_audit(year: Settings) -> None:
    first, second, _ = read_register(year)
    assert (first.number, first.status, second.previous) == (1, "provisional", first.hash)
    assert re.fullmatch("0{64}", first.previous)
    assert second.release is not None
    assert (second.release.release_period, second.release.build_id) == ("2024-04", "build2")
    assert (second.release.policy_id, second.release.audit) == (POLICY, AUDIT)
    used = {c.clinic_id: (c.state_id, [d.delivery_id for d in c.deliveries]) for c in second.release.clinics}
    assert used["alder"] == ("state-build2", ["a1", "a2"])
    assert used["cedar"] == ("state-build2", ["c1"])


def test_the_same_release_is_entered_once(year: Settings) -> None:
    assert enter(year, "build3").number == 3
    assert enter(year, "build3").number == 3
    assert len(read_register(year)) == 3
    # Another policy is another release, even of the same numbers.
    assert enter(year, "build3", policy_id="00000000000000a2").number == 4


def test_a_plan_depends_on_what_came_before_and_not_on_its_own_release(settings: Settings) -> None:
    write_build(settings, "build2", SECOND, counts=SHARED)
    release(settings, "build1", FIRST, counts=SHARED)
    before = planning_basis(read_register(settings), "build2", POLICY)
    assert before != planning_basis((), "build2", POLICY)
    enter(settings, "build2")
    assert planning_basis(read_register(settings), "build2", POLICY) == before
    make_final(settings, 2, by="TK", reason="agreed")
    assert planning_basis(read_register(settings), "build2", POLICY) == before
    assert planning_basis(read_register(settings), "build3", POLICY) != before
    withdraw(settings, 2, by="TK", reason="wrong")
    assert planning_basis(read_register(settings), "build2", POLICY) != before


def test_what_was_planned_before_another_release_is_refused(settings: Settings) -> None:
    release(settings, "build1", FIRST, counts=SHARED)
    # Two plans on the same register: 60 and 66 are both far enough from 40, and not from each other.
    for build, treated in (("build2", 60), ("build3", 66)):
        write_build(settings, build, f"measure | clinic_id | numerator | denominator\ntreated | alder | {treated} | -")
    plans = {build: protect_like(settings, build, RefreshRules()) for build in ("build2", "build3")}
    add(settings, "build2", *plans["build2"])
    with pytest.raises(ClinicOutcomesError, match="too near"):
        add(settings, "build3", *plans["build3"])
    assert [entry.number for entry in read_register(settings)] == [1, 2]
    assert shown(settings, enter(settings, "build3").number) == {"treated/alder//": 60}


def test_what_was_audited_without_another_release_is_refused(settings: Settings) -> None:
    release(settings, "build1", FIRST, counts=SHARED)
    for build, treated in (("build2", 60), ("build3", 90)):
        write_build(settings, build, f"measure | clinic_id | numerator | denominator\ntreated | alder | {treated} | -")
    plans = {build: protect_like(settings, build, RefreshRules()) for build in ("build2", "build3")}
    bases = {build: planning_basis(read_register(settings), build, POLICY) for build in plans}
    assert add(settings, "build2", *plans["build2"], basis=bases["build2"]).number == 2
    # 90 is far enough from all that was told; but nobody looked at it beside 60.
    with pytest.raises(ClinicOutcomesError, match="another release came"):
        add(settings, "build3", *plans["build3"], basis=bases["build3"])
    assert add(settings, "build2", *plans["build2"], basis=bases["build2"]).number == 2


def add(
    settings: Settings,
    build_id: str,
    figures: Path,
    plan: Path,
    policy_id: str = POLICY,
    basis: str | None = None,
) -> Entry:
    return append(
        settings,
        build_id=build_id,
        policy_id=policy_id,
        figures=figures,
        plan=plan,
        audit=None,
        rules=RefreshRules(),
        basis=basis,
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("UPDATE figures SET status = 'shown' WHERE clinic_id = 'cedar'", ""),
        ("UPDATE figures SET figure_id = 'treated/dogwood//' WHERE clinic_id = 'birch'", "withholds"),
        ("INSERT INTO figures FROM figures", "withholds"),
        ("UPDATE figures SET shown_value = 45 WHERE figure_id = 'treated/alder//'", "repeated"),
        ("UPDATE figures SET shown_denominator = 45 WHERE figure_id = 'share/alder//'", "repeated"),
    ],
)
def test_figures_that_do_not_follow_the_plan_are_refused(settings: Settings, change: str, message: str) -> None:
    release(settings, "build1", FIRST, counts=SHARED)
    write_build(settings, "build2", SECOND, counts=SHARED)
    figures, plan = protect_like(settings, "build2", RefreshRules())
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE figures AS FROM read_parquet('{figures}')")
        connection.execute(change)
        connection.execute(f"COPY figures TO '{figures}' (FORMAT parquet)")
    if not message:
        # What is small is protect's to judge: the plan lets a cell of five be told, and the register does too.
        assert add(settings, "build2", figures, plan).number == 2
        return
    with pytest.raises(ClinicOutcomesError, match=message):
        add(settings, "build2", figures, plan)
    assert len(read_register(settings)) == 1


def test_a_figure_that_the_plan_withholds_is_not_entered_as_shown(settings: Settings) -> None:
    release(settings, "build1", FIRST, counts=SHARED)
    # alder's share is first told of a denominator that is six more than the count beside it.
    more = SECOND.replace("share   |", "new     |")
    write_build(settings, "build2", more, counts={"new/of": "treated"})
    figures, plan = protect_like(settings, "build2", RefreshRules())
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE figures AS FROM read_parquet('{figures}')")
        assert connection.execute("SELECT status FROM figures WHERE measure = 'new'").fetchone() == ("withheld",)
        connection.execute("UPDATE figures SET status = 'shown', shown_value = 43 WHERE measure = 'new'")
        connection.execute(f"COPY figures TO '{figures}' (FORMAT parquet)")
    with pytest.raises(ClinicOutcomesError, match="withholds"):
        add(settings, "build2", figures, plan)


# ---- restatements ----


def restated(settings: Settings, number: int) -> dict[str, tuple[Any, ...]]:
    columns = ("kind", "old_entry", "old_value", "new_value", "deliveries", "deliveries_left_out")
    return {row["figure_id"]: tuple(row[c] for c in columns) for row in list_restatements(settings, number)}


def test_changed_numbers_are_logged_with_the_deliveries_since_the_old_one(year: Settings) -> None:
    assert restated(year, 1) == {}
    assert restated(year, 2) == {"treated/birch//": ("new data", 1, "60", "80", ["birch/b2"], [])}
    assert restated(year, 3) == {
        # Shown last in release 2, which repeated what it was after the deliveries of release 1.
        "treated/alder//": ("new data", 2, "40", "55", ["alder/a2", "alder/a3"], []),
        "share/alder//": ("new data", 2, "50", "62", ["alder/a2", "alder/a3"], []),
    }


COUNTED = "measure | clinic_id | numerator | denominator\ntreated | alder | {} | -\ntreated | network | {} | -"


@pytest.mark.parametrize(
    ("now", "period", "restating", "expected"),
    [
        ([("a1", "2024-03"), ("a2", "2024-04")], "2024-04", [], ("new data", ["alder/a2"], [])),
        # A delivery of the old period came late.
        ([("a1", "2024-03"), ("a0", "2024-02")], "2024-04", [], ("restated", ["alder/a0"], [])),
        # One that was in use is not any more.
        ([("a2", "2024-04")], "2024-04", [], ("restated", ["alder/a2"], ["alder/a1"])),
        # The new one changes rows of a period that the clinic had declared final.
        ([("a1", "2024-03"), ("a2", "2024-04")], "2024-04", ["a2"], ("restated", ["alder/a2"], [])),
        # The same period is released again.
        ([("a1", "2024-03"), ("a2", "2024-04")], "2024-03", [], ("restated", ["alder/a2"], [])),
        # No delivery is new: another mapping, rule, definition or policy.
        ([("a1", "2024-03")], "2024-04", [], ("method", [], [])),
    ],
)
def test_what_was_restated_is_told_from_what_is_new(
    settings: Settings, now: list[tuple[str, str]], period: str, restating: list[str], expected: tuple[Any, ...]
) -> None:
    release(settings, "build1", COUNTED.format(40, 140), deliveries=MARCH, period="2024-03")
    used = {**MARCH, "alder": now}
    release(settings, "build2", COUNTED.format(80, 180), deliveries=used, period=period, restating=restating)
    kind, came, left = expected
    for figure, old, new in (("treated/alder//", "40", "80"), ("treated/network//", "140", "180")):
        assert restated(settings, 2)[figure] == (kind, 1, old, new, came, left)


def test_a_clinics_figures_are_of_its_own_deliveries(settings: Settings) -> None:
    release(settings, "build1", COUNTED.format(40, 140), deliveries=MARCH, period="2024-03")
    used = {**MARCH, "birch": APRIL["birch"]}
    release(settings, "build2", COUNTED.format(80, 180), deliveries=used, period="2024-04")
    found = restated(settings, 2)
    assert found["treated/alder//"][0] == "method"
    assert found["treated/network//"][0] == "new data"
    assert found["treated/network//"][4] == ["birch/b2"]


def test_another_rounding_of_what_is_repeated_is_a_method(settings: Settings) -> None:
    release(settings, "build1", FIRST, deliveries=MARCH, counts=SHARED)
    write_build(settings, "build2", SECOND, deliveries=APRIL, counts=SHARED, period="2024-04")
    figures, plan = protect_like(settings, "build2", RefreshRules(), base=7)
    add(settings, "build2", figures, plan, policy_id="00000000000000a2")
    # 40 by sevens is 42, though deliveries came since: nothing of them is in it.
    assert restated(settings, 2)["treated/alder//"] == ("method", 1, "40", "42", [], [])


# ---- final and withdrawn ----


def statuses(settings: Settings) -> dict[int, str]:
    return {row["number"]: row["status"] for row in list_releases(settings)}


def test_a_release_is_provisional_until_a_person_says_more(year: Settings) -> None:
    assert statuses(year) == {1: "provisional", 2: "provisional", 3: "provisional"}
    said = make_final(year, 1, by="TK", reason="agreed by all")
    assert (said.number, said.status, said.word and said.word.about) == (4, "final", 1)
    withdraw(year, 2, by="MD", reason="wrong month")
    assert statuses(year) == {1: "final", 2: "withdrawn", 3: "provisional"}
    assert list_releases(year)[1]["words"] == [{"status": "withdrawn", "by": "MD", "reason": "wrong month"}]
    withdraw(year, 1, by="MD", reason="wrong too")
    assert statuses(year)[1] == "withdrawn"


def test_the_first_word_stands(year: Settings) -> None:
    first = make_final(year, 1, by="TK", reason="agreed")
    assert make_final(year, 1, by="MD", reason="again") == first
    assert len(read_register(year)) == 4


def test_words_on_nothing_are_refused(year: Settings) -> None:
    make_final(year, 1, by="TK", reason="agreed")
    withdraw(year, 2, by="TK", reason="wrong")
    before = read_register(year)
    for number in (0, 4, 9):
        with pytest.raises((ClinicOutcomesError, ValidationError)):
            withdraw(year, number, by="TK", reason="wrong")
    with pytest.raises(ClinicOutcomesError, match="release 2: the release was withdrawn"):
        make_final(year, 2, by="TK", reason="agreed")
    assert read_register(year) == before


def test_what_a_withdrawn_release_showed_is_not_repeated_and_not_forgotten(settings: Settings) -> None:
    release(settings, "build1", FIRST, counts=SHARED)
    release(settings, "build2", THIRD, counts=SHARED)
    withdraw(settings, 2, by="TK", reason="wrong")
    # 56 is near to the withdrawn 53: it falls back to what stands, 40.
    entry = release(settings, "build3", THIRD.replace("| 53", "| 56").replace("| 33", "| 36"), counts=SHARED)
    assert entry.number == 4
    assert shown(settings, 4)["treated/alder//"] == 40
    assert restated(settings, 4)["treated/alder//"][:4] == ("method", 2, "55", "40")


def test_a_withdrawn_release_may_be_made_again(settings: Settings) -> None:
    release(settings, "build1", FIRST, counts=SHARED)
    withdraw(settings, 1, by="TK", reason="the page was unreadable")
    assert enter(settings, "build1").number == 3
    assert shown(settings, 3) == shown(settings, 1)


def test_deliveries_that_nobody_can_name_are_not_entered(settings: Settings) -> None:
    write_build(settings, "build1", FIRST, deliveries=MARCH, counts=SHARED)
    figures, plan = protect_like(settings, "build1", RefreshRules())
    receipt = settings.ledger / "alder" / "a1" / "receive.json"
    kept = receipt.read_text()
    receipt.unlink()
    with pytest.raises(ClinicOutcomesError, match="no receive record of a1"):
        add(settings, "build1", figures, plan)
    receipt.write_text(kept)
    (settings.state / "birch" / "state-build1" / "validate.json").unlink()
    with pytest.raises(ClinicOutcomesError, match="clinic birch: the state"):
        add(settings, "build1", figures, plan)
    assert read_register(settings) == ()
