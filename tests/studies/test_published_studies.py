"""The marts come to what studies published, from cohorts made to it: no number here is taken from the marts."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal

import pytest

from clinic_outcomes.settings import Settings
from tests.support.marts import rows
from tests.support.published_studies import ALBOTT, AUDIT, FEDER, OSMIND, RODRIGUES, ROSS
from tests.support.study_cohorts import study_cohorts

__all__ = ["study_cohorts"]

Figure = tuple[Decimal, Decimal, Decimal]
Find = Callable[[str], Figure]
ARMS = {"ketamine": 0, "midazolam": 1}


@pytest.fixture(scope="module")
def find(study_cohorts: Settings) -> Find:
    """Numerator, denominator and value of a released figure, by its id."""
    found = {
        figure_id: (numerator, denominator, value)
        for figure_id, *(numerator, denominator, value) in rows(
            study_cohorts, "SELECT figure_id, numerator, denominator, value FROM {agg_figures}"
        )
    }
    return lambda figure_id: found[figure_id]


def number(settings: Settings, sql: str) -> float:
    """The one number that SQL gives."""
    ((found,),) = rows(settings, sql)
    return float(str(found))


def rounded(value: Decimal | float, places: int) -> float:
    """As papers round: a half goes up."""
    return float(Decimal(str(value)).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP))


@pytest.mark.parametrize("time_point", ["week_2", "course_end"])
@pytest.mark.parametrize("arm", ARMS)
def test_feder_responders(find: Find, arm: str, time_point: str) -> None:
    numerator, denominator, value = find(f"caps_5_{time_point}_response_share/{FEDER.clinic_id}/trial_arm/{arm}")
    assert (numerator, denominator) == (FEDER.responders[ARMS[arm]], FEDER.people_an_arm)
    assert rounded(100 * value, 0) == FEDER.responder_percent[ARMS[arm]]


def test_feder_arms_are_two_protocols_and_never_pooled(study_cohorts: Settings) -> None:
    found = rows(
        study_cohorts,
        "SELECT dimension, category, patients FROM {agg_figures} "
        f"WHERE measure = 'caps_5_week_2_response_share' AND clinic_id = '{FEDER.clinic_id}'",
    )
    assert sorted(found, key=str) == [
        ("protocol", "iv_ketamine", 15),
        ("protocol", "midazolam_control", 15),
        ("trial_arm", "ketamine", 15),
        ("trial_arm", "midazolam", 15),
    ]


def test_feder_difference_between_arms(study_cohorts: Settings) -> None:
    arms = {
        str(arm): (float(str(mean)), float(str(sd)), int(str(paired)))
        for arm, mean, sd, paired in rows(
            study_cohorts,
            "SELECT category, change_mean, change_sd, paired FROM {agg_outcomes} WHERE instrument = 'caps_5' "
            f"AND clinic_id = '{FEDER.clinic_id}' AND time_point = 'week_2' AND dimension = 'trial_arm'",
        )
    }
    assert {paired for *_, paired in arms.values()} == {FEDER.people_an_arm}
    difference = arms["midazolam"][0] - arms["ketamine"][0]
    # Whole scores of 15 people an arm come no nearer to a model's estimate than half a point over 15.
    assert abs(difference - FEDER.caps_5_difference) <= 0.5 / FEDER.people_an_arm
    pooled_sd = math.sqrt((arms["ketamine"][1] ** 2 + arms["midazolam"][1] ** 2) / 2)
    assert rounded(difference / pooled_sd, 2) == FEDER.effect_size


@pytest.mark.parametrize("instrument", ["caps_5", "pcl_5"])
@pytest.mark.parametrize("dimension", ["protocol/iv_ketamine", "trial_arm/ketamine"])
def test_feder_median_time_to_loss_of_response(study_cohorts: Settings, instrument: str, dimension: str) -> None:
    name, category = dimension.split("/")
    found = rows(
        study_cohorts,
        "SELECT DISTINCT people, median_days FROM {agg_survival_medians} "
        f"WHERE clinic_id = '{FEDER.clinic_id}' AND instrument = '{instrument}' "
        f"AND dimension = '{name}' AND category = '{category}'",
    )
    assert found == [(FEDER.responders[0], FEDER.median_days_to_loss_of_response)]


def test_feder_people(study_cohorts: Settings) -> None:
    found = rows(
        study_cohorts,
        "SELECT avg(age_years), stddev_samp(age_years), count(*) FILTER (sex = 'female'), "
        "count(*) FILTER (sex = 'male'), count(*) FILTER (is_completed) "
        "FROM {fct_index_courses} JOIN {dim_patients} USING (patient_key) "
        f"WHERE patient_key LIKE '{FEDER.clinic_id}/%' GROUP BY trial_arm ORDER BY trial_arm",
    )
    expected = zip(FEDER.mean_age, FEDER.age_sd, FEDER.women, FEDER.men, FEDER.completed, strict=True)
    assert [(rounded(float(str(a)), 1), rounded(float(str(b)), 1), *rest) for a, b, *rest in found] == list(expected)


@pytest.mark.parametrize("time_point", ["after_session_6", "course_end"])
@pytest.mark.parametrize(
    ("instrument", "published"), [("pcl_5", ALBOTT.pcl_5_decrease), ("madrs", ALBOTT.madrs_decrease)]
)
def test_albott_decreases_with_their_intervals(
    study_cohorts: Settings, instrument: str, published: tuple[float, float, float], time_point: str
) -> None:
    ((paired, *decrease),) = rows(
        study_cohorts,
        "SELECT paired, -change_mean, -change_upper, -change_lower FROM {agg_outcomes} "
        f"WHERE clinic_id = '{ALBOTT.clinic_id}' AND instrument = '{instrument}' AND dimension = 'protocol' "
        f"AND time_point = '{time_point}'",
    )
    assert paired == ALBOTT.people
    assert tuple(rounded(float(str(part)), 1) for part in decrease) == published


def test_albott_response_of_depression(find: Find) -> None:
    *_, value = find(f"madrs_course_end_response_share/{ALBOTT.clinic_id}/protocol/iv_ketamine")
    assert rounded(100 * value, 1) == ALBOTT.depression_response_percent


@pytest.mark.parametrize(("instrument", "published"), [("phq_9", ROSS.phq_9), ("pcl_5", ROSS.pcl_5)])
def test_ross_before_and_after(find: Find, instrument: str, published: tuple[float, float]) -> None:
    for quantity, mean in zip(("baseline", "score"), published, strict=True):
        _, people, value = find(f"{instrument}_course_end_{quantity}/{ROSS.clinic_id}/protocol/iv_ketamine")
        assert (people, rounded(value, 1)) == (ROSS.people, mean)


def test_ross_infusions(study_cohorts: Settings, find: Find) -> None:
    dose = f"SELECT avg(dose_mg_per_kg) FROM {{fct_sessions}} WHERE clinic_id = '{ROSS.clinic_id}'"
    assert rounded(number(study_cohorts, dose), 2) == ROSS.mean_dose_mg_per_kg
    *_, minutes = find(f"infusion_minutes_mean/{ROSS.clinic_id}//")
    assert minutes == ROSS.infusion_minutes


def test_osmind_completeness(find: Find) -> None:
    complete, treated, value = find(f"pcl_5_last_paired_share/{OSMIND.clinic_id}/protocol/iv_ketamine")
    assert (complete, treated) == (OSMIND.with_complete_pcl_5, OSMIND.treated)
    assert rounded(100 * value, 1) == OSMIND.complete_percent
    assert find(f"patients_treated/{OSMIND.clinic_id}//")[2] == OSMIND.treated


def test_osmind_decrease_after_the_fourth_infusion(find: Find) -> None:
    before, after, change = (
        find(f"pcl_5_after_session_4_{quantity}/{OSMIND.clinic_id}/protocol/iv_ketamine")[2]
        for quantity in ("baseline", "score", "change")
    )
    assert rounded(before, 0) == OSMIND.pcl_5_before
    assert rounded(-change, 1) == OSMIND.decrease_after_4
    # The page's three numbers do not agree; see the cohort.
    assert abs(float(after) - OSMIND.pcl_5_after_4) < 1


@pytest.mark.parametrize(
    ("session", "percent"), [(1, OSMIND.response_percent_after_1), (6, OSMIND.response_percent_by_6)]
)
def test_osmind_response(find: Find, session: int, percent: int) -> None:
    _, people, value = find(f"pcl_5_after_session_{session}_response_share/{OSMIND.clinic_id}/protocol/iv_ketamine")
    assert (people, rounded(100 * value, 0)) == (OSMIND.with_complete_pcl_5, percent)


def test_osmind_people_and_their_infusions(study_cohorts: Settings) -> None:
    clinic = f"clinic_id = '{OSMIND.clinic_id}'"
    four = (
        "SELECT 100 * avg((fourth_day - first_day <= 28)::INTEGER) FROM (SELECT min(session_day) AS first_day, "
        f"coalesce(list_sort(list(session_day))[4], 9999) AS fourth_day FROM {{fct_sessions}} WHERE {clinic} "
        "GROUP BY patient_key)"
    )
    assert rounded(number(study_cohorts, four), 0) == OSMIND.four_within_28_days_percent
    women = f"SELECT 100 * avg((sex = 'female')::INTEGER) FROM {{dim_patients}} WHERE {clinic}"
    assert rounded(number(study_cohorts, women), 0) == OSMIND.women_percent
    age = f"SELECT avg(age_years) FROM {{dim_patients}} WHERE {clinic}"
    assert rounded(number(study_cohorts, age), 1) == OSMIND.mean_age
    depressed = (
        "SELECT 100 * sum(due) FILTER (category = 'yes') / sum(due) FROM {agg_outcomes} "
        f"WHERE {clinic} AND dimension = 'comorbid_depression' AND instrument = 'pcl_5' AND time_point = 'last'"
    )
    assert rounded(number(study_cohorts, depressed), 0) == OSMIND.depression_percent


@pytest.mark.parametrize(
    ("term", "percent"),
    [
        ("somnolence", RODRIGUES.drowsiness_percent),
        ("dizziness", RODRIGUES.dizziness_percent),
        ("dissociation", RODRIGUES.dissociation_percent),
        ("nausea", RODRIGUES.nausea_percent),
    ],
)
def test_rodrigues_people_with_each_side_effect(find: Find, term: str, percent: float) -> None:
    affected, people, value = find(f"any_event_share/{RODRIGUES.clinic_id}/term/{term}")
    assert people == RODRIGUES.people
    # Whole people of 203: half a person is a quarter of a percent.
    assert abs(100 * float(value) - percent) <= 50 / RODRIGUES.people
    # Everybody affected is so twice, and counts once.
    events, *_ = find(f"adverse_events/{RODRIGUES.clinic_id}/term/{term}")
    assert events == 2 * affected


@pytest.mark.parametrize(
    ("place", "denominator", "percent"),
    [
        ("sessions_with_event_share/{}//", sum(AUDIT.sessions), AUDIT.upper_percent_a_session),
        ("sessions_with_event_share/{}/trial_arm/intravenous", AUDIT.sessions[0], AUDIT.upper_percent_by_route[0]),
        ("sessions_with_event_share/{}/trial_arm/intramuscular", AUDIT.sessions[1], AUDIT.upper_percent_by_route[1]),
        ("serious_event_share/{}//", sum(AUDIT.people), AUDIT.upper_percent_a_person),
    ],
)
def test_what_an_audit_that_saw_nothing_may_have_missed(
    study_cohorts: Settings, place: str, denominator: int, percent: float
) -> None:
    ((seen, of, lower, bound),) = rows(
        study_cohorts,
        "SELECT numerator, denominator, lower_end, upper_95 FROM {agg_safety_shares} "
        f"WHERE figure_id = '{place.format(AUDIT.clinic_id)}'",
    )
    assert (seen, of, lower) == (0, denominator, 0)
    assert rounded(100 * float(str(bound)), 2) == percent


def test_the_audits_rate_has_the_same_bound_from_poisson(study_cohorts: Settings) -> None:
    bound = number(
        study_cohorts,
        "SELECT upper_95 FROM {agg_event_rates} WHERE measure = 'serious_event_rate_per_100_sessions' "
        f"AND clinic_id = '{AUDIT.clinic_id}' AND dimension = ''",
    )
    assert bound == pytest.approx(-100 * math.log(0.05) / sum(AUDIT.sessions), rel=1e-12)
    assert rounded(bound, 2) == AUDIT.upper_percent_a_session
