"""Clinics beside their network, without names: limits of chance, observed over expected, charts over releases."""

from __future__ import annotations

from pathlib import Path

import pytest
from scipy import stats

from tests.publish.reports import Grid, Row, make_release, plain_measure, questionnaire

CLINICS = "clinic_id | title | reporting_period | is_stale\n" + "\n".join(
    f"{name} | {name.capitalize()} House | 2024-03 | false" for name in ("alder", "birch", "cedar", "dogwood", "elm")
)
PEOPLE = {"alder": (97, 200), "birch": (104, 200), "cedar": (60, 200), "dogwood": (120, 200), "elm": (150, 200)}
"""Responders of those with both scores; the network has 531 of 1,000."""
MEASURES: list[Row] = [
    *questionnaire("pcl_5", "PCL-5", "last", "Last", ["response_share"], 1),
    plain_measure("response_observed_expected", "outcomes", "model_value", "ratio"),
]
TABLE = "funnel-pcl-5-last-response-share-table"


def _figures(people: dict[str, tuple[int, int]]) -> str:
    lines = ["measure | clinic_id | dimension | category | numerator | denominator | value | patients | clinics"]
    every = {**people, "network": tuple(map(sum, zip(*people.values(), strict=True)))}
    for clinic, (responders, of) in every.items():
        share = f"{responders} | {of} | {responders / of} | {of} | {5 if clinic == 'network' else 1}"
        lines.append(f"pcl_5_last_response_share | {clinic} | protocol | iv_ketamine | {share}")
        if clinic != "network":
            over = f"{responders} | {of} | {responders / of / 0.531} | {of} | 1"
            lines.append(f"response_observed_expected | {clinic} | protocol | iv_ketamine | {over}")
    return "\n".join(lines)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_release(tmp_path_factory.mktemp("home"), MEASURES, _figures(PEOPLE), clinics=CLINICS)


def test_positions_are_those_of_limits_for_the_clinics_size(release: Path) -> None:
    page = Grid(release / "network" / "index.html")
    # Exact chances with 200 of 1,000 people drawn from 531 responders: 97 and 104 are common, 60 and 150 are not.
    chance = stats.hypergeom(1000, 531, 200)
    assert chance.cdf(97) > 0.025 and chance.sf(119) > 0.001 and chance.sf(119) < 0.025
    assert chance.cdf(60) < 0.001 and chance.sf(149) < 0.001
    positions = {row[0]: row[2] for row in page.tables[TABLE][1:]}
    assert positions == {
        # All are of 200 people: from the lowest share to the highest, and nobody's name.
        "Point 1": "below the 99.8% limits",
        "Point 2": "within the limits",
        "Point 3": "within the limits",
        "Point 4": "above the 95% limits",
        "Point 5": "above the 99.8% limits",
    }
    assert "times as much as chance alone would have them" in page.words


def test_limits_widen_where_clinics_differ_by_more_than_chance(release: Path) -> None:
    page = Grid(release / "network" / "index.html")
    assert page.tables[TABLE][0][3] == "Allowing for how clinics differ"
    assert page.row(TABLE, "Point 4")[3] == "within the limits"


def test_a_clinic_sees_its_own_position_and_nobody_elses(release: Path) -> None:
    text = (release / "birch" / "index.html").read_text(encoding="utf-8")
    page = Grid(release / "birch" / "index.html")
    assert [row[0] for row in page.tables[TABLE][1:]] == ["This clinic"]
    assert len(page.tables[TABLE][0]) == 3
    assert text.count("<circle") == 1
    assert "Cedar" not in text and "chance alone would have them" not in page.words
    assert not any(name == "comparison-clinics" for name in page.tables)


def test_observed_over_expected_stands_once(release: Path) -> None:
    page = Grid(release / "network" / "index.html")
    # 0.6 of 0.531 responded at one clinic, up to 1.4 at another: in that order, without names.
    assert page.row("observed-over-expected", "Intravenous ketamine")[1] == "0.6 , 0.9 , 1.0 , 1.1 , 1.4 5 of 5 clinics"
    assert "outcomes-protocol" not in page.tables
    own = Grid(release / "cedar" / "index.html")
    assert own.row("observed-over-expected", "Intravenous ketamine")[1].startswith("0.6")


