"""What the gate rests on is checked when a mapping is loaded: forms of keys, free text, constants, legal basis."""

from pathlib import Path

import pytest

from clinic_outcomes.mapping import load_clinic
from clinic_outcomes.mapping.key_patterns import form_of
from clinic_outcomes.mapping.legal_basis import small_population_zip3
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.settings import Settings

SYSTEM = """\
title: Example
format: csv
sources: {people: {file: 'people*.csv'}, sites: {file: 'sites*.csv'}}
key_patterns: {patient_id: 'PERSON', site_id: 'S[0-9]{2}'}
"""
COLUMNS = """\
source,source_column,table,column,unit,codes,constant
people,ref,patient,patient_id,,,
people,weeks,patient,intake_day,week,,
sites,site,site,site_id,,,
"""
LONG = "P[0-9a-f]{16}"


def mistakes(
    root: Path, *, person: str = LONG, columns: str = COLUMNS, clinic: str = "", patterns: str = ""
) -> list[str | None]:
    folder = root / "systems" / "example"
    folder.mkdir(parents=True)
    (folder / "system.yml").write_text(SYSTEM.replace("PERSON", person).replace("}'}", f"}}', {patterns}}}"))
    (folder / "columns.csv").write_text(columns)
    (folder / "codes.csv").write_text("codes,source_code,code\n")
    (root / "clinics").mkdir()
    (root / "clinics" / "alpha.yml").write_text("title: Alpha\nsystem: example\n" + clinic)
    try:
        load_clinic("alpha", Settings(home=root, systems=root / "systems", clinics=root / "clinics"))
    except ClinicOutcomesError as error:
        return [problem.column for problem in error.problems]
    return []


# By hand: log2 of the number of the pattern's shortest matches.
BITS = {
    "P[0-9a-f]{16}": 64, "[01]{64}": 64, "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}": 128, "[a-p]{2,9}": 8,
    "abc": 0, "[a-d]|[a-d]{3}": 2, "(?:[a-b]){3}": 3, "^[0-7]$": 3, "[0-7]?": 0,
}  # fmt: skip


@pytest.mark.parametrize("pattern", BITS)
def test_bits_of_a_pattern(pattern: str) -> None:
    assert form_of(pattern).bits == pytest.approx(BITS[pattern])


@pytest.mark.parametrize(
    "pattern",
    [".*", ".{16}", "[^/]{16}", "[0-9a-f]+", "[0-9a-f]{16,}", "(?=P)[0-9a-f]{16}", "(?!X)[0-9a-f]{16}", r"(a)\1",
     r"\s{9}", "(?i)[a-f]{16}", "(?i:[a-f]{16})", "[0-9]{300}", "", "(", "(?>a{2})", "a{2}+", r"\bP[0-9]{20}"],
)  # fmt: skip
def test_patterns_that_are_no_closed_form(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(ValueError):
        form_of(pattern)
    assert mistakes(tmp_path, person=pattern) == ["key_patterns.patient_id"]


def test_keys_of_people_carry_64_random_bits_and_those_of_sites_need_not(tmp_path: Path) -> None:
    assert mistakes(tmp_path / "long") == []
    assert mistakes(tmp_path / "short", person="P[0-9a-f]{15}") == ["key_patterns.patient_id"]


def test_keys_of_clinics_need_no_random_bits_and_those_of_their_records_do(tmp_path: Path) -> None:
    referrals = (
        "people,ref,referral,patient_id,,,\npeople,day,referral,received_day,day,,\n"
        "people,no,referral,referral_id,,,\npeople,sent_by,referral,referring_clinic_id,,,\n"
    )
    patterns = "referral_id: 'R[0-9a-f]{16}', referring_clinic_id: 'NET-[0-9]{2}'"
    found = mistakes(tmp_path / "long", columns=COLUMNS + referrals, patterns=patterns)
    assert found == []
    short = patterns.replace("16", "4")
    found = mistakes(tmp_path / "short", columns=COLUMNS + referrals, patterns=short)
    assert found == ["key_patterns.referral_id"]


def test_a_clinic_may_declare_short_study_numbers_with_a_reason(tmp_path: Path) -> None:
    short = "short_keys: {reason: study numbers, key_patterns: {patient_id: '[0-9]{4}'}}\n"
    assert mistakes(tmp_path / "declared", clinic=short) == []
    settings = Settings(
        home=tmp_path, systems=tmp_path / "declared" / "systems", clinics=tmp_path / "declared" / "clinics"
    )
    assert load_clinic("alpha", settings).system.key_patterns["patient_id"] == "[0-9]{4}"
    assert mistakes(tmp_path / "silent", clinic=short.replace("study numbers", "''")) == ["short_keys.reason"]
    override = "overrides: {key_patterns: {patient_id: '[0-9]{4}'}}\n"
    assert mistakes(tmp_path / "override", clinic=override) == ["key_patterns.patient_id"]
    unknown = short.replace("patient_id", "course_id")
    assert mistakes(tmp_path / "unknown", clinic=unknown) == ["short_keys.key_patterns.course_id"]


@pytest.mark.parametrize(
    ("basis", "period", "wrong"),
    [("safe_harbor", "quarter", True), ("safe_harbor", "year", False), ("expert_determination", "quarter", False),
     ("limited_data_set", "quarter", False)],
)  # fmt: skip
def test_a_quarter_only_where_the_legal_basis_allows_it(tmp_path: Path, basis: str, period: str, wrong: bool) -> None:
    found = mistakes(tmp_path, clinic=f"legal_basis: {{basis: {basis}, service_period: {period}}}\n")
    assert found == (["legal_basis.service_period"] if wrong else [])


@pytest.mark.parametrize(
    ("line", "wrong"),
    [("people,,patient,intake_day,week,,52", False), ("people,,patient,intake_day,week,,9999", True),
     ("people,,patient,intake_day,week,,soon", True), ("people,,patient,intake_day,day,,1.5", True),
     ("people,,patient,patient_id,,,P1", True), ("sites,,site,site_id,,,S01", False),
     ("sites,,site,site_id,,,main site", True)],
)  # fmt: skip
def test_constants_fit_their_column(tmp_path: Path, line: str, wrong: bool) -> None:
    table, column = line.split(",")[2:4]
    kept = [row for row in COLUMNS.splitlines() if f",{table},{column}," not in row]
    extra = ["sites,place,,,,,"] if table == "site" else []
    found = mistakes(tmp_path, columns="\n".join([*kept, line, *extra]) + "\n")
    assert ("constant" in found) is wrong and (wrong or found == [])


def test_the_seventeen_areas_of_the_rule() -> None:
    assert len(set(small_population_zip3())) == 17
    assert {"036", "692", "893"} <= set(small_population_zip3()) and "000" not in small_population_zip3()
