"""Release after release through the real stages: what is shown anew, what is repeated, and what can be neither."""

from __future__ import annotations

import csv
import json
import re
import shutil
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.protect import protect, released_folder
from clinic_outcomes.protect.planning import engineers_file, refresh_rules
from clinic_outcomes.protect.policy import load_policy
from clinic_outcomes.publish import publish
from clinic_outcomes.register import RefreshRules, read_register, withdraw
from clinic_outcomes.settings import Settings
from tests.support.release_marts import build_marts

BUILDS = ("00000000000000b1", "00000000000000b2", "00000000000000b3")
PERIODS = ("2024-03", "2024-04", "2024-05")
MEASURES = """
measure | section   | sort_order | label           | figure_type | unit     | contributors
people  | treatment | 10         | People treated  | count       | patients | patient
share   | treatment | 20         | Share improved  | rate        | percent  | patient
"""
# What is counted in the build of March and in that of April, worked out by hand: counts to fives, shares in points.
# `-` is nothing, `hidden` is withheld.
CASES = """
measure | category    | march | of  | april | of  | shows  | of  | as_of   | reason
people  | still       | 100   | -   | 100   | -   | 100    | -   | -       | shown
people  | up_1        | 100   | -   | 101   | -   | 100    | -   | 2024-03 | repeated
people  | up_7        | 103   | -   | 110   | -   | 105    | -   | 2024-03 | repeated
people  | up_12       | 100   | -   | 112   | -   | 100    | -   | 2024-03 | repeated
people  | up_13       | 100   | -   | 113   | -   | 115    | -   | -       | shown
people  | down_12     | 112   | -   | 100   | -   | 110    | -   | 2024-03 | repeated
people  | down_13     | 113   | -   | 100   | -   | 100    | -   | -       | shown
people  | few_now     | 20    | -   | 12    | -   | hidden | -   | -       | too_few_people
people  | few_then    | 12    | -   | 20    | -   | 20     | -   | -       | shown
people  | comes       | -     | -   | 40    | -   | 40     | -   | -       | shown
people  | goes        | 40    | -   | -     | -   | -      | -   | -       | -
share   | still       | 60    | 120 | 60    | 120 | 50     | 120 | -       | shown
share   | near        | 60    | 120 | 61    | 121 | 50     | 120 | 2024-03 | repeated
share   | rest_12     | 60    | 120 | 73    | 145 | 50     | 120 | 2024-03 | repeated
share   | moved       | 60    | 120 | 80    | 160 | 50     | 160 | -       | shown
share   | misleads    | 60    | 120 | 72    | 120 | hidden | -   | -       | not_refreshed
"""


def _rows(table: str) -> list[dict[str, str]]:
    """The lines of a table; a heading that stands twice is told apart by the one before it."""
    header, *lines = [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines()]
    names = [name if name != "of" else f"{header[place - 1]}_of" for place, name in enumerate(header)]
    return [dict(zip(names, line, strict=True)) for line in lines]


def _figures(month: str) -> str:
    lines = ["measure | clinic_id | category | numerator | denominator | patients | clinics"]
    for row in _rows(CASES):
        counted, over = row[month], row[f"{month}_of"]
        if counted != "-":
            behind = counted if over == "-" else over
            lines.append(f"{row['measure']} | alder | {row['category']} | {counted} | {over} | {behind} | 1")
    return "\n".join(lines)


def _counts(**numbers: int) -> str:
    """Counts of people by category, as figures of a build."""
    lines = ["measure | clinic_id | category | numerator | denominator | patients | clinics"]
    return "\n".join([*lines, *(f"people | alder | {name} | {n} | - | {n} | 1" for name, n in numbers.items())])


def _build(home: Path, number: int, figures: str, measures: str = MEASURES) -> Settings:
    """The build of a month, counted from nought."""
    made = {"build_id": BUILDS[number], "reporting_period": PERIODS[number]}
    build_marts(home, measures=measures, figures=figures, **made)
    return Settings(home=home)


def _release(home: Path, number: int, figures: str) -> Path:
    settings = _build(home, number, figures)
    protect(settings)
    return settings.releases / publish(settings).release_id


def _shown(settings: Settings, build_id: str | None = None) -> dict[str, tuple[int | None, int | None, int | None]]:
    """Measure and category → what is shown, of how many, and the entry that it is repeated from."""
    folder = released_folder(settings, build_id)
    rows = duckdb.sql(
        "SELECT measure || ' ' || category, shown_value::INTEGER, shown_denominator, repeats "
        f"FROM '{folder}/figures.parquet'"
    ).fetchall()
    return {name: tuple(row) for name, *row in rows}


def _number(cell: str) -> int | None:
    return int(cell) if cell.isdigit() else None


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Path, Path]:
    """Two releases, of March and of April."""
    home = tmp_path_factory.mktemp("home")
    return Settings(home=home), _release(home, 0, _figures("march")), _release(home, 1, _figures("april"))


