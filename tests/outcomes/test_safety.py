"""Adverse events: a clinic by eye, a network against an independent count, intervals against scipy and statsmodels."""

# ruff: noqa: E501 - a row of a table that is read by eye stays on one line

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from clinic_outcomes.settings import Settings
from tests.outcomes.safety_recomputed import Counts, Safety, populations
from tests.support.marts import mart
from tests.support.model_states import read_table
from tests.support.outcome_network import outcome_network

__all__ = ["outcome_network"]

# Treated are all but `fay`. Nobody knows until when `cat` was watched; she stopped for an adverse event on day 3.
MAPLE = {
    "patient": """
        patient_id | observed_through_day
        ann        | 99
        ben        | 49
        cat        | -
        dan        | 10
        eve        | 0
        fay        | 50
        """,
    "course": """
        course_id | patient_id | protocol    | trial_arm
        K1        | ann        | iv_ketamine | -
        K2        | ben        | iv_ketamine | -
        K3        | ben        | sgb         | -
        K4        | cat        | iv_ketamine | -
        K5        | dan        | sgb         | -
        K6        | eve        | iv_ketamine | -
        """,
    "disposition": """
        course_id | patient_id | disposition           | disposition_day
        K1        | ann        | completed             | 7
        K4        | cat        | stopped_adverse_event | 3
        """,
    "session": """
        session_id | patient_id | course_id | session_day | sequence_number | drug        | dose_mg_per_kg | route       | infusion_minutes | recovery_minutes
        S1         | ann        | K1        | 0           | 1               | ketamine    | 0.5            | intravenous | 40               | 80
        S2         | ann        | K1        | 7           | 2               | ketamine    | 0.6            | intravenous | 40               | -
        S3         | ben        | K2        | 10          | 1               | ketamine    | 0.39           | intravenous | 40               | 60
        S4         | ben        | K2        | 17          | 13              | ketamine    | -              | intravenous | 40               | 60
        S5         | ben        | K3        | 20          | 1               | ropivacaine | -              | -           | -                | 30
        S6         | cat        | K4        | 0           | 1               | ketamine    | 1.2            | intravenous | -                | 60
        S7         | dan        | K5        | 1           | 1               | ropivacaine | -              | -           | -                | 30
        S8         | eve        | K6        | 0           | 1               | ketamine    | 0.5            | intravenous | 40               | 60
        """,
    # E4 began before treatment, E10 is of a person never treated. E7 has no day, E9 began after the course was stopped.
    "adverse_event": """
        adverse_event_id | patient_id | course_id | session_id | term         | severity | grade | serious | seriousness_criteria | relatedness | onset_day | onset_minutes | end_day | end_minutes
        E1               | ann        | -         | S1         | nausea       | mild     | 1     | no      | -                    | probable    | 0         | 10            | 0       | 100
        E2               | ann        | -         | S1         | nausea       | moderate | 2     | no      | -                    | -           | 0         | 30            | 0       | 160
        E3               | ann        | -         | S2         | dissociation | severe   | -     | no      | -                    | -           | 7         | 20            | -       | -
        E4               | ann        | -         | -          | headache     | mild     | 1     | no      | -                    | -           | -1        | -             | -1      | -
        E5               | ben        | -         | S3         | nausea       | severe   | 3     | yes     | [hospitalisation, disability] | unlikely | 10 | -             | 10      | -
        E6               | ben        | -         | -          | headache     | mild     | 1     | no      | -                    | -           | 25        | -             | 27      | -
        E7               | ben        | K2        | -          | unmapped     | -        | -     | no      | -                    | -           | -         | -             | -       | -
        E8               | cat        | -         | S6         | dizziness    | moderate | 2     | no      | -                    | definite    | 0         | 5             | 0       | 20
        E9               | cat        | -         | -          | nausea       | mild     | 1     | no      | -                    | -           | 5         | -             | -       | -
        E10              | fay        | -         | -          | fatigue      | mild     | 1     | no      | -                    | -           | 2         | -             | -       | -
        """,
}
# Once more E1 and E3; a treatment nobody had, of a person with a serious event.
DOUBLED = MAPLE | {
    "adverse_event": MAPLE["adverse_event"].rstrip()
    + """
        E11              | ann        | -         | S1         | nausea       | mild     | 1     | no      | -                    | probable    | 0         | 10            | 0       | 100
        E12              | ann        | -         | S2         | dissociation | severe   | -     | no      | -                    | -           | 7         | 20            | -       | -
        """,
}
STRANGERS = MAPLE | {
    "patient": MAPLE["patient"].rstrip() + "\n        guy | 30",
    "adverse_event": MAPLE["adverse_event"].rstrip()
    + "\n E11 | guy | - | - | syncope | severe | 3 | yes | [hospitalisation] | definite | 2 | - | - | -",
}
# Nothing happened; and nobody knows how long who was watched.
LARCH = {
    "patient": "patient_id | observed_through_day\n B1 | 20",
    "course": "course_id | patient_id | protocol\n K1 | B1 | iv_ketamine",
    "session": "session_id | patient_id | course_id | session_day | drug | sequence_number\n S1 | B1 | K1 | 0 | ketamine | 1\n S2 | B1 | K1 | 3 | ketamine | 2",
    "adverse_event": "adverse_event_id | patient_id | term",
}
ROWAN = {
    "patient": "patient_id\n C1",
    "course": "course_id | patient_id | protocol\n K1 | C1 | iv_ketamine",
    "session": "session_id | patient_id | course_id | session_day | drug | sequence_number\n S1 | C1 | K1 | 0 | ketamine | 1",
    "adverse_event": "adverse_event_id | patient_id | session_id | term | onset_day\n E1 | C1 | - | nausea | 0",
}
CLINICS = {"maple": MAPLE, "doubled": DOUBLED, "strangers": STRANGERS, "larch": LARCH, "rowan": ROWAN}

