"""Each claim comes out as its rule says, on released figures with their intervals, and all 33 are there."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from clinic_outcomes.publish.claim_rules import (
    AtLeast,
    AtMost,
    Evidence,
    HigherThan,
    NoEvents,
    Rule,
    Verdict,
    Within,
    combine,
    judge,
    upper_bound_percent,
)
from clinic_outcomes.publish.claims import assess, load_claims
from clinic_outcomes.publish.uncertainty import Range
from clinic_outcomes.publish.view import View
from clinic_outcomes.settings import Settings
from tests.publish.reports import Grid, make_release, plain_measure, questionnaire, release_of
from tests.support.outcome_network import outcome_network

__all__ = ["outcome_network"]

SUPPORTED, NOT_SUPPORTED = Verdict.SUPPORTED, Verdict.NOT_SUPPORTED
UNKNOWN, UNMEASURABLE = Verdict.CANNOT_BE_ASSESSED, Verdict.NOT_MEASURABLE
HALF = Decimal(50)


def _range(lower: int, upper: int) -> Range:
    return Range(Decimal(lower), Decimal(upper))


@pytest.mark.parametrize(
    ("rule", "lower", "upper", "verdict"),
    [
        (AtLeast(kind="at_least", threshold=HALF), 50, 61, SUPPORTED),
        (AtLeast(kind="at_least", threshold=HALF), 49, 61, UNKNOWN),
        (AtLeast(kind="at_least", threshold=HALF), 40, 50, UNKNOWN),
        (AtLeast(kind="at_least", threshold=HALF), 40, 49, NOT_SUPPORTED),
        (AtMost(kind="at_most", threshold=Decimal(5)), 1, 5, SUPPORTED),
        (AtMost(kind="at_most", threshold=Decimal(5)), 5, 9, UNKNOWN),
        (AtMost(kind="at_most", threshold=Decimal(5)), 6, 9, NOT_SUPPORTED),
        (Within(kind="within", lowest=Decimal(40), highest=HALF), 40, 50, SUPPORTED),
        (Within(kind="within", lowest=Decimal(40), highest=HALF), 39, 45, UNKNOWN),
        (Within(kind="within", lowest=Decimal(40), highest=HALF), 51, 55, NOT_SUPPORTED),
        (Within(kind="within", lowest=Decimal(40), highest=HALF), 30, 39, NOT_SUPPORTED),
        (HigherThan(kind="higher_than"), 1, 9, SUPPORTED),
        (HigherThan(kind="higher_than"), 0, 9, UNKNOWN),
        (HigherThan(kind="higher_than"), -9, -1, NOT_SUPPORTED),
    ],
)
def test_an_interval_is_judged_as_a_whole(rule: Rule, lower: int, upper: int, verdict: Verdict) -> None:
    assert judge(rule, Evidence(interval=_range(lower, upper)), HALF) is verdict


@pytest.mark.parametrize(("coverage", "verdict"), [(Decimal(50), SUPPORTED), (Decimal(49), UNKNOWN), (None, UNKNOWN)])
def test_too_little_or_withheld_coverage_decides_first(coverage: Decimal | None, verdict: Verdict) -> None:
    evidence = Evidence(interval=_range(90, 95), coverage=coverage, needs_coverage=True)
    assert judge(AtLeast(kind="at_least", threshold=HALF), evidence, HALF) is verdict


def test_a_withheld_figure_cannot_be_assessed() -> None:
    assert judge(AtLeast(kind="at_least", threshold=HALF), Evidence(), HALF) is UNKNOWN


@pytest.mark.parametrize(
    ("count", "people", "verdict"),
    # With 300 people 1 - 0.05^(1/300) is 0.99 %, with 290 it is 1.03 %.
    [(0, 300, SUPPORTED), (0, 290, UNKNOWN), (0, None, UNKNOWN), (15, 5000, NOT_SUPPORTED), (None, 5000, UNKNOWN)],
)
def test_no_event_supports_only_where_many_were_treated(
    count: int | None, people: int | None, verdict: Verdict
) -> None:
    rule = NoEvents(kind="none", upper_bound_percent=Decimal(1))
    evidence = Evidence(count=None if count is None else Decimal(count), people=people)
    assert judge(rule, evidence, HALF) is verdict


def test_the_upper_bound_is_that_of_a_published_audit() -> None:
    # Japan audit: no event in 1,985 sessions of 296 people, one-sided 95 % upper bounds 0.15 % and 1.01 %.
    assert abs(upper_bound_percent(1985) - Decimal("0.15")) < Decimal("0.005")
    assert abs(upper_bound_percent(296) - Decimal("1.01")) < Decimal("0.005")


def test_one_failed_test_decides_and_all_must_hold() -> None:
    assert combine([SUPPORTED, UNKNOWN, NOT_SUPPORTED]) is NOT_SUPPORTED
    assert combine([SUPPORTED, UNKNOWN]) is UNKNOWN
    assert combine([SUPPORTED, SUPPORTED]) is SUPPORTED


def test_every_claim_of_the_source_documents_is_there() -> None:
    claims = load_claims()
    assert [claim.number for claim in claims.claims] == list(range(1, 34))
    assert {code for claim in claims.claims for code in claim.documents} == set(claims.documents)
    assert list(claims.documents) == ["S0", "S1", "S2", "S3", "S4"]


def test_every_figure_that_a_claim_names_is_told_of_a_built_network(outcome_network: Settings) -> None:
    mart = outcome_network.marts / "latest" / "release" / "agg_figures.parquet"
    query = f"SELECT DISTINCT measure, dimension, category FROM read_parquet('{mart}') WHERE clinic_id = 'network'"
    told = set(duckdb.sql(query).fetchall())
    named = {
        (name.measure, name.dimension, name.category) for claim in load_claims().claims for name in claim.figures()
    }
    assert len(named) > 20
    assert not named - told


def _safety(home: Path, with_event: int, serious: int, treated: int = 1000) -> Path:
    measures = [
        plain_measure("any_event_share", "safety", "rate", "percent"),
        plain_measure("serious_adverse_events", "safety", "count", "events", "event"),
        plain_measure("patients_treated", "treatment", "count", "patients"),
    ]
    figures = f"""
