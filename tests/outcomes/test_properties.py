"""What must not move outcomes does not: re-sent rows, a clinic's name, people never treated, other thresholds."""

# ruff: noqa: E501 - a row of a table that is read by eye stays on one line

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest

from clinic_outcomes.model import model
from clinic_outcomes.pipeline import run
from clinic_outcomes.settings import Settings
from tests.support.courses_by_hand import clinic_tables
from tests.support.deliveries import deliver
from tests.support.marts import mart
from tests.support.model_states import small_settings, write_state
from tests.support.short_keys import short_keys

# Of ten people seven have a last score, and four of these respond; `mute` has none, two have no baseline.
ALDER = """
    person  | protocol    | planned | sessions | watched | scores
    first   | iv_ketamine | 2       | 10 17    | 100     | 5:50 25:20
    second  | iv_ketamine | 2       | 10 17    | 100     | 5:60 25:40
    third   | iv_ketamine | 2       | 10       | 100     | 5:40 25:28
    fourth  | iv_ketamine | 2       | 10 17    | 100     | 5:44 25:43
    fifth   | iv_ketamine | 2       | 10 17    | 100     | 5:70 25:60
    mute    | iv_ketamine | 2       | 10 17    | 100     | 5:50
    unasked | iv_ketamine | 2       | 10 17    | 100     | 25:20
    """
BIRCH = """
    person  | protocol          | planned | sessions | watched | scores
    sixth   | iv_ketamine       | 1       | 10       | 100     | 5:50 15:30
    seventh | iv_ketamine       | 1       | 10       | 100     | 5:45 15:50
    eighth  | midazolam_control | 1       | 10       | 100     | 5:50 15:45
    """
# Three people without a course. Two filled in a questionnaire.
UNTREATED = {"patient": ["stranger | 100", "visitor | 100", "silent | 100"],
             "assessment": ["U1 | stranger | pcl_5 | 3 | - | 70 | -", "U2 | visitor | pcl_5 | 4 | - | 20 | -"]}  # fmt: skip
Tables = Mapping[str, str]


def with_untreated(tables: Tables) -> dict[str, str]:
    return {name: "\n".join([text, *UNTREATED.get(name, [])]) for name, text in tables.items()}


def built(folder: Path, clinics: Mapping[str, Tables], **changed: object) -> Settings:
    """Settings of a home with the marts of ``clinics``."""
    folder.mkdir()
    settings = small_settings(folder, {name: name.title() for name in clinics})
    settings = Settings(**settings.model_dump(exclude=set(changed)), **changed)
    for name, tables in clinics.items():
        write_state(settings, name, tables)
    model(settings)
    return settings


def figures(settings: Settings, sections: tuple[str, ...] = ("outcomes",)) -> pd.DataFrame:
    rows = mart(settings, "agg_figures").merge(
        mart(settings, "dim_measures")[["measure", "section", "instrument", "time_point", "quantity"]], on="measure"
    )
    return rows[rows.section.isin(sections)].set_index("figure_id").sort_index()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("properties")


# A second clinic of the people of the first: one build can change two things, each in a clinic of its own.
CLINICS = {"alder": clinic_tables(ALDER), "birch": clinic_tables(BIRCH), "cedar": clinic_tables(ALDER)}


@pytest.fixture(scope="module")
def settings(folder: Path) -> Settings:
    return built(folder / "base", CLINICS)


@pytest.fixture(scope="module")
def base(settings: Settings) -> pd.DataFrame:
    return figures(settings)


