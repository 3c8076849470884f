"""Each claim comes out as its rule says, on released figures with their intervals, and all 33 are there."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from scipy import stats

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
)
from clinic_outcomes.publish.claims import assess, load_claims
from clinic_outcomes.publish.recipients import WHOLE_NETWORK, Audience, Recipient
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
    ("seen", "bound", "verdict"),
    [
        (False, "0.99", SUPPORTED),
        (False, "1.03", UNKNOWN),
        (False, None, UNKNOWN),
        (True, None, NOT_SUPPORTED),
        (None, None, UNKNOWN),
    ],
)
def test_no_event_supports_only_where_many_were_treated(seen: bool | None, bound: str | None, verdict: Verdict) -> None:
    rule = NoEvents(kind="none", upper_bound_percent=Decimal(1))
    evidence = Evidence(seen=seen, bound_percent=None if bound is None else Decimal(bound))
    assert judge(rule, evidence, HALF) is verdict


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


def _safety(home: Path, with_event: int, serious: int, treated: int = 1000, sessions_with_event: int = 3000) -> Path:
    measures = [
        plain_measure("any_event_share", "safety", "rate", "percent"),
        plain_measure("sessions_with_event_share", "safety", "rate", "percent", "session"),
        plain_measure("serious_event_share", "safety", "rate", "percent"),
        plain_measure("sessions_given", "treatment", "count", "sessions", "session"),
    ]
    figures = f"""
measure                   | clinic_id | dimension | category    | numerator             | denominator | patients  | clinics
any_event_share           | network   | protocol  | iv_ketamine | {with_event}          | {treated}   | {treated} | 4
sessions_with_event_share | network   | protocol  | iv_ketamine | {sessions_with_event} | 5000        | {treated} | 4
serious_event_share       | network   | protocol  | iv_ketamine | {serious}             | {treated}   | {treated} | 4
sessions_given            | network   | protocol  | iv_ketamine | 5000                  | -           | {treated} | 4
"""  # noqa: E501
    return make_release(home, measures, figures)


def _verdict(home: Path, number: int, recipient: str = "network") -> Verdict:
    view = View(release_of(home), WHOLE_NETWORK if recipient == "network" else Recipient(Audience.CLINIC, recipient))
    claim = next(claim for claim in load_claims().claims if claim.number == number)
    return assess(view, claim, recipient).verdict


@pytest.mark.parametrize(
    ("with_event", "sessions_with_event", "verdict"),
    [
        (900, 3000, NOT_SUPPORTED),
        # 3 % of 1,000 people and 2 % of 5,000 sessions have upper ends of about 4.8 % and 2.9 %.
        (28, 100, SUPPORTED),
        # On the line; withheld.
        (50, 100, UNKNOWN),
        (5, 100, UNKNOWN),
        # All but five people had one: their share is withheld, that of sessions tells.
        (995, 3000, NOT_SUPPORTED),
    ],
)
def test_without_side_effects_can_come_out_false(
    tmp_path: Path, with_event: int, sessions_with_event: int, verdict: Verdict
) -> None:
    release = _safety(tmp_path, with_event, 0, sessions_with_event=sessions_with_event)
    assert _verdict(tmp_path, 11) is verdict
    page = Grid(release / "network" / "claims.html")
    row = next(row for row in page.tables["claims-table"] if row[0].startswith("11. "))
    assert row[1] == "S2"
    assert row[3] == verdict.value


@pytest.mark.parametrize(
    ("serious", "treated", "verdict", "bound"),
    [
        # Shown as 1,000 to the nearest 5, at least 998 were treated; of 245 at least 243, too few to rule out 1 in 100.
        (0, 1000, SUPPORTED, 998),
        (0, 245, UNKNOWN, 243),
        (5, 1000, UNKNOWN, None),
        (28, 1000, NOT_SUPPORTED, None),
    ],
)
def test_no_serious_event_comes_with_its_bound(
    tmp_path: Path, serious: int, treated: int, verdict: Verdict, bound: int | None
) -> None:
    release = _safety(tmp_path, 200, serious, treated)
    assert _verdict(tmp_path, 8) is verdict
    words = Grid(release / "network" / "claims.html").words
    found = re.search(r"none seen; at most ([0-9.]+)% with 95% confidence", words)
    assert (found is not None) is (bound is not None)
    if found and bound:
        exact = 100 * stats.beta.ppf(0.95, 1, bound)
        assert exact <= float(found[1]) < exact * 1.01


@pytest.mark.parametrize(
    ("within", "unknown", "verdict"),
    [
        (950, 28, SUPPORTED),
        (800, 28, NOT_SUPPORTED),
        # Two in ten have no recorded end: nine in ten may have passed in time.
        (800, 200, UNKNOWN),
        # How many have none is withheld.
        (800, 5, UNKNOWN),
    ],
)
def test_effects_without_a_recorded_end_contradict_nothing(
    tmp_path: Path, within: int, unknown: int, verdict: Verdict
) -> None:
    measures = [
        plain_measure("resolved_within_2_hours_share", "safety", "rate", "percent", "event"),
        plain_measure("end_not_recorded_share", "safety", "rate", "percent", "event"),
        plain_measure("adverse_events", "safety", "count", "events", "event"),
    ]
    lines = ["measure | clinic_id | dimension | category | numerator | denominator | patients | clinics"]
    for term in ("dissociation", "perceptual_disturbance", "nausea"):
        lines.append(f"resolved_within_2_hours_share | network | term | {term} | {within} | 1000 | 400 | 4")
        lines.append(f"end_not_recorded_share | network | term | {term} | {unknown} | 1000 | 400 | 4")
        lines.append(f"adverse_events | network | term | {term} | 1000 | - | 400 | 4")
    make_release(tmp_path, measures, "\n".join(lines))
    assert _verdict(tmp_path, 10) is verdict


@pytest.mark.parametrize(
    ("escalated", "in_time", "verdict"),
    [(950, 930, SUPPORTED), (950, 500, NOT_SUPPORTED), (900, 930, UNKNOWN)],
)
def test_thoughts_of_suicide_are_acted_on_or_not(
    tmp_path: Path, escalated: int, in_time: int, verdict: Verdict
) -> None:
    measures = [
        plain_measure("escalated_share", "suicidality", "rate", "percent", "event"),
        plain_measure("action_within_60_minutes_share", "suicidality", "rate", "percent", "event"),
    ]
    figures = f"""
