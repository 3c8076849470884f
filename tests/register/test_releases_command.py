"""``clinic-outcomes releases``: what it tells, what it keeps, and that nothing exact is ever printed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from clinic_outcomes.cli import app
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.register import entry_folder, read_register
from clinic_outcomes.settings import Settings
from tests.support.register_builds import release

# Exact numbers that nothing shown is: 1043 is shown as 1045, 2089 of 3067 people as 68 percent of 3065.
FIRST = """
measure | clinic_id | numerator | denominator
treated | alder     | 1043      | -
share   | alder     | 2089      | 3067
"""
SECOND = FIRST.replace("1043", "1077")
EXACT = ("1043", "1077", "2089", "3067", "978", "6811")
DELIVERIES = {"alder": [("a1", "2024-03")]}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(home=tmp_path)
    release(made, "build1", FIRST, deliveries=DELIVERIES, period="2024-03")
    later = {"alder": [*DELIVERIES["alder"], ("a2", "2024-04")]}
    release(made, "build2", SECOND, deliveries=later, period="2024-04")
    return made


def call(settings: Settings, *arguments: str) -> Result:
    done = CliRunner().invoke(app, ["--home", str(settings.home), "releases", *arguments])
    without_hashes = re.sub(r"[0-9a-f]{16,}", "", done.output)
    assert not any(re.search(rf"(?<!\d){number}(?!\d)", without_hashes) for number in EXACT), "an exact number"
    return done


def lines(done: Result) -> list[list[str]]:
    assert done.exit_code == 0, done.output
    return [line.split("\t") for line in done.output.splitlines()]


def test_releases_are_listed_with_what_became_of_them(settings: Settings) -> None:
    heading, first, second = lines(call(settings))
    assert heading[:9] == [
        "release",
        "period",
        "status",
        "shown",
        "withheld",
        "restated",
        "new data",
        "method",
        "audit",
    ]
    assert first[:9] == ["1", "2024-03", "provisional", "2", "0", "0", "0", "0", "passed"]
    assert second[:9] == ["2", "2024-04", "provisional", "2", "0", "0", "1", "0", "passed"]
    assert [row[10] for row in (first, second)] == [entry.hash[:16] for entry in read_register(settings)]


def test_changed_numbers_are_shown_as_they_were_published(settings: Settings) -> None:
    _, changed = lines(call(settings, "--restatements", "2"))
    assert changed == ["treated/alder//", "new data", "1", "2024-03", "1045", "-", "1075", "-", "alder/a2", "-"]
    (told,) = json.loads(call(settings, "--restatements", "2", "--json").output)
    assert (told["kind"], told["old_value"], told["new_value"]) == ("new data", "1045", "1075")
    assert call(settings, "--restatements", "1").output == ""


def test_a_persons_word_is_kept_and_shown(settings: Settings) -> None:
    done = call(settings, "final", "1", "--by", "TK", "--reason", "agreed by all")
    assert done.output == "release 1: final by TK: agreed by all\n"
    assert call(settings, "final", "1", "--by", "MD", "--reason", "again").output.startswith(
        "release 1: was final already"
    )
    assert call(settings, "withdraw", "2", "--by", "MD", "--reason", "wrong month").exit_code == 0
    rows = lines(call(settings))[1:]
    assert [(row[2], row[9]) for row in rows] == [
        ("final", "final by TK: agreed by all"),
        ("withdrawn", "withdrawn by MD: wrong month"),
    ]
    listed = json.loads(call(settings, "--json").output)
    assert [row["status"] for row in listed] == ["final", "withdrawn"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["final", "1"],
        ["final", "1", "--by", "", "--reason", "agreed"],
        ["final", "1", "--by", "TK", "--reason", "x" * 501],
        ["final", "one", "--by", "TK", "--reason", "agreed"],
        ["final", "0", "--by", "TK", "--reason", "agreed"],
        ["publish", "1"],
    ],
)
def test_wrong_usage_is_said_and_changes_nothing(settings: Settings, arguments: list[str]) -> None:
    assert call(settings, *arguments).exit_code == 2
    assert len(read_register(settings)) == 2


@pytest.mark.parametrize("arguments", [["final", "9", "--by", "TK", "--reason", "agreed"], ["--restatements", "9"]])
def test_a_release_that_is_not_there_is_an_error(settings: Settings, arguments: list[str]) -> None:
    done = call(settings, *arguments)
    assert isinstance(done.exception, ClinicOutcomesError)
    assert "no release" in str(done.exception)


def test_a_damaged_register_lists_nothing(settings: Settings) -> None:
    with (entry_folder(1, settings) / "exact.parquet").open("ab") as stream:
        stream.write(b"\n")
    done = call(settings)
    assert isinstance(done.exception, ClinicOutcomesError)
    assert str(done.exception) == "register: entry 000001 has another exact.parquet than it was entered with"
    assert done.output == ""
