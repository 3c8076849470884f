"""Referral flow against an independent reckoning, person by person from the accepted rows: generated clinics with gaps,
contradictions and second referrals, and the network of more than 2,000 treated people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from clinic_outcomes.model import model
from clinic_outcomes.settings import Settings
from tests.outcomes.referral_ways import STEPS, TARGET_DAYS, Network, Way, load
from tests.support.columnar_states import write_columnar_state
from tests.support.model_states import small_settings
from tests.support.outcome_network import outcome_network  # noqa: F401 - a fixture

PEOPLE = 700
TOLERANCE = 1e-9


def random_tables(rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    """People whose records have every gap and contradiction, most of them likelier than in any clinic."""
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def maybe(value: Any, share: float = 0.6) -> Any:
        return value if rng.random() < share else None

    for number in range(PEOPLE):
        who = f"P{number}"
        token = maybe(f"T{rng.integers(PEOPLE)}", 0.8)
        rows["patient"].append(
            {"patient_id": who, "network_token": token, "observed_through_day": maybe(int(rng.integers(0, 300)), 0.9)}
        )
        for again in range(int(rng.choice(4, p=[0.1, 0.6, 0.2, 0.1]))):
            day = int(rng.integers(0, 60))
            rows["referral"].append({
                "referral_id": f"R{number}-{again}",
                "patient_id": who,
                "source_type": maybe(str(rng.choice(["self", "psychiatry", "network_clinic"])), 0.9),
                "received_day": day,
                "contacted_day": maybe(max(0, day + int(rng.integers(-2, 9)))),
                "consulted_day": maybe(max(0, day + int(rng.integers(-2, 15))), 0.5),
                "decided_day": maybe(max(0, day + int(rng.integers(0, 20))), 0.4),
                "candidacy": maybe(str(rng.choice(["candidate", "not_candidate", "deferred"])), 0.4),
                "candidacy_reason": maybe(str(rng.choice(["criteria_met", "psychosis", "information_missing"])), 0.4),
                "closing_reason": maybe(str(rng.choice(["cost", "declined", "not_reached"])), 0.4),
            })  # fmt: skip
        for course in range(int(rng.choice(4, p=[0.5, 0.3, 0.15, 0.05]))):
            key, day = f"K{number}-{course}", int(rng.integers(0, 120))
            phase = maybe(str(rng.choice(["induction", "maintenance"], p=[0.7, 0.3])), 0.9)
            planned = maybe(int(rng.integers(1, 7)), 0.8)
            rows["course"].append(
                {
                    "course_id": key,
                    "patient_id": who,
                    "protocol": "iv_ketamine",
                    "phase": phase,
                    "planned_sessions": planned,
                }
            )
            for session in range(int(rng.integers(0, 7))):
                owner = maybe(str(rng.choice(["ORG1", "ORG2"])), 0.9)
                rows["session"].append({
                    "session_id": f"S{key}-{session}", "patient_id": who, "course_id": key, "session_day": day,
                    "drug": "ketamine", "organisation_id": owner, "service_period": "2025",
                })  # fmt: skip
                day += int(rng.integers(0, 8))
            if rng.random() < 0.5:
                how = str(rng.choice(["completed", "dropped_out", "site_closed"]))
                rows["disposition"].append(
                    {"course_id": key, "patient_id": who, "disposition": how, "disposition_day": day}
                )
    return {name: pd.DataFrame(table) for name, table in rows.items()}


@pytest.fixture(scope="module")
def random_network(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    clinics = {"dale": "Dale", "elm": "Elm", "fern": "Fern"}
    made = small_settings(tmp_path_factory.mktemp("random"), clinics)
    rng = np.random.default_rng(11)
    with duckdb.connect() as connection:
        for clinic_id in clinics:
            tables = random_tables(rng)
            for name, table in tables.items():
                connection.register(f"{clinic_id}_{name}", table)
            write_columnar_state(connection, made, clinic_id, {n: f"SELECT * FROM {clinic_id}_{n}" for n in tables})
    model(made)
    return made


@pytest.fixture(scope="module", params=["random_network", "outcome_network"])
def network(request: pytest.FixtureRequest) -> Iterator[Network]:
    yield load(request.getfixturevalue(request.param))


def groups(ways: list[Way], *, sources: bool = True) -> dict[tuple[str, str, str], list[Way]]:
    """Ways by clinic and for the network; for all, and for the network by source."""
    found: dict[tuple[str, str, str], list[Way]] = defaultdict(list)
    for way in ways:
        found[way.clinic_id, "", ""].append(way)
        found["network", "", ""].append(way)
        if sources:
            found["network", "referral_source", way.source].append(way)
    return found


def reckoned(ways: list[Way]) -> dict[str, tuple[float, float | None]]:
    """Numerator and denominator of every count and share of people, and of mean days."""
    counts = {step: sum(step in way.steps for way in ways) for step in STEPS}
    decided = [way for way in ways if "decided" in way.recorded]
    judged = [way for way in ways if way.watched is not None and way.watched >= TARGET_DAYS]
    lost = sum(way.status == "lost" for way in ways)
    found: dict[str, tuple[float, float | None]] = {
        "patients_referred": (len(ways), None),
        "patients_candidate": (sum(way.candidate for way in ways), None),
        "candidate_share": (sum(way.candidate for way in ways), len(ways)),
        "candidacy_rate": (sum(way.candidate for way in ways), len(decided)),
        "decisions_without_criteria_share": (sum(way.without_criteria for way in decided), len(decided)),
        "contacted_within_target_share": (sum(way.in_time for way in judged), len(judged)),
        "patients_lost": (lost, None),
        "lost_share": (lost, len(ways)),
        "referrals_open": (sum(way.status == "open" for way in ways), None),
        "patients_referred_again": (sum(way.referrals > 1 for way in ways), None),
    }
    names = {"treated": "referred_treated", "completed": "referred_completed", "maintained": "referred_maintenance"}
    before = {
        "consulted": "consulted_of_contacted_share",
        "decided": "decided_of_consulted_share",
        "treated": "treated_of_decided_share",
        "completed": "completed_of_treated_share",
        "maintained": "maintenance_of_completed_share",
    }
    for earlier, step in pairwise(STEPS):
        name = names.get(step, step)
        found[f"patients_{name}"] = (counts[step], None)
        found[f"{name}_share"] = (counts[step], len(ways))
        if step in before:
            found[before[step]] = (counts[step], counts[earlier])
    for name, first, then in DAYS:
        days = days_between(ways, first, then)
        found[name] = (sum(days), len(days))
    return found


DAYS = (
    ("days_to_contact", "referred", "contacted"),
    ("days_contact_to_consult", "contacted", "consulted"),
    ("days_consult_to_decision", "consulted", "decided"),
    ("days_decision_to_first_session", "decided", "treated"),
    ("days_first_session_to_completion", "treated", "completed"),
    ("days_completion_to_maintenance", "completed", "maintained"),
    ("days_referral_to_first_session", "referred", "treated"),
)


def days_between(ways: list[Way], first: str, then: str) -> list[int]:
    return [int(way.days[then] - way.days[first]) for way in ways if first in way.days and then in way.days]


def test_every_figure_of_the_flow_is_that_reckoned_person_by_person(network: Network) -> None:
    released = network.read(
        "SELECT figure_id, CAST(numerator AS DOUBLE) AS numerator, denominator, CAST(value AS DOUBLE) AS value "
        "FROM {agg_figures}"
    ).set_index("figure_id")
    compared = 0
    for (clinic_id, dimension, category), ways in groups(network.ways).items():
        for measure, (numerator, denominator) in reckoned(ways).items():
            figure = released.loc[f"{measure}/{clinic_id}/{dimension}/{category}"]
            assert figure["numerator"] == numerator, (measure, clinic_id, category)
            if denominator is not None:
                assert figure["denominator"] == denominator, (measure, clinic_id, category)
                if denominator:
                    assert figure["value"] == pytest.approx(numerator / denominator, abs=5.001e-7)
            compared += 1
        for measure, first, then in DAYS:
            days = days_between(ways, first, then)
            key = f"{measure}_sd/{clinic_id}/{dimension}/{category}"
            assert (key in released.index) == (len(days) > 1)
            if len(days) > 1:
                assert released.loc[key, "value"] == pytest.approx(np.std(days, ddof=1), abs=5.001e-7)
    assert compared > 100


def test_losses_decisions_ages_and_inferred_steps_add_up_by_category(network: Network) -> None:
    def expected() -> Iterator[tuple[str, str, str]]:
        for way in network.ways:
            if way.status == "lost":
                yield "patients_lost", "closing_reason", way.closing_reason
                yield "patients_lost", "furthest_step", way.furthest
            if "decided" in way.steps:
                yield "patients_decided", "candidacy_reason", way.reason
            if way.status == "open":
                bounds = ((30, "under_30_days"), (90, "30_to_89_days"), (180, "90_to_179_days"))
                age = next((name for days, name in bounds if (way.open_days or 0) < days), "180_days_or_more")
                yield "referrals_open", "open_age", "not_recorded" if way.open_days is None else age
            for step in way.steps - way.recorded:
                yield "referral_steps_inferred", "inferred_step", step

    reckoned_counts = pd.Series(list(expected())).value_counts().to_dict()
    told = network.read(
        "SELECT measure, dimension, category, CAST(numerator AS INTEGER) AS people FROM {agg_figures} "
        "WHERE clinic_id = 'network' AND numerator > 0 AND dimension IN "
        "('closing_reason', 'furthest_step', 'candidacy_reason', 'open_age', 'inferred_step')"
    )
    assert {tuple(row[:3]): row[3] for row in told.itertuples(index=False)} == reckoned_counts


def test_marts_of_the_engineers_are_exact(network: Network) -> None:
    flow = network.read("SELECT * FROM {agg_referral_flow}").set_index(["clinic_id", "dimension", "category", "step"])
    for (clinic_id, dimension, category), ways in groups(network.ways).items():
        for earlier, step in pairwise(STEPS):
            row = flow.loc[(clinic_id, dimension, category, step)]
            before, reached = sum(earlier in w.steps for w in ways), sum(step in w.steps for w in ways)
            assert (row["referred"], row["reached_before"], row["reached"]) == (len(ways), before, reached)
            assert row["inferred"] == sum(step in w.steps - w.recorded for w in ways)
            assert row["censored"] == sum(step not in w.steps and w.status == "open" for w in ways)
            _same_share(row, "converted_share", reached, before)
            _same_share(row, "share_of_referred", reached, len(ways))
            _same_days(row, "days_from_step_before", days_between(ways, earlier, step))
            _same_days(row, "days_from_referral", days_between(ways, "referred", step))
            for limit in (7, 30, 90):
                watched = [w for w in ways if w.watched is not None and w.watched >= limit]
                assert row[f"watched_{limit}_days"] == len(watched)
                quick = [w for w in watched if step in w.days and w.days[step] - w.days["referred"] <= limit]
                assert row[f"reached_in_{limit}_days"] == len(quick)


def _same_share(row: pd.Series, name: str, part: int, whole: int) -> None:
    if whole:
        lower, upper = proportion_confint(part, whole, method="wilson")
        expected = (part / whole, lower, upper)
        assert (row[name], row[f"{name}_lower"], row[f"{name}_upper"]) == pytest.approx(expected, abs=TOLERANCE)


def _same_days(row: pd.Series, name: str, days: list[int]) -> None:
    assert row[f"{name}_known"] == len(days)
    if days:
        quartiles = np.percentile(days, [25, 50, 75])
        found = [row[f"{name}_{part}"] for part in ("first_quartile", "median", "third_quartile", "mean")]
        assert found == pytest.approx([*quartiles, np.mean(days)], abs=TOLERANCE)
    if len(days) > 1:
        sd = np.std(days, ddof=1)
        half = stats.t.ppf(0.975, len(days) - 1) * sd / np.sqrt(len(days))
        found = [row[f"{name}_{part}"] for part in ("sd", "lower", "upper")]
        assert found == pytest.approx([sd, np.mean(days) - half, np.mean(days) + half], abs=TOLERANCE)


def test_the_funnel_never_grows_downwards(network: Network) -> None:
    counts = ["patients_referred", "patients_contacted", "patients_consulted", "patients_decided"]
    counts += [f"patients_referred_{step}" for step in ("treated", "completed", "maintenance")]
    told = network.read(
        "SELECT clinic_id || '/' || category AS who, measure, numerator FROM {agg_figures} "
        "WHERE dimension IN ('', 'referral_source')"
    ).pivot(index="who", columns="measure", values="numerator")[counts]
    assert len(told) > len({way.clinic_id for way in network.ways})
    for earlier, later in pairwise(counts):
        assert (told[earlier] >= told[later]).all(), (earlier, later)


def test_owners_and_people_are_counted_once(network: Network) -> None:
    sessions, patients = network.tables["session"], network.tables["patient"]
    owner = sessions["organisation_id"].fillna("")
    expected = sessions.assign(owner=owner).groupby(["clinic_id", "owner"])
    owners = network.read("SELECT *, coalesce(split_part(organisation_key, '/', 2), '') AS owner FROM {agg_owners}")
    owners = owners.set_index(["clinic_id", "owner"]).sort_index()
    assert owners["sessions"].to_dict() == expected.size().to_dict()
    assert owners["patients"].to_dict() == expected["patient_id"].nunique().to_dict()
    treated = sessions[["clinic_id", "patient_id"]].drop_duplicates()
    assert (
        owners["patients_at_first_session"].groupby("clinic_id").sum().to_dict()
        == treated.groupby("clinic_id").size().to_dict()
    )

    closed = (
        network.tables["disposition"]
        .query("disposition == 'site_closed'")
        .merge(sessions, on=["clinic_id", "course_id"])
    )
    cut_short = closed.drop_duplicates(["clinic_id", "patient_id_x"]).groupby("clinic_id").size()
    told = network.read(
        "SELECT clinic_id, numerator FROM {agg_figures} "
        "WHERE measure = 'patients_mid_course_at_closure' AND dimension = ''"
    )
    told = told[told["clinic_id"] != "network"].set_index("clinic_id")["numerator"].astype(int)
    assert told[told > 0].to_dict() == cut_short.to_dict()

    known = patients[patients["network_token"].notna()]
    clinics = known.groupby("network_token")["clinic_id"].nunique()
    both = known.merge(treated).groupby("network_token")["clinic_id"].nunique()
    without = len(patients[patients["network_token"].isna()].merge(treated))
    expected_people = {
        ("people_seen_in_two_clinics", "two"): (clinics == 2).sum(),
        ("people_seen_in_two_clinics", "three_or_more"): (clinics > 2).sum(),
        ("people_treated_by_token", "one"): (both == 1).sum(),
        ("people_treated_by_token", "two"): (both == 2).sum(),
        ("people_treated_by_token", "three_or_more"): (both > 2).sum(),
        ("people_treated_by_token", "not_known"): without,
    }
    people = network.read("SELECT measure, category, numerator FROM {agg_figures} WHERE dimension = 'clinics_seen'")
    found = {(row.measure, row.category): int(row.numerator) for row in people.itertuples()}
    assert found == {key: count for key, count in expected_people.items() if count}
