"""Tables of questionnaires: which rows and columns there are, what stands beside a number, and how groups differ."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

import pytest
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from tests.publish.reports import Grid, make_release, questionnaire, release_of

QUANTITIES = ("paired", "paired_share", "baseline", "score", "change", "change_sd", "response_share")
BOUNDS = ("response_worst_case_share", "response_best_case_share")
MEASURES = [
    *questionnaire("pcl_5", "PCL-5", "week_4", "Week 4", [*QUANTITIES, *BOUNDS], 100),
    *questionnaire("pcl_5", "PCL-5", "last", "Last", [*QUANTITIES, "worse_share"], 200),
    *questionnaire("phq_9", "PHQ-9", "last", "Last", QUANTITIES, 300),
]
# Of 800 watched under ketamine until week 4, 300 have both scores: 37.5 %, so under half. Of 300, 180 responded. Alder
# delivers no PHQ-9; under NAD+ eight people have both scores.
FIGURES = """
measure                                | clinic_id | dimension | category          | numerator | denominator | value | patients | clinics
pcl_5_week_4_paired                    | network   | protocol  | iv_ketamine       | 300       | -           | 300   | 300      | 4
pcl_5_week_4_paired_share              | network   | protocol  | iv_ketamine       | 300       | 800         | 0.375 | 800      | 4
pcl_5_week_4_baseline                  | network   | protocol  | iv_ketamine       | 15000     | 300         | 50    | 300      | 4
pcl_5_week_4_score                     | network   | protocol  | iv_ketamine       | 9600      | 300         | 32    | 300      | 4
pcl_5_week_4_change                    | network   | protocol  | iv_ketamine       | -5400     | 300         | -18   | 300      | 4
pcl_5_week_4_change_sd                 | network   | protocol  | iv_ketamine       | -         | 300         | 13    | 300      | 4
pcl_5_week_4_response_share            | network   | protocol  | iv_ketamine       | 180       | 300         | 0.6   | 300      | 4
pcl_5_week_4_response_worst_case_share | network   | protocol  | iv_ketamine       | 180       | 800         | 0.225 | 800      | 4
pcl_5_week_4_response_best_case_share  | network   | protocol  | iv_ketamine       | 680       | 800         | 0.85  | 800      | 4
pcl_5_week_4_paired                    | network   | protocol  | nad_plus          | 8         | -           | 8     | 8        | 4
pcl_5_week_4_change                    | network   | protocol  | nad_plus          | -80       | 8           | -10   | 8        | 4
pcl_5_last_paired                      | network   | protocol  | iv_ketamine       | 700       | -           | 700   | 700      | 4
pcl_5_last_paired_share                | network   | protocol  | iv_ketamine       | 700       | 800         | 0.875 | 800      | 4
pcl_5_last_change                      | network   | protocol  | iv_ketamine       | -10500    | 700         | -15   | 700      | 4
pcl_5_last_response_share              | network   | protocol  | iv_ketamine       | 350       | 700         | 0.5   | 700      | 4
pcl_5_last_worse_share                 | network   | protocol  | iv_ketamine       | 35        | 700         | 0.05  | 700      | 4
pcl_5_last_response_share              | network   | protocol  | midazolam_control | 40        | 200         | 0.2   | 200      | 4
pcl_5_last_paired                      | alder     | protocol  | iv_ketamine       | 200       | -           | 200   | 200      | 1
pcl_5_last_change                      | alder     | protocol  | iv_ketamine       | -2800     | 200         | -14   | 200      | 1
pcl_5_last_response_share              | alder     | protocol  | iv_ketamine       | 90        | 200         | 0.45  | 200      | 1
phq_9_last_paired                      | network   | protocol  | iv_ketamine       | 500       | -           | 500   | 500      | 4
phq_9_last_change                      | network   | protocol  | iv_ketamine       | -2500     | 500         | -5    | 500      | 4
pcl_5_last_paired_share                | network   | baseline_third | lowest       | 200       | 260         | 0.77  | 260      | 4
pcl_5_last_baseline                    | network   | baseline_third | lowest       | 7000      | 200         | 35    | 200      | 4
pcl_5_last_change                      | network   | baseline_third | lowest       | -2000     | 200         | -10   | 200      | 4
pcl_5_last_change_sd                   | network   | baseline_third | lowest       | -         | 200         | 12    | 200      | 4
pcl_5_last_change                      | network   | baseline_third | highest      | -3600     | 200         | -18   | 200      | 4
pcl_5_last_change_sd                   | network   | baseline_third | highest      | -         | 200         | 14    | 200      | 4
pcl_5_last_change                      | network   | trial_arm | a_ketamine        | -3000     | 200         | -15   | 200      | 4
pcl_5_last_change_sd                   | network   | trial_arm | a_ketamine        | -         | 200         | 12    | 200      | 4
pcl_5_last_response_share              | network   | trial_arm | a_ketamine        | 120       | 200         | 0.6   | 200      | 4
pcl_5_last_change                      | network   | trial_arm | b_midazolam       | -1000     | 200         | -5    | 200      | 4
pcl_5_last_change_sd                   | network   | trial_arm | b_midazolam       | -         | 200         | 11    | 200      | 4
pcl_5_last_response_share              | network   | trial_arm | b_midazolam       | 40        | 200         | 0.2   | 200      | 4
"""  # noqa: E501
KETAMINE = "scores-pcl-5-protocol-iv-ketamine"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    make_release(folder, MEASURES, FIGURES)
    return folder


@pytest.fixture(scope="module")
def network(home: Path) -> Grid:
    return Grid(home / "releases" / "latest" / "network" / "index.html")


@pytest.fixture(scope="module")
def alder(home: Path) -> Grid:
    return Grid(home / "releases" / "latest" / "alder" / "index.html")


def test_a_row_is_a_time_point_and_a_column_a_quantity(network: Grid) -> None:
    assert network.captions[KETAMINE] == "PCL-5, Intravenous ketamine: scores and response by time point"
    assert network.tables[KETAMINE][0][:6] == [
        "Time point",
        "Both scores",
        "Completeness",
        "Baseline",
        "Score",
        "Change",
    ]
    assert [row[0] for row in network.tables[KETAMINE][1:]] == ["Week 4", "Last"]
    row = network.row(KETAMINE, "Week 4")
    assert row[1] == "300"
    # 37.5 % and 22.5 % are rounded half up.
    assert row[2] == "38% of 800"
    assert row[7].split() == ["23%", "†", "under", "half", "to", "85%", "†", "under", "half"]


def test_a_number_with_under_half_of_its_people_behind_it_is_marked(network: Grid) -> None:
    weeks, last = network.row(KETAMINE, "Week 4"), network.row(KETAMINE, "Last")
    assert all("† under half" in cell for cell in weeks[3:7])
    assert not any("†" in cell for cell in last)
    assert "† Under half of those treated are behind the figure." in network.words


def test_a_number_whose_completeness_is_withheld_says_so(tmp_path: Path) -> None:
    figures = FIGURES.replace("| 300       | 800         | 0.375 |", "| 790       | 800         | 0.988 |")
    release = make_release(tmp_path, MEASURES, figures)
    row = Grid(release / "network" / "index.html").row(KETAMINE, "Week 4")
    assert row[2] == "withheld"
    assert "‡ completeness withheld" in row[5]


def test_intervals_hold_those_of_every_figure_shown_the_same(network: Grid) -> None:
    # 60 % of 300, to the nearest 2: from 59 % to under 61 % of 298 to 302 people.
    lowest = min(proportion_confint(-(-590 * n // 1000), n, method="wilson")[0] for n in range(298, 303))
    highest = max(proportion_confint((610 * n - 1) // 1000, n, method="wilson")[1] for n in range(298, 303))
    lower, upper = _interval(network.row(KETAMINE, "Week 4")[6], "%")
    assert lower <= 100 * lowest < lower + 1 and upper - 1 < 100 * highest <= upper
    # -18 to the nearest 1, SD under 13.5, at least 298 people.
    half_width = stats.t.ppf(0.975, 297) * 13.5 / 298**0.5
    lower, upper = _interval(network.row(KETAMINE, "Week 4")[5], "")
    assert lower == pytest.approx(-18.5 - half_width, abs=0.1) and lower <= -18.5 - half_width
    assert upper == pytest.approx(-17.5 + half_width, abs=0.1) and upper >= -17.5 + half_width


def test_intervals_of_fewer_than_100_allow_for_their_coarser_steps(tmp_path: Path) -> None:
    measures = questionnaire("pcl_5", "PCL-5", "week_4", "Week 4", ["change", "change_sd", "response_share"], 1)
    figures = """
