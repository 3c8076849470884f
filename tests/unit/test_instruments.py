"""Instruments as data: what the files say, against the literature; and that a file is all that an instrument needs."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from pydantic import ValidationError

from clinic_outcomes.contract import load_contract
from clinic_outcomes.instruments import (
    QUANTITIES,
    chosen_thresholds,
    instrument_tables,
    instruments_fingerprint,
    load_instruments,
    recall_windows,
    reference_fingerprint,
)
from clinic_outcomes.mapping import load_clinics, load_system
from clinic_outcomes.model.inputs import lay_out
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.settings import PROJECT_ROOT, Settings
from clinic_outcomes.validate.quarantine import open_state
from tests.support import small_fhir

FOLDER = PROJECT_ROOT / "instruments"
OWN = load_instruments(Settings(home=Path("unused")))

# Made up: three items of 0 to 2 that count once by the highest of two domains.
SLEEP_3 = """\
label: SLEEP-3
title: Made-up sleep scale
sort_order: 500
licence: {text: Made up, citation: Nobody, verification: unverified}
is_outcome: true
items:
  - {first: 1, last: 2, maximum: 2, domain: night}
  - {first: 3, maximum: 2}
scoring: {method: domain_maximum, total: {minimum: 0, maximum: 4}}
versions: {nightly: {label: Night form, recall_window: past_day}}
threshold_sets:
  - {set: made_up, quantity: response_percent, value: 50, unit: percent, citation: Nobody, verification: unverified}
