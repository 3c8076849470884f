"""The generator: read back with a few lines of csv, apart from every reader and mapping of the package."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path
from textwrap import dedent

import duckdb
import pytest

from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.settings import Settings
from clinic_outcomes.synthetic import GenerateRecord, Plant, generate, generating
from clinic_outcomes.synthetic.programme import Spread, load_population
from tests.support.short_keys import short_keys

CEDARLINE = ("harbor_light", "juniper_ridge", "mesa_verde_wellness")
BRIGHTWELL = ("northfold", "silver_birch")
# Of each system, the first clinic by id has two usable deliveries, the second has one, and so on; the first clinic of
# all has a third delivery to refuse.
DELIVERIES = {
    "harbor_light": ["000001-full", "000002-delta", "000003-delta"],
    "juniper_ridge": ["000001-full"],
    "mesa_verde_wellness": ["000001-full", "000002-delta"],
    "northfold": ["000001-full", "000002-delta"],
    "silver_birch": ["000001-full"],
}
REFUSED = ("harbor_light", "000003-delta")
Row = dict[str, str]


class World:
    """A generated folder: what was returned, what lies there and the truth."""

    def __init__(self, home: Path, record: GenerateRecord) -> None:
        self.landing, self.truth, self.record = home / "landing", home / "truth", record
        self.counts = json.loads((self.truth / "truth.json").read_text())["clinics"]

    def read(self, clinic: str, delivery: str, source: str) -> list[Row]:
        """Rows of one file; none where the file was left out."""
        paths = list((self.landing / clinic / delivery).glob(f"{source}_*.csv"))
        if not paths:
            return []
        (path,) = [p for p in paths if re.fullmatch(rf"{source}_\d+\.csv", p.name)]
        with path.open(newline="") as stream:
            return list(csv.DictReader(stream, delimiter=";" if clinic in BRIGHTWELL else ","))

    def query(self, sql: str, clinic: str = "*") -> list[tuple[object, ...]]:
        """SQL over the true tables; ``{course}`` stands for the Parquet files of a table."""
        tables = re.sub(r"\{(\w+)\}", rf"(FROM read_parquet('{self.truth}/{clinic}/\1.parquet'))", sql)
        return duckdb.sql(tables).fetchall()


def make(home: Path, patients: int, seed: int, threads: int = 2, plant: Plant | None = None, workers: int = 1) -> World:
    """Deliveries of five clinics, all in CSV."""
    clinics = home / "clinics"
    clinics.mkdir(parents=True, exist_ok=True)
    for clinic in DELIVERIES:
        system = "brightwell" if clinic in BRIGHTWELL else "cedarline"
        (clinics / f"{clinic}.yml").write_text(f"title: {clinic}\nsystem: {system}\n")
    settings = Settings(home=home, clinics=clinics, threads=threads)
    return World(home, generate(home / "landing", patients, seed, settings, plant=plant, workers=workers))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make(tmp_path_factory.mktemp("generated"), 300, 7)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> World:
    plant = Plant(defects=False, corrections=False, refused_delivery=False, serious_cluster=False)
    return make(tmp_path_factory.mktemp("clean"), 300, 7, plant=plant)


def folder_digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_lays_out_a_landing_folder_with_every_clinic(world: World) -> None:
    assert {path.name: sorted(p.name for p in path.iterdir()) for path in world.landing.iterdir()} == DELIVERIES
    assert sum(clinic.patients for clinic in world.record.clinics) == 300
    assert world.query("SELECT count(*) FROM {patient}") == [(300,)]
    assert world.query("SELECT count(DISTINCT patient_id) FROM {referral}") == [(300,)]


def test_manifests_describe_the_files(world: World) -> None:
    periods = {"000001-full": {"2025-03", "2025-06"}, "000002-delta": {"2025-06"}, "000003-delta": {"2025-09"}}
    checked = 0
    for clinic, deliveries in DELIVERIES.items():
        for delivery in deliveries:
            folder = world.landing / clinic / delivery
            manifest = json.loads((folder / "manifest.json").read_text())
            assert manifest["clinic_id"] == clinic
            assert manifest["export_sequence"] == int(delivery[:6])
            assert manifest["export_kind"] == delivery[7:]
            assert manifest["reporting_period"] in periods[delivery]
            assert {file["name"] for file in manifest["files"]} == {p.name for p in folder.glob("*.csv")}
            for file in manifest["files"]:
                content = (folder / file["name"]).read_bytes()
                assert file["sha256"] == hashlib.sha256(content).hexdigest()
                # No value of ours holds a line break, so rows are lines below the header.
                assert file["rows"] == content.count(b"\n") - 1
                checked += 1
    assert checked > 80


def test_same_seed_same_bytes_whatever_the_threads_and_workers(tmp_path: Path) -> None:
    one = make(tmp_path / "one", 60, 3, threads=1)
    four = make(tmp_path / "four", 60, 3, threads=4, workers=2)
    other = make(tmp_path / "other", 60, 4)
    assert folder_digests(one.landing) == folder_digests(four.landing)
    assert folder_digests(one.truth) == folder_digests(four.truth)
    assert folder_digests(one.landing) != folder_digests(other.landing)


def test_plain_units_and_codes_round_trip(world: World) -> None:
    """Cedarline writes the contract's units, and KET for ketamine by IV."""
    delivered = {row["infusion_ref"]: row for row in world.read("juniper_ridge", "000001-full", "infusions")}
    true = world.query(
        "SELECT session_id, session_day, drug, route, dose_mg, infusion_minutes, recovery_minutes FROM {session}",
        "juniper_ridge",
    )
    assert len(true) == len(delivered) > 50
    for session_id, day, drug, route, dose, infusion, recovery in true:
        row = delivered[str(session_id)]
        assert (drug, route) == ("ketamine", "intravenous")
        assert (row["agent"], row["route"], row["infusion_day"]) == ("KET", "IV", str(day))
        assert Decimal(row["dose_mg"]) == dose
        for text, value in ((row["infusion_minutes"], infusion), (row["recovery_minutes"], recovery)):
            assert (Decimal(text) if text else None) == value


