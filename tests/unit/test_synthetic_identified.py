"""Identified exports are of the same world as deliveries: each value can be worked out from the other's."""

import csv
import shutil
from datetime import date
from pathlib import Path

import pytest

from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.settings import Settings
from clinic_outcomes.synthetic import generate

Row = dict[str, str]
CLINICS = ("harbor_light", "juniper_ridge")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("identified")
    settings = Settings(home=home)
    generate(home / "delivered" / "landing", 120, 3, settings, CLINICS)
    generate(home / "identified" / "landing", 120, 3, settings, CLINICS, identified=True)
    return home


def pairs(home: Path, clinic: str, source: str) -> list[tuple[Row, Row]]:
    """Rows of the first delivery, and the same rows of the identified export."""
    read = []
    for kind in ("delivered", "identified"):
        with (home / kind / "landing" / clinic / "000001-full" / f"{source}_1.csv").open(newline="") as stream:
            read.append(list(csv.DictReader(stream)))
    assert len(read[0]) > 10
    return list(zip(*read, strict=True))


def day_zero(home: Path, clinic: str) -> dict[str, date]:
    """Date of day 0 of each person, from the last day watched: patient key → date."""
    found = {}
    for delivered, identified in pairs(home, clinic, "patients"):
        last = date.fromisoformat(identified["observed_through_day"]).toordinal()
        found[delivered["patient_ref"]] = date.fromordinal(last - int(delivered["observed_through_day"]))
    return found


DAYS = {
    "patients": ("intake_day", "off_label_consent_day"),
    "referrals": ("received_day", "contacted_day", "consulted_day", "decided_day"),
    "infusions": ("infusion_day",),
    "adverse_events": ("onset_day", "end_day"),
    "diagnoses": ("start_day", "stop_day"),
}


def test_days_are_dates_from_each_persons_day_zero(home: Path) -> None:
    for clinic in CLINICS:
        zero = day_zero(home, clinic)
        for source, columns in DAYS.items():
            for delivered, identified in pairs(home, clinic, source):
                for column in columns:
                    if delivered[column] == "":
                        assert identified[column] == ""
                        continue
                    days = date.fromisoformat(identified[column]) - zero[delivered["patient_ref"]]
                    assert days.days == int(delivered[column]), (clinic, source, column)


def test_keys_are_numbers_that_mean_the_same(home: Path) -> None:
    numbers: dict[tuple[str, str], str] = {}
    for source, keys in {
        "patients": ("patient_ref",),
        "infusions": ("infusion_ref", "patient_ref", "course_ref"),
        "adverse_events": ("event_ref", "infusion_ref", "patient_ref"),
        "questionnaires": ("questionnaire_ref", "infusion_ref"),
    }.items():
        for delivered, identified in pairs(home, "harbor_light", source):
            for key in keys:
                if delivered[key] == "":
                    assert identified[key] == ""
                    continue
                number = numbers.setdefault((key, delivered[key]), identified[key])
                assert identified[key] == number
                assert len(number) == 6
    assert len({(key, number) for (key, _), number in numbers.items()}) == len(numbers) > 200


def test_the_rest_is_as_delivered_and_people_have_names(home: Path) -> None:
    for delivered, identified in pairs(home, "harbor_light", "infusions"):
        for column in ("dose_mg", "infusion_minutes", "agent", "site_code"):
            assert identified[column] == delivered[column]
        assert identified["service_year"] == ""
    people = [row for _, row in pairs(home, "harbor_light", "patients")]
    for row in people:
        assert row["network_token"] == ""
        born = date.fromisoformat(row["birth_date"])
        (zero,) = [z for key, z in day_zero(home, "harbor_light").items() if key == _key(home, row)]
        assert (zero - born).days // 365.25 == int(row["age_years"])
        assert all(row[name] for name in ("full_name", "phone", "email", "street", "zip", "member_no"))


def _key(home: Path, row: Row) -> str:
    (key,) = [
        d["patient_ref"] for d, i in pairs(home, "harbor_light", "patients") if i["patient_ref"] == row["patient_ref"]
    ]
    return key


def test_whoever_is_seen_in_two_clinics_has_one_name_there(home: Path) -> None:
    tokens: dict[str, set[tuple[str, str]]] = {}
    for clinic in CLINICS:
        for delivered, identified in pairs(home, clinic, "patients"):
            who = (identified["full_name"], identified["member_no"])
            tokens.setdefault(delivered["network_token"], set()).add(who)
    assert all(len(who) == 1 for who in tokens.values())
    assert len(set().union(*tokens.values())) == len(tokens)


def test_a_format_without_identified_templates_says_so(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    systems = tmp_path / "systems"
    shutil.copytree(settings.systems, systems, ignore=shutil.ignore_patterns("identified"))
    with pytest.raises(ClinicOutcomesError, match="no templates in identified/resources"):
        other = settings.model_copy(update={"systems": systems})
        generate(tmp_path / "landing", 20, 1, other, ["lakeshore_bay"], identified=True)
