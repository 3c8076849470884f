"""Life tables: what is at risk and still in response by week, the median read from it, and a chart with words."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest
from statsmodels.stats.proportion import proportion_confint

from clinic_outcomes.publish.durability import Week, median_text
from clinic_outcomes.publish.released import Figure
from tests.publish.reports import Grid, Row, make_release, release_of

WEEKS = range(1, 9)
NAME = "durability-pcl-5-protocol-iv-ketamine"


def _measures() -> list[Row]:
    return [
        (
            *(f"pcl_5_survival_week_{week:02}_sustained_response", "outcomes", 500 + week),
            *(f"PCL-5: still in response at the end of week {week}", "life_table_row", "percent", "patient"),
            # The code of the time point and the measure's name tell nothing: the interval has a number of its own.
            *("pcl_5", f"survival_week_{week:02}", f"Week {week} after response", week, "sustained_response", ""),
            *("", "", "", ""),
        )
        for week in WEEKS
    ]


def _figures(lost: dict[int, int]) -> str:
    """400 responders, nobody lost from sight; events up to the end of each week."""
    lines = ["measure | clinic_id | dimension | category | numerator | denominator | value | patients | clinics"]
    for week in WEEKS:
        at_risk = 400 - lost.get(week - 1, 0)
        name = f"pcl_5_survival_week_{week:02}_sustained_response"
        share = 1 - lost[week] / 400
        lines.append(f"{name} | network | protocol | iv_ketamine | {lost[week]} | {at_risk} | {share} | {at_risk} | 4")
    return "\n".join(lines)


# Half of 400 is 200: lost between the end of week 5 (180) and that of week 6 (220). In week 3 only four more are lost.
LOST = {1: 40, 2: 80, 3: 84, 4: 120, 5: 180, 6: 220, 7: 260, 8: 300}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    make_release(folder, _measures(), _figures(LOST))
    return folder


def _weeks(shares: dict[int, int]) -> list[Week]:
    return [
        Week(week, Figure("", "", "network", "", "", "shown", Decimal(share), None, 100))
        for week, share in shares.items()
    ]


@pytest.mark.parametrize(
    ("shares", "text"),
    [
        ({1: 90, 2: 70, 3: 55, 4: 40}, "between week 3 and 4"),
        ({1: 40}, "between week 0 and 1"),
        # Week 3 is withheld: the median lies anywhere from 2 to 4.
        ({1: 90, 2: 70, 4: 40}, "between week 2 and 4"),
        # Shown as 50 %, the share may be on either side of half.
        ({1: 90, 2: 50, 3: 45}, "between week 1 and 3"),
        ({1: 90, 2: 50}, "not reached by week 1"),
        ({1: 90, 2: 80}, "not reached by week 2"),
        ({}, "not told by what is shown"),
    ],
)
def test_the_median_is_read_from_the_table(shares: dict[int, int], text: str) -> None:
    assert median_text(_weeks(shares), lambda figure: Decimal(1)) == text


def test_a_life_table_says_who_is_at_risk_and_still_in_response(home: Path) -> None:
    page = Grid(home / "releases" / "latest" / "network" / "index.html")
    assert page.row(NAME, "Week 1")[1] == "400" and page.row(NAME, "Week 1")[2].startswith("90%")
    # 45 % of those who responded, to the nearest 2 percentage points.
    assert page.row(NAME, "Week 6")[1] == "220" and page.row(NAME, "Week 6")[2].startswith("46%")
    # Four events are too few to be told of: the week is left out, and counted.
    assert not any(row[0] == "Week 3" for row in page.tables[NAME])
    assert "Median time to loss of response (watched to the last day observed): between week 5 and 6." in page.words
    assert "1 weeks are withheld." in page.words


def test_a_week_has_the_interval_of_those_at_risk(home: Path) -> None:
    figure = release_of(home).released.figures[
        "pcl_5_survival_week_06_sustained_response", "network", "protocol", "iv_ketamine"
    ]
    interval = release_of(home).uncertainty.interval(figure)
    assert interval is not None
    exact = [100 * end for end in proportion_confint(0.45 * 220, 220, method="wilson")]
    # Shown as 46 %, it may be anything from 45 % to 47 %.
    assert float(interval.lower) < exact[0] < float(interval.lower) + 2
    assert float(interval.upper) - 4 < exact[1] < float(interval.upper) - 2


def test_the_chart_is_told_in_words_and_needs_nothing_else(home: Path) -> None:
    text = (home / "releases" / "latest" / "network" / "index.html").read_text(encoding="utf-8")
    chart = re.search(rf'<figure class="chart" id="{NAME}-chart">(.*?)</figure>', text, re.DOTALL)
    assert chart is not None
    assert 'role="img"' in chart[1] and f'aria-labelledby="{NAME}-chart-words"' in chart[1]
    assert "26% at week 8, median between week 5 and 6" in chart[1]
    # A step down for each week shown, dashed over the one that is withheld.
    assert len(re.findall(r'<path class="step', chart[1])) == 7
    assert chart[1].count("step dashed") == 1
    assert len(re.findall("<circle", chart[1])) == 7