def test_other_units_are_inverted_exactly(world: World) -> None:
    """Brightwell counts days from 1, writes hours and micrograms, and a decimal comma."""
    delivered = {row["visit_no"]: row for row in world.read("silver_birch", "000001-full", "visits")}
    true = world.query(
        "SELECT session_id, session_day, drug, dose_mg_per_kg, infusion_minutes, recovery_minutes FROM {session}",
        "silver_birch",
    )
    drugs = {"ketamine racemic": "ketamine", "ropivacaine 0.5%": "ropivacaine", "NAD": "nad_plus"}
    assert len(true) == len(delivered) > 20
    commas = 0
    for session_id, day, drug, per_kg, infusion, recovery in true:
        row = delivered[str(session_id)]
        assert int(row["visit_on"]) == int(str(day)) + 1
        assert drugs[row["given"]] == drug
        commas += "," in row["watch_hours"]
        for text, factor, value in (
            (row["watch_hours"], 60, recovery),
            (row["drip_hours"], 60, infusion),
            (row["amount_ug_kg"], Decimal("0.001"), per_kg),
        ):
            assert (None if text in ("", "n/a") else Decimal(text.replace(",", ".")) * factor) == value
        assert "." not in row["watch_hours"] + row["drip_hours"] + row["amount_mg"]
    assert commas > 20
    enquiries = world.read("silver_birch", "000001-full", "enquiries")
    assert {row["arrived"] for row in enquiries} == {"1"}
    assert {"", "n/a"} <= {row["reached"] for row in enquiries} | {row["closed_because"] for row in enquiries}


def test_lists_are_joined_with_the_systems_separator(world: World) -> None:
    labels = {"Combat or war": "combat", "Sexual violence": "sexual_violence", "Childhood abuse": "childhood_abuse"}
    for clinic, source, column, separator in (
        ("juniper_ridge", "patients", "trauma_types", ";"),
        ("silver_birch", "clients", "trauma", "|"),
    ):
        key = "patient_ref" if clinic in CEDARLINE else "client_no"
        delivered = {row[key]: row[column] for row in world.read(clinic, "000001-full", source)}
        several = 0
        for patient, types in world.query("SELECT patient_id, trauma_types FROM {patient}", clinic):
            texts = [text for text in delivered[str(patient)].split(separator) if text not in ("", "n/a")]
            assert isinstance(types, list) or types is None
            assert len(texts) == len(types or [])
            several += len(texts) > 1
            assert {labels[text] for text in texts if text in labels} <= set(types or [])
        assert several > 5