# Counted by eye. Days: ann 100, ben 10 and 30 under the block, dan 10, eve 1.
FIGURES = """
    measure                                | clinic | dimension             | category        | numerator | denominator | value
    adverse_events                         | maple  | ''                    | ''              | 8         | -           | 8
    patients_with_any_event                | maple  | ''                    | ''              | 3         | -           | 3
    any_event_share                        | maple  | ''                    | ''              | 3         | 5           | 0.6
    any_event_share                        | maple  | protocol              | iv_ketamine     | 3         | 4           | 0.75
    any_event_share                        | maple  | protocol              | sgb             | 1         | 2           | 0.5
    any_event_share                        | maple  | term                  | nausea          | 3         | 5           | 0.6
    any_event_share                        | maple  | term                  | headache        | 1         | 5           | 0.2
    any_event_share                        | maple  | worst_grade           | grade_1         | -         | -           | absent
    any_event_share                        | maple  | worst_grade           | grade_2         | 2         | 5           | 0.4
    any_event_share                        | maple  | worst_grade           | grade_3         | 1         | 5           | 0.2
    any_event_share                        | rowan  | worst_grade           | not_recorded    | 1         | 1           | 1
    any_event_share                        | maple  | worst_grade           | not_recorded    | 0         | 5           | 0
    any_event_share                        | maple  | relatedness           | unlikely        | 1         | 5           | 0.2
    any_event_share                        | maple  | relatedness           | not_recorded    | 3         | 5           | 0.6
    serious_event_share                    | maple  | ''                    | ''              | 1         | 5           | 0.2
    serious_event_share                    | maple  | seriousness_criterion | hospitalisation | 1         | 5           | 0.2
    serious_event_share                    | maple  | seriousness_criterion | disability      | 1         | 5           | 0.2
    serious_event_share                    | maple  | seriousness_criterion | death           | -         | -           | absent
    serious_adverse_events                 | maple  | ''                    | ''              | 1         | -           | 1
    serious_adverse_events                 | larch  | ''                    | ''              | 0         | -           | 0
    serious_adverse_events                 | rowan  | ''                    | ''              | -         | -           | absent
    patients_with_serious_event            | rowan  | ''                    | ''              | -         | -           | absent
    serious_event_share                    | rowan  | ''                    | ''              | -         | -           | absent
    serious_event_share                    | network | ''                   | ''              | 3         | 16          | 0.1875
    any_event_share                        | network | ''                   | ''              | 10        | 17          | 0.588235
    severe_event_share                     | rowan  | ''                    | ''              | -         | -           | absent
    related_event_share                    | rowan  | ''                    | ''              | -         | -           | absent
    discontinued_for_event_share           | larch  | ''                    | ''              | -         | -           | absent
    serious_event_rate_per_100_sessions    | rowan  | ''                    | ''              | -         | -           | absent
    severe_event_share                     | maple  | ''                    | ''              | 2         | 5           | 0.4
    related_event_share                    | maple  | ''                    | ''              | 2         | 5           | 0.4
    related_event_share                    | maple  | term                  | nausea          | 1         | 5           | 0.2
    discontinued_for_event_share           | maple  | ''                    | ''              | 1         | 5           | 0.2
    discontinued_for_event_share           | maple  | protocol              | sgb             | 0         | 2           | 0
    sessions_with_event_share              | maple  | ''                    | ''              | 4         | 8           | 0.5
    sessions_with_event_share              | maple  | session_of_course     | 1               | 3         | 6           | 0.5
    sessions_with_event_share              | maple  | session_of_course     | 13_or_more      | 0         | 1           | 0
    sessions_with_event_share              | maple  | dose_band             | from_0_4        | 1         | 2           | 0.5
    sessions_with_event_share              | maple  | dose_band             | from_0_6        | 1         | 1           | 1
    sessions_with_event_share              | maple  | dose_band             | under_0_4       | 1         | 1           | 1
    sessions_with_event_share              | maple  | dose_band             | over_1_0        | 1         | 1           | 1
    sessions_with_event_share              | maple  | drug                  | ropivacaine     | 0         | 2           | 0
    sessions_with_event_share              | maple  | term                  | nausea          | 2         | 8           | 0.25
    sessions_with_event_share              | larch  | ''                    | ''              | 0         | 2           | 0
    sessions_with_event_share              | rowan  | ''                    | ''              | -         | -           | absent
    event_rate_per_100_sessions            | maple  | ''                    | ''              | 3         | 5           | 100
    event_rate_per_100_sessions            | maple  | term                  | nausea          | 3         | 5           | 50
    serious_event_rate_per_100_sessions    | maple  | ''                    | ''              | 1         | 5           | 12.5
    event_rate_per_100_patient_years       | maple  | ''                    | ''              | 2         | 5           | 1209.437086
    event_rate_per_100_patient_years       | maple  | protocol              | iv_ketamine     | 2         | 4           | 1316.216216
    event_rate_per_100_patient_years       | maple  | protocol              | sgb             | 1         | 2           | 913.125
    first_event_rate_per_100_patient_years | maple  | ''                    | ''              | 2         | 5           | 5619.230769
    first_event_rate_per_100_patient_years | maple  | protocol              | iv_ketamine     | 2         | 4           | 24350
    first_event_rate_per_100_patient_years | maple  | protocol              | sgb             | 1         | 2           | 2282.8125
    event_rate_per_100_patient_years       | larch  | ''                    | ''              | 0         | 1           | 0
    event_rate_per_100_patient_years       | rowan  | ''                    | ''              | -         | -           | absent
    first_event_rate_per_100_patient_years | rowan  | protocol              | iv_ketamine     | -         | -           | absent
    onset_minutes_median                   | maple  | ''                    | ''              | -         | 2           | 15
    resolution_minutes_median              | maple  | ''                    | ''              | -         | 2           | 110
    resolution_minutes_median              | maple  | term                  | dissociation    | -         | 1           | -
    resolved_by_discharge_share            | maple  | ''                    | ''              | 1         | 3           | 0.333333
    resolved_within_2_hours_share          | maple  | ''                    | ''              | 2         | 7           | 0.285714
    resolved_within_24_hours_share         | maple  | ''                    | ''              | 4         | 8           | 0.5
    end_not_recorded_share                 | maple  | ''                    | ''              | 3         | 8           | 0.375
    events_unmapped_share                  | maple  | ''                    | ''              | 1         | 8           | 0.125
    """


