"""The generator over records that hold several tables, and an organisation that is sold and a clinic that closes.

Files are read back with a few lines of csv, apart from every reader of the package.
"""

import csv
import json
from pathlib import Path
from textwrap import dedent
from typing import Any

import duckdb
import pytest

from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.settings import Settings
from clinic_outcomes.synthetic import generate

# Two forms with their answers side by side, people with their referral, and calls on a sheet of their own.
SYSTEM = {
    "system.yml": """
        title: Wide
        format: csv
        sources:
          people: {file: people*}
          person: {from: people, lists: {traumas: 'trauma_{1..11}'}, join: [{source: calls, by: [person]}]}
          calls: {file: calls*, required: false}
          owners: {file: owners*}
          places: {file: places*}
          courses: {file: courses*}
          days: {file: days*}
          ends: {file: ends*, required: false}
          pcl: {file: pcl*}
          pcl_answers: {from: pcl, unpivot: {columns: 'q{1..20}', number: item, value: answer}}
          phq: {file: phq*}
          phq_answers: {from: phq, unpivot: {columns: 'q{1..9}', number: item, value: answer}}
        key_patterns:
          patient_id: 'p[0-9a-f]{16}'
          course_id: 'c[0-9a-f]{16}'
          session_id: 's[0-9a-f]{16}'
          assessment_id: 'a[0-9a-f]{16}'
          referral_id: 'p[0-9a-f]{16}'
          organisation_id: 'o[0-9]{2}'
          site_id: 's[0-9]{2}'
    """,
    "columns.csv": """
        source,source_column,table,column,unit,codes,constant
        person,person,patient,patient_id,,,
        person,intake,patient,intake_day,day,,
        person,watched,patient,observed_through_day,day,,
        person,traumas,patient,trauma_types,,trauma,
        person,person,referral,referral_id,,,
        person,person,referral,patient_id,,,
        person,received,referral,received_day,day,,
        person,calls.day,referral,contacted_day,day,,
        owners,owner,organisation,organisation_id,,,
        owners,state,organisation,organisation_status,,state,
        places,place,site,site_id,,,
        places,owner,site,organisation_id,,,
        places,state,site,site_status,,state,
        courses,course,course,course_id,,,
        courses,person,course,patient_id,,,
        courses,plan,course,protocol,,plan,
        courses,arm,course,trial_arm,,arm,
        courses,start,course,start_day,day,,
        days,day,session,session_id,,,
        days,person,session,patient_id,,,
        days,course,session,course_id,,,
        days,number,session,session_day,day,,
        days,given,session,drug,,drug,
        days,minutes,session,recovery_minutes,minute,,
        days,owner,session,organisation_id,,,
        ends,course,disposition,course_id,,,
        ends,person,disposition,patient_id,,,
        ends,end,disposition,disposition,,end,
        ends,on,disposition,disposition_day,day,,
        ends,until,disposition,censoring_day,day,,
        ends,why,disposition,censoring_reason,,why,
        pcl,form,assessment,assessment_id,,,
        pcl,person,assessment,patient_id,,,
        pcl,,assessment,instrument,,,pcl_5
        pcl,on,assessment,assessed_day,day,,
        pcl_answers,form,assessment_item,assessment_id,,,
        pcl_answers,item,assessment_item,item_number,,,
        pcl_answers,person,assessment_item,patient_id,,,
        pcl_answers,answer,assessment_item,item_value,point,,
        phq,form,assessment,assessment_id,,,
        phq,person,assessment,patient_id,,,
        phq,,assessment,instrument,,,phq_9
        phq,on,assessment,assessed_day,day,,
        phq_answers,form,assessment_item,assessment_id,,,
        phq_answers,item,assessment_item,item_number,,,
        phq_answers,person,assessment_item,patient_id,,,
        phq_answers,answer,assessment_item,item_value,point,,
    """,
    "codes.csv": """
        codes,source_code,code
        trauma,1,combat
        trauma,2,accident
        trauma,3,disaster
        trauma,4,sexual_violence
        trauma,5,childhood_abuse
        trauma,6,physical_assault
        trauma,7,occupational
        trauma,8,medical
        trauma,9,bereavement
        trauma,10,other
        trauma,11,not_disclosed
        state,open,operating
        state,bought,acquired
        state,shut,closed
        plan,K,iv_ketamine
        plan,M,midazolam_control
        arm,1,active
        arm,2,control
        drug,K,ketamine
        drug,M,midazolam
        end,done,completed
        end,left,dropped_out
        end,harm,stopped_adverse_event
        end,useless,stopped_no_benefit
        end,doctor,stopped_physician
        end,shut,site_closed
        end,moved,transferred
        end,ongoing,ongoing
        end,other,other
        why,lost,lost_to_follow_up
        why,left,withdrew
        why,shut,site_closed
    """,
    "synthetic.yml": """
        ownership: {sold_on_day: 300, closes_on_day: {shutting: 500}}
        session_kinds:
          infusion: &infusion
            drug: ketamine
            route: intravenous
            recovery_minutes: {mean: 30, sd: 0, minimum: 30, maximum: 30}
            systolic_rise_mmhg: {mean: 0, sd: 0, minimum: 0, maximum: 0}
            adverse_events: []
          control: {<<: *infusion, drug: midazolam}
        protocols:
          - {protocol: iv_ketamine, trial_arm: active, share: 1, sessions: [infusion, infusion, infusion, infusion],
             days_between: {minimum: 7, maximum: 9}, dropout_share: 0}
          - {protocol: midazolam_control, trial_arm: control, share: 1, sessions: [control, control, control, control],
             days_between: {minimum: 7, maximum: 9}, dropout_share: 0}
        questionnaires:
          - &form
            {instrument: pcl_5, delivered: items, items: 20, maximum_item_value: 4, baseline_mean: 50, baseline_sd: 12,
             fall: 20, visits: [{at: intake, share: 1, version: standard, recall: past_month},
             {at: session, sessions: [2, 4], share: 1, version: standard, recall: past_month}]}
          - {<<: *form, instrument: phq_9, items: 9, maximum_item_value: 3, baseline_mean: 15, baseline_sd: 4, fall: 5}
    """,
}
Row = dict[str, str]


