"""A clean small delivery of a clinic in CSV, and what may be wrong with one: a clinic a defect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.deliveries import deliver

Files = dict[str, bytes | str]
CANARY = "Ottilie Quack"


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
    """A defect: how to deliver it, and where it must turn up. ``extra`` are further lines of the clinic's file."""

    deliver: Callable[[Path, str], None]
    state: str = "refused"
    stage: str = "receive"
    rule: str | None = None
    file: str | None = None
    column: str | None = None
    table: str | None = None
    quarantined: dict[str, int] = field(default_factory=dict)
    unmapped: int = 0
    system: str = "small"
    extra: str = ""


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
    files["answers_again.csv"] = files.pop("answers.csv")
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


CSV_CASES = {
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
        once(clean() | {"courses.csv": "course,person,remark\nC0001,P0001,1\n"}),
        stage="admit", rule="column_unknown", file="courses.csv", column="remark",
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