def figures(settings: Settings) -> pd.DataFrame:
    """Figures of the section, exact."""
    rows = mart(settings, "agg_figures").merge(mart(settings, "dim_measures")[["measure", "section"]], on="measure")
    return rows[rows.section == "safety"].set_index("figure_id").sort_index()


def exact(value: float) -> Decimal | None:
    """A figure as it was stored, with no more than six decimals."""
    return None if pd.isna(value) else Decimal(str(float(value)))


def test_a_clinic_counted_by_eye(by_hand: Settings) -> None:
    found = figures(by_hand).to_dict("index")
    for case in read_table(FIGURES):
        key = "/".join(str(case[name]) for name in ("measure", "clinic", "dimension", "category"))
        if case["value"] == "absent":
            assert key not in found
            continue
        row = found[key]
        values = [exact(row[name]) for name in ("numerator", "denominator", "value")]
        assert values == [case[name] and Decimal(str(case[name])) for name in ("numerator", "denominator", "value")], (
            key
        )


def test_which_event_stopped_the_course(by_hand: Settings) -> None:
    events = mart(by_hand, "fct_adverse_events").set_index("adverse_event_key")
    assert list(events.index[events.led_to_discontinuation & (events.clinic_id == "maple")]) == ["maple/E8"]


def told_of(settings: Settings, clinic_id: str) -> pd.DataFrame:
    rows = figures(settings)
    rows = rows[rows.clinic_id == clinic_id].drop(columns="clinic_id")
    return rows.set_index(rows.index.str.replace(f"/{clinic_id}/", "/clinic/"))