measure                | clinic_id | dimension | category    | numerator    | denominator | patients     | clinics
any_event_share        | network   | protocol  | iv_ketamine | {with_event} | {treated}   | {treated}    | 3
serious_adverse_events | network   | protocol  | iv_ketamine | {serious}    | -           | {serious}    | 3
patients_treated       | network   | protocol  | iv_ketamine | {treated}    | -           | {treated}    | 3
"""
    return make_release(home, measures, figures)


def _verdict(home: Path, number: int, recipient: str = "network") -> Verdict:
    view = View(release_of(home), recipient)
    claim = next(claim for claim in load_claims().claims if claim.number == number)
    return assess(view, claim, recipient).verdict


@pytest.mark.parametrize(
    ("with_event", "verdict"),
    # Of 1,000: 900 are far above 5 %; 20 have an upper end of about 3.1 %; 50 are on the line; 5 are withheld.
    [(900, NOT_SUPPORTED), (20, SUPPORTED), (50, UNKNOWN), (5, UNKNOWN)],
)
def test_without_side_effects_can_come_out_false(tmp_path: Path, with_event: int, verdict: Verdict) -> None:
    release = _safety(tmp_path, with_event, 0)
    assert _verdict(tmp_path, 11) is verdict
    page = Grid(release / "network" / "claims.html")
    row = next(row for row in page.tables["claims-table"] if row[0].startswith("11. "))
    assert row[1] == "S2"
    assert row[3] == verdict.value


@pytest.mark.parametrize(("serious", "verdict"), [(0, SUPPORTED), (5, UNKNOWN), (20, NOT_SUPPORTED)])
def test_no_serious_event_comes_with_its_bound(tmp_path: Path, serious: int, verdict: Verdict) -> None:
    release = _safety(tmp_path, 900, serious)
    assert _verdict(tmp_path, 8) is verdict
    words = Grid(release / "network" / "claims.html").words
    # Shown as 1,000 to the nearest 5, at least 998 were treated: 1 - 0.05^(1/998) = 0.2997 %.
    assert ("at most 0.300% of patients" in words) is (serious == 0)


def test_a_figure_of_under_half_of_the_people_is_no_evidence(tmp_path: Path) -> None:
    measures = questionnaire("pcl_5", "PCL-5", "last", "Last", ["paired_share", "response_share"], 1)
    figures = """
measure                   | clinic_id | dimension | category | numerator | denominator | patients | clinics
pcl_5_last_paired_share   | network   | protocol  | nad_plus | {paired}  | 1000        | 1000     | 3
pcl_5_last_response_share | network   | protocol  | nad_plus | 350       | 400         | 400      | 3
"""
    for number, (paired, verdict) in enumerate([("400", UNKNOWN), ("600", SUPPORTED)]):
        make_release(tmp_path / str(number), measures, figures.replace("{paired}", paired))
        assert _verdict(tmp_path / str(number), 20) is verdict


def test_a_clinic_is_judged_by_its_own_figures_beside_the_networks(tmp_path: Path) -> None:
    measures = [plain_measure("any_event_share", "safety", "rate", "percent")]
    figures = """
measure         | clinic_id | dimension | category    | numerator | denominator | patients | clinics
any_event_share | alder     | protocol  | iv_ketamine | 20        | 1000        | 1000     | 1
any_event_share | birch     | protocol  | iv_ketamine | 900       | 1000        | 1000     | 1
any_event_share | network   | protocol  | iv_ketamine | 1800      | 3000        | 3000     | 3
"""
    release = make_release(tmp_path, measures, figures)
    row = next(
        row for row in Grid(release / "alder" / "claims.html").tables["claims-table"] if row[0].startswith("11. ")
    )
    assert row[3] == "This clinic: supported Network: not supported"
    assert _verdict(tmp_path, 11, "birch") is NOT_SUPPORTED


def test_what_cannot_be_measured_says_why(tmp_path: Path) -> None:
    release = _safety(tmp_path, 900, 0)
    rows = Grid(release / "network" / "claims.html").tables["claims-table"][1:]
    assert len(rows) == 33
    for claim, row in zip(load_claims().claims, rows, strict=True):
        if claim.not_measurable:
            assert row[3] == UNMEASURABLE.value and " ".join(claim.not_measurable.split()) in row[4]
        else:
            assert row[3] != UNMEASURABLE.value