def test_what_changed_by_a_few_is_repeated_and_what_changed_by_more_is_shown(
    releases: tuple[Settings, Path, Path],
) -> None:
    expected = {
        f"{row['measure']} {row['category']}": (
            _number(row["shows"]),
            _number(row["shows_of"]),
            1 if row["reason"] == "repeated" else None,
        )
        for row in _rows(CASES)
        if row["april"] != "-"
    }
    assert _shown(releases[0]) == expected


def test_engineers_are_told_why(releases: tuple[Settings, Path, Path]) -> None:
    path = engineers_file(released_folder(releases[0]), "reasons")
    reasons = dict(duckdb.sql(f"SELECT figure_id, reason FROM '{path}'").fetchall())
    assert reasons == {
        f"{row['measure']}/alder/group/{row['category']}": row["reason"] for row in _rows(CASES) if row["april"] != "-"
    }


def test_the_release_has_passed_its_audit_with_the_one_before(releases: tuple[Settings, Path, Path]) -> None:
    notes = json.loads((released_folder(releases[0]) / "protect.json").read_text())
    assert notes["audit"]["done"] and notes["audit"]["passed"] and notes["audit"]["findings"] == 0
    for entry in read_register(releases[0]):
        assert entry.release and entry.release.audit and entry.release.audit.passed
    for path in (path for release in releases[1:] for path in release.rglob("*.*") if path.name != "release.json"):
        assert "draft" not in path.read_text(encoding="utf-8").lower()


def test_the_plan_is_what_is_shown(releases: tuple[Settings, Path, Path]) -> None:
    folder = released_folder(releases[0])
    rows = duckdb.sql(
        f"SELECT action, repeats, refreshed_in FROM '{folder}/figures.parquet' "
        f"JOIN '{engineers_file(folder, 'refresh')}' USING (figure_id) WHERE status = 'shown'"
    ).fetchall()
    assert sorted(set(rows), key=str) == [("refreshed", None, None), ("repeated", 1, 1)]


def test_reports_say_of_which_release_a_repeated_figure_is(releases: tuple[Settings, Path, Path]) -> None:
    folder = releases[2] / "alder"
    page = (folder / "index.html").read_text(encoding="utf-8")
    with (folder / "tables" / "treatment.csv").open(encoding="utf-8", newline="") as stream:
        lines = {row["figure_id"]: row for row in csv.DictReader(stream)}
    for row in _rows(CASES):
        if row["april"] == "-":
            continue
        figure, as_of = f"{row['measure']}/alder/group/{row['category']}", row["as_of"].removeprefix("-")
        assert lines[figure]["as_of"] == as_of, figure
        if row["shows"] == "hidden":
            continue
        drawn = re.search(rf'data-figure="{figure}">(.*?)</td>', page, re.DOTALL)
        assert drawn, figure
        assert re.findall(r"as of ([0-9-]+)", drawn[1]) == ([as_of] if as_of else []), figure
    assert "The number of an earlier release" in page
    dictionary = (folder / "tables" / "data_dictionary.csv").read_text(encoding="utf-8")
    assert "column,as_of,,,Reporting period of the release that the figure is repeated from" in dictionary
    assert "earlier release" in (folder / "methods.html").read_text(encoding="utf-8")


def test_manifests_name_the_entry_of_the_register(releases: tuple[Settings, Path, Path]) -> None:
    settings, *folders = releases
    for entry, folder in zip(read_register(settings), folders, strict=True):
        for path in (folder / "release.json", folder / "public/manifest.json", folder / "internal/alder/manifest.json"):
            notes = json.loads(path.read_text())
            assert (notes["register_entry"], notes["register_hash"]) == (entry.number, entry.hash)


def test_the_rules_of_the_register_are_the_policys() -> None:
    # As decision 23 has them.
    points = ((50, Decimal("2.5")), (100, Decimal(1)))
    assert refresh_rules(load_policy()) == RefreshRules(smallest_change=13, known_clinics=2, useful_within=points)


def test_done_again_everything_is_as_it_was(tmp_path: Path) -> None:
    _release(tmp_path, 0, _counts(stays=100, moves=100))
    release = _release(tmp_path, 1, _counts(stays=101, moves=113))
    settings = Settings(home=tmp_path)
    folder = released_folder(settings)
    made, bytes_of = folder.stat().st_mtime_ns, {path.name: path.read_bytes() for path in folder.iterdir()}
    protect(settings)
    assert released_folder(settings) == folder and folder.stat().st_mtime_ns == made
    # Its own release is in the register now; it is planned as before it.
    shutil.rmtree(folder)
    protect(settings)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == bytes_of
    assert publish(settings).release_id == release.name
    assert len(read_register(settings)) == 2
    assert sorted(path.name for path in settings.releases.iterdir()) == ["2024-03.1", "2024-04.1", "latest"]