def test_a_chart_over_releases_needs_eight(tmp_path: Path) -> None:
    for number in range(1, 9):
        # A jump in the last period; before it the share hardly moves: 531 or 532 of 1,000.
        cedar = 160 if number == 8 else 60 + number % 2
        figures = _figures({**PEOPLE, "cedar": (cedar, 200)})
        release = make_release(
            tmp_path,
            MEASURES,
            figures,
            clinics=CLINICS,
            build_id=f"{number:016x}",
            reporting_period=f"2024-{number:02}",
        )
        page = Grid(release / "network" / "index.html")
        if number < 8:
            assert f"needs 8: PCL-5 response at the last score, intravenous ketamine ({number})" in page.words
    assert "Too few releases" not in page.words
    text = (release / "network" / "index.html").read_text(encoding="utf-8")
    assert "Control chart of 8 releases from 2024-01 to 2024-08: first 53%, last 63%." in text
    own = (release / "birch" / "index.html").read_text(encoding="utf-8")
    assert "Control chart of 8 releases from 2024-01 to 2024-08: first 52%, last 52%. Signals: none." in own


def test_of_a_period_the_last_release_counts_and_later_periods_do_not(tmp_path: Path) -> None:
    first = make_release(tmp_path, MEASURES, _figures(PEOPLE), clinics=CLINICS, build_id="a" * 16)
    figures = _figures({**PEOPLE, "cedar": (150, 200)})
    make_release(tmp_path, MEASURES, figures, clinics=CLINICS, build_id="b" * 16)
    later = make_release(tmp_path, MEASURES, figures, clinics=CLINICS, build_id="c" * 16, reporting_period="2024-04")
    earlier = make_release(tmp_path, MEASURES, figures, clinics=CLINICS, build_id="d" * 16, reporting_period="2024-02")
    assert first.name == "2024-03.1"
    assert '"earlier_releases": []' in (first.parent / "2024-03.2" / "release.json").read_text(encoding="utf-8")
    assert '"earlier_releases": [\n    "2024-03.2"\n  ]' in (later / "release.json").read_text(encoding="utf-8")
    assert '"earlier_releases": []' in (earlier / "release.json").read_text(encoding="utf-8")


def test_a_clinic_is_not_told_who_else_refers_or_owns(tmp_path: Path) -> None:
    measures = [
        plain_measure("referred_by_network_clinic", "referral", "count", "patients"),
        plain_measure("sessions_given", "treatment", "count", "sessions", "session"),
    ]
    figures = """
measure                    | clinic_id | dimension        | category | numerator | denominator | patients | clinics
referred_by_network_clinic | network   | referring_clinic | cedar    | 100       | -           | 100      | 4
sessions_given             | birch     | organisation     | owner_1  | 200       | -           | 100      | 1
sessions_given             | network   | organisation     | owner_1  | 900       | -           | 400      | 4
sessions_given             | network   | organisation     | owner_9  | 700       | -           | 300      | 4
"""
    release = make_release(tmp_path, measures, figures, clinics=CLINICS)
    birch = Grid(release / "birch" / "index.html")
    assert birch.row("treatment-organisation", "Owner 1")[1:] == ["200"]
    for folder in ("birch", "network", "public"):
        told = "".join(path.read_text(encoding="utf-8") for path in (release / folder).rglob("*") if path.is_file())
        assert "referring_clinic/" not in told and "owner_9" not in told
        assert "sessions_given/network/organisation" not in told
        assert folder != "birch" or "cedar" not in told.lower()


def test_what_is_told_of_the_network_alone_has_no_column_of_the_clinic(tmp_path: Path) -> None:
    measures = [plain_measure("patients_lost", "referral", "count", "patients")]
    figures = """
measure       | clinic_id | dimension      | category  | numerator | denominator | patients | clinics
patients_lost | network   | closing_reason | cost      | 100       | -           | 100      | 4
patients_lost | birch     | ''             | ''        | 50        | -           | 50       | 1
"""
    dimensions = "dimension | sort_order | label | scope\nclosing_reason | 1 | Reason | network"
    release = make_release(tmp_path, measures, figures, clinics=CLINICS, dimensions=dimensions)
    page = Grid(release / "birch" / "index.html")
    assert page.captions["referral-closing-reason"] == "From referral to treatment: by why the referral ended, network"
    assert page.row("referral-closing-reason", "Cost")[1:] == ["100"]
