"""Signals against pandas, scipy, statsmodels and another fit over the network; and one that was planted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import optimize, stats
from statsmodels.stats.contingency_tables import Table2x2

from clinic_outcomes.database import session
from clinic_outcomes.model import model
from clinic_outcomes.settings import Settings
from tests.outcomes.recomputed import accepted_table
from tests.support.columnar_states import write_columnar_state
from tests.support.marts import mart, rows
from tests.support.model_states import small_settings
from tests.support.outcome_network import outcome_network

__all__ = ["outcome_network"]

Floats = NDArray[np.float64]
PERSON = ["clinic_id", "patient_id"]
KEYS = ["axis", "category", "term"]


def courses_of_events(events: pd.DataFrame, sessions: pd.DataFrame, courses: pd.DataFrame) -> pd.Series:
    """The course of each event: its own, its session's, that of the last session before it, the person's only one."""
    of_session = sessions.set_index(["clinic_id", "session_id"]).course_id
    only = courses.groupby(PERSON).course_id.agg(lambda ids: ids.iloc[0] if len(ids) == 1 else None)
    earlier = sessions.sort_values(["session_day", "session_id"])
    found = []
    for event in events.itertuples():
        course = event.course_id
        if pd.isna(course) and not pd.isna(event.session_id):
            course = of_session.get((event.clinic_id, event.session_id))
        if pd.isna(course) and not pd.isna(event.onset_day):
            own = earlier[(earlier.clinic_id == event.clinic_id) & (earlier.patient_id == event.patient_id)]
            own = own[own.session_day <= event.onset_day]
            course = own.course_id.iloc[-1] if len(own) else None
        found.append(only.get((event.clinic_id, event.patient_id)) if pd.isna(course) else course)
    return pd.Series(found, index=events.index)


@pytest.fixture(scope="module")
def recounted(outcome_network: Settings) -> pd.DataFrame:
    """People with an event and people treated, by axis, category and term, from accepted rows."""
    sessions = accepted_table(
        outcome_network, "session", ["session_id", "patient_id", "course_id", "session_day", "drug"]
    )
    courses = accepted_table(outcome_network, "course", ["course_id", "patient_id", "protocol"])
    events = accepted_table(
        outcome_network, "adverse_event", ["patient_id", "course_id", "session_id", "term", "onset_day"]
    )
    first = sessions.groupby(PERSON).session_day.min().rename("first_day").reset_index()
    events = events.merge(first, on=PERSON)
    emergent = events.onset_day.isna() | (events.onset_day >= events.first_day)
    events = events[(events.term != "unmapped") & emergent].reset_index(drop=True)
    events["course_id"] = courses_of_events(events, sessions, courses)
    protocols = courses[["clinic_id", "course_id", "protocol"]]
    sessions = sessions.merge(protocols, on=["clinic_id", "course_id"], how="left")
    events = events.merge(protocols, on=["clinic_id", "course_id"], how="left")
    drug_of_session = sessions[["clinic_id", "session_id", "drug"]]
    tied = events[events.session_id.notna()].merge(drug_of_session, on=["clinic_id", "session_id"])
    untied = events[events.session_id.isna()].merge(
        sessions[["clinic_id", "course_id", "drug"]].drop_duplicates(), on=["clinic_id", "course_id"]
    )
    by_axis = {
        "clinic": (sessions.assign(category=sessions.clinic_id), events.assign(category=events.clinic_id)),
        "protocol": (sessions.assign(category=sessions.protocol), events.assign(category=events.protocol)),
        "drug": (
            sessions.assign(category=sessions.drug),
            pd.concat([tied, untied]).rename(columns={"drug": "category"}),
        ),
    }
    return pd.concat([counted(axis, *tables) for axis, tables in by_axis.items()], ignore_index=True)


def counted(axis: str, sessions: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    """Cells of one axis, with zeros."""
    people = sessions[[*PERSON, "category"]].drop_duplicates()
    people = people[people.category.notna() & ~people.category.isin(["unmapped", "not_recorded"])]
    with_event = events[[*PERSON, "category", "term"]].drop_duplicates().merge(people, on=[*PERSON, "category"])
    table = pd.crosstab(with_event.category, with_event.term)
    treated = people.groupby("category").size()
    table = table.reindex(treated.index, fill_value=0)
    cells = table.stack().rename("people_with_event").reset_index()
    cells["people_treated"] = cells.category.map(treated)
    cells["elsewhere_with_event"] = cells.term.map(table.sum()) - cells.people_with_event
    cells["elsewhere_treated"] = treated.sum() - cells.people_treated
    return cells.assign(axis=axis)


@pytest.fixture(scope="module")
def signals(outcome_network: Settings) -> pd.DataFrame:
    return mart(outcome_network, "agg_signals").sort_values(KEYS).reset_index(drop=True)


def test_people(signals: pd.DataFrame, recounted: pd.DataFrame) -> None:
    names = [*KEYS, "people_with_event", "people_treated", "elsewhere_with_event", "elsewhere_treated"]
    expected = recounted.sort_values(KEYS).reset_index(drop=True)[names]
    assert len(signals) > 200
    assert set(signals.axis) == {"clinic", "protocol", "drug"}
    pd.testing.assert_frame_equal(signals[names], expected, check_dtype=False)
    assert set(signals.purpose) == {"screening only"}


def test_ratios_and_chance(signals: pd.DataFrame) -> None:
    a, n = signals.people_with_event.to_numpy(float), signals.people_treated.to_numpy(float)
    c, m = signals.elsewhere_with_event.to_numpy(float), signals.elsewhere_treated.to_numpy(float)
    np.testing.assert_allclose(signals.expected, n * (a + c) / (n + m), atol=1e-9)
    for cell in signals.itertuples():
        table = np.array(
            [
                [cell.people_with_event, cell.people_treated - cell.people_with_event],
                [cell.elsewhere_with_event, cell.elsewhere_treated - cell.elsewhere_with_event],
            ]
        )
        assert cell.is_corrected == (0 in table)
        compared = Table2x2(table + 0.5 * (0 in table), shift_zeros=False)
        assert (cell.prr, cell.prr_lower, cell.prr_upper) == pytest.approx(
            (compared.riskratio, *compared.riskratio_confint()), rel=1e-6, abs=2e-9
        )
        assert (cell.ror, cell.ror_lower, cell.ror_upper) == pytest.approx(
            (compared.oddsratio, *compared.oddsratio_confint()), rel=1e-6, abs=2e-9
        )
    shrunk = a + 0.5
    component = np.log2(shrunk / (n * (a + c) / (n + m) + 0.5))
    np.testing.assert_allclose(signals.ic, component, atol=2e-9)
    np.testing.assert_allclose(signals.ic025, component - 3.3 * shrunk**-0.5 - 2 * shrunk**-1.5, atol=2e-9)
    p_values = stats.hypergeom.sf(a - 1, n + m, a + c, n)
    np.testing.assert_allclose(signals.p_value, p_values, rtol=1e-7, atol=1e-9)
    for axis, cells in signals.groupby("axis"):
        adjusted = stats.false_discovery_control(p_values[signals.axis == axis])
        np.testing.assert_allclose(cells.adjusted_p_value, adjusted, rtol=1e-7, atol=1e-9)


def loss(logs: Floats, counts: Floats, expected: Floats) -> float:
    """By scipy's negative binomial, in logarithms of shapes and means and the logit of the first's probability."""
    shape_1, mean_1, shape_2, mean_2 = np.exp(logs[:4])
    weight = 1 / (1 + np.exp(-logs[4]))
    first = stats.nbinom.pmf(counts, shape_1, 1 / (1 + expected * mean_1 / shape_1))
    second = stats.nbinom.pmf(counts, shape_2, 1 / (1 + expected * mean_2 / shape_2))
    return -float(np.log(np.maximum(weight * first + (1 - weight) * second, 1e-300)).sum())


@pytest.mark.parametrize("axis", ["clinic", "protocol", "drug"])
def test_shrunken_ratios(signals: pd.DataFrame, axis: str) -> None:
    """A prior fitted by differential evolution, and the posterior of each cell summed over a fine grid."""
    cells = signals[signals.axis == axis]
    counts, expected = cells.people_with_event.to_numpy(float), cells.expected.to_numpy(float)
    bounds = [(-4.0, 9.0), (-9.0, 4.0), (-4.0, 9.0), (-9.0, 4.0), (-6.0, 6.0)]
    evolved = [
        optimize.differential_evolution(
            loss, bounds, args=(counts, expected), seed=seed, popsize=12, maxiter=150, tol=1e-8, polish=False
        )
        for seed in (3, 4, 5)
    ]
    # Each may have settled on a lesser maximum.
    fit = optimize.minimize(
        loss,
        min(evolved, key=lambda found: found.fun).x,
        args=(counts, expected),
        method="Nelder-Mead",
        options={"maxfev": 3_000, "xatol": 1e-7, "fatol": 1e-9},
    )
    shape_1, mean_1, shape_2, mean_2 = np.exp(fit.x[:4])
    weight = 1 / (1 + np.exp(-fit.x[4]))
    logs = np.linspace(np.log(1e-6), np.log(200), 20_001)
    ratios = np.exp(logs)
    prior = weight * stats.gamma.pdf(ratios, shape_1, scale=mean_1 / shape_1)
    prior += (1 - weight) * stats.gamma.pdf(ratios, shape_2, scale=mean_2 / shape_2)
    # Where nobody had the event the posterior lies on ratios of nearly 0, of which no logarithm is of any use.
    for cell in cells[cells.people_with_event > 0].itertuples():
        density = prior * ratios * stats.poisson.pmf(cell.people_with_event, ratios * cell.expected)
        cumulative = np.cumsum(density) / density.sum()
        assert cell.ebgm == pytest.approx(np.exp((logs * density).sum() / density.sum()), rel=0.01, abs=0.01)
        assert cell.eb05 == pytest.approx(np.exp(np.interp(0.05, cumulative, logs)), rel=0.015, abs=0.01)


def test_judgement(signals: pd.DataFrame) -> None:
    """Twice the risk elsewhere: r / (r + 1) where the category is as large as the rest, 2 where it is nothing."""
    share = signals.people_treated / (signals.people_treated + signals.elsewhere_treated)
    # A category with twice the risk elsewhere has 2 / (2 s + 1 - s) times the risk of all.
    np.testing.assert_allclose(signals.eb05_minimum, 2 / (2 * share + (1 - share)))
    expected = (signals.people_with_event >= 3) & (signals.eb05 >= 2 / (1 + share)) & (signals.adjusted_p_value < 0.05)
    assert signals.is_signal.astype(bool).tolist() == expected.tolist()
    assert 0 < expected.sum() < len(signals) / 2
    # A block of the stellate ganglion gives Horner's syndrome: if any is found of a drug, this is.
    found = signals[expected & (signals.axis == "drug")]
    assert "drug/ropivacaine/horner_syndrome" in set(found.signal_id)
    assert found[found.signal_id == "drug/ropivacaine/horner_syndrome"].is_expected_of_drug.tolist() == [True]


TERMS = ("nausea", "dizziness", "headache", "vomiting", "anxiety", "fatigue", "sedation", "blurred_vision")


def write_clinic(settings: Settings, number: int, clinic_id: str, *, events: bool = True, people: int = 100) -> None:
    """``people`` with a session of ketamine each; of the k-th term about k in ten have an event, everywhere alike.

    One person of each clinic faints, of the fourth twenty do.
    """
    person = f"SELECT range AS number, 'p' || range AS patient_id FROM range({people})"
    usual = " UNION ALL ".join(
        f"SELECT patient_id, '{term}' AS term FROM people WHERE (7 * number + 3 * {number} + {k}) % 10 < {k}"
        for k, term in enumerate(TERMS, start=1)
    )
    faints = f"SELECT patient_id, 'syncope' AS term FROM people WHERE number < {20 if number == 4 else 1}"
    tables = {
        "patient": f"SELECT patient_id, 400 AS observed_through_day FROM ({person})",
        "course": f"SELECT patient_id AS course_id, patient_id, 'iv_ketamine' AS protocol FROM ({person})",
        "session": "SELECT patient_id AS session_id, patient_id, patient_id AS course_id, 10 AS session_day, "
        f"1 AS sequence_number, 'ketamine' AS drug FROM ({person})",
        # Twice each: a person counts once.
        "adverse_event": "SELECT patient_id || '/' || term || '/' || copy AS adverse_event_id, patient_id, "
        f"patient_id AS session_id, term, 10 AS onset_day FROM (WITH people AS ({person}) {usual} UNION ALL {faints}), "
        "(VALUES (1), (2)) AS copies (copy)",
    }
    if not events:
        del tables["adverse_event"]
    with session(settings) as connection:
        write_columnar_state(connection, settings, clinic_id, tables)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Four clinics of which one has fainting; a fifth does not deliver adverse events."""
    clinics = ("alder", "birch", "cedar", "dogwood", "elm")
    settings = small_settings(tmp_path_factory.mktemp("planted"), {clinic: clinic.title() for clinic in clinics})
    for number, clinic_id in enumerate(clinics, start=1):
        write_clinic(settings, number, clinic_id, events=clinic_id != "elm")
    model(settings)
    yield settings


