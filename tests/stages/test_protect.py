"""Which figures protect shows, how it rounds them, and that nothing exact leaves with them."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.protect import protect, released_folder
from clinic_outcomes.protect.policy import load_policy
from clinic_outcomes.publish.released import read_released
from clinic_outcomes.settings import Settings
from tests.support.release_marts import build_marts

MEASURES = """
measure  | section   | sort_order | label             | figure_type | unit                         | contributors | quantity | interval_number
people   | treatment | 10         | People treated    | count       | patients                     | patient      | ''       | -
events   | safety    | 20         | Adverse events    | count       | events                       | event        | ''       | -
share    | outcomes  | 30         | Share improved    | rate        | percent                      | patient      | ''       | -
change   | outcomes  | 40         | PCL-5 change      | mean        | points                       | patient      | ''       | -
per_head | safety    | 50         | Events per person | mean        | events per patient           | patient      | ''       | -
kept_out | quality   | 60         | Rows kept out     | rate        | percent                      | row          | ''       | -
rows_in  | quality   | 70         | Rows delivered    | count       | rows                         | row          | ''       | -
watched  | treatment | 80         | Sessions watched  | rate        | percent                      | session      | ''       | -
spread   | outcomes  | 90         | SD of the change  | model_value | points                       | patient      | ''       | -
ratio    | outcomes  | 91         | Seen to expected  | model_value | ratio                        | patient      | ''       | -
per_100  | safety    | 92         | Events, sessions  | model_value | events per 100 sessions      | patient      | ''       | -
per_year | safety    | 93         | Events, years     | model_value | events per 100 patient-years | patient      | ''       | -
first    | safety    | 94         | First events      | model_value | people per 100 patient-years | patient      | ''       | -
onset    | safety    | 95         | Median onset      | model_value | minutes                      | event        | ''       | -
pressure | safety    | 96         | Rise in pressure  | mean        | mmHg                         | session      | ''       | -