def test_a_release_between_is_a_new_basis(tmp_path: Path) -> None:
    _release(tmp_path, 0, _counts(people=100))
    settings = _build(tmp_path, 1, _counts(people=113))
    protect(settings, BUILDS[1])
    before = released_folder(settings, BUILDS[1])
    assert _shown(settings, BUILDS[1]) == {"people people": (115, None, None)}
    _release(tmp_path, 2, _counts(people=120))
    assert released_folder(settings, BUILDS[1]) != before
    with pytest.raises(ClinicOutcomesError, match="run the stage protect first"):
        publish(settings, BUILDS[1])
    protect(settings, BUILDS[1])
    # 113 is seven from 120, which was told since, in entry 2.
    assert _shown(settings, BUILDS[1]) == {"people people": (120, None, 2)}
    publish(settings, BUILDS[1])
    assert [entry.release.build_id for entry in read_register(settings) if entry.release] == [
        BUILDS[0],
        BUILDS[2],
        BUILDS[1],
    ]


def test_a_number_is_repeated_from_where_it_was_shown_anew(tmp_path: Path) -> None:
    for number, people in enumerate((100, 105, 109)):
        _release(tmp_path, number, _counts(people=people))
    assert _shown(Settings(home=tmp_path)) == {"people people": (100, None, 1)}
    table = Settings(home=tmp_path).releases / "latest" / "alder" / "tables" / "treatment.csv"
    assert ",shown,100,,,2024-03," in table.read_text(encoding="utf-8")


def test_what_was_withdrawn_is_not_repeated(tmp_path: Path) -> None:
    _release(tmp_path, 0, _counts(few=100, many=100))
    settings = _build(tmp_path, 1, _counts(few=101, many=113))
    protect(settings)
    before = released_folder(settings)
    withdraw(settings, 1, by="A. Engineer", reason="a mapping was wrong")
    assert released_folder(settings) != before
    protect(settings)
    assert _shown(settings) == {"people few": (None, None, None), "people many": (115, None, None)}


def _add_up(settings: Settings) -> None:
    """The three groups of the build of April add up to all, and readers know it."""
    parts = {"all": -1, "small": 1, "first": 1, "second": 1}
    rows = ", ".join(f"('people', '=', 'people', 'alder', 'group', '{name}', {n})" for name, n in parts.items())
    columns = "relation_id, comparison, count_id, clinic_id, dimension, category, coefficient"
    path = settings.marts / BUILDS[1] / "release" / "agg_relations.parquet"
    duckdb.sql(f"COPY (FROM (VALUES {rows}) AS t({columns})) TO '{path}' (FORMAT parquet)")


def test_what_is_known_since_another_release_is_not_given_up_for_nothing(tmp_path: Path) -> None:
    """How many there are in all has not changed, so readers know it anyway, and the small group by the others."""
    _release(tmp_path, 0, _counts(all=128, small=0, first=30, second=98))
    settings = _build(tmp_path, 1, _counts(all=128, small=8, first=60, second=60))
    _add_up(settings)
    protect(settings)
    shown = {name.removeprefix("people "): row for name, row in _shown(settings).items()}
    assert shown["all"] == (130, None, None) and shown["small"] == (None, None, None)
    assert [repeats for _, _, repeats in shown.values()].count(1) == 1
    assert json.loads((released_folder(settings) / "protect.json").read_text())["audit"]["passed"]


def test_what_is_given_up_for_another_repeats_what_was_shown_of_it(tmp_path: Path) -> None:
    """Three groups add up to all; one was nought and is small, and another is given up for it."""
    _release(tmp_path, 0, _counts(all=60, small=0, first=30, second=30))
    settings = _build(tmp_path, 1, _counts(all=128, small=8, first=60, second=60))
    _add_up(settings)
    protect(settings)
    shown = {name.removeprefix("people "): row for name, row in _shown(settings).items()}
    anew = {"all": (130, None, None), "first": (60, None, None), "second": (60, None, None)}
    repeated = {"all": (60, None, 1), "first": (30, None, 1), "second": (30, None, 1)}
    assert shown.pop("small") == (None, None, None)
    given_up = [name for name in shown if shown[name] == repeated[name]]
    assert len(given_up) == 1 and all(shown[name] == anew[name] for name in shown if name not in given_up)
    reasons = duckdb.sql(f"SELECT figure_id, reason FROM '{engineers_file(released_folder(settings), 'reasons')}'")
    assert dict(reasons.fetchall())[f"people/alder/group/{given_up[0]}"] == "repeated"
    # The register trusts no plan, and takes this one.
    publish(settings)
    exact = settings.register / "000002" / "exact.parquet"
    kept = duckdb.sql(f"SELECT numerator::INTEGER, refreshed_in FROM '{exact}' WHERE figure_id LIKE '%/{given_up[0]}'")
    assert kept.fetchall() == [(repeated[given_up[0]][0], 1)]
