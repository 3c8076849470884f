"""Which figures protect shows, how it rounds them, and that nothing exact leaves with them."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.protect import protect, released_folder
from clinic_outcomes.publish.released import read_released
from clinic_outcomes.settings import Settings
from tests.support.release_marts import build_marts

MEASURES = """
measure  | section   | sort_order | label             | figure_type | unit   | contributors | quantity
people   | treatment | 10         | People treated    | count       | patients | patient    | ''
share    | outcomes  | 30         | Share improved    | rate        | percent  | patient    | ''
change   | outcomes  | 40         | PCL-5 change      | mean        | points   | patient    | ''
kept_out | quality   | 60         | Rows kept out     | rate        | percent  | row        | ''
"""
# `hidden` is what the rules withhold.
CASES = """
measure  | clinic_id | category   | numerator | denominator | patients | clinics | shown
people   | alder     | none       | 0         | -           | 0        | 1       | 0
people   | alder     | twelve     | 12        | -           | 12       | 1       | hidden
people   | alder     | many       | 1237      | -           | 1237     | 1       | 1235
share    | alder     | of_24      | 13        | 24          | 24       | 1       | hidden
share    | alder     | below_half | 124       | 1000        | 1000     | 1       | 12
change   | alder     | of_24      | -480.0    | 24          | 24       | 1       | hidden
change   | alder     | beyond     | -120.4    | 40          | 40       | 1       | -4
kept_out | alder     | few_rows   | 0         | 649         | -        | 1       | hidden
kept_out | alder     | all        | 1000      | 1000        | -        | 1       | 50
"""


def _cells(table: str) -> list[dict[str, str]]:
    lines = [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines() if line]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    build_marts(home, measures=MEASURES, figures=CASES)
    return home


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
        "repeats.parquet",
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
    for exact in ("1237", "-480", "-120.4", "124", "649"):
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
    assert folder.name == f"released.{notes['policy_id']}.{notes['planning_basis']}"
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


def test_without_a_build_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ClinicOutcomesError, match="run the stage model first"):
        protect(Settings(home=tmp_path))