kept_week_1  | outcomes | 101 | Kept, week 1  | life_table_row | percent | patient | kept | 1
kept_week_2  | outcomes | 102 | Kept, week 2  | life_table_row | percent | patient | kept | 2
kept_week_3  | outcomes | 103 | Kept, week 3  | life_table_row | percent | patient | kept | 3
kept_week_4  | outcomes | 104 | Kept, week 4  | life_table_row | percent | patient | kept | 4
kept_week_5  | outcomes | 105 | Kept, week 5  | life_table_row | percent | patient | kept | 5
kept_week_6  | outcomes | 106 | Kept, week 6  | life_table_row | percent | patient | kept | 6
kept_week_7  | outcomes | 107 | Kept, week 7  | life_table_row | percent | patient | kept | 7
kept_week_10 | outcomes | 110 | Kept, week 10 | life_table_row | percent | patient | kept | 10
free_week_4  | outcomes | 120 | Free, week 4  | life_table_row | percent | patient | free | 4
"""  # noqa: E501

# The expected columns are worked out by hand from the policy in words, not by the code.
# `-` is empty; `hidden` says withheld.
CASES = """
measure  | clinic_id | category    | numerator | denominator | patients | clinics | shown  | upper | of
people   | alder     | none        | 0         | -           | 0        | 1       | 0      | -     | -
people   | alder     | one         | 1         | -           | 1        | 1       | hidden | -     | -
people   | alder     | twelve      | 12        | -           | 12       | 1       | hidden | -     | -
people   | alder     | thirteen    | 13        | -           | 13       | 1       | 15     | -     | -
people   | alder     | seventeen   | 17        | -           | 17       | 1       | 15     | -     | -
people   | alder     | eighteen    | 18        | -           | 18       | 1       | 20     | -     | -
people   | alder     | many        | 1237      | -           | 1237     | 1       | 1235   | -     | -
people   | network   | two         | 400       | -           | 400      | 2       | hidden | -     | -
people   | network   | three       | 400       | -           | 400      | 3       | 400    | -     | -
people   | network   | none        | 0         | -           | 0        | 0       | 0      | -     | -
people   | network   | none_of_two | 0         | -           | 0        | 2       | hidden | -     | -
events   | alder     | of_one      | 13        | -           | 1        | 1       | hidden | -     | -
events   | alder     | of_twelve   | 90        | -           | 12       | 1       | hidden | -     | -
events   | alder     | of_thirteen | 90        | -           | 13       | 1       | 90     | -     | -
events   | alder     | of_unknown  | 90        | -           | -        | 1       | hidden | -     | -
share    | alder     | of_24       | 0         | 24          | 24       | 1       | hidden | -     | -
share    | alder     | of_25_none  | 0         | 25          | 25       | 1       | 0      | -     | 25
share    | alder     | of_25_all   | 25        | 25          | 25       | 1       | 100    | -     | 25
share    | alder     | of_25       | 13        | 25          | 25       | 1       | hidden | -     | -
share    | alder     | of_26       | 13        | 26          | 26       | 1       | 50     | -     | 25
share    | alder     | twelve      | 12        | 100         | 100      | 1       | hidden | -     | -
share    | alder     | all_but_12  | 88        | 100         | 100      | 1       | hidden | -     | -
share    | alder     | half_up     | 25        | 200         | 200      | 1       | 13     | -     | 200
share    | alder     | below_half  | 124       | 1000        | 1000     | 1       | 12     | -     | 1000
share    | alder     | few_people  | 50        | 100         | 12       | 1       | hidden | -     | -
share    | network   | two_clinics | 50        | 100         | 100      | 2       | hidden | -     | -
change   | alder     | of_24       | -480.0    | 24          | 24       | 1       | hidden | -     | -
change   | alder     | of_25       | -480.0    | 25          | 25       | 1       | -19    | -     | 25
change   | alder     | half        | -100.0    | 40          | 40       | 1       | -2     | -     | 40
change   | alder     | under_half  | -100.4    | 40          | 40       | 1       | -3     | -     | 40
change   | alder     | up          | 100.0     | 40          | 40       | 1       | 3      | -     | 40
change   | alder     | few_people  | -600.0    | 30          | 12       | 1       | hidden | -     | -
change   | alder     | no_people   | 0.0       | 30          | 0        | 1       | hidden | -     | -
per_head | alder     | twelve      | 12        | 100         | 100      | 1       | hidden | -     | -
per_head | alder     | some        | 145       | 100         | 100      | 1       | 1.5    | -     | 100
per_head | alder     | none        | 0         | 27          | 27       | 1       | 0      | -     | 25
kept_out | alder     | few_rows    | 0         | 649         | -        | 1       | hidden | -     | -
kept_out | alder     | none        | 0         | 650         | -        | 1       | 0      | 2     | 650
kept_out | alder     | five        | 5         | 650         | -        | 1       | 0      | 2     | 650
kept_out | alder     | two_percent | 20        | 1000        | -        | 1       | 2      | 5     | 1000
kept_out | alder     | all         | 1000      | 1000        | -        | 1       | 50     | 100   | 1000
rows_in  | alder     | twelve      | 12        | -           | -        | 1       | hidden | -     | -
rows_in  | alder     | thirteen    | 13        | -           | -        | 1       | 15     | -     | -
"""
# Enough people and clinics are behind these; who of them has a part in the numerator is what differs.
PEOPLE_IN_NUMERATOR = """
measure  | clinic_id | category       | numerator | denominator | patients | clinics | numerator_patients | shown  | of
per_head | alder     | 13_of_one      | 13        | 100         | 100      | 1       | 1                  | hidden | -
per_head | alder     | of_twelve      | 50        | 100         | 100      | 1       | 12                 | hidden | -
per_head | alder     | of_thirteen    | 50        | 100         | 100      | 1       | 13                 | 0.5    | 100
per_head | alder     | of_unknown     | 50        | 100         | 100      | 1       | -                  | hidden | -
per_head | alder     | of_nobody      | 0         | 100         | 100      | 1       | 0                  | 0      | 100
watched  | alder     | of_one         | 60        | 100         | 40       | 1       | 1                  | hidden | -
watched  | alder     | of_thirteen    | 60        | 100         | 40       | 1       | 13                 | 60     | 100
share    | alder     | of_its_own     | 50        | 100         | 100      | 1       | 50                 | 50     | 100
share    | alder     | of_no_patients | 0         | 100         | 0        | 1       | 0                  | hidden | -
"""
CLINICS_IN_NUMERATOR = """
measure     | clinic_id | category    | numerator | denominator | patients | clinics | numerator_clinics | shown  | of
per_head    | network   | of_two      | 50        | 100         | 100      | 3       | 2                 | hidden | -
per_head    | network   | of_three    | 50        | 100         | 100      | 3       | 3                 | 0.5    | 100
share       | network   | of_one      | 50        | 100         | 100      | 5       | 1                 | hidden | -
share       | network   | of_two      | 50        | 100         | 100      | 5       | 2                 | hidden | -
share       | network   | of_three    | 50        | 100         | 100      | 5       | 3                 | 50     | 100
share       | network   | of_unknown  | 50        | 100         | 100      | 5       | -                 | hidden | -
share       | network   | of_nobody   | 0         | 100         | 100      | 3       | 0                 | 0      | 100
share       | network   | of_all      | 100       | 100         | 100      | 3       | 3                 | 100    | 100
share       | network   | all_but_12  | 88        | 100         | 100      | 3       | 3                 | hidden | -
kept_week_1 | network   | two_clinics | 0         | 100         | 100      | 2       | 0                 | hidden | -
kept_week_1 | network   | no_events   | 0         | 100         | 100      | 3       | 0                 | 100    | 100
kept_week_1 | network   | events_of_2 | 40        | 100         | 100      | 3       | 2                 | hidden | -
kept_week_1 | network   | events_of_3 | 40        | 100         | 100      | 3       | 3                 | 60     | 100
"""
ROWS_IN_NUMERATOR = """
measure  | clinic_id | category | numerator | denominator | clinics | numerator_clinics | shown  | upper | of
kept_out | alder     | rows     | 100       | 1000        | 1       | 1                 | 10     | 25    | 1000
kept_out | network   | two      | 100       | 1000        | 3       | 2                 | hidden | -     | -
kept_out | network   | three    | 100       | 1000        | 3       | 3                 | 10     | 25    | 1000
kept_out | network   | none     | 0         | 1000        | 3       | 0                 | 0      | 2     | 1000
"""
# `numerator` is events so far, `denominator` those at risk when the week begins. A category is a table of its own.
LIFE_TABLES = """
measure      | clinic_id | category    | numerator | denominator | value    | patients | clinics | shown  | of
kept_week_1  | alder     | whole       | 0         | 200         | 1.000000 | 200      | 1       | 100    | 200
kept_week_2  | alder     | whole       | 5         | 198         | 0.974747 | 198      | 1       | hidden | -
kept_week_3  | alder     | whole       | 13        | 193         | 0.934343 | 193      | 1       | 93     | 195
kept_week_4  | alder     | whole       | 13        | 183         | 0.934343 | 183      | 1       | 93     | 185
kept_week_5  | alder     | whole       | 20        | 175         | 0.896969 | 175      | 1       | hidden | -
kept_week_6  | alder     | whole       | 25        | 160         | 0.868939 | 160      | 1       | hidden | -
kept_week_7  | alder     | whole       | 26        | 151         | 0.863184 | 151      | 1       | 86     | 150
kept_week_4  | birch     | whole       | 20        | 151         | 0.867550 | 151      | 1       | 87     | 150
free_week_4  | alder     | whole       | 20        | 151         | 0.867550 | 151      | 1       | 87     | 150
kept_week_7  | alder     | tenth       | 13        | 100         | 0.870000 | 100      | 1       | 87     | 100
kept_week_10 | alder     | tenth       | 20        | 80          | 0.793875 | 80       | 1       | hidden | -
kept_week_1  | alder     | of_24       | 0         | 24          | 1.000000 | 24       | 1       | hidden | -
kept_week_1  | alder     | of_25       | 0         | 25          | 1.000000 | 25       | 1       | 100    | 25
kept_week_1  | alder     | leaves_12   | 28        | 40          | 0.300000 | 40       | 1       | hidden | -
kept_week_1  | alder     | leaves_13   | 27        | 40          | 0.325000 | 40       | 1       | 33     | 40
kept_week_1  | alder     | leaves_none | 40        | 40          | 0.000000 | 40       | 1       | 0      | 40
kept_week_1  | alder     | leaves_15   | 50        | 100         | 0.500000 | 100      | 1       | 50     | 100
kept_week_2  | alder     | leaves_15   | 80        | 45          | 0.166667 | 45       | 1       | 17     | 45
kept_week_1  | alder     | then_12     | 50        | 100         | 0.500000 | 100      | 1       | 50     | 100
kept_week_2  | alder     | then_12     | 80        | 42          | 0.142857 | 42       | 1       | hidden | -
kept_week_1  | alder     | few_people  | 0         | 30          | 1.000000 | 12       | 1       | hidden | -
kept_week_1  | alder     | no_people   | 0         | 30          | 1.000000 | 0        | 1       | hidden | -
"""
MODEL_VALUES = """
measure | clinic_id | category    | numerator | denominator | value     | patients | clinics | shown  | upper | of
spread  | alder     | of_24       | -         | 24          | 12.400000 | 24       | 1       | hidden | -     | -
spread  | alder     | of_25       | -         | 25          | 12.499999 | 25       | 1       | 12     | -     | 25
spread  | alder     | half_up     | -         | 138         | 12.500000 | 138      | 1       | 13     | -     | 140
spread  | alder     | few_people  | -         | 30          | 12.500000 | 12       | 1       | hidden | -     | -
spread  | alder     | no_people   | -         | 30          | 12.500000 | 0        | 1       | hidden | -     | -
spread  | network   | two_clinics | -         | 300         | 12.500000 | 300      | 2       | hidden | -     | -
spread  | network   | three       | -         | 300         | 12.500000 | 300      | 3       | 13     | -     | 300
ratio   | alder     | up          | -         | 60          | 0.950000  | 60       | 1       | 1      | -     | 60
ratio   | alder     | down        | -         | 60          | 1.249999  | 60       | 1       | 1.2    | -     | 60
ratio   | alder     | seen_12     | 12        | 60          | 0.600000  | 60       | 1       | hidden | -     | -
ratio   | alder     | seen_13     | 13        | 60          | 0.650000  | 60       | 1       | 0.7    | -     | 60
ratio   | alder     | seen_none   | 0         | 60          | 0.000000  | 60       | 1       | 0      | -     | 60
ratio   | alder     | unseen_12   | 48        | 60          | 2.400000  | 60       | 1       | hidden | -     | -
"""
# `numerator` is the people with an event, `denominator` those treated; the events and sessions of a rate are in `value`
# alone. Medians have no numerator. That all but twelve had an event is told by no rate.
EVENT_RATES = """
measure  | clinic_id | category    | numerator | denominator | value      | patients | clinics | numerator_patients | shown  | of
per_100  | alder     | none_of_24  | 0         | 24          | 0.000000   | 24       | 1       | 0                  | hidden | -
per_100  | alder     | none_of_25  | 0         | 25          | 0.000000   | 25       | 1       | 0                  | 0      | 25
per_100  | alder     | of_12       | 12        | 400         | 4.000000   | 400      | 1       | 12                 | hidden | -
per_100  | alder     | of_13       | 13        | 400         | 4.250000   | 400      | 1       | 13                 | 4.3    | 400
per_100  | alder     | below_half  | 13        | 400         | 4.249999   | 400      | 1       | 13                 | 4.2    | 400
per_100  | alder     | all_but_12  | 388       | 400         | 140.000000 | 400      | 1       | 388                | 140    | 400
first    | alder     | all_but_12  | 388       | 400         | 140.000000 | 400      | 1       | 388                | 140    | 400
per_100  | alder     | everyone    | 400       | 400         | 140.000000 | 400      | 1       | 400                | 140    | 400
per_100  | alder     | rounds_to_0 | 13        | 9000        | 0.040000   | 9000     | 1       | 13                 | 0      | 9000
per_100  | network   | none        | 0         | 400         | 0.000000   | 400      | 3       | 0                  | 0      | 400
per_100  | network   | none_of_two | 0         | 400         | 0.000000   | 400      | 2       | 0                  | hidden | -
per_year | alder     | up          | 30        | 400         | 12.500000  | 400      | 1       | 30                 | 13     | 400
per_year | alder     | of_unknown  | 30        | 400         | 12.500000  | 400      | 1       | -                  | hidden | -
first    | alder     | down        | 30        | 400         | 12.499999  | 400      | 1       | 30                 | 12     | 400
onset    | alder     | up          | -         | 25          | 12.500000  | 25       | 1       | 25                 | 15     | 25
onset    | alder     | down        | -         | 25          | 12.499999  | 25       | 1       | 25                 | 10     | 25
onset    | alder     | of_24       | -         | 24          | 12.500000  | 24       | 1       | 24                 | hidden | -
onset    | alder     | few_people  | -         | 90          | 12.500000  | 12       | 1       | 12                 | hidden | -
onset    | alder     | no_median   | -         | 90          | -          | 90       | 1       | 90                 | hidden | -
per_year | alder     | no_exposure | 30        | 400         | -          | 400      | 1       | 30                 | hidden | -
pressure | alder     | half_up     | 500       | 40          | 12.500000  | 40       | 1       | 40                 | 13     | 40
pressure | alder     | few_people  | 500       | 40          | 12.500000  | 12       | 1       | 12                 | hidden | -
"""  # noqa: E501
TABLES = (CASES, PEOPLE_IN_NUMERATOR, CLINICS_IN_NUMERATOR, ROWS_IN_NUMERATOR, LIFE_TABLES, MODEL_VALUES, EVENT_RATES)


def _cells(table: str) -> list[dict[str, str]]:
    lines = [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines() if line]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]


Shown = dict[str, tuple[str, Decimal | None, Decimal | None, int | None]]


def _protected(home: Path, figures: str) -> Shown:
    """Status, value, upper edge and denominator released of each figure, by its id."""
    build_marts(home, measures=MEASURES, figures=figures)
    settings = Settings(home=home)
    protect(settings)
    rows = duckdb.sql(
        f"SELECT figure_id, status, shown_value, shown_upper, shown_denominator "
        f"FROM '{released_folder(settings)}/figures.parquet'"
    ).fetchall()
    return {figure_id: (status, value, upper, denominator) for figure_id, status, value, upper, denominator in rows}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    build_marts(home, measures=MEASURES, figures=CASES)
    return home


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Shown]:
    return {table: _protected(tmp_path_factory.mktemp("home"), table) for table in TABLES}


@pytest.mark.parametrize(
    ("table", "case"),
    [
        pytest.param(table, case, id=f"{case['measure']}-{case['clinic_id']}-{case['category']}")
        for table in TABLES
        for case in _cells(table)
    ],
)
def test_each_figure_is_judged_and_rounded_as_the_policy_says(
    table: str, case: dict[str, str], released: dict[str, Shown]
) -> None:
    figure_id = f"{case['measure']}/{case['clinic_id']}/group/{case['category']}"
    status, value, upper, denominator = released[table][figure_id]
    if case["shown"] == "hidden":
        assert (status, value, upper, denominator) == ("withheld", None, None, None)
    else:
        assert status == "shown"
        assert value == Decimal(case["shown"])
        assert upper == (None if case.get("upper", "-") == "-" else Decimal(case["upper"]))
        assert denominator == (None if case["of"] == "-" else int(case["of"]))


def test_record_counts_what_is_shown_and_withheld(home: Path) -> None:
    cases = _cells(CASES)
    types = {measure["measure"]: measure["figure_type"] for measure in _cells(MEASURES)}
    record = protect(Settings(home=home))
    for kind in ("count", "rate", "mean"):
        of_kind = [case for case in cases if types[case["measure"]] == kind]
        assert record.withheld[kind] == sum(case["shown"] == "hidden" for case in of_kind)
        assert record.released[kind] == sum(case["shown"] != "hidden" for case in of_kind)


def test_nothing_exact_is_in_the_released_folder(home: Path) -> None:
    settings = Settings(home=home)
    protect(settings)
    folder = released_folder(settings)
    assert sorted(path.name for path in folder.iterdir()) == [
        "clinics.parquet",
        "coverage.parquet",
        "dimensions.parquet",
        "figures.parquet",
        "measures.parquet",
        "protect.json",
        "thresholds.parquet",
    ]
    columns = {row[0] for row in duckdb.sql(f"DESCRIBE FROM '{folder}/figures.parquet'").fetchall()}
    assert columns.isdisjoint({"numerator", "denominator", "value", "patients", "clinics"})
    cells = {
        str(cell)
        for path in folder.glob("*.parquet")
        for row in duckdb.sql(f"SELECT columns(*)::VARCHAR FROM '{path}'").fetchall()
        for cell in row
    }
    for exact in ("1237", "-480", "-100.4", "145", "124", "649"):
        assert not [cell for cell in cells if cell.startswith(exact)], exact


def test_same_marts_give_the_same_bytes(tmp_path: Path) -> None:
    contents = []
    for name in ("first", "second"):
        build_marts(tmp_path / name, measures=MEASURES, figures=CASES)
        settings = Settings(home=tmp_path / name)
        protect(settings)
        folder = released_folder(settings)
        contents.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert contents[0] == contents[1]


def test_released_folder_names_build_and_policy_and_is_made_once(home: Path) -> None:
    settings = Settings(home=home)
    protect(settings)
    folder = released_folder(settings)
    made = folder.stat().st_mtime_ns
    protect(settings)
    assert folder.stat().st_mtime_ns == made
    notes = json.loads((folder / "protect.json").read_text())
    assert folder.name == f"released.{notes['policy_id']}"
    assert notes["record"]["build_id"] == folder.parent.name


@pytest.mark.parametrize(
    ("name", "figure_type", "unit", "interval", "numerator", "denominator", "value"),
    [
        pytest.param("odd", "mean", "furlongs", "-", "900", "90", "10", id="mean in a unit without a step"),
        pytest.param("odd", "model_value", "furlongs", "-", "-", "90", "10", id="model value in a unit without a step"),
        pytest.param("odd", "model_value", "mg", "-", "-", "90", "10", id="unit with a step for means alone"),
        pytest.param("odd", "model_value", "points", "-", "-", "-", "10", id="model value of nobody knows how many"),
        pytest.param("odd_week_1", "life_table_row", "percent", "-", "20", "90", "0.8", id="row of no interval"),
        pytest.param("odd", "life_table_row", "percent", "2", "20", "90", "0.8", id="another row of its interval"),
        pytest.param("odd", "life_table_row", "percent", "1", "-", "90", "0.8", id="row without events"),
        pytest.param("odd", "life_table_row", "percent", "1", "20", "-", "0.8", id="row without those at risk"),
        pytest.param("odd", "life_table_row", "percent", "1", "20", "90", "-", id="row without a value"),
        pytest.param("odd", "median", "days", "-", "20", "90", "27", id="type without a rule"),
        pytest.param("other", "count", "patients", "-", "900", "-", "900", id="measure without a description"),
    ],
)
def test_what_cannot_be_judged_is_not_released(
    tmp_path: Path, name: str, figure_type: str, unit: str, interval: str, numerator: str, denominator: str, value: str
) -> None:
    described = "odd" if name == "other" else name
    build_marts(
        tmp_path,
        measures="measure | section | sort_order | label | figure_type | unit | contributors | quantity | "
        "interval_number\n"
        f"{described} | s | 1 | Odd | {figure_type} | {unit} | patient | kept | {interval}\n"
        "second | s | 2 | Second week | life_table_row | percent | patient | kept | 2",
        figures="measure | clinic_id | category | numerator | denominator | value | patients | clinics\n"
        f"{name} | alder | a | {numerator} | {denominator} | {value} | 90 | 1",
    )
    settings = Settings(home=tmp_path)
    with pytest.raises(ClinicOutcomesError, match=f"cannot judge these measures: {name};"):
        protect(settings)
    assert not released_folder(settings).exists()


def test_a_figure_given_twice_is_not_released(tmp_path: Path) -> None:
    build_marts(tmp_path, measures=MEASURES, figures=CASES + CASES.strip().splitlines()[-1])
    with pytest.raises(ClinicOutcomesError, match="more than once"):
        protect(Settings(home=tmp_path))


@pytest.mark.parametrize("mart", ["agg_figures", "dim_thresholds"])
def test_marts_of_another_shape_are_refused(tmp_path: Path, mart: str) -> None:
    build_marts(tmp_path, measures=MEASURES, figures=CASES)
    path = tmp_path / "marts" / "latest" / "release" / f"{mart}.parquet"
    columns = "numerator_patients" if mart == "agg_figures" else "is_used"
    duckdb.sql(f"COPY (SELECT * EXCLUDE ({columns}) FROM '{path}') TO '{path}.new' (FORMAT parquet)")
    Path(f"{path}.new").replace(path)
    with pytest.raises(ClinicOutcomesError, match=f"{mart} of this build has no {columns}"):
        protect(Settings(home=tmp_path))
    path.unlink()
    with pytest.raises(ClinicOutcomesError, match=f"{mart} of this build has no"):
        protect(Settings(home=tmp_path))


def test_descriptions_are_released_beside_the_figures(tmp_path: Path) -> None:
    build_marts(
        tmp_path,
        measures="measure | section | sort_order | label | figure_type | unit | contributors | instrument | "
        "time_point | time_point_label | interval_number | quantity | count_measure\n"
        "people | treatment | 10 | People treated | count | patients | patient | pcl_5 | week_4 | Week 4 | 7 | "
        "response | events\n",
        figures="measure | clinic_id | category | numerator | denominator | patients | clinics\n"
        "people | alder | a | 20 | - | 20 | 1\n",
    )
    settings = Settings(home=tmp_path)
    protect(settings)
    folder = released_folder(settings)

    def rows(name: str, columns: str) -> list[tuple[object, ...]]:
        return duckdb.sql(f"SELECT {columns} FROM '{folder}/{name}.parquet'").fetchall()

    assert rows(
        "measures", "measure, label, figure_type, unit, definition, instrument, time_point, quantity, source"
    ) == [
        (
            "people",
            "People treated",
            "count",
            "patients",
            "What People treated means.",
            "pcl_5",
            "week_4",
            "response",
            "",
        )
    ]
    assert rows("thresholds", "instrument, quantity, threshold_set, value::INTEGER, unit, citation, is_used") == [
        ("pcl_5", "response", "fifty", 50, "percent", "Another 2021", False),
        ("pcl_5", "response", "thirty", 30, "percent", "Somebody 2020", True),
    ]
    assert rows("dimensions", "dimension, label, scope") == [
        ("group", "Group", "clinic"),
        ("system_class", "Body system", "clinic"),
        ("severity", "Severity", "clinic"),
    ]
    released = read_released(folder, settings)
    (people,) = released.measures
    assert (people.time_point_label, people.interval_number, people.count_measure) == ("Week 4", 7, "events")
    assert (people.measure, people.instrument, people.source) == ("people", "pcl_5", "")
    assert [one.threshold_set for one in released.thresholds if one.is_used] == ["thirty"]
    # A dimension that no figure is broken down by is not the reader's concern.
    assert [one.label for one in released.dimensions] == ["Group"]


def test_policy_names_the_step_that_each_released_value_is_a_multiple_of(released: dict[str, Shown]) -> None:
    policy = load_policy()
    described = {measure["measure"]: measure for measure in _cells(MEASURES)}
    for figures in released.values():
        for figure_id, (_, value, upper, _) in figures.items():
            measure = described[figure_id.split("/")[0]]
            if value is not None and upper is None:
                assert value % policy.rounding_step(measure["figure_type"], measure["unit"]) == 0
    assert policy.rounding_step("model_value", "ratio") == Decimal("0.1")
    with pytest.raises(KeyError):
        policy.rounding_step("model_value", "furlongs")


def test_without_a_build_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ClinicOutcomesError, match="run the stage model first"):
        protect(Settings(home=tmp_path))