def test_planted_signal(planted: Settings) -> None:
    found = rows(
        planted, "SELECT signal_id, people_with_event, elsewhere_with_event FROM {agg_signals} WHERE is_signal"
    )
    assert found == [("clinic/dogwood/syncope", 20, 3)]
    of_clinics = rows(planted, "SELECT DISTINCT category, people_treated FROM {agg_signals} WHERE axis = 'clinic'")
    assert sorted(of_clinics) == [("alder", 100), ("birch", 100), ("cedar", 100), ("dogwood", 100)]


def test_one_category_has_nothing_beside_it(planted: Settings) -> None:
    """All treated people had ketamine: nothing is compared, and nothing is a signal."""
    found = rows(
        planted,
        "SELECT DISTINCT axis, category, people_treated, elsewhere_treated, prr, ror, ebgm, eb05, p_value, is_signal "
        "FROM {agg_signals} WHERE axis <> 'clinic' ORDER BY axis",
    )
    assert found == [
        ("drug", "ketamine", 400, 0, None, None, None, None, 1.0, False),
        ("protocol", "iv_ketamine", 400, 0, None, None, None, None, 1.0, False),
    ]


def test_a_network_too_small_for_a_prior(tmp_path: Path) -> None:
    """A network too small for a prior has its marts all the same, with a clinic that delivers no adverse events."""
    settings = small_settings(tmp_path, {"elm": "Elm", "fir": "Fir", "gum": "Gum"})
    write_clinic(settings, 1, "elm", events=False, people=2)
    write_clinic(settings, 4, "fir", people=20)
    write_clinic(settings, 1, "gum", people=20)
    model(settings)
    # Two clinics and nine terms: eighteen cells carry no prior. All twenty of fir fainted, and one of gum: not known.
    query = "SELECT count(*), count(prr), count(ebgm), count(is_signal) FROM {agg_signals} WHERE axis = 'clinic'"
    assert rows(settings, query) == [(18, 18, 0, 17)]
    unknown = rows(settings, "SELECT signal_id, people_with_event FROM {agg_signals} WHERE is_signal IS NULL")
    assert unknown == [("clinic/fir/syncope", 20)]