use: {response_percent: made_up}
"""


def settings_with(tmp_path: Path, **files: str) -> Settings:
    """The project's instruments in a folder of their own, with further files or others instead."""
    folder = tmp_path / "instruments"
    shutil.copytree(FOLDER, folder, dirs_exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.yml").write_text(text)
    return Settings(home=tmp_path / "home", instruments=folder)


def mistakes(settings: Settings) -> set[tuple[str | None, str | None]]:
    with pytest.raises(ClinicOutcomesError) as caught:
        load_instruments(settings)
    return {(problem.file, problem.column) for problem in caught.value.problems}


def thresholds(**chosen: str) -> dict[tuple[str, str], float]:
    """Instrument and quantity → the value in use, under a choice of sets written with __ for the point."""
    text = ",".join(f"{place.replace('__', '.')}={name}" for place, name in chosen.items())
    settings = Settings(home=Path("unused"), threshold_sets=text)
    return {place: float(threshold.value) for place, threshold in chosen_thresholds(OWN, settings).items()}


PUBLISHED: dict[str, tuple[int, int, tuple[int, int] | None]] = {
    # scored items, largest answer, total
    "pcl_5": (20, 4, (0, 80)),
    "caps_5": (20, 4, (0, 80)),
    "phq_9": (9, 3, (0, 27)),
    "gad_7": (7, 3, (0, 21)),
    "madrs": (10, 6, (0, 60)),
    "qids_sr16": (16, 3, (0, 27)),
    "cadss": (23, 4, (0, 92)),
    "cadss_6": (6, 4, (0, 24)),
    "ies_r": (0, 0, (0, 88)),
    "c_ssrs_screener": (0, 0, None),
    "pcl_c": (0, 0, None),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_scored_items_and_total_as_published(name: str) -> None:
    items, largest_item, total = PUBLISHED[name]
    file = OWN[name].file
    scored = [(number, part) for part in file.scored_items for number in part.numbers]
    assert [number for number, _ in scored] == list(range(1, items + 1))
    assert {(part.minimum, part.maximum) for _, part in scored} == ({(0, largest_item)} if items else set())
    assert (file.scoring.total and (file.scoring.total.minimum, file.scoring.total.maximum)) == total
    assert file.scoring.most_missing_items == 0, "prorating is off everywhere"


def test_every_instrument_of_the_project_is_listed_above() -> None:
    assert set(PUBLISHED) == set(OWN) == {path.stem for path in FOLDER.glob("*.yml")}


def test_outcomes_are_those_that_measure_what_is_treated() -> None:
    outcomes = {name for name, each in OWN.items() if each.file.is_outcome}
    assert outcomes == {"pcl_5", "caps_5", "phq_9", "gad_7", "madrs", "qids_sr16", "ies_r"}


@pytest.mark.parametrize("name", ["pcl_5", "caps_5"])
def test_dsm_5_clusters_and_the_rule_of_the_provisional_diagnosis(name: str) -> None:
    file = OWN[name].file
    clusters = {n: part.cluster for part in file.items for n in part.numbers if part.cluster}
    expected = "bbbbb" + "cc" + "ddddddd" + "eeeeee"
    assert clusters == dict(enumerate(expected, start=1))
    assert {letter: cluster.symptoms_needed for letter, cluster in file.clusters.items()} == {
        "b": 1,
        "c": 1,
        "d": 2,
        "e": 2,
    }
    assert file.diagnosis is not None and file.diagnosis.symptom_from == 2


def test_qids_counts_nine_domains_by_their_highest_item() -> None:
    tables = instrument_tables({"qids_sr16": OWN["qids_sr16"]}, {}, ())
    columns, rows = tables["instrument_item"]
    places = list(columns)
    domains: dict[object, list[object]] = {}
    for row in rows:
        domains.setdefault(row[places.index("domain")], []).append(row[places.index("item_number")])
    assert sorted(domains.values()) == [[1, 2, 3, 4], [5], [6, 7, 8, 9], [10], [11], [12], [13], [14], [15, 16]]


def test_c_ssrs_is_a_risk_by_rule_and_its_skipped_questions_are_blank_by_design() -> None:
    file = OWN["c_ssrs_screener"].file
    asked = {n: part.asked_if.item for part in file.items if part.asked_if for n in part.numbers}
    assert asked == {3: 2, 4: 2, 5: 2, 7: 6}
    assert {(risk.level, risk.items, risk.when) for risk in file.risk_levels} == {
        ("low", (1, 2), "past_month"),
        ("moderate", (3,), "past_month"),
        ("moderate", (6,), "over_3_months_ago"),
        ("high", (4, 5), "past_month"),
        ("high", (7,), "past_3_months"),
    }


def test_bands_are_those_of_the_literature_and_cover_the_range() -> None:
    limits = {name: [b.maximum for b in each.file.bands] for name, each in OWN.items() if each.file.bands}
    assert limits == {
        "phq_9": [4, 9, 14, 19, 27],
        "gad_7": [4, 9, 14, 21],
        "madrs": [6, 19, 34, 60],
        "qids_sr16": [5, 10, 15, 20, 27],
    }
    for name in limits:
        file = OWN[name].file
        total = file.scoring.total
        assert total is not None
        covered = [score for band in file.bands for score in range(band.minimum, band.maximum + 1)]
        assert covered == list(range(total.minimum, total.maximum + 1))


def luhn(code: str) -> bool:
    """Whether a code with its check digit is right, by the usual table of doubled digits."""
    doubled = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
    digits = [int(digit) for digit in reversed(code.replace("-", ""))]
    return sum(doubled[digit] if place % 2 else digit for place, digit in enumerate(digits)) % 10 == 0


def test_loinc_codes_are_those_that_were_found_and_their_check_digits_are_right() -> None:
    codes = {(name, code.part, code.item): code.code for name, each in OWN.items() for code in each.file.loinc}
    every = [code.code for each in OWN.values() for code in each.file.loinc]
    assert all(luhn(code) for code in every) and len(set(every)) == len(every) == 26
    assert codes["pcl_5", "panel", None] == "101697-1"
    assert codes["pcl_5", "total", None] == "101698-9"
    assert codes["pcl_c", "panel", None] == "70221-7"
    assert codes["phq_9", "item", 9] == "44260-8"
    assert [codes["gad_7", "item", n] for n in range(1, 8)] == [
        "69725-0", "68509-9", "69733-4", "69734-2", "69735-9", "69689-8", "69736-7",
    ]  # fmt: skip


def test_threshold_sets_in_use_have_the_published_values() -> None:
    assert (
        thresholds().items()
        >= {
            ("pcl_5", "response_percent"): 30,
            ("pcl_5", "reliable_change_points"): 15,
            ("pcl_5", "meaningful_change_points"): 10,
            ("pcl_5", "end_state_maximum"): 28,
            ("pcl_5", "diagnosis_cut_minimum"): 33,
            ("pcl_5", "nhs_caseness_minimum"): 32,
            ("pcl_5", "nhs_reliable_change_points"): 10,
            ("caps_5", "response_percent"): 30,
            ("caps_5", "reliable_change_points"): 13,
            ("caps_5", "end_state_maximum"): 8,
            ("phq_9", "response_percent"): 50,
            ("phq_9", "remission_maximum"): 4,
            ("phq_9", "meaningful_change_points"): 5,
            ("phq_9", "nhs_caseness_minimum"): 10,
            ("phq_9", "nhs_reliable_change_points"): 6,
            ("gad_7", "response_percent"): 50,
            ("gad_7", "meaningful_change_points"): 4,
            ("gad_7", "nhs_caseness_minimum"): 8,
            ("gad_7", "nhs_reliable_change_points"): 4,
            ("madrs", "response_percent"): 50,
            ("madrs", "remission_maximum"): 9,
            ("ies_r", "nhs_caseness_minimum"): 33,
            ("ies_r", "nhs_reliable_change_points"): 9,
        }.items()
    )
    assert not {name for name, _ in thresholds()} & {"cadss", "cadss_6", "c_ssrs_screener", "pcl_c"}


def test_another_set_is_chosen_by_the_setting() -> None:
    usual, chosen = (
        thresholds(),
        thresholds(
            pcl_5__reliable_change_points="marx2022_sample_2",
            caps_5__reliable_change_points="marx2022_sample_2",
            madrs__remission_maximum="usual_10",
        ),
    )
    changed = {place: (usual[place], chosen[place]) for place in usual if usual[place] != chosen[place]}
    assert changed == {
        ("pcl_5", "reliable_change_points"): (15, 18),
        ("caps_5", "reliable_change_points"): (13, 12),
        ("madrs", "remission_maximum"): (9, 10),
    }
    legacy = thresholds(pcl_5__reliable_change_points="legacy_ncptsd", pcl_5__meaningful_change_points="legacy_ncptsd")
    assert (legacy["pcl_5", "reliable_change_points"], legacy["pcl_5", "meaningful_change_points"]) == (5, 10)


def test_a_choice_that_does_not_exist_is_an_error_that_says_what_there_is() -> None:
    with pytest.raises(ClinicOutcomesError) as caught:
        thresholds(
            pcl_6__response_percent="osmind", madrs__end_state_maximum="x", pcl_5__reliable_change_points="marx_2022"
        )
    messages = [problem.message for problem in caught.value.problems]
    assert sorted(messages) == [
        "madrs has no threshold set for end_state_maximum",
        "pcl_5.reliable_change_points has no set marx_2022; "
        "it has jacobson_truax_sample, legacy_ncptsd, marx2022_sample_1, marx2022_sample_2",
        "there is no instrument pcl_6",
    ]


@pytest.mark.parametrize("text", ["pcl_5", "pcl_5.response_percent", "response_percent=osmind", "a.b=c,a.b=d", "a.b="])
def test_a_choice_that_is_not_written_so_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="threshold set"):
        Settings(home=Path("unused"), threshold_sets=text)


def test_the_choice_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLINIC_OUTCOMES_THRESHOLD_SETS", "pcl_5.reliable_change_points=marx2022_sample_2")
    settings = Settings.from_environment(Path("unused"))
    assert chosen_thresholds(OWN, settings)["pcl_5", "reliable_change_points"].value == 18


def test_every_figure_names_its_source_and_every_quantity_is_known() -> None:
    sets = [(name, t) for name, each in OWN.items() for t in each.file.threshold_sets]
    assert {t.quantity for _, t in sets} <= set(QUANTITIES)
    assert all(t.citation and t.verification for _, t in sets)
    nhs = {(name, t.verification) for name, t in sets if t.quantity.startswith("nhs_") and name in ("pcl_5", "ies_r")}
    assert nhs == {("pcl_5", "unverified"), ("ies_r", "unverified")}, "the manual was not read"


def test_recall_windows_are_the_contracts_and_say_what_can_show_relief_within_a_day() -> None:
    told = {window.name: (window.days, window.allows_same_day) for window in recall_windows()}
    assert told == {
        "past_month": (30, False),
        "past_2_weeks": (14, False),
        "past_week": (7, False),
        "past_day": (1, True),
        "since_last_visit": (None, True),
        "current": (0, True),
        "lifetime": (None, False),
    }
    assert list(told) == list(load_contract().code_lists["recall_window"])


def test_no_file_holds_the_wording_of_an_item() -> None:
    fields = {key for each in OWN.values() for part in each.file.items for key in part.model_dump()}
    assert fields == {
        "first", "last", "minimum", "maximum", "cluster", "domain", "alternative", "asked_if", "scored",
    }  # fmt: skip


# ---- a file is all that an instrument needs


def test_an_added_file_is_a_code_an_input_and_a_reference(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, sleep_3=SLEEP_3)
    contract = load_contract(settings.instruments)
    assert contract.code_lists["instrument"]["sleep_3"] == "SLEEP-3"
    assert contract.code_lists["instrument_version"]["nightly"] == "Night form"
    assert contract.fingerprint != load_contract().fingerprint
    lay_out(tmp_path / "inputs", [], [], contract, settings)

    def rows(name: str, columns: str) -> list[tuple[object, ...]]:
        source = f"read_parquet('{tmp_path / 'inputs' / name / '*.parquet'}')"
        return duckdb.execute(f"SELECT {columns} FROM {source} WHERE instrument = 'sleep_3' ORDER BY ALL").fetchall()

    assert rows("instrument", "scoring, items, total_maximum, is_outcome") == [("domain_maximum", 3, 4, True)]
    assert rows("instrument_item", "item_number, domain") == [(1, "night"), (2, "night"), (3, "3")]
    assert rows("instrument_version", "instrument_version, recall_window") == [("nightly", "past_day")]
    assert rows("instrument_threshold", "quantity, value, is_used") == [("response_percent", Decimal("50.000"), True)]


def test_a_project_with_an_added_file_maps_and_validates_it_and_nothing_else_changes(tmp_path: Path) -> None:
    """In a process of its own, whose project is a copy with one file more."""
    project = tmp_path / "project"
    for part in ("instruments", "expectations", "dbt_project/seeds"):
        shutil.copytree(PROJECT_ROOT / part, project / part)
    (project / "instruments" / "sleep_3.yml").write_text(SLEEP_3)
    (tmp_path / "resolved").mkdir()
    script = f"""
import duckdb
from pathlib import Path
from clinic_outcomes.contract import load_contract
from clinic_outcomes.mapping.thresholds import network_thresholds
from clinic_outcomes.settings import Settings
from clinic_outcomes.validate import load_rules
from clinic_outcomes.validate.quarantine import open_state
from tests.support import small_fhir

settings = Settings(home=Path({str(tmp_path)!r}))
print("sleep_3" in load_contract().codes(load_contract().tables["assessment"].column("instrument")))
rule = next(r for r in load_rules(settings) if (r.table, r.rule) == ("assessment", "instrument_in_code_list"))
with duckdb.connect() as connection:
    open_state(connection, Path({str(tmp_path / "resolved")!r}), settings, network_thresholds(settings))
    made = "(VALUES ('sleep_3'), ('pcl_5'), ('sleep_4'), ('unmapped')) AS t(instrument)"
    print(connection.execute(f"SELECT instrument FROM {{made}} WHERE {{rule.broken_by}}").fetchall())
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"CLINIC_OUTCOMES_PROJECT": str(project), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["True", "[('sleep_4',)]"]


def test_what_a_state_and_a_build_depend_on(tmp_path: Path) -> None:
    own = Settings(home=Path("unused"))
    added = settings_with(tmp_path, sleep_3=SLEEP_3)
    chosen = Settings(home=Path("unused"), threshold_sets="pcl_5.reliable_change_points=marx2022_sample_2")
    same = Settings(home=Path("unused"), threshold_sets="pcl_5.reliable_change_points=marx2022_sample_1")
    assert instruments_fingerprint(own) == instruments_fingerprint(same)
    assert len({instruments_fingerprint(settings) for settings in (own, added, chosen)}) == 3
    # A threshold decides nothing about which rows are accepted.
    assert reference_fingerprint(own) == reference_fingerprint(chosen) != reference_fingerprint(added)


# ---- mistakes


MISTAKES = {
    # name of the file: (text of SLEEP_3, what stands there instead, field that the mistake names)
    "colour": ("is_outcome: true", "is_outcome: true\ncolour: blue", "colour"),
    "reach": ("maximum: 4}", "maximum: 6}", "scoring.total"),
    "numbers": ("first: 3", "first: 4", "items"),
    "window": ("past_day", "past_year", "versions.nightly.recall_window"),
    "unit": ("unit: percent", "unit: point", "threshold_sets.0"),
    "unused": ("{response_percent: made_up}", "{response_percent: other}", "use.response_percent"),
    "quantity": ("{response_percent: made_up}", "{response: made_up}", "use.response.[key]"),
    "bands": (
        "use:",
        "bands:\n"
        "  - {band: low, label: Low, minimum: 0, maximum: 1, citation: N, verification: read}\n"
        "  - {band: high, label: High, minimum: 3, maximum: 4, citation: N, verification: read}\n"
        "use:",
        "bands.high",
    ),
    "loinc": ("use:", "loinc: [{code: 44249-2, part: panel, citation: N, verification: read}]\nuse:", "loinc.0"),
    "labels": ("nightly", "standard", "versions.standard.label"),
    "twin": ("is_outcome: true", "is_outcome: true\nalso_named: [pcl 5]", "also_named or loinc"),
    "not_yaml": (SLEEP_3, "{", None),
}


def test_every_mistake_of_every_file_is_named_with_its_field(tmp_path: Path) -> None:
    files = {}
    for place, (name, (old, new, _)) in enumerate(MISTAKES.items()):
        assert SLEEP_3.count(old) == 1
        text = SLEEP_3.replace(old, new).replace("SLEEP-3", name).replace("Made-up sleep", f"Made-up {name}")
        files[name] = text.replace("sort_order: 500", f"sort_order: {500 + place}")
    assert mistakes(settings_with(tmp_path, **files)) == {
        (f"instruments/{name}.yml", field) for name, (_, _, field) in MISTAKES.items()
    }


def test_two_files_of_one_place_in_the_order_are_a_mistake(tmp_path: Path) -> None:
    found = mistakes(settings_with(tmp_path, sleep_3=SLEEP_3.replace("500", "10")))
    assert found == {("instruments/sleep_3.yml", "sort_order"), ("instruments/pcl_5.yml", "sort_order")}


# ---- PCL-C is not PCL-5

SYSTEM = """\
title: Example
format: csv
sources: {people: {file: 'people*.csv'}, forms: {file: 'forms*.csv'}}
key_patterns: {patient_id: 'P[0-9]{4}', assessment_id: 'F[0-9]{4}'}
"""
COLUMNS = """\
source,source_column,table,column,unit,codes,constant
people,ref,patient,patient_id,,,
people,weeks,patient,intake_day,week,,
people,days,patient,observed_through_day,day,,
forms,form,assessment,assessment_id,,,
forms,ref,assessment,patient_id,,,
forms,day,assessment,assessed_day,day,,
"""


def write_system(folder: Path, columns: str, codes: str = "", sources: str = "forms: {file: 'forms*.csv'}") -> Settings:
    (folder / "systems" / "example").mkdir(parents=True)
    head = SYSTEM.replace("forms: {file: 'forms*.csv'}", sources)
    (folder / "systems" / "example" / "system.yml").write_text(head)
    (folder / "systems" / "example" / "columns.csv").write_text(COLUMNS + columns)
    (folder / "systems" / "example" / "codes.csv").write_text("codes,source_code,code\n" + codes)
    (folder / "clinics").mkdir()
    return Settings(home=folder / "home", systems=folder / "systems", clinics=folder / "clinics")


BY_CODE = "forms,scale,assessment,instrument,,scale,\n"


@pytest.mark.parametrize(
    "source_code",
    ["70221-7", "http://loinc.org|70221-7", "http://loinc.org/q/70221-7", "PCL-C", "pcl_c", "PclC", "Q/pcl-c"],
)
def test_a_code_of_pcl_c_may_not_be_taken_for_pcl_5(tmp_path: Path, source_code: str) -> None:
    settings = write_system(tmp_path, BY_CODE, f"scale,{source_code},pcl_5\n")
    with pytest.raises(ClinicOutcomesError) as caught:
        load_system("example", settings)
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.column) == ("example/codes.csv", 2, "source_code")
    assert "this is PCL-C (DSM-IV, 17 items) and may not be taken for PCL-5: PCL-C is not PCL-5" in problem.message


@pytest.mark.parametrize(
    "codes",
    [
        "scale,70221-7,pcl_c\nscale,101697-1,pcl_5\nscale,PCL,pcl_5\nscale,44249-1,phq_9\n",
        "scale,PCL-5,pcl_5\nscale,PCL-C,pcl_c\nscale,1,gad_7\nscale,2,madrs\n",
    ],
)
def test_what_is_called_by_its_name_or_by_none_is_a_mapping(tmp_path: Path, codes: str) -> None:
    assert "scale" in load_system("example", write_system(tmp_path, BY_CODE, codes)).codes


def test_any_questionnaire_taken_for_another_is_a_mistake(tmp_path: Path) -> None:
    settings = write_system(tmp_path, BY_CODE, "scale,44249-1,gad_7\nscale,CAPS-5,pcl_5\nscale,PHQ-9,phq_9\n")
    with pytest.raises(ClinicOutcomesError) as caught:
        load_system("example", settings)
    assert [problem.line for problem in caught.value.problems] == [2, 3]


@pytest.mark.parametrize(
    "sources",
    [
        "forms: {file: 'pcl-c*.csv'}",
        "forms: {from: filled, unpivot: {columns: 'pclc_{1..17}', number: item, value: answer}}, "
        "filled: {file: 'filled*.csv'}",
    ],
)
def test_a_file_or_columns_of_pcl_c_may_not_be_taken_for_pcl_5(tmp_path: Path, sources: str) -> None:
    settings = write_system(tmp_path, "forms,,assessment,instrument,,,pcl_5\n", sources=sources)
    with pytest.raises(ClinicOutcomesError) as caught:
        load_system("example", settings)
    wrong = [p for p in caught.value.problems if p.file == "example/columns.csv" and p.column == "constant"]
    assert [problem.line for problem in wrong] == [8]


@pytest.mark.parametrize(("code", "wrong"), [("70221-7", True), ("101697-1", False)])
def test_a_view_that_selects_pcl_c_may_not_be_taken_for_pcl_5(tmp_path: Path, code: str, wrong: bool) -> None:
    """The small FHIR system has the constant pcl_5 on line 11 of columns.csv."""
    chosen = f"questionnaire = 'http://loinc.org/q/{code}'"
    forms = small_fhir.VIEWS["forms"] | {"where": [{"path": chosen}]}
    element = f"QuestionnaireResponse,QuestionnaireResponse.questionnaire,constant,http://loinc.org/q/{code}\n"
    changed = {"views/forms__json": json.dumps(forms), "elements__csv": small_fhir.ELEMENTS + element}
    settings = small_fhir.make_settings(tmp_path, **changed)
    if not wrong:
        assert load_system("made_up", settings).fhir
        return
    with pytest.raises(ClinicOutcomesError) as caught:
        load_system("made_up", settings)
    assert {(p.file, p.line, p.column) for p in caught.value.problems} == {("made_up/columns.csv", 11, "constant")}


def test_a_clinic_may_not_override_pcl_c_as_pcl_5(tmp_path: Path) -> None:
    settings = write_system(tmp_path, BY_CODE, "scale,PCL,pcl_5\n")
    clinic = (
        "title: Alpha\nsystem: example\noverrides: {codes: {scale: {PCL-C: pcl_5}}}\n"
        "short_keys: {reason: study numbers, key_patterns: {patient_id: 'P[0-9]{4}', assessment_id: 'F[0-9]{4}'}}\n"
    )
    (settings.clinics / "alpha.yml").write_text(clinic)
    with pytest.raises(ClinicOutcomesError) as caught:
        load_clinics(settings)
    assert {(p.file, p.column) for p in caught.value.problems} == {("clinics/alpha.yml", "overrides.codes.scale")}
    (settings.clinics / "alpha.yml").write_text(clinic.replace("PCL-C: pcl_5", "PCL-C: pcl_c"))
    assert load_clinics(settings)["alpha"].system.codes["scale"]["PCL-C"] == "pcl_c"


def test_seventeen_answers_give_no_pcl_5_total(tmp_path: Path) -> None:
    """Of twenty answers, seventeen, twenty with one empty, and a QIDS with its alternatives blank: totals by hand."""
    with duckdb.connect() as connection:
        (tmp_path / "resolved").mkdir()
        answers: dict[tuple[str, str], Mapping[int, int | None]] = {
            ("pcl_5", "whole"): dict.fromkeys(range(1, 21), 2),  # 40
            ("pcl_5", "seventeen"): dict.fromkeys(range(1, 18), 5),
            ("pcl_5", "one_empty"): dict.fromkeys(range(1, 20), 2) | {20: None},
            # Sleep 3, mood 1, appetite and weight 2, five of 1, psychomotor 2: 13. Items 7 and 8 are blank.
            ("qids_sr16", "qids"): {1: 0, 2: 3, 3: 1, 4: 0, 5: 1, 6: 2, 9: 1}
            | dict.fromkeys(range(10, 15), 1)
            | {15: 0, 16: 2},
            ("qids_sr16", "no_sleep_item"): {2: 3, 3: 1, 4: 0, 5: 1, 6: 2, 9: 1}
            | dict.fromkeys(range(10, 15), 1)
            | {15: 0, 16: 2},
            # Twenty symptoms of 1; what is beside them does not count.
            ("caps_5", "caps"): dict.fromkeys(range(1, 21), 1) | {21: 4, 22: 9},
        }
        for table, columns in (
            ("assessment", "assessment_id VARCHAR, instrument VARCHAR"),
            ("assessment_item", "assessment_id VARCHAR, item_number INTEGER, item_value INTEGER"),
        ):
            connection.execute(f"CREATE TABLE {table} ({columns})")
        for (instrument, key), items in answers.items():
            connection.execute("INSERT INTO assessment VALUES (?, ?)", [key, instrument])
            for number, value in items.items():
                connection.execute("INSERT INTO assessment_item VALUES (?, ?, ?)", [key, number, value])
        for table in ("assessment", "assessment_item"):
            connection.execute(f"COPY {table} TO '{tmp_path / 'resolved' / table}.parquet' (FORMAT parquet)")
        open_state(connection, tmp_path / "resolved", Settings(home=tmp_path), {})
        found = connection.execute("FROM derived.totals ORDER BY ALL").fetchall()
    assert found == [("caps", 20), ("qids", 13), ("whole", 40)]


def test_the_guide_to_adding_an_instrument_names_what_there_is() -> None:
    page = (PROJECT_ROOT / "docs" / "instruments.md").read_text()
    for name, each in OWN.items():
        assert f"`{name}`: {each.file.title}" in page
    named = set(re.findall(r"`([a-z_0-9]+\.[a-z_]+)=", page)) | set(re.findall(r",([a-z_0-9]+\.[a-z_]+)=", page))
    assert named and all(OWN[place.split(".")[0]].sets_of(place.split(".")[1]) for place in named)