def test_several_delivered_codes_of_one_meaning_are_all_used(world: World) -> None:
    codes = Counter(row["diagnosis"] for row in world.read("harbor_light", "000001-full", "diagnoses"))
    assert min(codes["F43.1"], codes["F43.10"], codes["F43.12"]) > 5


def test_keys_match_the_declared_patterns(world: World) -> None:
    patients = world.read("silver_birch", "000001-full", "clients")
    assert all(re.fullmatch("BW[0-9a-f]{16}", row["client_no"]) for row in patients)
    assert all(re.fullmatch("[0-9a-f]{32}", row["shared_token"]) for row in patients)
    assert len({row["client_no"] for row in patients}) == len(patients)
    assert {row["site_code"] for row in world.read("harbor_light", "000001-full", "sites")} == {"SITE-01"}


DATE_OR_MAIL = re.compile(rb"[12]\d{3}-\d{2}-\d{2}|\d{1,2}/\d{1,2}/\d{2,4}|@")


def test_only_the_delivery_to_refuse_holds_dates(world: World) -> None:
    found = {
        (path.parts[-3], path.parts[-2]): set()
        for path in world.landing.rglob("*.csv")
        if DATE_OR_MAIL.search(path.read_bytes())
    }
    assert set(found) == {REFUSED}
    assert world.counts["harbor_light"]["deliveries"][-1]["refused"] is True


def test_planted_defects_are_there_as_counted(world: World) -> None:
    for clinic in CEDARLINE:
        planted = world.counts[clinic]["deliveries"][0]["planted"]
        assert planted["item_out_of_range"] >= 1
        forms = {row["questionnaire_ref"]: row["form"] for row in world.read(clinic, "000001-full", "questionnaires")}
        answers = world.read(clinic, "000001-full", "answers")
        highest = {"PCL-5": 4, "PHQ-9": 3, "GAD-7": 3, "C-SSRS": 1, "CADSS-6": 4}
        known = [row for row in answers if row["questionnaire_ref"] in forms]
        too_high = [r for r in known if r["answer"] and int(r["answer"]) > highest[forms[r["questionnaire_ref"]]]]
        events = world.read(clinic, "000001-full", "adverse_events")
        diagnoses = world.read(clinic, "000001-full", "diagnoses")
        repeated = [len(rows) - len({tuple(row.values()) for row in rows}) for rows in (answers, events)]
        unknown = [r for r in events if r["event_term"] == "87"] + [r for r in diagnoses if r["diagnosis"] == "87"]
        assert len(too_high) == planted["item_out_of_range"]
        assert len(answers) - len(known) == planted["orphan_answer"]
        assert sum(repeated) == planted["duplicate_row"]
        assert len(unknown) == planted["unmapped_code"]


def test_nothing_is_planted_when_not_wanted(clean: World) -> None:
    assert [len(clinic.deliveries) for clinic in clean.record.clinics] == [2, 1, 2, 2, 1]
    assert {count for clinic in clean.record.clinics for count in clinic.planted.values()} == {0}
    for clinic, counts in clean.counts.items():
        for delivery in counts["deliveries"]:
            for row in delivery["account"]:
                assert (row["quarantined"], row["duplicate"], row["tombstone"]) == (0, 0, 0), (clinic, row)
    assert clean.query("SELECT count(*) FROM {adverse_event} WHERE term = 'unmapped'") == [(0,)]


