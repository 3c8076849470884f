"""What the generated clinics hold of what safety is told by: read from the true tables and the delivered files."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from clinic_outcomes.settings import Settings
from clinic_outcomes.synthetic import Plant, generate
from tests.support.synthetic_network import SyntheticNetwork, network

__all__ = ["network"]

# CTCAE v5: either pressure decides.
GRADE = """
    CASE
        WHEN systolic_peak_mmhg >= 160 OR diastolic_peak_mmhg >= 100 THEN 3
        WHEN systolic_peak_mmhg >= 140 OR diastolic_peak_mmhg >= 90 THEN 2
        WHEN systolic_peak_mmhg >= 120 OR diastolic_peak_mmhg >= 80 THEN 1
    END
"""


def test_hypertension_is_of_the_grade_that_was_measured(network: SyntheticNetwork) -> None:
    grades = network.rows(
        f"SELECT grade, {GRADE} AS measured, count(*) FROM {{adverse_event}} JOIN {{session}} "
        "USING (clinic_id, session_id) WHERE term = 'hypertension' GROUP BY ALL ORDER BY ALL"
    )
    assert [(grade, measured) for grade, measured, _ in grades] == [(2, 2), (3, 3)]
    assert min(int(str(count)) for *_, count in grades) > 20


def test_pressures_rise_as_published(network: SyntheticNetwork) -> None:
    """Of 203 people treated with ketamine, 44.3 % were at 165/100 or above at some time (Rodrigues 2022)."""
    people = network.value(
        "SELECT avg(high::INTEGER) FROM ("
        "SELECT bool_or(systolic_peak_mmhg >= 165 OR diastolic_peak_mmhg >= 100) AS high "
        "FROM {session} WHERE drug = 'ketamine' GROUP BY clinic_id, patient_id)"
    )
    assert 0.36 < people < 0.53
    rises = network.rows(
        "SELECT count(*) FILTER (systolic_peak_mmhg - systolic_before_mmhg >= 40), "
        "count(*) FILTER (diastolic_peak_mmhg - diastolic_before_mmhg >= 25), count(*), "
        "count(*) FILTER (systolic_before_mmhg IS NOT NULL AND systolic_discharge_mmhg IS NULL) "
        "FROM {session} WHERE drug = 'ketamine'"
    )
    ((systolic, diastolic, sessions, no_discharge),) = [[int(str(value)) for value in row] for row in rises]
    assert 3 < systolic < sessions * 0.05
    assert 3 < diastolic < sessions * 0.05
    assert sessions * 0.01 < no_discharge < sessions * 0.06


def test_some_sessions_have_no_record_at_all(network: SyntheticNetwork) -> None:
    without = """
        FROM {session} AS s
        WHERE coalesce(
            systolic_before_mmhg, diastolic_before_mmhg, systolic_peak_mmhg, diastolic_peak_mmhg,
            systolic_discharge_mmhg, diastolic_discharge_mmhg, recovery_minutes) IS NULL AND monitored IS NULL
    """
    sessions = network.value("SELECT count(*) FROM {session}")
    found = network.value(f"SELECT count(*) {without}")
    assert sessions * 0.004 < found < sessions * 0.02
    for table in ("{adverse_event}", "(SELECT * FROM {assessment} WHERE instrument IN ('cadss', 'cadss_6'))"):
        told = f"SELECT clinic_id, session_id FROM {table}"
        assert network.value(f"SELECT count(*) {without} AND (clinic_id, session_id) IN ({told})") == 0


def test_some_doses_lie_outside_the_usual(network: SyntheticNetwork) -> None:
    """The programmes name 0.5 to 1.0 mg/kg, with a spread of 0.06 at most."""
    low, high, sessions = (
        int(str(value))
        for value in network.rows(
            "SELECT count(*) FILTER (dose_mg_per_kg < 0.3), count(*) FILTER (dose_mg_per_kg > 1.25), count(*) "
            "FROM {session} WHERE drug = 'ketamine'"
        )[0]
    )
    assert low + high > 2
    assert low + high < sessions * 0.01
    near = "SELECT avg((abs(infusion_minutes - 45) <= 5)::INTEGER) FROM {session} WHERE drug = 'ketamine'"
    assert 0.6 < network.value(near) < 0.95


def test_a_course_stopped_for_an_event_has_that_event_on_its_last_day(network: SyntheticNetwork) -> None:
    last = "SELECT clinic_id, course_id, max(session_day) AS last_day FROM {session} GROUP BY ALL"
    stopping = (
        "SELECT clinic_id, s.course_id, onset_day FROM {adverse_event} JOIN {session} AS s "
        "USING (clinic_id, session_id) WHERE action_taken = 'course_stopped'"
    )
    ended = network.rows(
        f"SELECT clinic_id, course_id, disposition_day, last_day, list(onset_day) FROM {{disposition}} "
        f"JOIN ({last}) USING (clinic_id, course_id) LEFT JOIN ({stopping}) USING (clinic_id, course_id) "
        "WHERE disposition = 'stopped_adverse_event' GROUP BY ALL"
    )
    assert len(ended) > 5
    for clinic, course, day, last_day, onsets in ended:
        assert (day, onsets) == (last_day, [last_day]), (clinic, course)
    others = network.rows(
        f"SELECT disposition FROM ({stopping}) JOIN {{disposition}} USING (clinic_id, course_id) "
        "WHERE disposition <> 'stopped_adverse_event'"
    )
    assert others == []


def test_events_end_before_discharge_after_it_and_not_at_all(network: SyntheticNetwork) -> None:
    shares = network.rows(
        "SELECT avg((end_minutes IS NULL)::INTEGER), "
        "avg((end_minutes <= infusion_minutes + recovery_minutes)::INTEGER) "
        "FROM {adverse_event} JOIN {session} USING (clinic_id, session_id)"
    )
    ((open_share, by_discharge),) = [[float(str(value)) for value in row] for row in shares]
    assert 0.03 < open_share < 0.10
    assert 0.2 < by_discharge < 0.8


@pytest.mark.parametrize(("instrument", "systems"), [("cadss", {"brightwell"}), ("cadss_6", {"cedarline", "meridian"})])
def test_dissociation_is_rated_before_at_its_height_and_after(
    network: SyntheticNetwork, instrument: str, systems: set[str]
) -> None:
    rated = network.rows(
        f"""
        SELECT a.clinic_id, drug, minutes_from_session_start, coalesce(delivered_total, points)
        FROM {{assessment}} AS a JOIN {{session}} USING (clinic_id, session_id)
        LEFT JOIN (SELECT clinic_id, assessment_id, sum(item_value) AS points, count(item_value) AS answers
            FROM {{assessment_item}} GROUP BY ALL) AS i
            ON i.clinic_id = a.clinic_id AND i.assessment_id = a.assessment_id AND answers = 6
        WHERE instrument = '{instrument}' AND coalesce(delivered_total, points) IS NOT NULL
        """
    )
    assert {network.systems[str(clinic)] for clinic, *_ in rated} == systems
    assert {drug for _, drug, *_ in rated} == {"ketamine"}
    points: dict[str, list[int]] = {"before": [], "height": [], "after": []}
    for _, _, minutes, total in rated:
        when = float(str(minutes))
        place = "before" if -30 <= when <= -5 else "height" if 36 <= when <= 44 else "after"
        assert place != "after" or 115 <= when <= 130
        points[place].append(int(str(total)))
    mean = {place: sum(totals) / len(totals) for place, totals in points.items()}
    assert min(map(len, points.values())) > 20
    assert mean["before"] < 2 > mean["after"]
    assert mean["height"] > 4 * max(mean["before"], mean["after"])


def test_the_screener_is_asked_at_intake_and_during_treatment(network: SyntheticNetwork) -> None:
    asked = network.rows(
        "SELECT clinic_id, instrument_version, session_id IS NOT NULL FROM {assessment} "
        "WHERE instrument = 'c_ssrs_screener' GROUP BY ALL"
    )
    found = {(network.systems[str(clinic)], version, of_session) for clinic, version, of_session in asked}
    assert found == {
        (system, *when)
        for system in ("cedarline", "lakeshore", "meridian")
        for when in (("standard", False), ("since_last_visit", True))
    }


def test_one_delivery_holds_a_cluster_of_serious_events(network: SyntheticNetwork) -> None:
    (clinic,) = [clinic for clinic in network.record.clinics if "serious_cluster" in clinic.planted]
    deliveries = network.counts[clinic.clinic_id]["deliveries"]
    assert [delivery["planted"].get("serious_cluster") for delivery in deliveries] == [None, 6]
    serious = (
        "SELECT count(DISTINCT patient_id), count(*) FROM {adverse_event} WHERE serious = 'yes' AND clinic_id %s '%s'"
    )
    ((people, _),) = network.rows(serious % ("=", clinic.clinic_id))
    ((_, elsewhere),) = network.rows(serious % ("<>", clinic.clinic_id))
    assert int(str(people)) >= 6
    assert int(str(elsewhere)) < 0.004 * network.value("SELECT count(*) FROM {session}")
    criteria = (
        "SELECT count(*) FROM {adverse_event} WHERE (severity = 'life_threatening') "
        "<> coalesce(list_contains(seriousness_criteria, 'life_threatening'), false)"
    )
    assert network.value(criteria) == 0


def test_the_cluster_is_in_the_new_sessions_of_the_files(tmp_path: Path) -> None:
    """Cedarline's files, read as a person would: six people, each with a serious event of a session not told before."""
    settings = Settings(home=tmp_path)
    record = generate(settings.landing, 300, 2, settings, ("harbor_light", "juniper_ridge", "mesa_verde_wellness"))
    clinic = record.clinics[-1]
    assert (clinic.clinic_id, clinic.planted["serious_cluster"]) == ("mesa_verde_wellness", 6)
    assert all("serious_cluster" not in other.planted for other in record.clinics[:-1])

    def read(delivery: str, source: str) -> list[dict[str, str]]:
        (path,) = (settings.landing / clinic.clinic_id / delivery).glob(f"{source}_*.csv")
        with path.open(newline="") as stream:
            return list(csv.DictReader(stream))

    told = {row["infusion_ref"] for row in read("000001-full", "infusions")}
    events = read("000002-delta", "adverse_events")
    (column,) = [name for name in events[0] if name == "serious"]
    serious = [row for row in events if row[column] in ("Y", "Yes", "yes", "1") and row["infusion_ref"] not in told]
    assert len({row["patient_ref"] for row in serious}) >= 6
    assert {row["infusion_ref"] for row in serious} <= {r["infusion_ref"] for r in read("000002-delta", "infusions")}


def test_no_cluster_where_none_is_wanted(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    plant = Plant(serious_cluster=False)
    record = generate(settings.landing, 300, 2, settings, ("harbor_light", "mesa_verde_wellness"), plant=plant)
    assert all("serious_cluster" not in clinic.planted for clinic in record.clinics)
