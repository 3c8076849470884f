"""Which figures protect shows, how it rounds them, and that nothing exact leaves with them."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.protect import protect, released_folder
from clinic_outcomes.settings import Settings
from tests.support.release_marts import build_marts

MEASURES = """
measure  | section   | sort_order | label             | figure_type | unit               | contributors
people   | treatment | 10         | People treated    | count       | patients           | patient
events   | safety    | 20         | Adverse events    | count       | events             | event
share    | outcomes  | 30         | Share improved    | rate        | percent            | patient
change   | outcomes  | 40         | PCL-5 change      | mean        | points             | patient
per_head | safety    | 50         | Events per person | mean        | events per patient | patient
kept_out | quality   | 60         | Rows kept out     | rate        | percent            | row
rows_in  | quality   | 70         | Rows delivered    | count       | rows               | row
"""

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


def _cells(table: str) -> list[dict[str, str]]:
    lines = [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines() if line]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    build_marts(home, measures=MEASURES, figures=CASES)
    return home


@pytest.fixture(scope="module")
def released(home: Path) -> dict[str, tuple[str, Decimal | None, Decimal | None, int | None]]:
    settings = Settings(home=home)
    protect(settings)
    rows = duckdb.sql(
        f"SELECT figure_id, status, shown_value, shown_upper, shown_denominator "
        f"FROM '{released_folder(settings)}/figures.parquet'"
    ).fetchall()
    return {figure_id: (status, value, upper, denominator) for figure_id, status, value, upper, denominator in rows}


@pytest.mark.parametrize("case", _cells(CASES), ids=lambda case: f"{case['measure']}-{case['category']}")
def test_each_figure_is_judged_and_rounded_as_the_policy_says(
    case: dict[str, str], released: dict[str, tuple[str, Decimal | None, Decimal | None, int | None]]
) -> None:
    status, value, upper, denominator = released[f"{case['measure']}/{case['clinic_id']}/group/{case['category']}"]
    if case["shown"] == "hidden":
        assert (status, value, upper, denominator) == ("withheld", None, None, None)
    else:
        assert status == "shown"
        assert value == Decimal(case["shown"])
        assert upper == (None if case["upper"] == "-" else Decimal(case["upper"]))
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
    ("measures", "figures"),
    [
        pytest.param(
            "measure | section | sort_order | label | figure_type | unit | contributors\n"
            "odd | s | 1 | Odd | mean | furlongs | patient",
            "measure | clinic_id | category | numerator | denominator | patients | clinics\n"
            "odd | alder | a | 900 | 90 | 90 | 1",
            id="unit without a step",
        ),
        pytest.param(
            "measure | section | sort_order | label | figure_type | unit | contributors\n"
            "odd | s | 1 | Odd | count | patients | patient",
            "measure | clinic_id | category | numerator | denominator | patients | clinics\n"
            "other | alder | a | 900 | - | 90 | 1",
            id="measure without a description",
        ),
        pytest.param(
            "measure | section | sort_order | label | figure_type | unit | contributors\n"
            "odd | s | 1 | Odd | count | patients | patient",
            "measure | clinic_id | category | numerator | denominator | patients | clinics\n"
            "odd | alder | a | 900 | - | 90 | 1\nodd | alder | a | 900 | - | 90 | 1",
            id="figure given twice",
        ),
    ],
)
def test_what_cannot_be_judged_is_not_released(tmp_path: Path, measures: str, figures: str) -> None:
    build_marts(tmp_path, measures=measures, figures=figures)
    settings = Settings(home=tmp_path)
    with pytest.raises(ClinicOutcomesError):
        protect(settings)
    assert not released_folder(settings).exists()


def test_without_a_build_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ClinicOutcomesError, match="run the stage model first"):
        protect(Settings(home=tmp_path))
