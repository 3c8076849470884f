"""A real trial through the whole road: 306 people, 1,191 adverse events, 17 sites.

Every expected number is a recount of the public CSV in plain Python. The system and its clinic are a folder of
mapping files; its term lists are added here from the data, since they are not the project's to ship.
"""

import csv
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from scipy.stats import beta, chi2

from clinic_outcomes.pipeline import run
from clinic_outcomes.settings import Settings
from clinic_outcomes.status import status
from tests.support.deliveries import deliver
from tests.support.external import external
from tests.support.leaks import find

CLINIC = "pilot_trial"
Rows = list[dict[str, str]]


def read(name: str) -> Rows:
    with (external("cdiscpilot") / "study_days" / f"{name}.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def code(text: str) -> str:
    return text.lower().replace(" (incl cysts and polyps)", "").replace(",", "").replace(" ", "_")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    root = tmp_path_factory.mktemp("cdisc")
    shutil.copytree(Path(__file__).parent / "cdisc_pilot", root, dirs_exist_ok=True)
    events, subjects = read("ae"), read("dm")
    with (root / "systems" / "cdisc_pilot" / "codes.csv").open("a", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerows(
            ("reported_term", term, term) for term in sorted({e[c] for e in events for c in ("AETERM", "AEDECOD")})
        )
        writer.writerows(("system_class", name, code(name)) for name in sorted({e["AEBODSYS"] for e in events}))
        writer.writerows(
            ("trial_arm", arm, code(arm)) for arm in sorted({s[c] for s in subjects for c in ("ARM", "ACTARM")})
        )
    settings = Settings(home=root / "home", clinics=root / "clinics", systems=root / "systems")
    for number, (version, kind) in enumerate((("study_days", "full"), ("as_published", "full")), start=1):
        folder = external("cdiscpilot") / version
        files = {path.name: path.read_bytes() for path in folder.glob("*.csv")}
        deliver(settings.landing / CLINIC / version, files, CLINIC, sequence=number, kind=kind)
    run(settings)
    return settings


def query(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    """Rows of a query in which {name} stands for a core mart and [name] for a release mart."""
    marts = settings.marts / "latest"
    sql = re.sub(r"\{(\w+)\}", lambda m: f"read_parquet('{marts}/core/{m[1]}.parquet')", sql)
    sql = re.sub(r"\[(\w+)\]", lambda m: f"read_parquet('{marts}/release/{m[1]}.parquet')", sql)
    return duckdb.connect().execute(sql).fetchall()


def arms() -> dict[str, str]:
    return {subject["USUBJID"]: code(subject["ARM"]) for subject in read("dm")}


def emergent_events() -> Rows:
    treated = {row["USUBJID"] for row in read("ex")}
    return [e for e in read("ae") if e["USUBJID"] in treated and (e["AESTDY"] == "" or int(e["AESTDY"]) >= 1)]


def test_everyone_is_there_and_screen_failures_are_kept_apart(settings: Settings) -> None:
    assert query(settings, "SELECT count(*) FROM {dim_patients}") == [(306,)]
    assert query(settings, "SELECT count(*) FROM {dim_sites}") == [(17,)]
    assert query(settings, "SELECT count(*) FROM {fct_adverse_events}") == [(1191,)]
    assert query(settings, "SELECT count(*) FROM {fct_adverse_events} WHERE end_day IS NULL") == [(473,)]
    assert query(settings, "SELECT count(*) FROM {fct_adverse_events} WHERE is_resolved") == [(1191 - 473,)]
    treated = {row["USUBJID"] for row in read("ex")}
    expected = Counter(arm for subject, arm in arms().items() if subject in treated)
    found = query(
        settings,
        "SELECT trial_arm, count(DISTINCT patient_key) FROM {fct_courses} WHERE patient_key IN "
        "(SELECT patient_key FROM {fct_sessions}) GROUP BY ALL",
    )
    assert dict(found) == expected
    assert sum(expected.values()) == 254 and "screen_failure" not in expected


@pytest.mark.parametrize(
    ("column", "source"),
    [
        ("reported_term", "AEDECOD"),
        ("system_class", "AEBODSYS"),
        ("severity", "AESEV"),
        ("is_serious", "AESER"),
    ],
)
def test_events_and_subjects_by_arm_equal_an_independent_recount(settings: Settings, column: str, source: str) -> None:
    names: dict[str, Callable[[str], object]] = {
        "AEDECOD": str,
        "AEBODSYS": code,
        "AESEV": str.lower,
        "AESER": {"Y": True, "N": False}.get,
    }
    arm_of = arms()
    for emergent, events in ((False, read("ae")), (True, emergent_events())):
        counted = Counter((arm_of[e["USUBJID"]], names[source](e[source])) for e in events)
        subjects = {(arm_of[e["USUBJID"]], names[source](e[source]), e["USUBJID"]) for e in events}
        expected = {key: (n, Counter((a, c) for a, c, _ in subjects)[key]) for key, n in counted.items()}
        rows = query(
            settings,
            f"SELECT trial_arm, {column}, count(*), count(DISTINCT patient_key) FROM {{fct_adverse_events}} "
            f"WHERE is_treatment_emergent OR NOT {emergent} GROUP BY ALL",
        )
        assert {(arm, value): (events_, people) for arm, value, events_, people in rows} == expected


def test_release_figures_equal_the_recount(settings: Settings) -> None:
    events = emergent_events()
    figures = {
        (measure, dimension, category): (value, denominator)
        for measure, dimension, category, value, denominator in query(
            settings,
            f"SELECT measure, dimension, category, value, denominator FROM [agg_figures] WHERE clinic_id = '{CLINIC}'",
        )
    }
    values = {key: float(value) for key, (value, _) in figures.items() if value is not None}
    assert values["patients_treated", "", ""] == 254
    assert values["adverse_events", "", ""] == len(events)
    assert values["patients_with_any_event", "", ""] == len({e["USUBJID"] for e in events})
    assert figures["any_event_share", "", ""][1] == 254
    by_class = Counter(code(e["AEBODSYS"]) for e in events)
    people = Counter(code(c) for c, _ in {(e["AEBODSYS"], e["USUBJID"]) for e in events})
    for name, count in by_class.items():
        assert values["adverse_events", "system_class", name] == count
        assert values["patients_with_any_event", "system_class", name] == people[name]


RELATEDNESS = {
    "NONE": "not_related",
    "REMOTE": "unlikely",
    "POSSIBLE": "possible",
    "PROBABLE": "probable",
    "": "not_recorded",
}
MAPPED = {"NAUSEA", "VOMITING", "DIZZINESS", "HEADACHE", "SOMNOLENCE", "FATIGUE"}
"""Terms that the system's codes.csv maps; all others are carried as the trial wrote them, and counted as unmapped."""


def mapped_term(event: dict[str, str]) -> str:
    return code(event["AEDECOD"]) if event["AEDECOD"] in MAPPED else "unmapped"


def subjects_by_share() -> dict[tuple[str, str, str], set[str]]:
    """Subjects with a treatment-emergent event of each sort, by measure, dimension and category."""
    arm_of = arms()
    found: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for event in emergent_events():
        subject = event["USUBJID"]
        populations = [("", ""), ("protocol", "other"), ("trial_arm", arm_of[subject])]
        kinds = [("system_class", code(event["AEBODSYS"])), ("term", mapped_term(event))]
        also = [("severity", event["AESEV"].lower()), ("worst_grade", "not_recorded"), ("action_taken", "not_recorded")]
        relatedness = RELATEDNESS[event["AEREL"]]
        for place in [*populations, *kinds, *also, ("relatedness", relatedness)]:
            found["any_event_share", *place].add(subject)
        if event["AESER"] == "Y":
            for place in [*populations, *kinds, ("seriousness_criterion", "not_recorded")]:
                found["serious_event_share", *place].add(subject)
            found["any_event_share", "seriousness_criterion", "not_recorded"].add(subject)
        if event["AESEV"] == "SEVERE":
            for place in populations:
                found["severe_event_share", *place].add(subject)
        if relatedness in ("possible", "probable"):
            for place in [*populations[:2], kinds[1]]:
                found["related_event_share", *place].add(subject)
    return found


def test_shares_of_subjects_equal_the_recount(settings: Settings) -> None:
    treated = {row["USUBJID"] for row in read("ex")}
    in_arm = Counter(arm for subject, arm in arms().items() if subject in treated)
    expected = {
        (measure, dimension, category): (len(subjects), in_arm[category] if dimension == "trial_arm" else len(treated))
        for (measure, dimension, category), subjects in subjects_by_share().items()
    }
    found = {
        (measure, dimension, category): (int(numerator), denominator)
        for measure, dimension, category, numerator, denominator in query(
            settings,
            "SELECT measure, dimension, category, numerator, denominator FROM [agg_figures] "
            f"WHERE clinic_id = '{CLINIC}' AND measure IN {tuple({key[0] for key in expected})}",
        )
    }
    assert {key: counts for key, counts in found.items() if counts[0]} == expected
    assert len({category for _, dimension, category in expected if dimension == "system_class"}) == 23
    assert expected["any_event_share", "", ""][1] == 254


def test_subjects_by_the_trials_own_term_and_by_arm(settings: Settings) -> None:
    arm_of = arms()
    expected: dict[tuple[str, str], set[str]] = defaultdict(set)
    for event in emergent_events():
        expected[event["AEDECOD"], arm_of[event["USUBJID"]]].add(event["USUBJID"])
    found = query(
        settings,
        "SELECT reported_term, trial_arm, count(DISTINCT patient_key) FROM {fct_adverse_events} "
        "WHERE is_treatment_emergent GROUP BY ALL",
    )
    assert {(term, arm): people for term, arm, people in found} == {key: len(who) for key, who in expected.items()}
    assert len({term for term, _ in expected}) > 200


def test_exact_intervals_of_the_shares_by_arm(settings: Settings) -> None:
    rows = query(
        settings,
        "SELECT numerator, denominator, lower_end, upper_end, upper_95 FROM {agg_safety_shares} "
        f"WHERE clinic_id = '{CLINIC}' AND dimension IN ('', 'trial_arm', 'system_class') AND denominator > 0",
    )
    assert len(rows) > 50
    for seen, of, lower, upper, bound in rows:
        assert lower == pytest.approx(beta.ppf(0.025, seen, of - seen + 1) if seen else 0, abs=1e-9)
        assert upper == pytest.approx(beta.ppf(0.975, seen + 1, of - seen) if seen < of else 1, abs=1e-9)
        assert bound == (None if seen else pytest.approx(1 - 0.05 ** (1 / of), abs=1e-9))


def test_rates_over_exposure_and_what_cannot_be_told(settings: Settings) -> None:
    sessions, events = len(read("ex")), emergent_events()
    serious = sum(event["AESER"] == "Y" for event in events)
    found = {
        (measure, exposure): (count, rate, lower, upper)
        for measure, exposure, count, rate, lower, upper in query(
            settings,
            "SELECT measure, exposure, events, rate, garwood_lower, garwood_upper FROM {agg_event_rates} "
            f"WHERE clinic_id = '{CLINIC}' AND dimension = ''",
        )
    }
    for measure, count in (("event_rate", len(events)), ("serious_event_rate", serious)):
        seen, rate, lower, upper = found[f"{measure}_per_100_sessions", sessions]
        assert (seen, rate) == (count, pytest.approx(100 * count / sessions, rel=1e-12))
        assert lower == pytest.approx(100 * chi2.ppf(0.025, 2 * count) / 2 / sessions, rel=1e-9)
        assert upper == pytest.approx(100 * chi2.ppf(0.975, 2 * count + 2) / 2 / sessions, rel=1e-9)
    # The trial says neither until when it watched a subject nor in which of its sessions an event happened.
    untold = ["event_rate_per_100_patient_years", "first_event_rate_per_100_patient_years"]
    assert [found[measure, 0][1:] for measure in untold] == [(None, None, None)] * 2
    names = ", ".join(f"'{name}'" for name in [*untold, "sessions_with_event_share"])
    assert query(settings, f"SELECT count(*) FROM [agg_figures] WHERE measure IN ({names})") == [(0,)]


def test_the_published_version_is_refused_for_its_dates_and_none_of_them_leaves_landing(settings: Settings) -> None:
    deliveries = {row["delivery"]: row for row in status(settings)["deliveries"]}
    states = {identity[:11]: (row["state"], row["stage"], row["reason_code"]) for identity, row in deliveries.items()}
    assert states["000001-full"] == ("accepted", "validate", None)
    assert states["000002-full"] == ("refused", "admit", "calendar_date")
    published = external("cdiscpilot") / "as_published"
    day = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
    dates = {match for path in published.glob("*.csv") for match in day.findall(path.read_text())}
    assert len(dates) > 500
    assert find(settings.home, day, dates) == {}