def test_an_event_told_twice_is_of_no_more_people(by_hand: Settings) -> None:
    once, twice = told_of(by_hand, "maple"), told_of(by_hand, "doubled")
    assert list(once.index) == list(twice.index)
    types = mart(by_hand, "dim_measures").set_index("measure").contributors
    of_people = once[types[once.measure].isin(["patient", "session"]).to_numpy() & (once.figure_type != "mean")]
    pd.testing.assert_frame_equal(twice.loc[of_people.index], of_people)
    for name in ("patients", "numerator_patients"):
        assert (twice[name] == once[name]).all()
    more = {"": 10, "term/nausea": 5, "term/dissociation": 2, "protocol/iv_ketamine": 9, "protocol/sgb": 1}
    for place, events in more.items():
        assert twice.numerator[f"adverse_events/clinic/{place or '/'}"] == events


def test_who_was_not_treated_changes_nothing(by_hand: Settings) -> None:
    pd.testing.assert_frame_equal(told_of(by_hand, "strangers"), told_of(by_hand, "maple"))


def test_a_term_that_nobody_has_is_absent_and_one_of_others_is_nought(by_hand: Settings) -> None:
    rows = figures(by_hand)
    assert not rows.category.isin(["vomiting", "syncope", "fatigue"]).any()
    larch = rows.loc["any_event_share/larch/term/nausea"]
    assert (larch.numerator, larch.denominator) == (0, 1)


def test_bounds_where_nothing_was_seen(by_hand: Settings) -> None:
    shares = mart(by_hand, "agg_safety_shares").set_index("figure_id")
    assert shares.upper_95["serious_event_share/larch//"] == pytest.approx(0.95, abs=1e-9)
    assert shares.upper_95["sessions_with_event_share/larch//"] == pytest.approx(1 - 0.05**0.5, abs=1e-9)
    assert pd.isna(shares.upper_95["any_event_share/maple//"])
    rates = mart(by_hand, "agg_event_rates").set_index(["measure", "clinic_id", "dimension", "category"])
    none_seen = rates.loc["event_rate_per_100_patient_years", "larch", "", ""]
    # 3.00 events could have been missed in 21 days.
    assert none_seen.upper_95 == pytest.approx(stats.chi2.ppf(0.95, 2) / 2 / 21 * 36525, rel=1e-9)
    unknown = rates.loc["event_rate_per_100_patient_years", "rowan", "", ""]
    assert (unknown.people, unknown.exposure) == (1, 0)
    assert unknown[["rate", "garwood_lower", "garwood_upper", "byar_lower", "byar_upper", "upper_95"]].isna().all()


