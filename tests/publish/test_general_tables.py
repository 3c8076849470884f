"""Tables that any section may have: what is left out of them is counted."""

from __future__ import annotations

from pathlib import Path

from tests.publish.reports import Grid, make_release, plain_measure

MEASURES = [
    plain_measure("adverse_events", "treatment", "count", "events", "event"),
    plain_measure("serious_adverse_events", "treatment", "count", "events", "event"),
    plain_measure("days_to_contact", "referral", "mean", "days"),
    plain_measure("days_to_contact_sd", "referral", "model_value", "days"),
]
FIGURES = """
measure                | clinic_id | dimension | category | numerator | denominator | value | patients | clinics
adverse_events         | network   | severity  | mild     | 500       | -           | 500   | 400      | 4
serious_adverse_events | network   | severity  | mild     | 0         | -           | 0     | 0        | 0
adverse_events         | network   | severity  | moderate | 0         | -           | 0     | 0        | 0
serious_adverse_events | network   | severity  | moderate | 0         | -           | 0     | 0        | 0
adverse_events         | network   | severity  | severe   | 7         | -           | 7     | 7        | 4
serious_adverse_events | network   | severity  | severe   | 0         | -           | 0     | 0        | 0
days_to_contact        | network   | ''        | ''       | 800       | 400         | 2     | 400      | 4
days_to_contact_sd     | network   | ''        | ''       | -         | 400         | 6     | 400      | 4
"""


def test_a_row_of_which_all_but_noughts_is_withheld_is_counted_below(tmp_path: Path) -> None:
    page = Grid(make_release(tmp_path, MEASURES, FIGURES) / "network" / "index.html")
    rows = page.tables["treatment-severity"][1:]
    assert [row[0] for row in rows] == ["Mild", "Moderate"]
    assert rows[1][1:] == ["0", "0"]
    assert "1 more row: every figure withheld, or nought." in page.words


def test_a_means_sd_makes_its_interval_and_no_row(tmp_path: Path) -> None:
    page = Grid(make_release(tmp_path, MEASURES, FIGURES) / "network" / "index.html")
    rows = page.tables["referral-overall"][1:]
    assert [row[0] for row in rows] == ["Days to contact days"]
    # 1.96 SDs of 6 over the root of 400 are 0.59; half a day of rounding, and some of the SD's, come on top.
    lower, upper = (float(end) for end in rows[0][1].split(" of ")[0].removeprefix("2 ").split(" to "))
    assert 0.7 <= lower < 2 - 0.59 - 0.49 and 2 + 0.59 + 0.49 < upper <= 3.3
