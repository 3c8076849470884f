"""What the generated clinics hold of the things that outcomes are told by: read from the true tables with plain SQL."""

from __future__ import annotations

import pytest

from tests.support.synthetic_network import SyntheticNetwork, network

__all__ = ["network"]

ADEQUATE_FAILURES = """
    SELECT patient_id, count(*) FILTER (
        treatment_class IN ('ssri', 'snri') AND adequate_trial = 'yes'
        AND treatment_outcome IN ('no_response', 'partial_response', 'intolerance')) AS failures
    FROM {prior_treatment} GROUP BY patient_id
"""


def test_both_arms_of_a_trial_have_the_interview_before_and_after_two_weeks(network: SyntheticNetwork) -> None:
    scores = """
        SELECT c.clinic_id, c.trial_arm, a.instrument_version, count(*), min(a.assessed_day - f.first_day),
            max(a.assessed_day - f.first_day)
        FROM {assessment} AS a
        JOIN (SELECT DISTINCT clinic_id, patient_id, trial_arm FROM {course}) AS c USING (clinic_id, patient_id)
        JOIN (SELECT clinic_id, patient_id, min(session_day) AS first_day FROM {session} GROUP BY ALL) AS f
            USING (clinic_id, patient_id)
        WHERE a.instrument = 'caps_5'
        GROUP BY ALL
    """
    found = network.rows(scores)
    arms = {"ketamine_0_5_mg_per_kg", "midazolam_0_045_mg_per_kg"}
    trials = {
        str(clinic) for clinic, *_ in network.rows("SELECT DISTINCT clinic_id FROM {course} WHERE trial_arm <> ''")
    }
    assert len(trials) == 5
    assert {(row[0], row[1], row[2]) for row in found} == {
        (clinic, arm, version)
        for clinic in trials
        for arm in arms
        for version in ("clinician_past_month", "clinician_past_week")
    }
    for *_, version, count, earliest, latest in found:
        assert int(str(count)) > 1
        # After two weeks lies in the window of week 2, and before treatment before the first session.
        low, high = (14, 16) if version == "clinician_past_week" else (-100, -1)
        assert low <= int(str(earliest)) <= int(str(latest)) <= high


def test_ketamine_lowers_the_interview_more_than_midazolam(network: SyntheticNetwork) -> None:
    change = """
        SELECT avg(after - before) FROM (
            SELECT clinic_id, patient_id,
                max(delivered_total) FILTER (instrument_version = 'clinician_past_month') AS before,
                max(delivered_total) FILTER (instrument_version = 'clinician_past_week') AS after
            FROM {assessment} WHERE instrument = 'caps_5' GROUP BY ALL)
        JOIN (SELECT DISTINCT clinic_id, patient_id, protocol FROM {course}) USING (clinic_id, patient_id)
        WHERE protocol = '%s'
    """
    # 11.88 (SE 3.96) in Feder 2021; here about 50 people an arm.
    difference = network.value(change % "midazolam_control") - network.value(change % "iv_ketamine")
    assert 6 < difference < 18


def test_a_screener_leaves_out_what_it_does_not_ask(network: SyntheticNetwork) -> None:
    answers = """
        SELECT count(*) FROM {assessment_item} AS i JOIN {assessment} AS a USING (clinic_id, assessment_id)
        JOIN (SELECT clinic_id, assessment_id, item_number, item_value FROM {assessment_item}) AS first
            ON first.clinic_id = i.clinic_id AND first.assessment_id = i.assessment_id AND first.item_number = %s
        WHERE instrument = 'c_ssrs_screener' AND i.item_number IN (%s) AND first.item_value = %s
            AND i.item_value IS %s NULL
    """
    for first, later in ((2, "3, 4, 5"), (6, "7")):
        assert network.value(answers % (first, later, 0, "NOT")) == 0
        assert network.value(answers % (first, later, 0, "")) > 20
        assert network.value(answers % (first, later, 1, "NOT")) > 5