@pytest.fixture(scope="module")
def recomputed(outcome_network: Settings) -> Safety:
    return Safety(outcome_network)


@pytest.fixture(scope="module")
def found(outcome_network: Settings) -> pd.DataFrame:
    return figures(outcome_network)


def check(found: pd.DataFrame, expected: Counts) -> None:
    """Every figure of these measures that is not nought is expected, and every one expected is there."""
    measures = {key[0] for key in expected}
    told = found[found.measure.isin(measures) & (found.dimension != "organisation")]
    exact = {
        (row.measure, row.clinic_id, row.dimension, row.category): (int(row.numerator), int(row.denominator))
        for row in told.itertuples()
    }
    # Where a clinic has nobody under a protocol, the figure is of nobody.
    missing = {key: counts for key, counts in expected.items() if counts != exact.get(key, (0, 0))}
    assert missing == {}
    assert {key for key, counts in exact.items() if counts[0]} <= set(expected)


def test_shares_of_people_as_recomputed(recomputed: Safety, found: pd.DataFrame) -> None:
    expected = recomputed.shares_of_people()
    check(found, expected)
    people = {key: counts[0] for key, counts in expected.items() if key[:2] == ("any_event_share", "network")}
    by_grade = sum(count for key, count in people.items() if key[2] == "worst_grade")
    assert by_grade == people["any_event_share", "network", "", ""] > 1500
    assert expected["discontinued_for_event_share", "network", "", ""][0] > 20


def test_shares_of_sessions_as_recomputed(recomputed: Safety, found: pd.DataFrame) -> None:
    expected = recomputed.shares_of_sessions()
    check(found, expected)
    dimensions = {key[2] for key in expected}
    assert dimensions == {"", "protocol", "trial_arm", "drug", "session_of_course", "dose_band", "term"}
    owners = found[(found.measure == "sessions_with_event_share") & (found.dimension == "organisation")]
    assert "network" not in set(owners.clinic_id)
    for clinic, rows in owners.groupby("clinic_id"):
        total = expected["sessions_with_event_share", str(clinic), "", ""]
        assert (rows.numerator.sum(), rows.denominator.sum()) == total


def test_events_over_sessions_and_time_as_recomputed(recomputed: Safety, found: pd.DataFrame) -> None:
    time = recomputed.person_time()
    checked = 0
    for (clinic, dimension, category), counts in time.items():
        place = f"{clinic}/{dimension}/{category}"
        for measure, events, days in (
            ("event_rate_per_100_patient_years", counts["events"], counts["days"]),
            (
                "first_event_rate_per_100_patient_years",
                counts["people_with_event"],
                counts["days_until_first_event"],
            ),
        ):
            row = found.loc[f"{measure}/{place}"]
            assert exact(row.value) == rounded(Fraction(36525 * events, days)), (measure, place)
            assert row.numerator == counts["people_with_event"]
            checked += events
        sessions = sum(
            clinic in (s["clinic_id"], "network") and (dimension, category) in populations(s)
            for s in recomputed.sessions
        )
        rates = [("event_rate_per_100_sessions", None), ("serious_event_rate_per_100_sessions", "yes")]
        for measure, wanted in rates[: 1 if dimension == "trial_arm" else 2]:
            events = sum(
                clinic in (e["clinic_id"], "network")
                and (dimension, category) in populations(e)
                and wanted in (None, e["serious"])
                for e in recomputed.events
            )
            assert exact(found.value[f"{measure}/{place}"]) == rounded(Fraction(100 * events, sessions)), (
                measure,
                place,
            )
    assert checked > 20_000
    of_all = found[found.measure.isin(["event_rate_per_100_patient_years", "event_rate_per_100_sessions"])]
    told = of_all[of_all.dimension != "term"]
    assert len(told) == 2 * len(time)