measure                        | clinic_id | dimension | category | numerator   | denominator | patients | clinics
escalated_share                | network   | ''        | ''       | {escalated} | 1000        | 400      | 4
action_within_60_minutes_share | network   | ''        | ''       | {in_time}   | 1000        | 400      | 4
"""
    make_release(tmp_path, measures, figures)
    assert _verdict(tmp_path, 27) is verdict


def test_a_figure_of_under_half_of_the_people_is_no_evidence(tmp_path: Path) -> None:
    measures = questionnaire("pcl_5", "PCL-5", "last", "Last", ["paired_share", "response_share"], 1)
    figures = """
measure                   | clinic_id | dimension | category | numerator | denominator | patients | clinics
pcl_5_last_paired_share   | network   | protocol  | nad_plus | {paired}  | 1000        | 1000     | 4
pcl_5_last_response_share | network   | protocol  | nad_plus | 350       | 400         | 400      | 4
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
any_event_share | network   | protocol  | iv_ketamine | 1800      | 3000        | 3000     | 4
"""
    sessions = figures.strip().splitlines()[1:]
    measures.append(plain_measure("sessions_with_event_share", "safety", "rate", "percent", "session"))
    measures.append(plain_measure("sessions_given", "treatment", "count", "sessions", "session"))
    for scope, clinics in (("alder", 1), ("birch", 1), ("network", 4)):
        figures += f"sessions_given | {scope} | protocol | iv_ketamine | 1000 | - | 1000 | {clinics}\n"
    figures += "\n".join(line.replace("any_event_share", "sessions_with_event_share") for line in sessions)

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