measure                     | clinic_id | dimension | category    | numerator | denominator | value  | patients | clinics
pcl_5_week_4_change         | network   | protocol  | iv_ketamine | -1360     | 80          | -17.0  | 80       | 4
pcl_5_week_4_change_sd      | network   | protocol  | iv_ketamine | -         | 80          | 13.2   | 80       | 4
pcl_5_week_4_response_share | network   | protocol  | iv_ketamine | 41        | 80          | 0.5125 | 80       | 4
"""  # noqa: E501
    row = Grid(make_release(tmp_path, measures, figures) / "network" / "index.html").row(KETAMINE, "Week 4")
    share, mean = (next(cell for cell in row if cell.startswith(start)) for start in ("50%", "\N{MINUS SIGN}16"))
    # 50 % to the nearest 5, of 78 to 82 people: from 47.5 % to under 52.5 %.
    lowest = min(proportion_confint(-(-475 * n // 1000), n, method="wilson")[0] for n in range(78, 83))
    highest = max(proportion_confint((525 * n - 1) // 1000, n, method="wilson")[1] for n in range(78, 83))
    lower, upper = _interval(share, "%")
    assert lower <= 100 * lowest < lower + 1 and upper - 1 < 100 * highest <= upper
    # -17 is shown as -16, for halves go up; its SD, shown as 14, is under 15.
    half_width = stats.t.ppf(0.975, 77) * 15 / 78**0.5
    lower, upper = _interval(mean, "")
    assert lower == pytest.approx(-17 - half_width, abs=0.2) and lower <= -17 - half_width
    assert upper == pytest.approx(-15 + half_width, abs=0.2) and upper >= -15 + half_width


def test_a_mean_without_a_released_sd_has_no_interval(network: Grid) -> None:
    assert " to " not in network.row(KETAMINE, "Last")[5]


def test_the_threshold_set_stands_below_the_table(network: Grid) -> None:
    words = network.words
    assert "30 percent (set thirty: Somebody 2020; read in the source)" in words
    assert "Another 2021" not in words


def test_protocols_with_nothing_to_show_are_counted_in_one_line(network: Grid) -> None:
    assert not any("nad-plus" in name for name in network.tables)
    assert "PCL-5: 1 more protocol or arm: every figure withheld, or nought." in network.words


def test_scores_that_cannot_tell_of_relief_within_hours_are_counted(tmp_path: Path) -> None:
    measures = questionnaire("pcl_5", "PCL-5", "within_24_hours", "Within 24 hours", ["paired", "not_assessable"], 1)
    figures = """
