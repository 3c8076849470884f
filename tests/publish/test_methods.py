"""The page of methods is made from the definitions that the figures were made with."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinic_outcomes.publish.methods import chapters
from tests.publish.reports import Grid, make_release, plain_measure, questionnaire, release_of

QUANTITIES = ("paired", "change", "response_share")
POINTS = (("week_4", "Week 4", "the score nearest to day 28 of days 21 to 41"), ("last", "Last", ""))
MEASURES = [
    plain_measure("patients_treated", "treatment", "count", "patients"),
    *(
        row
        for order, (instrument, label) in enumerate((("pcl_5", "PCL-5"), ("phq_9", "PHQ-9")))
        for number, (point, point_label, window) in enumerate(POINTS)
        for row in questionnaire(instrument, label, point, point_label, QUANTITIES, 1000 * order + 100 * number, window)
    ),
]
FIGURES = """
measure                     | clinic_id | dimension | category    | numerator | denominator | patients | clinics
patients_treated            | network   | ''        | ''          | 500       | -           | 500      | 4
pcl_5_week_4_paired         | network   | protocol  | iv_ketamine | 300       | -           | 300      | 4
pcl_5_week_4_change         | network   | protocol  | iv_ketamine | -3000     | 300         | 300      | 4
pcl_5_week_4_response_share | network   | protocol  | iv_ketamine | 150       | 300         | 300      | 4
pcl_5_last_response_share   | network   | protocol  | iv_ketamine | 150       | 300         | 300      | 4
phq_9_last_response_share   | network   | protocol  | iv_ketamine | 150       | 300         | 300      | 4
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    make_release(folder, MEASURES, FIGURES)
    return folder


def test_questionnaires_have_one_entry_a_quantity(home: Path) -> None:
    release = release_of(home)
    found = {chapter.identifier: chapter for chapter in chapters(release.released.measures, release)}
    entries = {entry.anchor: entry for entry in found["chapter-outcomes"].entries}
    assert list(entries) == ["quantity-paired", "quantity-change", "quantity-response_share"]
    assert entries["quantity-response_share"].given_for == ("PCL-5: Week 4; Last", "PHQ-9: Last")
    rounded = "An average (points), to the nearest 2, of 100 or more to the nearest 1."
    assert entries["quantity-change"].figure == rounded
    assert [entry.label for entry in found["chapter-treatment"].entries] == ["Patients treated"]


def test_thresholds_have_their_set_citation_and_mark(home: Path) -> None:
    release = release_of(home)
    entries = [entry for chapter in chapters(release.released.measures, release) for entry in chapter.entries]
    response = next(entry for entry in entries if entry.anchor == "quantity-response_share")
    assert response.thresholds == ("PCL-5: 30 percent (set thirty: Somebody 2020; read in the source)",)
    rows = Grid(home / "releases" / "latest" / "network" / "methods.html").tables["thresholds-table"]
    assert ["PCL-5", "Response percent", "50 percent", "fifty", "Another 2021", "not verified", "not in use"] in rows


def test_time_points_have_their_days(home: Path) -> None:
    words = Grid(home / "releases" / "latest" / "network" / "methods.html").words
    assert "Week 4 the score nearest to day 28 of days 21 to 41 Last" in words


def test_the_policys_numbers_are_told(home: Path) -> None:
    words = Grid(home / "releases" / "latest" / "network" / "methods.html").words
    assert "Counts of 1 to 12 are withheld" in words
    assert "What Patients treated means. A number of patients, to the nearest 5." in words