def same(first: pd.DataFrame, second: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(first, second, check_exact=True)


def test_the_base_is_what_is_seen_by_eye(base: pd.DataFrame) -> None:
    share = base.loc["pcl_5_last_response_share/network/protocol/iv_ketamine"]
    # Twice first 30 of 50, second 20 of 60 and third 12 of 40, and sixth 20 of 50; fourth, fifth and seventh not.
    assert (share.numerator, share.denominator) == (7, 12)
    bounds = [
        base.loc[f"pcl_5_last_response_{end}_case_share/network/protocol/iv_ketamine"] for end in ("worst", "best")
    ]
    assert [(bound.numerator, bound.denominator) for bound in bounds] == [(7, 16), (11, 16)]


def test_what_no_clinic_delivers_has_no_figures_and_no_signals(settings: Settings) -> None:
    """Neither answers by item nor adverse events: their marts are there all the same."""
    measures = set(mart(settings, "agg_figures").measure)
    assert "pcl_5_last_change" in measures
    assert not [name for name in measures if "cluster" in name or "diagnosis" in name]
    assert mart(settings, "agg_signals").empty


def test_another_name_and_people_never_treated_move_no_outcome_of_treatment(folder: Path, base: pd.DataFrame) -> None:
    """Alder has another name, and cedar three more people: figures of scores however old are the only ones to move."""
    changed = {"zelkova": CLINICS["alder"], "birch": CLINICS["birch"], "cedar": with_untreated(CLINICS["cedar"])}
    more = figures(built(folder / "changed", changed)).replace({"clinic_id": {"zelkova": "alder"}})
    more.index = more.index.str.replace("/zelkova/", "/alder/")
    more, at = more.sort_index(), "first_to_last"
    same(more[more.time_point != at], base[base.time_point != at])
    own = ["alder", "birch"]
    same(more[more.clinic_id.isin(own)], base[base.clinic_id.isin(own)])
    everybody = "pcl_5_first_to_last_paired_share/cedar//"
    assert more.denominator[everybody] == base.denominator[everybody] + 2


def test_a_missing_last_score_moves_the_response_within_its_bounds(folder: Path, base: pd.DataFrame) -> None:
    """Alder finds a last score of a responder, cedar one of somebody who does not respond."""
    added = {
        clinic: clinic_tables(ALDER.replace("5:50\n    unasked", f"5:50 {score}\n    unasked"))
        for clinic, score in (("alder", "25:10"), ("cedar", "25:80"))
    }
    assert all(tables != CLINICS[clinic] for clinic, tables in added.items())
    later = figures(built(folder / "added", CLINICS | added))
    for clinic, expected in (("alder", (True, False)), ("cedar", (False, True)), ("network", (True, True))):

        def value(rows: pd.DataFrame, quantity: str, clinic: str = clinic) -> float:
            return float(rows.value[f"pcl_5_last_{quantity}/{clinic}/protocol/iv_ketamine"])

        worst, best = (f"response_{end}_case_share" for end in ("worst", "best"))
        assert value(base, worst) <= value(later, worst) <= value(later, "response_share")
        assert value(later, "response_share") <= value(later, best) <= value(base, best)
        assert value(later, worst) < value(base, best)
        assert value(later, "paired_share") > value(base, "paired_share")
        moved = value(later, worst) > value(base, worst), value(later, best) < value(base, best)
        assert moved == expected, clinic


def test_another_threshold_set_moves_only_what_it_judges(folder: Path, base: pd.DataFrame) -> None:
    chosen = "pcl_5.reliable_change_points=legacy_ncptsd"
    other = figures(built(folder / "thresholds", CLINICS, threshold_sets=chosen))
    judged = ("reliable_improvement_share", "reliable_deterioration_share", "clinically_significant_share")
    same(other[~other.quantity.isin(judged)], base[~base.quantity.isin(judged)])
    name = "pcl_5_last_reliable_improvement_share/network/protocol/iv_ketamine"
    # Falls of 15 and more: twice 30 and 20, and 20; of 5 and more twice 12 and 10, too.
    assert (base.numerator[name], other.numerator[name]) == (5, 9)


SYSTEM = """\
title: Paper records
format: csv
sources:
  people: {file: 'people*.csv'}
  courses: {file: 'courses*.csv'}
  sessions: {file: 'sessions*.csv'}
  ends: {file: 'ends*.csv', required: false}
  scores: {file: 'scores*.csv'}
key_patterns:
  patient_id: '[a-z]{3,9}'
  course_id: 'K\\d'
  session_id: 'S\\d_\\d'
  assessment_id: 'Q\\d_\\d{2}'
"""
COLUMNS = """\
source,source_column,table,column,unit,codes,constant
people,patient_id,patient,patient_id,,,
people,observed_through_day,patient,observed_through_day,day,,
courses,course_id,course,course_id,,,
courses,patient_id,course,patient_id,,,
courses,protocol,course,protocol,,protocol,
courses,planned_sessions,course,planned_sessions,session,,
sessions,session_id,session,session_id,,,
sessions,patient_id,session,patient_id,,,
sessions,course_id,session,course_id,,,
sessions,session_day,session,session_day,day,,
sessions,drug,session,drug,,drug,
scores,assessment_id,assessment,assessment_id,,,
scores,patient_id,assessment,patient_id,,,
scores,,assessment,instrument,,,pcl_5
scores,assessed_day,assessment,assessed_day,day,,
scores,delivered_total,assessment,delivered_total,point,,
"""
FILES = {"patient": "people", "course": "courses", "session": "sessions", "assessment": "scores"}
LEFT_OUT = {"course": ("trial_arm",), "assessment": ("instrument", "minutes_from_session_start", "recall_window")}


def exported() -> dict[str, bytes | str]:
    """The tables of ``ALDER`` as the clinic's own files."""
    files: dict[str, bytes | str] = {}
    for table, name in FILES.items():
        rows = [[cell.strip() for cell in line.split("|")] for line in clinic_tables(ALDER)[table].splitlines()]
        kept = [place for place, column in enumerate(rows[0]) if column not in LEFT_OUT.get(table, ())]
        lines = (",".join("" if row[place] == "-" else row[place] for place in kept) for row in rows)
        files[f"{name}.csv"] = "\n".join(lines) + "\n"
    return files


def test_rows_that_come_twice_and_again_move_nothing(folder: Path) -> None:
    root = folder / "resent"
    (root / "systems" / "paper").mkdir(parents=True)
    (root / "clinics").mkdir()
    (root / "systems/paper/system.yml").write_text(SYSTEM.replace("  ends: {file: 'ends*.csv', required: false}\n", ""))
    (root / "systems/paper/columns.csv").write_text(COLUMNS)
    codes = "codes,source_code,code\nprotocol,iv_ketamine,iv_ketamine\ndrug,ketamine,ketamine\n"
    (root / "systems/paper/codes.csv").write_text(codes)
    (root / "clinics/alder.yml").write_text("title: Alder\nsystem: paper\n" + short_keys(SYSTEM))
    once = Settings(home=root / "once", clinics=root / "clinics", systems=root / "systems", threads=1)
    deliver(once.landing / "alder" / "first", exported(), "alder")
    run(once)
    twice = once.model_copy(update={"home": root / "twice"})
    shutil.copytree(once.landing, twice.landing)
    doubled = {
        name: "\n".join([*str(text).splitlines(), *str(text).splitlines()[1:]]) + "\n"
        for name, text in exported().items()
    }
    deliver(twice.landing / "alder" / "second", doubled, "alder", sequence=2)
    deliver(twice.landing / "alder" / "third", exported(), "alder", sequence=3, kind="delta")
    run(twice)
    first, second = figures(once), figures(twice)
    assert first.numerator["pcl_5_last_response_share/alder/protocol/iv_ketamine"] == 3
    same(first, second)
    delivered = [
        mart(s, "agg_figures").set_index("figure_id").numerator["rows_delivered/alder//"] for s in (once, twice)
    ]
    assert delivered[1] == 4 * delivered[0]
