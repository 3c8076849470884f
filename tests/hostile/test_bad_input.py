"""One clinic a defect: each is named by clinic, file, table, column and rule, never by value, and the rest go on."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pytest

from clinic_outcomes.pipeline import run
from clinic_outcomes.receipt import receipt
from clinic_outcomes.settings import Settings
from clinic_outcomes.status import status
from tests.support.deliveries import deliver
from tests.support.short_keys import short_keys

Files = dict[str, bytes | str]
CANARY = "Ottilie Quack"
PARTS = ("current", "quarantined", "superseded", "deleted", "duplicate", "tombstone")


def clean() -> Files:
    return {
        "people.csv": "person,sex,age,intake,change\nP0001,F,34,3,\nP0002,M,51,2,\n",
        "referrals.csv": "referral,person,received,origin\nR0001,P0001,0,self\nR0002,P0002,0,gp\n",
        "courses.csv": "course,person\nC0001,P0001\nC0002,P0002\n",
        "visits.csv": "visit,person,course,day,drug\nS0001,P0001,C0001,5,ket\nS0002,P0002,C0002,6,ket\n",
        "forms.csv": "form,person,kind,day\nQ0001,P0001,GAD7,3\nQ0002,P0002,GAD7,3\n",
        "answers.csv": "form,person,item,value,change\nQ0001,P0001,1,2,\nQ0001,P0001,2,3,\nQ0002,P0002,1,0,\n",
    }


def edited(name: str, old: str, new: str) -> Files:
    files = clean()
    text = files[name]
    assert isinstance(text, str) and old in text
    files[name] = text.replace(old, new)
    return files


@dataclass
class Case:
    """A defect: how to deliver it, and where it must turn up."""

    deliver: Callable[[Path, str], None]
    state: str = "refused"
    stage: str = "receive"
    rule: str | None = None
    file: str | None = None
    column: str | None = None
    quarantined: dict[str, int] = field(default_factory=dict)
    unmapped: int = 0


def once(files: Files, **options: Any) -> Callable[[Path, str], None]:
    def put(landing: Path, clinic: str) -> None:
        deliver(landing / "drop", files, clinic, **options)

    return put


def no_manifest(landing: Path, clinic: str) -> None:
    deliver(landing / "drop", clean(), clinic)
    (landing / "drop" / "manifest.json").unlink()


def wrong_checksum(landing: Path, clinic: str) -> None:
    deliver(landing / "drop", clean(), clinic)
    path = landing / "drop" / "people.csv"
    path.write_text(path.read_text().replace("34", "35"))


def cut_short(landing: Path, clinic: str) -> None:
    deliver(landing / "drop", clean(), clinic)
    path = landing / "drop" / "answers.csv"
    path.write_bytes(path.read_bytes()[:-9])


def again_and_renamed(landing: Path, clinic: str) -> None:
    deliver(landing / "first", clean(), clinic)
    files = clean()
    files["answers_renamed.csv"] = files.pop("answers.csv")
    deliver(landing / "second", files, clinic)


def same_sequence_other_content(landing: Path, clinic: str) -> None:
    deliver(landing / "a", clean(), clinic, sequence=1)
    deliver(landing / "b", edited("people.csv", "P0002,M", "P0002,F"), clinic, sequence=2)
    deliver(landing / "c", edited("people.csv", "P0001,F", "P0001,M"), clinic, sequence=2)


def delta(landing: Path, clinic: str, first: Files, second: Files) -> None:
    # The later one is dropped first: arrival must not matter.
    deliver(landing / "a", second, clinic, sequence=2, kind="delta")
    deliver(landing / "b", first, clinic, sequence=1)


def headers() -> Files:
    return {name: str(text).splitlines()[0] + "\n" for name, text in clean().items()}


def patient_comes_later(landing: Path, clinic: str) -> None:
    first, second = edited("people.csv", "P0002,M,51,2,\n", ""), headers()
    second["people.csv"] = "person,sex,age,intake,change\nP0002,M,51,2,\n"
    delta(landing, clinic, first, second)


def correction_is_invalid(landing: Path, clinic: str) -> None:
    second = headers() | {"answers.csv": "form,person,item,value,change\nQ0001,P0001,2,5,\n"}
    delta(landing, clinic, clean(), second)


def drop_file(name: str) -> Files:
    return {key: text for key, text in clean().items() if key != name}


CASES = {
    "good": Case(once(clean()), state="accepted", stage="validate"),
    "manifest_missing": Case(no_manifest, rule="manifest_missing"),
    "wrong_count": Case(once(clean(), rows={"people.csv": 3}), rule="row_count_mismatch", file="people.csv"),
    "wrong_checksum": Case(wrong_checksum, rule="checksum_mismatch", file="people.csv"),
    "cut_short": Case(cut_short, rule="checksum_mismatch", file="answers.csv"),
    "file_missing": Case(once(drop_file("visits.csv")), rule="source_missing"),
    "file_empty": Case(once(clean() | {"forms.csv": ""}), rule="file_empty", file="forms.csv"),
    "header_only": Case(once(headers()), state="accepted", stage="validate"),
    "wrong_encoding": Case(
        once(clean() | {"people.csv": "person,sex,age,intake,change\nP0001,é,34,3,\n".encode("utf-16")}),
        rule="encoding",
        file="people.csv",
    ),
    "column_missing": Case(
        once(clean() | {"courses.csv": "course\nC0001\n"}),
        stage="admit", rule="column_missing", file="courses.csv", column="person",
    ),
    "column_extra": Case(
        once(clean() | {"courses.csv": "course,person,colour\nC0001,P0001,1\n"}),
        stage="admit", rule="column_unknown", file="courses.csv", column="colour",
    ),
    "column_renamed": Case(
        once(edited("visits.csv", ",drug\n", ",agent\n")),
        stage="admit", rule="column_missing", file="visits.csv", column="drug",
    ),
    "calendar_date": Case(
        once(edited("forms.csv", "GAD7,3", "GAD7,2026-03-01")),
        stage="admit", rule="calendar_date", file="forms.csv", column="day",
    ),
    "aged_90": Case(
        once(edited("people.csv", "51", "90")), stage="admit", rule="age_90_or_over", file="people.csv", column="age"
    ),
    "e_mail": Case(
        once(edited("referrals.csv", ",gp", ",ottilie@quack.example")),
        stage="admit", rule="email", file="referrals.csv", column="origin",
    ),
    "phone": Case(
        once(edited("referrals.csv", ",gp", ",(210) 555-0134")),
        stage="admit", rule="phone", file="referrals.csv", column="origin",
    ),
    "ssn": Case(
        once(edited("referrals.csv", ",gp", ",078-05-1120")),
        stage="admit", rule="ssn", file="referrals.csv", column="origin",
    ),
    "zip": Case(
        once(edited("referrals.csv", ",gp", ",78205-1234")),
        stage="admit", rule="zip_plus_4", file="referrals.csv", column="origin",
    ),
    "key_changes_type": Case(
        once(edited("forms.csv", "P0002", "2.0")), stage="admit", rule="key_format", file="forms.csv", column="person"
    ),
    "delivered_twice": Case(again_and_renamed, state="accepted", stage="validate"),
    "sequence_conflict": Case(same_sequence_other_content, stage="resolve", rule="sequence_conflict"),
    "score_out_of_range": Case(
        once(edited("answers.csv", "2,3,", "2,5,")), state="accepted", stage="validate",
        quarantined={"assessment_item": 1},
    ),
    "answer_without_person": Case(
        once(edited("answers.csv", "Q0002,P0002", "Q0002,P0009")), state="accepted", stage="validate",
        quarantined={"assessment_item": 1},
    ),
    "person_comes_later": Case(patient_comes_later, state="accepted", stage="validate"),
    "session_before_referral": Case(
        once(edited("referrals.csv", "P0001,0", "P0001,9")), state="accepted", stage="validate",
        quarantined={"session": 1},
    ),
    "unmapped_code": Case(
        once(edited("visits.csv", "5,ket", "5,87")), state="accepted", stage="validate", unmapped=1
    ),
    "unknown_value": Case(
        once(edited("visits.csv", "5,ket", f"5,{CANARY}")),
        stage="admit", rule="value_unknown", file="visits.csv", column="drug",
    ),
    "not_a_number": Case(
        once(edited("visits.csv", "C0001,5", f"C0001,{CANARY}")),
        stage="admit", rule="number_expected", file="visits.csv", column="day",
    ),
    "no_whole_number": Case(
        once(edited("visits.csv", "C0001,5", "C0001,5.5")), state="accepted", stage="validate",
        quarantined={"session": 1},
    ),
    "correction_invalid": Case(
        correction_is_invalid, state="accepted", stage="validate", quarantined={"assessment_item": 1}
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    root = tmp_path_factory.mktemp("hostile")
    shutil.copytree(Path(__file__).parent / "systems", root / "systems")
    made = Settings(home=root / "home", clinics=root / "clinics", systems=root / "systems")
    made.clinics.mkdir()
    keys = short_keys((root / "systems" / "small" / "system.yml").read_text())
    for clinic, case in CASES.items():
        (made.clinics / f"{clinic}.yml").write_text(f"title: Clinic {clinic}\nsystem: small\n" + keys)
        (made.landing / clinic).mkdir(parents=True)
        case.deliver(made.landing / clinic, clinic)
    run(made)
    return made


def deliveries(settings: Settings, clinic: str) -> list[dict[str, Any]]:
    return [row for row in status(settings)["deliveries"] if row["clinic"] == clinic]


@pytest.mark.parametrize("clinic", CASES)
def test_the_delivery_ends_where_it_should(settings: Settings, clinic: str) -> None:
    case, rows = CASES[clinic], deliveries(settings, clinic)
    last = rows[-1]
    assert (last["state"], last["stage"]) == (case.state, case.stage)
    assert last["reason_code"] == case.rule
    if case.state == "refused":
        assert last["tables"] == {} and clinic in json.dumps(last)
    for row in rows:
        for counts in [*row["tables"].values(), *row["files"]]:
            assert counts["delivered"] == sum(counts[part] for part in PARTS)
    quarantined: dict[str, int] = {}
    for row in rows:
        for table, counts in row["tables"].items():
            quarantined[table] = quarantined.get(table, 0) + counts["quarantined"]
    assert {table: count for table, count in quarantined.items() if count} == case.quarantined
    assert sum(row["unmapped"] for row in rows) == case.unmapped


@pytest.mark.parametrize("clinic", [name for name, case in CASES.items() if case.file])
def test_the_problem_names_its_place(settings: Settings, clinic: str) -> None:
    case = CASES[clinic]
    record = (settings.ledger / clinic / deliveries(settings, clinic)[-1]["delivery"]).glob(
        "receive.json" if case.stage == "receive" else "admit.*.json"
    )
    problems = json.loads(next(record).read_text())["problems"]
    named = [(p["clinic"], p["rule"], p["file"], p["column"]) for p in problems]
    assert (clinic, case.rule, case.file, case.column) in named
    assert all(problem["advice"] for problem in problems)


def test_nothing_is_counted_twice_and_nothing_is_lost(settings: Settings) -> None:
    twice = deliveries(settings, "delivered_twice")
    assert len(twice) == 1 and len(twice[0]["folders"]) == 2
    conflict = deliveries(settings, "sequence_conflict")
    assert [row["state"] for row in conflict] == ["accepted", "refused", "refused"]
    contested = settings.state / "correction_invalid" / "latest" / "quarantined" / "assessment_item.parquet"
    rows = duckdb.execute(f"SELECT item_number, item_value, contested FROM '{contested}'").fetchall()
    assert rows == [(2, 5, True)]
    accepted = duckdb.execute(
        f"SELECT item_number FROM '{contested.parents[1]}/accepted/assessment_item.parquet' ORDER BY 1"
    )
    assert accepted.fetchall() == [(1,), (1,)]


def test_a_receipt_tells_the_clinic_line_and_rule(settings: Settings) -> None:
    text = json.dumps(receipt("score_out_of_range", settings), default=str)
    assert "answers.csv" in text and "item_value" in text
    unmapped = json.dumps(receipt("unmapped_code", settings), default=str)
    assert "visits.csv" in unmapped and "drug" in unmapped


def test_no_value_of_a_bad_row_is_told(settings: Settings) -> None:
    for clinic in CASES:
        said = json.dumps([deliveries(settings, clinic), receipt(clinic, settings)], default=str)
        for value in (CANARY, "ottilie@quack.example", "555-0134", "078-05-1120", "78205-1234", "2026-03-01"):
            assert value not in said, clinic


def test_the_other_clinics_are_reported_as_usual(settings: Settings) -> None:
    coverage = settings.marts / "latest" / "release" / "dim_clinics.parquet"
    reported = {row[0] for row in duckdb.execute(f"SELECT clinic_id FROM '{coverage}'").fetchall()}
    usable = {name for name, case in CASES.items() if case.state == "accepted"} | {"sequence_conflict"}
    assert reported == usable