class Landing:
    """A generated folder of clinics ``open`` and ``shutting``, each with a full export and a delta."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.truth: dict[str, Any] = json.loads((home / "truth" / "truth.json").read_text())["clinics"]

    def read(self, clinic: str, sequence: int, source: str) -> list[Row]:
        kind = "full" if sequence == 1 else "delta"
        path = self.home / "landing" / clinic / f"{sequence:06d}-{kind}" / f"{source}_{sequence}.csv"
        with path.open(newline="") as stream:
            return list(csv.DictReader(stream))

    def account(self, clinic: str, sequence: int, table: str) -> dict[str, int]:
        (delivery,) = [d for d in self.truth[clinic]["deliveries"] if d["sequence"] == sequence]
        (line,) = [line for line in delivery["account"] if line["table"] == table]
        return {name: value for name, value in line.items() if name != "table"}

    def true(self, clinic: str, table: str, columns: str) -> list[tuple[Any, ...]]:
        return duckdb.sql(f"SELECT {columns} FROM '{self.home}/truth/{clinic}/{table}.parquet'").fetchall()


def settings_of(home: Path) -> Settings:
    (home / "systems" / "wide").mkdir(parents=True)
    for name, text in SYSTEM.items():
        (home / "systems" / "wide" / name).write_text(dedent(text).strip() + "\n")
    # Every second clinic of a system has one delivery.
    (home / "clinics").mkdir()
    for clinic in ("open", "other", "shutting"):
        (home / "clinics" / f"{clinic}.yml").write_text(f"title: {clinic}\nsystem: wide\n")
    return Settings(home=home, clinics=home / "clinics", systems=home / "systems")


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Landing:
    home = tmp_path_factory.mktemp("wide")
    generate(home / "landing", 240, 5, settings_of(home))
    return Landing(home)


def forms(rows: list[Row]) -> dict[str, dict[str, str]]:
    """Answers of each form that are given."""
    return {row["form"]: {k: v for k, v in row.items() if k.startswith("q") and v} for row in rows}


@pytest.mark.parametrize("clinic", ["open", "shutting"])
def test_forms_are_delivered_whole_and_the_account_counts_their_answers(landing: Landing, clinic: str) -> None:
    """A delta gives a whole form again where one answer of it was corrected: every cell with a value counts."""
    counted = {"delivered": 0, "superseded": 0, "answers again": 0, "forms again": 0}
    late = {"delivered": 0}
    for source in ("pcl", "phq"):
        first, later = forms(landing.read(clinic, 1, source)), forms(landing.read(clinic, 2, source))
        counted["delivered"] += sum(map(len, first.values()))
        late["delivered"] += sum(map(len, later.values()))
        for form in set(first) & set(later):
            counted["forms again"] += 1
            counted["superseded"] += len(set(first[form]) & set(later[form]))
            counted["answers again"] += len(later[form])
            assert (
                len(set(later[form]) - set(first[form]))
                + sum(first[form][name] != later[form][name] for name in first[form])
                <= 1
            )
    account = landing.account(clinic, 1, "assessment_item")
    assert account["delivered"] == counted["delivered"] > 300
    assert account["superseded"] == counted["superseded"] > 5
    assert landing.account(clinic, 2, "assessment_item")["delivered"] == late["delivered"]
    assert landing.account(clinic, 1, "assessment")["superseded"] == counted["forms again"] >= 1
    in_force = account["current"] + landing.account(clinic, 2, "assessment_item")["current"]
    assert landing.true(clinic, "assessment_item", "count(*), count(item_value)") == [(in_force, in_force)]


def test_rows_go_to_the_source_of_their_instrument(landing: Landing) -> None:
    for instrument, source in (("pcl_5", "pcl"), ("phq_9", "phq")):
        (wanted,) = landing.true("other", "assessment", f"list(assessment_id) FILTER (instrument = '{instrument}')")
        delivered = landing.read("other", 1, source)
        assert sorted(row["form"] for row in delivered) == sorted(wanted[0])
        assert len(delivered) > 20
    answers = dict(landing.true("other", "assessment_item", "assessment_id || item_number, item_value"))
    found = {
        f"{form}{column[1:]}": int(value)
        for source in ("pcl", "phq")
        for form, given in forms(landing.read("other", 1, source)).items()
        for column, value in given.items()
    }
    spoiled = {key for key, value in found.items() if key not in answers}
    assert {found[key] for key in spoiled} <= {4, 5}  # one above the highest
    assert {key: found[key] for key in answers} == answers


def test_one_row_gives_a_person_and_the_referral(landing: Landing) -> None:
    people = landing.read("open", 2, "people")
    calls = {row["person"]: row["day"] for row in landing.read("open", 2, "calls")}
    assert dict(landing.true("open", "referral", "patient_id, contacted_day::VARCHAR")) == {
        row["person"]: calls.get(row["person"]) for row in people
    }
    assert landing.true("open", "referral", "count(*) FILTER (referral_id <> patient_id)") == [(0,)]
    assert 0 < len(calls) < len(people)
    assert {row["received"] for row in people} == {"0"}
    positions = [line.split(",")[1:] for line in dedent(SYSTEM["codes.csv"]).split() if line.startswith("trauma,")]
    truth = dict(landing.true("open", "patient", "patient_id, coalesce(trauma_types, [])"))
    for row in people:
        ticked = {code for number, code in positions if row[f"trauma_{number}"] == "1"}
        assert ticked == set(truth[row["person"]])
    # Everybody is delivered again, and so is every referral.
    account = landing.account("open", 1, "referral")
    assert account["superseded"] == account["delivered"] == landing.account("open", 1, "patient")["superseded"] > 30


def test_sessions_name_the_owner_of_their_time(landing: Landing) -> None:
    owners = [{row["owner"]: row["state"] for row in landing.read("open", n, "owners")} for n in (1, 2)]
    # Sold on day 300 of the clinics' time; the first export is of day 455.
    assert owners == [{"o01": "bought", "o02": "open"}] * 2
    assert {row["owner"] for row in landing.read("open", 2, "places")} == {"o02"}
    sessions = [row["owner"] for n in (1, 2) for row in landing.read("open", n, "days")]
    assert min(sessions.count("o01"), sessions.count("o02")) > 10


def test_a_clinic_that_closes_censors_whoever_is_in_treatment(landing: Landing) -> None:
    assert {row["state"] for row in landing.read("shutting", 1, "places")} == {"open"}
    assert {row["state"] for row in landing.read("shutting", 2, "places")} == {"shut"}
    ends = landing.true(
        "shutting", "disposition", "patient_id, disposition, disposition_day, censoring_day, censoring_reason"
    )
    watched = dict(landing.true("shutting", "patient", "patient_id, observed_through_day"))
    closed = [row for row in ends if row[1] == "site_closed"]
    assert closed
    for patient, _, day, censoring_day, reason in closed:
        assert (day, censoring_day, reason) == (watched[patient], watched[patient], "site_closed")
    assert len(ends) == landing.true("shutting", "course", "count(*)")[0][0]
    assert landing.true("open", "disposition", "count(*) FILTER (disposition = 'site_closed')") == [(0,)]
    # The last delivery reports day 546, and nobody is watched longer than to day 500.
    assert (
        max(watched.values())
        <= 500
        < max(dict(landing.true("open", "patient", "patient_id, observed_through_day")).values())
    )


def test_trial_arms_are_the_systems_own_codes(landing: Landing) -> None:
    assert landing.true("open", "course", "DISTINCT protocol, trial_arm")
    arms = {(row["plan"], row["arm"]) for row in landing.read("open", 1, "courses")}
    assert arms == {("K", "1"), ("M", "2")}
    assert set(landing.true("open", "course", "DISTINCT protocol, trial_arm")) == {
        ("iv_ketamine", "active"),
        ("midazolam_control", "control"),
    }


def test_an_instrument_without_a_source_is_named(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    programme = settings.systems / "wide" / "synthetic.yml"
    programme.write_text(programme.read_text().replace("instrument: phq_9", "instrument: gad_7"))
    with pytest.raises(ClinicOutcomesError, match="no source of assessment says instrument gad_7"):
        generate(settings.landing, 60, 1, settings)