measure                              | clinic_id | dimension | category          | numerator | denominator | patients | clinics
pcl_5_within_24_hours_paired         | network   | protocol  | iv_ketamine       | 100       | -           | 100      | 4
pcl_5_within_24_hours_not_assessable | network   | protocol  | iv_ketamine       | 202       | -           | 202      | 4
pcl_5_within_24_hours_paired         | network   | protocol  | midazolam_control | 100       | -           | 100      | 4
pcl_5_within_24_hours_not_assessable | network   | protocol  | midazolam_control | 0         | -           | 0        | 0
"""  # noqa: E501
    words = Grid(make_release(tmp_path, measures, figures) / "network" / "index.html").words
    assert "Within 24 hours: not assessable for about 200 people" in words
    assert words.count("not assessable") == 1


def test_judgements_stand_side_by_side_by_protocol_and_arm(network: Grid) -> None:
    table = network.tables["judgements-pcl-5-last"]
    assert table[0][1:3] == ["Intravenous ketamine", "Midazolam control"]
    response = network.row("judgements-pcl-5-last", "Response, all starters with both scores")
    assert response[1].startswith("50%") and response[2].startswith("20%")
    assert network.row("judgements-pcl-5-last", "Worse")[1].startswith("5%")


def test_bounds_stand_beside_the_response(tmp_path: Path) -> None:
    bounds = questionnaire("pcl_5", "PCL-5", "last", "Last", BOUNDS, 400)
    figures = """