def test_timing_and_ranges_hold(clean: World) -> None:
    """Each of these finds rows that break a rule; there must be none."""
    broken = {
        "steps": "SELECT * FROM {referral} WHERE NOT (received_day <= contacted_day AND contacted_day <= consulted_day "
        "AND consulted_day <= decided_day)",
        "steps skipped": "SELECT * FROM {referral} WHERE (consulted_day IS NOT NULL AND contacted_day IS NULL) "
        "OR (candidacy IS NOT NULL) <> (decided_day IS NOT NULL)",
        "session before intake": "SELECT * FROM {session} JOIN {patient} USING (patient_id) "
        "WHERE session_day < coalesce(intake_day, 99999)",
        "session before course": "SELECT * FROM {session} s JOIN {course} c USING (course_id) "
        "WHERE session_day < start_day OR s.patient_id <> c.patient_id",
        "after the end of observation": "SELECT * FROM {session} JOIN {patient} USING (patient_id) "
        "WHERE session_day > observed_through_day",
        "event on another day": "SELECT * FROM {adverse_event} JOIN {session} USING (session_id) "
        "WHERE onset_day <> session_day",
        "event ends before onset": "SELECT * FROM {adverse_event} "
        "WHERE end_day < onset_day OR end_minutes < onset_minutes",
        "grade against severity": "SELECT * FROM {adverse_event} "
        "WHERE (severity, grade) NOT IN (('mild', 1), ('moderate', 2), ('severe', 3), ('life_threatening', 4))",
        "serious without criterion": "SELECT * FROM {adverse_event} "
        "WHERE (serious = 'yes') <> (seriousness_criteria IS NOT NULL)",
        "answers out of range": "SELECT * FROM {assessment_item} JOIN {assessment} USING (assessment_id) "
        "WHERE item_value NOT BETWEEN 0 AND CASE WHEN instrument IN ('pcl_5', 'cadss_6') THEN 4 "
        "WHEN instrument = 'c_ssrs_screener' THEN 1 ELSE 3 END",
        "event of no session": "SELECT * FROM {adverse_event} ANTI JOIN {session} USING (session_id) "
        "WHERE session_id IS NOT NULL",
        "event after the end of observation": "SELECT * FROM {adverse_event} JOIN {patient} USING (patient_id) "
        "WHERE greatest(onset_day, end_day) > observed_through_day",
        "assessment after the end of observation": "SELECT * FROM {assessment} JOIN {patient} USING (patient_id) "
        "WHERE assessed_day > observed_through_day",
        "answers of nobody": "SELECT * FROM {assessment_item} ANTI JOIN {assessment} USING (assessment_id)",
        "disposition before the last session": "SELECT * FROM {disposition} d JOIN {session} USING (course_id) "
        "WHERE disposition_day < session_day",
        "pressure": "SELECT * FROM {session} WHERE systolic_peak_mmhg < systolic_before_mmhg "
        "OR diastolic_peak_mmhg < diastolic_before_mmhg OR systolic_peak_mmhg < systolic_discharge_mmhg "
        "OR diastolic_peak_mmhg < diastolic_discharge_mmhg OR systolic_peak_mmhg <= diastolic_peak_mmhg "
        "OR systolic_before_mmhg <= diastolic_before_mmhg OR systolic_discharge_mmhg <= diastolic_discharge_mmhg",
    }
    assert {rule: len(clean.query(sql)) for rule, sql in broken.items()} == dict.fromkeys(broken, 0)


