"""Validate: which rows are quarantined and why, that the account adds up, and that no value escapes."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from clinic_outcomes import ledger
from clinic_outcomes.contract import load_contract
from clinic_outcomes.files import latest, point_latest
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.records import RuleCount, ValidateRecord
from clinic_outcomes.settings import Settings
from clinic_outcomes.validate import validate
from tests.support import leaks
from tests.support.harmonised_clinic import CLINIC as EMPTY_CLINIC
from tests.support.harmonised_clinic import column_types, small_clinic
from tests.support.resolved_states import CLINIC, STATE, read_rows, write_resolved

# Ann is sound. Bob's intake day could not be read, so he is quarantined, and all that is his with him. Cy answers
# a PCL-5 item with 5, and sums up to 81; Dee was never delivered.
ANN_AND_OTHERS = {
    "patient": """
        patient_id | intake_day | observed_through_day | unreadable_columns
        ann        | 0          | 90                   | []
        bob        | -          | 90                   | [intake_day]
        cy         | 0          | 90                   | []
        """,
    "referral": """
        referral_id | patient_id | received_day | contacted_day | consulted_day
        ref-1       | ann        | 5            | 5             | 6
        ref-2       | cy         | 5            | 4             | 3
        ref-3       | ann        | 40           | -             | -
        """,
    "course": """
        course_id | patient_id | protocol
        c-ann     | ann        | iv_ketamine
        c-bob     | bob        | iv_ketamine
        c-cy      | cy         | iv_ketamine
        """,
    "session": """
        session_id | patient_id | course_id | session_day | drug     | site_id | dose_mg
        s-1        | ann        | c-ann     | 5           | ketamine | north   | 40.5
        s-2        | ann        | c-ann     | 4           | ketamine | north   | 40.5
        s-3        | bob        | c-bob     | 9           | ketamine | north   | 40.5
        s-4        | cy         | c-ann     | 9           | ketamine | north   | 9999
        """,
    "assessment": """
        assessment_id | patient_id | instrument | assessed_day | session_id | delivered_total
        a-1           | ann        | pcl_5      | 5            | s-1        | 80
        a-2           | ann        | gad_7      | 5            | s-2        | -
        a-3           | cy         | pcl_5      | 9            | -          | 81
        a-4           | cy         | gad_7      | 9            | -          | 21
        a-5           | ann        | caps_5     | 9            | -          | 50
        """,
    "assessment_item": """
        assessment_id | item_number | patient_id | item_value
        a-1           | 1           | ann        | 4
        a-1           | 2           | ann        | 5
        a-1           | 20          | ann        | 0
        a-1           | 21          | ann        | 1
        a-2           | 1           | ann        | 3
        a-4           | 1           | cy         | 3
        a-4           | 2           | cy         | 4
        a-4           | 3           | ann        | 1
        a-4           | 8           | cy         | 4
        a-5           | 30          | ann        | 4
        a-9           | 1           | dee        | 1
        """,
}
# Row → the rules it breaks, worked out by hand from the tables above.
QUARANTINED = {
    "patient": [("bob", ["readable"])],
    "referral": [
        ("ref-2", ["consulted_not_before_contacted", "consulted_not_before_received", "contacted_not_before_received"])
    ],
    "course": [("c-bob", ["patient_id_accepted"])],
    "session": [
        ("s-2", ["session_not_before_referral"]),
        ("s-3", ["course_id_accepted", "patient_id_accepted"]),
        ("s-4", ["dose_mg_in_range", "patient_matches_course"]),
    ],
    "assessment": [("a-2", ["session_id_accepted"]), ("a-3", ["delivered_total_in_instrument"])],
    "assessment_item": [
        ("a-1/2", ["item_value_in_instrument"]),
        ("a-1/21", ["item_number_in_instrument"]),
        ("a-2/1", ["assessment_id_accepted"]),
        ("a-4/2", ["item_value_in_instrument"]),
        ("a-4/3", ["patient_matches_assessment"]),
        ("a-4/8", ["item_number_in_instrument"]),
        ("a-9/1", ["assessment_id_known", "patient_id_known"]),
    ],
}


def key_of(table: str) -> str:
    """The key of a row as one text."""
    return " || '/' || ".join(f"{name}::VARCHAR" for name in load_contract().tables[table].primary_key)


@pytest.fixture(scope="module")
def validated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Path, ValidateRecord]:
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    folder = write_resolved(settings, ANN_AND_OTHERS)
    return settings, folder, validate(CLINIC, settings, STATE)


@pytest.mark.parametrize("table", ANN_AND_OTHERS)
def test_rows_that_break_rules_are_quarantined_with_all_of_them(
    validated: tuple[Settings, Path, ValidateRecord], table: str
) -> None:
    _, folder, _ = validated
    found = read_rows(folder / "quarantined" / f"{table}.parquet", f"{key_of(table)}, rules")
    assert found == QUARANTINED[table]


@pytest.mark.parametrize("table", ANN_AND_OTHERS)
def test_every_other_row_is_accepted_unchanged(validated: tuple[Settings, Path, ValidateRecord], table: str) -> None:
    _, folder, _ = validated
    everything = read_rows(folder / "resolved" / f"{table}.parquet", f"{key_of(table)} AS k, * EXCLUDE (restates)")
    accepted = read_rows(folder / "accepted" / f"{table}.parquet", f"{key_of(table)} AS k, *")
    bad = {key for key, _ in QUARANTINED[table]}
    assert accepted == [row for row in everything if row[0] not in bad]
    assert len(accepted) == len(everything) - len(bad)


def test_the_account_of_every_file_adds_up(validated: tuple[Settings, Path, ValidateRecord]) -> None:
    _, _, record = validated
    delivered = {"patient": 3, "referral": 3, "course": 3, "session": 4, "assessment": 5, "assessment_item": 11}
    assert {(part.table, part.delivered, part.quarantined, part.current) for part in record.account} == {
        (table, rows, len(QUARANTINED[table]), rows - len(QUARANTINED[table])) for table, rows in delivered.items()
    }


def test_each_rule_is_counted_and_those_that_hold_count_zero(
    validated: tuple[Settings, Path, ValidateRecord],
) -> None:
    _, _, record = validated
    broken = {
        (count.table, count.rule): count.rows for count in record.rules if count.rows and count.severity != "notice"
    }
    expected: dict[tuple[str, str], int] = {}
    for table, rows in QUARANTINED.items():
        for rule in (rule for _, rules in rows for rule in rules):
            expected[table, rule] = expected.get((table, rule), 0) + 1
    assert broken == expected
    held = RuleCount(
        rule="key_unique", table="assessment_item", column="assessment_id", severity="critical", checked=11, rows=0
    )
    assert held in record.rules
    assert held.outcome == "held"


def test_what_had_nothing_to_check_is_no_pass(validated: tuple[Settings, Path, ValidateRecord]) -> None:
    _, _, record = validated
    counts = {(count.table, count.rule): count for count in record.rules}
    # Doses are delivered, blood pressures and sites are not; bob's intake day could not be read.
    assert {(table, rule): (count.checked, count.outcome) for (table, rule), count in counts.items()}.items() >= {
        ("session", "dose_mg_in_range"): (4, "broken"),
        ("session", "systolic_above_diastolic_peak"): (0, "not_applicable"),
        ("session", "site_id_known"): (0, "not_applicable"),
        ("session", "drug_present"): (4, "held"),
        ("patient", "intake_day_in_range"): (2, "held"),
        ("assessment", "delivered_total_in_instrument"): (4, "broken"),
    }.items()
    assert {table for table, _ in counts} == set(ANN_AND_OTHERS)


def test_a_notice_is_counted_and_its_row_kept(validated: tuple[Settings, Path, ValidateRecord]) -> None:
    _, folder, record = validated
    # Days count from the first referral; ann's and cy's came on day 5.
    assert read_rows(folder / "notices" / "referral.parquet", "source_file, source_line, source_item, rules") == [
        ("referral.csv", 2, 1, ["first_referral_on_day_0"]),
        ("referral.csv", 3, 1, ["first_referral_on_day_0"]),
    ]
    assert ("ref-1",) in read_rows(folder / "accepted" / "referral.parquet", "referral_id")
    assert read_rows(folder / "notices" / "session.parquet", "*") == []
    (count,) = [count for count in record.rules if count.rule == "first_referral_on_day_0"]
    assert (count.severity, count.checked, count.rows) == ("notice", 3, 2)


def test_a_table_never_delivered_is_absent_and_an_optional_reference_to_it_says_nothing(
    validated: tuple[Settings, Path, ValidateRecord],
) -> None:
    _, folder, record = validated
    for side in ("accepted", "quarantined"):
        assert {path.stem for path in (folder / side).iterdir()} == set(ANN_AND_OTHERS)
    outcomes = {(count.table, count.rule): count.outcome for count in record.rules}
    # The clinic delivers no sites, though its sessions name one.
    assert outcomes["session", "site_id_known"] == "not_applicable"
    assert outcomes["session", "course_id_known"] == "held"


def test_no_value_is_found_outside_the_rows_themselves(validated: tuple[Settings, Path, ValidateRecord]) -> None:
    settings, folder, _ = validated
    values = re.compile(r"\b(?:c-bob|dee|9999|ref-2|a-9|bob)\b")
    found = leaks.find(settings.home, values)
    rows = {"resolved", "accepted", "quarantined"}
    assert found, "the search itself must find the values in the rows"
    assert {Path(name).parent.name for name in found} <= rows
    assert (folder / "data_docs" / "session.html").is_file()


def test_the_data_docs_say_which_rules_were_broken_and_load_nothing_from_elsewhere(
    validated: tuple[Settings, Path, ValidateRecord],
) -> None:
    _, folder, _ = validated
    pages = {path.stem: path.read_text() for path in (folder / "data_docs").glob("*.html")}
    assert set(pages) == {"index", *ANN_AND_OTHERS}
    assert pages["session"].count("fa-times") == 1 + 1 + 5  # in the style, for the whole table, for each rule broken
    assert "session_not_before_referral" in pages["session"]
    for page in pages.values():
        assert not re.search(r"(?:src|href)\s*=\s*[\"']?(?:https?:)?//", page)


def test_two_workers_at_once_succeed_with_the_same_bytes_as_one(
    validated: tuple[Settings, Path, ValidateRecord], tmp_path: Path
) -> None:
    _, folder, record = validated
    again = write_resolved(Settings(home=tmp_path), ANN_AND_OTHERS)
    program = (
        "import sys; from pathlib import Path; from clinic_outcomes.settings import Settings; "
        "from clinic_outcomes.validate import validate; "
        "validate(sys.argv[1], Settings(home=Path(sys.argv[3])), sys.argv[2])"
    )
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", program, CLINIC, STATE, str(tmp_path)], env=os.environ | {"PYTHONHASHSEED": seed}
        )
        for seed in ("1", "2")
    ]
    assert [worker.wait(timeout=120) for worker in workers] == [0, 0]
    assert ledger.read(again / "validate.json", ValidateRecord) == record
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    differing = [str(name) for name in files if (folder / name).read_bytes() != (again / name).read_bytes()]
    assert differing == []


def test_a_state_is_validated_once_and_a_killed_run_is_finished(
    validated: tuple[Settings, Path, ValidateRecord], tmp_path: Path
) -> None:
    settings, folder, record = validated
    home = tmp_path / "home"
    shutil.copytree(settings.home, home, symlinks=True)
    copy = Settings(home=home)
    state = home / folder.relative_to(settings.home)
    before = (state / "accepted" / "session.parquet").stat().st_mtime_ns
    assert validate(CLINIC, copy, STATE) == record
    assert (state / "accepted" / "session.parquet").stat().st_mtime_ns == before
    kept = (state / "validate.json").read_bytes()
    (state / "validate.json").unlink()
    shutil.rmtree(state / "quarantined")
    (home / "state" / CLINIC / "latest").unlink()
    assert validate(CLINIC, copy, STATE) == record
    assert (state / "validate.json").read_bytes() == kept
    assert latest(home / "state" / CLINIC) == state


def test_an_invalid_correction_contests_its_key(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    folder = write_resolved(
        settings,
        {
            "patient": """
                patient_id | age_years | restates | delivery_id
                ann        | 91        | true     | 000002-delta-aaaaaaaaaaaaaaaa
                bob        | 91        | false    | 000001-full-0123456789abcdef
                cy         | 50        | true     | 000002-delta-aaaaaaaaaaaaaaaa
                """
        },
    )
    record = validate(CLINIC, settings, STATE)
    assert read_rows(folder / "quarantined" / "patient.parquet", "patient_id, contested") == [
        ("ann", True),
        ("bob", False),
    ]
    assert read_rows(folder / "accepted" / "patient.parquet", "patient_id") == [("cy",)]
    assert {(part.delivery_id, part.delivered, part.current, part.quarantined) for part in record.account} == {
        ("000001-full-0123456789abcdef", 1, 0, 1),
        ("000002-delta-aaaaaaaaaaaaaaaa", 2, 1, 1),
    }


def test_all_rows_of_a_repeated_key_are_quarantined_and_rows_without_a_key_are_not_alike(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    folder = write_resolved(
        settings,
        {
            "patient": "patient_id | sex\nann | female\nann | male\ncy | male\n- | male\n- | female",
            "assessment": "assessment_id | patient_id | instrument | assessed_day\na-1 | cy | pcl_5 | 1",
            "assessment_item": """
                assessment_id | item_number | patient_id | item_value
                a-1           | 1           | cy         | 1
                a-1           | 1           | cy         | 2
                a-1           | 2           | cy         | 1
                a-1           | -           | cy         | 1
                a-1           | -           | cy         | 2
                """,
        },
    )
    validate(CLINIC, settings, STATE)
    assert read_rows(folder / "quarantined" / "patient.parquet", "source_line, rules") == [
        (2, ["key_unique"]),
        (3, ["key_unique"]),
        (5, ["patient_id_present"]),
        (6, ["patient_id_present"]),
    ]
    assert read_rows(folder / "quarantined" / "assessment_item.parquet", "source_line, rules") == [
        (2, ["key_unique"]),
        (3, ["key_unique"]),
        (5, ["item_number_present"]),
        (6, ["item_number_present"]),
    ]


def test_a_required_reference_to_a_table_never_delivered_is_broken(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    folder = write_resolved(settings, {"course": "course_id | patient_id | protocol\nc-1 | ann | iv_ketamine"})
    validate(CLINIC, settings, STATE)
    assert read_rows(folder / "quarantined" / "course.parquet", "course_id, rules") == [("c-1", ["patient_id_known"])]


def test_a_table_with_nothing_in_force_has_files_without_rows(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    folder = write_resolved(settings, {"patient": "patient_id | sex"})
    record = validate(CLINIC, settings, STATE)
    for side in ("accepted", "quarantined"):
        assert read_rows(folder / side / "patient.parquet", "patient_id") == []
    assert {count.rows for count in record.rules} == {0}


def test_the_columns_written_are_those_that_the_stages_agree_on(
    validated: tuple[Settings, Path, ValidateRecord],
) -> None:
    _, folder, _ = validated
    for table in ANN_AND_OTHERS:
        stored = [name for name in load_contract().tables[table].stored_columns if name != "record_action"]
        for side, more in (("accepted", []), ("quarantined", ["rules", "contested"])):
            assert list(column_types(folder / side / f"{table}.parquet")) == [*stored, *more]


def test_a_rule_that_cannot_be_evaluated_stops_the_clinic_and_quotes_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    expectations = tmp_path / "expectations"
    shutil.copytree(Settings(home=tmp_path).expectations, expectations)
    with (expectations / "patient.yml").open("a") as rules:
        rules.write(
            "- rule: token_is_a_number\n  columns: [network_token]\n  rows: CAST(t.network_token AS INTEGER) < 0\n"
            "  severity: warning\n  advice: Deliver a number.\n"
        )
    settings = Settings(home=tmp_path / "home", expectations=expectations)
    folder = write_resolved(settings, {"patient": "patient_id | network_token\nann | canary-7f3a"})
    earlier = folder.parent / "00000000000000a1"
    earlier.mkdir()
    point_latest(earlier)
    with pytest.raises(ClinicOutcomesError) as caught:
        validate(CLINIC, settings, STATE)
    assert [(p.rule, p.clinic, p.table, p.column) for p in caught.value.problems] == [
        ("token_is_a_number", CLINIC, "patient", "network_token")
    ]
    written, errors = capfd.readouterr()
    assert "canary" not in str(caught.value) + written + errors + caplog.text
    assert latest(folder.parent) == earlier
    assert {path.name for path in folder.iterdir()} == {"resolved"}


def test_a_clinic_without_a_usable_delivery_keeps_its_last_good_state(tmp_path: Path) -> None:
    columns = "people,id,patient,patient_id,,,\n"
    head = (
        "title: Paper\nformat: csv\nsources: {people: {file: people.csv}}\n"
        "key_patterns: {patient_id: '[A-Za-z0-9_/.-]{1,40}'}\n"
    )
    settings = small_clinic(tmp_path, head, columns, "")
    earlier = settings.state / EMPTY_CLINIC / "00000000000000a1"
    earlier.mkdir(parents=True)
    point_latest(earlier)
    assert validate(EMPTY_CLINIC, settings) == ValidateRecord(clinic_id=EMPTY_CLINIC, state_id=None)
    assert latest(earlier.parent) == earlier


def test_the_record_is_kept_beside_the_rows(validated: tuple[Settings, Path, ValidateRecord]) -> None:
    settings, folder, record = validated
    assert ledger.read(folder / "validate.json", ValidateRecord) == record
    assert latest(settings.state / CLINIC) == folder
    assert record.state_id == STATE