measure                              | clinic_id | dimension | category    | numerator | denominator | patients| clinics
pcl_5_last_response_share            | network   | protocol  | iv_ketamine | 350       | 700         | 700     | 4
pcl_5_last_response_worst_case_share | network   | protocol  | iv_ketamine | 350       | 1000        | 1000    | 4
pcl_5_last_response_best_case_share  | network   | protocol  | iv_ketamine | 650       | 1000        | 1000    | 4
"""
    page = Grid(make_release(tmp_path, [*MEASURES, *bounds], figures) / "network" / "index.html")
    row = page.row("judgements-pcl-5-last", "Response of all starters if all others failed, or all succeeded")
    # 350 responders among 1,000 starters, and the 300 without both scores beside them.
    assert row[1] == "35% of 1,000 to 65%"


def test_strata_differ_from_the_first_group(network: Grid) -> None:
    table = network.tables["strata-pcl-5-last"]
    assert ["Baseline severity"] in table
    lowest = network.row("strata-pcl-5-last", "Lowest third")
    highest = network.row("strata-pcl-5-last", "Highest third")
    assert lowest[5] == "compared with"
    assert highest[5].startswith("\N{MINUS SIGN}8 ")
    # Hedges' g by hand: -8 over the pooled SD of 12 and 14, corrected for 398 degrees of freedom.
    g = -8 / ((12**2 + 14**2) / 2) ** 0.5 * (1 - 3 / (4 * 398 - 1))
    assert highest[6].split()[0] == f"{g:.2f}".replace("-", "\N{MINUS SIGN}")
    lower, upper = _interval(highest[5], "")
    exact = stats.ttest_ind_from_stats(-18, 14, 200, -10, 12, 200, equal_var=False)
    assert exact.pvalue < 0.05 and lower < -8 - 1.96 * 1.3 and upper > -8 + 1.96 * 1.3
    assert "regression to the mean" in network.words


def test_arms_are_compared_with_each_other(network: Grid) -> None:
    row = network.row("arms-pcl-5-a-ketamine-b-midazolam", "Last")
    assert row[1].startswith("\N{MINUS SIGN}10 ")
    assert row[3].startswith("40 ")
    lower, upper = _interval(row[3], "")
    exact = confint_proportions_2indep(120, 200, 40, 200, method="newcomb")
    assert lower < 100 * exact[0] and upper > 100 * exact[1] and lower > 25 and upper < 55


def test_a_clinics_table_has_the_network_beside_it_and_no_strata(alder: Grid) -> None:
    row = alder.row(KETAMINE, "Last")
    assert row[1] == "200"
    assert row[5].startswith("\N{MINUS SIGN}14") and row[5].endswith("network \N{MINUS SIGN}15")
    assert not any(name.startswith(("strata", "arms")) for name in alder.tables)


def test_questionnaires_that_a_clinic_does_not_deliver_are_not_on_its_page(network: Grid, alder: Grid) -> None:
    assert any("phq-9" in name for name in network.tables)
    assert not any("phq-9" in name for name in alder.tables)
    assert "PHQ-9" not in alder.words


def test_intervals_stand_in_the_tables_beside_the_page(home: Path) -> None:
    path = home / "releases" / "latest" / "network" / "tables" / "outcomes.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        rows = {row["figure_id"]: row for row in csv.DictReader(stream)}
    row = rows["pcl_5_week_4_response_share/network/protocol/iv_ketamine"]
    assert (row["instrument"], row["time_point"], row["quantity"]) == ("pcl_5", "week_4", "response_share")
    figure = release_of(home).released.figures["pcl_5_week_4_response_share", "network", "protocol", "iv_ketamine"]
    interval = release_of(home).uncertainty.interval(figure)
    assert interval is not None
    assert (Decimal(row["interval_lower"]), Decimal(row["interval_upper"])) == (interval.lower, interval.upper)
    assert rows["pcl_5_week_4_change/network/protocol/nad_plus"]["interval_lower"] == ""
    dictionary = (path.parent / "data_dictionary.csv").read_text(encoding="utf-8")
    assert all(f"column,{name}," in dictionary for name in row)


def _interval(cell: str, unit: str) -> tuple[float, float]:
    """The ends of the interval in a cell's text: the two numbers around its "to"."""
    before, after = cell.replace("\N{MINUS SIGN}", "-").split(" to ")[:2]
    return float(before.split()[-1].removesuffix(unit)), float(after.split()[0].removesuffix(unit))