@pytest.mark.parametrize(
    ("trigger", "positive", "at_least"),
    [
        ("phq_9_item_9", "instrument = 'phq_9' AND item_number = 9 AND item_value > 1", 10),
        ("c_ssrs_screener", "instrument = 'c_ssrs_screener' AND item_number IN (4, 5, 7) AND item_value = 1", 1),
    ],
)
def test_escalations_follow_from_answers(clean: World, trigger: str, positive: str, at_least: int) -> None:
    """From nearly every answer that is too high, and from no other."""
    answers = "SELECT DISTINCT assessment_id FROM {assessment_item} JOIN {assessment} USING (assessment_id) WHERE "
    wanted = [row for clinic in CEDARLINE for row in clean.query(answers + positive, clinic)]
    escalated = f"SELECT assessment_id FROM {{escalation}} WHERE escalation_trigger = '{trigger}'"
    found = [row for clinic in CEDARLINE for row in clean.query(escalated, clinic)]
    assert set(found) <= set(wanted)
    assert len(set(found)) == len(found) >= max(at_least, len(wanted) * 3 // 4)


def in_force(world: World, clinic: str, source: str, key: tuple[str, ...]) -> dict[tuple[str, ...], Row]:
    """Cedarline rows after the usable deliveries: restated and deleted by key."""
    rows: dict[tuple[str, ...], Row] = {}
    for delivery in [name for name in DELIVERIES[clinic] if (clinic, name) != REFUSED]:
        for row in world.read(clinic, delivery, source):
            place = tuple(row[column] for column in key)
            if row["row_action"] == "D":
                del rows[place]
            else:
                rows[place] = row
    return rows


@pytest.mark.parametrize("clinic", CEDARLINE)
def test_truth_is_what_a_recount_of_the_files_gives(world: World, clinic: str) -> None:
    truth = world.counts[clinic]
    referrals = in_force(world, clinic, "referrals", ("referral_ref",)).values()
    sessions = in_force(world, clinic, "infusions", ("infusion_ref",)).values()
    events = in_force(world, clinic, "adverse_events", ("event_ref",)).values()
    assert truth["contacted"] == sum(row["contacted_day"] != "" for row in referrals)
    assert truth["consulted"] == sum(row["consulted_day"] != "" for row in referrals)
    assert truth["candidates"] == sum(row["candidacy"] == "Candidate" for row in referrals)
    assert truth["sessions"] == len(sessions)
    assert Decimal(truth["infusion_minutes"]) == sum(Decimal(row["infusion_minutes"] or 0) for row in sessions)
    assert Decimal(truth["recovery_minutes"]) == sum(Decimal(row["recovery_minutes"] or 0) for row in sessions)
    first: dict[str, int] = {}
    for row in sessions:
        day = int(row["infusion_day"])
        first[row["patient_ref"]] = min(day, first.get(row["patient_ref"], day))
    assert truth["treated"] == len(first)
    emergent = [
        row
        for row in events
        if row["patient_ref"] in first
        and (row["onset_day"] == "" or int(row["onset_day"]) >= first[row["patient_ref"]])
    ]
    assert truth["adverse_events"] == len(events)
    assert truth["treatment_emergent_events"] == len(emergent)
    assert truth["patients_with_treatment_emergent_events"] == len({row["patient_ref"] for row in emergent})
    nausea = [row for row in emergent if row["event_term"] in ("Nausea", "Queasiness")]
    assert truth["treatment_emergent_events_by_term"]["nausea"]["events"] == len(nausea)
    recount_pcl_5(world, clinic, first)


def recount_pcl_5(world: World, clinic: str, first: dict[str, int]) -> None:
    """Baseline: last complete PCL-5 up to the start of the first session. Last: latest one of a later day."""
    forms = in_force(world, clinic, "questionnaires", ("questionnaire_ref",))
    answers: dict[str, list[int]] = {}
    for (form, _), row in in_force(world, clinic, "answers", ("questionnaire_ref", "item")).items():
        if row["answer"] != "" and int(row["answer"]) <= 4:
            answers.setdefault(form, []).append(int(row["answer"]))
    baseline: dict[str, tuple[float, int]] = {}
    last: dict[str, tuple[float, int]] = {}
    for (form,), row in forms.items():
        patient, points = row["patient_ref"], answers.get(form, [])
        if row["form"] != "PCL-5" or len(points) != 20 or patient not in first:
            continue
        minutes = float(row["minutes_from_infusion_start"] or 0)
        when = int(row["completed_day"]) + minutes / 1440
        if int(row["completed_day"]) > first[patient]:
            last[patient] = max(last.get(patient, (when, sum(points))), (when, sum(points)))
        elif int(row["completed_day"]) < first[patient] or minutes <= 0:
            baseline[patient] = max(baseline.get(patient, (when, sum(points))), (when, sum(points)))
    pairs = sorted(set(baseline) & set(last))
    truth = world.counts[clinic]
    assert truth["pcl_5_baseline_patients"] == len(baseline)
    assert truth["pcl_5_paired_patients"] == len(pairs) > 10
    assert truth["pcl_5_paired_baseline_points"] == sum(baseline[patient][1] for patient in pairs)
    assert truth["pcl_5_paired_last_points"] == sum(last[patient][1] for patient in pairs)
    # Everybody is treated under one protocol, and here there is only one.
    names = ("baseline_patients", "paired_patients", "paired_baseline_points", "paired_last_points")
    assert truth["pcl_5_by_protocol"] == {
        "iv_ketamine": {"treated": len(first)} | {name: truth[f"pcl_5_{name}"] for name in names}
    }


def test_account_adds_up_to_the_files_and_the_true_tables(world: World) -> None:
    sources = {"session": "infusions", "assessment_item": "answers", "adverse_event": "adverse_events"}
    for clinic in CEDARLINE:
        current: Counter[str] = Counter()
        for delivery in world.counts[clinic]["deliveries"]:
            name = f"{delivery['sequence']:06d}-{delivery['kind']}"
            for row in delivery["account"]:
                current[row["table"]] += row["current"]
                if row["table"] in sources:
                    assert row["delivered"] == len(world.read(clinic, name, sources[row["table"]]))
        for table, rows in current.items():
            assert world.query(f"SELECT count(*) FROM {{{table}}}", clinic) == [(rows,)], (clinic, table)


def test_scores_are_realistic(world: World) -> None:
    """Bounds wide enough for chance in a few hundred people, narrow enough to notice a broken model."""
    sums = Counter[str]()
    for counts in world.counts.values():
        sums.update({name: value for name, value in counts.items() if isinstance(value, int)})
    baseline = sums["pcl_5_paired_baseline_points"] / sums["pcl_5_paired_patients"]
    last = sums["pcl_5_paired_last_points"] / sums["pcl_5_paired_patients"]
    # Some events come before treatment.
    assert sums["adverse_events"] > sums["treatment_emergent_events"]
    assert 45 < baseline < 55
    assert 9 < baseline - last < 22
    assert 0.38 < sums["treated"] / sums["referred"] < 0.54
    # Items that are not asked for after what was answered before are no missing answers.
    (blank,) = world.query(
        "SELECT avg((item_value IS NULL)::INTEGER) FROM {assessment_item} JOIN {assessment} USING (assessment_id) "
        "WHERE instrument <> 'c_ssrs_screener'"
    )
    assert 0.007 < float(str(blank[0])) < 0.025


def test_an_existing_delivery_is_never_replaced(tmp_path: Path) -> None:
    first = make(tmp_path, 20, 1)
    before = folder_digests(first.landing)
    make(tmp_path, 20, 1)
    assert folder_digests(first.landing) == before
    with pytest.raises(ClinicOutcomesError, match="holds another delivery"):
        make(tmp_path, 20, 2)
    assert folder_digests(first.landing) == before


def test_needs_neither_pandas_nor_pyarrow(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from clinic_outcomes.settings import Settings; "
        "from clinic_outcomes.synthetic import generate; home = Path(sys.argv[1]); "
        "generate(home / 'landing', 12, 1, Settings(home=home)); "
        "print(sorted({'pandas', 'pyarrow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


SMALL_SYSTEM = {
    "system.yml": """
        title: Small
        format: csv
        csv: {delimiter: "\\t", quote: "'"}
        sources: {people: {file: people*.csv}, plans: {file: plans*}, days: {file: days*.csv}}
        key_patterns: {patient_id: '[0-9]{12}', course_id: 'C-[0-9a-f]{12}', session_id: 'S[0-9a-f]{20}'}
    """,
    "columns.csv": """
        source,source_column,table,column,unit,codes,constant
        people,person,patient,patient_id,,,
        people,years,patient,age_years,year,,
        people,remark,,,,,
        plans,plan,course,course_id,,,
        plans,person,course,patient_id,,,
        plans,,course,protocol,,,iv_ketamine
        days,day,session,session_id,,,
        days,person,session,patient_id,,,
        days,plan,session,course_id,,,
        days,number,session,session_day,day,,
        days,given,session,drug,,drug,
        days,seconds,session,infusion_minutes,second,,
    """,
    "codes.csv": """
        codes,source_code,code
        drug,it's K,ketamine
    """,
    "synthetic.yml": """
        session_kinds:
          infusion:
            drug: ketamine
            route: intravenous
            infusion_minutes: {mean: 40, sd: 0, minimum: 40, maximum: 40}
            recovery_minutes: {mean: 30, sd: 0, minimum: 30, maximum: 30}
            systolic_rise_mmhg: {mean: 0, sd: 0, minimum: 0, maximum: 0}
            adverse_events: []
        protocols:
          - {protocol: iv_ketamine, share: 1, sessions: [infusion, infusion], days_between: {minimum: 7, maximum: 7},
             dropout_share: 0}
    """,
}

SMALL_KEYS = short_keys(SMALL_SYSTEM["system.yml"])


@pytest.fixture
def small(tmp_path: Path) -> Settings:
    """A system of three files whose programme is two infusions of 40 minutes, seven days apart."""
    (tmp_path / "systems" / "small").mkdir(parents=True)
    for name, text in SMALL_SYSTEM.items():
        (tmp_path / "systems" / "small" / name).write_text(dedent(text).strip() + "\n")
    (tmp_path / "clinics").mkdir()
    (tmp_path / "clinics" / "one.yml").write_text("title: One\nsystem: small\n" + SMALL_KEYS)
    return Settings(home=tmp_path, clinics=tmp_path / "clinics", systems=tmp_path / "systems")


def test_writes_any_system_from_its_mapping(small: Settings) -> None:
    generate(small.landing, 200, 1, small)
    folder = small.landing / "one" / "000001-full"

    def rows(name: str) -> list[Row]:
        with (folder / name).open(newline="") as stream:
            return list(csv.DictReader(stream, delimiter="\t", quotechar="'"))

    people, plans, days = rows("people_1.csv"), rows("plans_1.csv"), rows("days_1.csv")
    assert {row["remark"] for row in people} == {""}
    assert all(re.fullmatch("[0-9]{12}", row["person"]) for row in people)
    assert all(re.fullmatch("C-[0-9a-f]{12}", row["plan"]) for row in plans)
    assert all(re.fullmatch("S[0-9a-f]{20}", row["day"]) for row in days)
    assert {row["given"] for row in days} == {"it's K"}
    # 40 minutes, or not written down.
    assert {row["seconds"] for row in days} <= {"2400", ""}
    by_plan: dict[str, list[int]] = {}
    for row in days:
        by_plan.setdefault(row["plan"], []).append(int(row["number"]))
    assert {b - a for a, b in (numbers for numbers in by_plan.values() if len(numbers) == 2)} == {7}
    truth = small.home / "truth" / "one"
    assert duckdb.sql(f"SELECT DISTINCT protocol, phase FROM '{truth}/course.parquet'").fetchall() == [
        ("iv_ketamine", None)
    ]
    assert sorted(path.stem for path in truth.iterdir()) == ["course", "patient", "session"]


@pytest.fixture
def old_people(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody referred is from 80 to 95 years old."""
    population = load_population()
    ages = Spread(mean=89, sd=3, minimum=80, maximum=95)
    monkeypatch.setattr(generating, "load_population", lambda: population.model_copy(update={"age_years": ages}))


@pytest.mark.usefixtures("old_people")
def test_ages_of_90_and_over_are_delivered_top_coded_or_not_at_all(tmp_path: Path, small: Settings) -> None:
    old = make(tmp_path / "old", 60, 1)
    ages = Counter(row["age_years"] for row in old.read("juniper_ridge", "000001-full", "patients"))
    assert ages["90+"] > 2
    assert all(int(age) < 90 for age in ages if age != "90+")
    generate(small.landing, 60, 1, small)
    lines = (small.landing / "one" / "000001-full" / "people_1.csv").read_text().splitlines()[1:]
    assert max(int(line.split("\t")[1]) for line in lines) == 89


def test_key_patterns_of_other_forms_are_refused(small: Settings) -> None:
    clinic = small.clinics / "one.yml"
    assert "[0-9]{12}" in clinic.read_text()
    clinic.write_text(clinic.read_text().replace("[0-9]{12}", "(a|b)[0-9]{20}"))
    with pytest.raises(ClinicOutcomesError, match="key pattern of patient_id"):
        generate(small.landing, 200, 1, small)


def test_a_code_the_system_lacks_is_named(small: Settings) -> None:
    codes = small.systems / "small" / "codes.csv"
    codes.write_text(codes.read_text().replace(",ketamine", ",midazolam"))
    with pytest.raises(ClinicOutcomesError, match=r"session\.drug: .* no delivered code for ketamine"):
        generate(small.landing, 200, 1, small)


def test_a_system_without_programme_is_skipped(small: Settings) -> None:
    (small.systems / "bare").mkdir()
    for name in ("system.yml", "columns.csv", "codes.csv"):
        (small.systems / "bare" / name).write_text((small.systems / "small" / name).read_text())
    (small.clinics / "bare_clinic.yml").write_text("title: Bare\nsystem: bare\n" + SMALL_KEYS)
    lines: list[str] = []
    record = generate(small.landing, 200, 1, small, report=lines.append)
    assert record.skipped == ("bare_clinic",)
    assert [clinic.clinic_id for clinic in record.clinics] == ["one"]
    assert lines[0] == "bare_clinic: skipped, its system bare has no synthetic.yml"


def test_mistakes_of_a_programme_are_named(small: Settings) -> None:
    programme = small.systems / "small" / "synthetic.yml"
    programme.write_text(programme.read_text().replace("[infusion, infusion]", "[drip]"))
    with pytest.raises(ClinicOutcomesError, match=r"no such session kind: drip .*small/synthetic\.yml"):
        generate(small.landing, 200, 1, small)