def rounded(value: Fraction) -> Decimal:
    return (Decimal(value.numerator) / value.denominator).quantize(Decimal("0.000001"), ROUND_HALF_UP)


def test_onset_and_resolution_as_recomputed(recomputed: Safety, found: pd.DataFrame) -> None:
    shares, medians = recomputed.event_times()
    check(found, shares)
    told = found[found.measure.isin(["onset_minutes_median", "resolution_minutes_median"])]
    assert len(told) == len(medians) > 100
    for (measure, clinic, dimension, category), value in medians.items():
        row = told.loc[f"{measure}/{clinic}/{dimension}/{category}"]
        assert exact(row.value) == (None if value is None else rounded(value))


def test_events_and_people_are_those_of_their_shares(recomputed: Safety, found: pd.DataFrame) -> None:
    of_kind = found[found.measure == "any_event_share"]
    of_kind = of_kind[of_kind.dimension.isin(["", "protocol", "system_class", "term", "severity"])]
    counted = found.loc[of_kind.index.str.replace("any_event_share", "patients_with_any_event")]
    assert list(counted.numerator) == list(of_kind.numerator)
    terms = found[(found.measure == "adverse_events") & (found.dimension == "term") & (found.clinic_id == "network")]
    assert terms.numerator.sum() == found.numerator["adverse_events/network//"] == len(recomputed.events)


def test_intervals_of_shares_as_statsmodels(outcome_network: Settings) -> None:
    shares = mart(outcome_network, "agg_safety_shares")
    shares = shares[shares.denominator > 0].drop_duplicates(["numerator", "denominator"])
    assert len(shares) > 200 and (shares.numerator == 0).any() and (shares.numerator == shares.denominator).any()
    lower, upper = proportion_confint(shares.numerator, shares.denominator, method="beta")
    assert (shares.lower_end - lower).abs().max() < 1e-9
    assert (shares.upper_end - upper).abs().max() < 1e-9
    none = shares[shares.numerator == 0]
    assert (none.upper_95 - stats.beta.ppf(0.95, 1, none.denominator)).abs().max() < 1e-9
    assert shares.upper_95.notna().sum() == len(none)


def test_intervals_of_rates_as_scipy(outcome_network: Settings) -> None:
    rates = mart(outcome_network, "agg_event_rates")
    assert set(rates.measure) == {
        "event_rate_per_100_sessions",
        "serious_event_rate_per_100_sessions",
        "event_rate_per_100_patient_years",
        "first_event_rate_per_100_patient_years",
    }
    hundreds = rates.exposure / rates.exposure_unit.map({"sessions": 100, "days": 36525})
    x = rates.events
    expected = {
        "rate": x / hundreds,
        "garwood_lower": stats.chi2.ppf(0.025, 2 * x.where(x > 0, 1)) * (x > 0) / 2 / hundreds,
        "garwood_upper": stats.chi2.ppf(0.975, 2 * x + 2) / 2 / hundreds,
        "byar_lower": (
            x * (1 - 1 / (9 * x.where(x > 0, 1)) - stats.norm.ppf(0.975) / 3 / x.where(x > 0, 1) ** 0.5) ** 3
        ).clip(lower=0)
        / hundreds,
        "byar_upper": (x + 1) * (1 - 1 / (9 * (x + 1)) + stats.norm.ppf(0.975) / 3 / (x + 1) ** 0.5) ** 3 / hundreds,
    }
    for name, values in expected.items():
        assert ((rates[name] - values).abs() / hundreds.rpow(0).add(values.clip(lower=1))).max() < 1e-9, name
    none = rates[x == 0]
    assert (none.upper_95 - stats.chi2.ppf(0.95, 2) / 2 / hundreds[x == 0]).abs().max() < 1e-6 and len(none) > 5