def test_dissociation_fades_within_two_hours_of_the_start(network: SyntheticNetwork) -> None:
    totals = """
        SELECT avg(points) FROM (
            SELECT clinic_id, assessment_id, sum(item_value) AS points FROM {assessment_item}
            GROUP BY ALL HAVING count(item_value) = 6)
        JOIN {assessment} USING (clinic_id, assessment_id)
        WHERE instrument = 'cadss_6' AND session_id IS NOT NULL AND minutes_from_session_start BETWEEN %s
    """
    assert network.value(totals % "36 AND 44") > 3
    assert network.value(totals % "115 AND 130") < 1.5


def test_depression_is_rated_in_a_system_of_totals(network: SyntheticNetwork) -> None:
    rated = "SELECT count(*), min(delivered_total), max(delivered_total) FROM {assessment} WHERE instrument = 'madrs'"
    ((count, lowest, highest),) = network.rows(rated)
    assert int(str(count)) > 50
    assert 0 <= int(str(lowest)) < 20 < int(str(highest)) <= 60


def test_people_with_none_one_and_more_adequate_failures(network: SyntheticNetwork) -> None:
    shares = dict(network.rows(f"SELECT least(failures, 2), count(*) FROM ({ADEQUATE_FAILURES}) GROUP BY ALL"))
    assert set(shares) == {0, 1, 2}
    assert min(int(str(count)) for count in shares.values()) > 50


@pytest.mark.parametrize(
    "change", ["start_day > first_day AND start_day <= last_day", "stop_day BETWEEN first_day AND last_day"]
)
def test_medication_changes_during_courses(network: SyntheticNetwork, change: str) -> None:
    changed = f"""
        SELECT count(*) FROM {{medication}} JOIN (
            SELECT clinic_id, patient_id, min(session_day) AS first_day, max(session_day) AS last_day
            FROM {{session}} GROUP BY ALL) USING (clinic_id, patient_id)
        WHERE medication_class IN ('ssri', 'snri') AND {change}
    """
    assert network.value(changed) > 3
    assert network.value("SELECT count(*) FROM {medication} WHERE stop_day < start_day") == 0


def test_courses_of_both_phases(network: SyntheticNetwork) -> None:
    phases = dict(network.rows("SELECT phase, count(*) FROM {course} GROUP BY ALL"))
    assert set(phases) == {"induction", "maintenance"}


def test_a_referring_clinic_is_one_that_had_seen_the_person(network: SyntheticNetwork) -> None:
    numbers = {f"NET-{place:02d}": clinic for place, clinic in enumerate(sorted(network.counts), start=1)}
    named = network.rows("SELECT clinic_id, patient_id, source_type, referring_clinic_id FROM {referral}")
    by_network = [row for row in named if row[3] is not None]
    assert {row[2] for row in by_network} == {"network_clinic"}
    assert all(numbers[str(referring)] != clinic for clinic, _, _, referring in by_network)
    seen = network.rows(
        "SELECT b.clinic_id, b.patient_id, a.clinic_id FROM {patient} AS b JOIN {patient} AS a USING (network_token) "
        "WHERE a.clinic_id <> b.clinic_id"
    )
    elsewhere = {(str(clinic), str(patient)): str(other) for clinic, patient, other in seen}
    assert len(elsewhere) == 2 * round(1500 * 0.015)
    found = [
        numbers[str(referring)] == elsewhere[str(clinic), str(patient)]
        for clinic, patient, _, referring in by_network
        if (str(clinic), str(patient)) in elsewhere
    ]
    assert len(found) > 3
    assert all(found)


def test_everybody_is_treated_under_one_protocol_and_the_counts_add_up(network: SyntheticNetwork) -> None:
    several = "SELECT patient_id FROM {course} GROUP BY clinic_id, patient_id HAVING count(DISTINCT protocol) > 1"
    assert network.rows(several) == []
    for clinic, counts in network.counts.items():
        by_protocol = counts["pcl_5_by_protocol"].values()
        assert sum(found["treated"] for found in by_protocol) == counts["treated"], clinic
        for name in ("baseline_patients", "paired_patients", "paired_baseline_points", "paired_last_points"):
            assert sum(found[name] for found in by_protocol) == counts[f"pcl_5_{name}"], (clinic, name)
