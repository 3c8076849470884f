"""Sections of safety: exact intervals, what nothing seen can mean, what was not recorded, and whom to call."""

from __future__ import annotations

import csv
import re
from math import ceil, log
from pathlib import Path

import pytest
from scipy import stats

from clinic_outcomes.protect import protect
from clinic_outcomes.publish import publish
from clinic_outcomes.settings import Settings
from tests.publish.reports import Grid, make_release, plain_measure
from tests.support.release_marts import COVERAGE

MEASURES = [
    plain_measure("any_event_share", "safety", "rate", "percent"),
    plain_measure("patients_with_serious_event", "safety", "count", "patients"),
    plain_measure("serious_event_share", "safety", "rate", "percent"),
    plain_measure("severe_event_share", "safety", "rate", "percent"),
    plain_measure("sessions_with_event_share", "safety", "rate", "percent", "session"),
    plain_measure("adverse_events", "safety", "count", "events", "event"),
    plain_measure("serious_adverse_events", "safety", "count", "events", "event"),
    plain_measure(
        *("event_rate_per_100_sessions", "safety", "model_value", "events per 100 sessions", "event"),
        count_measure="adverse_events",
    ),
    plain_measure(
        *("serious_event_rate_per_100_sessions", "safety", "model_value", "events per 100 sessions", "event"),
        count_measure="serious_adverse_events",
    ),
    plain_measure(
        *("event_rate_per_100_patient_years", "safety", "model_value", "events per 100 patient-years", "event"),
        count_measure="adverse_events",
    ),
    plain_measure("sessions_without_safety_record_share", "session_safety", "rate", "percent", "session"),
    plain_measure("pressure_recorded_share", "session_safety", "rate", "percent", "session"),
    plain_measure(
        *("systolic_rise_mmhg", "session_safety", "mean", "mmHg", "session"), completeness="pressure_recorded_share"
    ),
    plain_measure("ideation_emergent_share", "suicidality", "rate", "percent"),
    plain_measure("positive_screens", "suicidality", "count", "screens", "event"),
    plain_measure("escalated_share", "suicidality", "rate", "percent", "event"),
]
# Alder treated 1,000 people in 5,000 sessions; 30 had a severe event, none a serious one, 210 events in all. Birch
# treated 5,985, of whom 15 had a serious event: 0.25 %, which is shown as 0 %. Cedar delivers no events.
FIGURES = """
measure                              | clinic_id | dimension    | category                 | numerator | denominator | value | patients | clinics
any_event_share                      | alder     | ''           | ''                       | 180       | 1000        | -     | 1000     | 1
severe_event_share                   | alder     | ''           | ''                       | 30        | 1000        | -     | 1000     | 1
serious_event_share                  | alder     | ''           | ''                       | 0         | 1000        | -     | 1000     | 1
patients_with_serious_event          | alder     | ''           | ''                       | 0         | -           | -     | 0        | 1
sessions_with_event_share            | alder     | ''           | ''                       | 190       | 5000        | -     | 1000     | 1
adverse_events                       | alder     | ''           | ''                       | 210       | -           | -     | 180      | 1
serious_adverse_events               | alder     | ''           | ''                       | 0         | -           | -     | 0        | 1
event_rate_per_100_sessions          | alder     | ''           | ''                       | 180       | 1000        | 4.2   | 1000     | 1
serious_event_rate_per_100_sessions  | alder     | ''           | ''                       | 0         | 1000        | 0     | 1000     | 1
severe_event_share                   | birch     | ''           | ''                       | 0         | 5985        | -     | 5985     | 1
serious_event_share                  | birch     | ''           | ''                       | 15        | 5985        | -     | 5985     | 1
patients_with_serious_event          | birch     | ''           | ''                       | 15        | -           | -     | 15       | 1
serious_event_share                  | network   | ''           | ''                       | 15        | 6985        | -     | 6985     | 4
event_rate_per_100_patient_years     | birch     | ''           | ''                       | 700       | 5985        | 12    | 5985     | 1
adverse_events                       | birch     | ''           | ''                       | 900       | -           | -     | 700      | 1
event_rate_per_100_sessions          | network   | ''           | ''                       | 880       | 6985        | 4     | 6985     | 4
event_rate_per_100_patient_years     | network   | ''           | ''                       | 880       | 6985        | 12    | 6985     | 4
any_event_share                      | alder     | system_class | psychiatric_disorders    | 90        | 1000        | -     | 1000     | 1
any_event_share                      | alder     | system_class | nervous_system_disorders | 120       | 1000        | -     | 1000     | 1
any_event_share                      | alder     | term         | anxiety                  | 80        | 1000        | -     | 1000     | 1
any_event_share                      | alder     | term         | headache                 | 70        | 1000        | -     | 1000     | 1
any_event_share                      | alder     | term         | dizziness                | 60        | 1000        | -     | 1000     | 1
any_event_share                      | alder     | term         | dissociation             | 0         | 1000        | -     | 1000     | 1
any_event_share                      | network   | system_class | psychiatric_disorders    | 180       | 2000        | -     | 2000     | 4
any_event_share                      | network   | system_class | nervous_system_disorders | 240       | 2000        | -     | 2000     | 4
any_event_share                      | network   | term         | anxiety                  | 160       | 2000        | -     | 2000     | 4
any_event_share                      | network   | term         | headache                 | 140       | 2000        | -     | 2000     | 4
any_event_share                      | network   | term         | dizziness                | 120       | 2000        | -     | 2000     | 4
any_event_share                      | network   | term         | dissociation             | 0         | 2000        | -     | 2000     | 4
any_event_share                      | alder     | relatedness  | possible                 | 70        | 1000        | -     | 1000     | 1
any_event_share                      | network   | trial_arm    | a_ketamine               | 70        | 1000        | -     | 1000     | 4
sessions_without_safety_record_share | alder     | ''           | ''                       | 500       | 5000        | -     | 1000     | 1
pressure_recorded_share              | alder     | ''           | ''                       | 0         | 1500        | -     | 300      | 1
systolic_rise_mmhg                   | alder     | ''           | ''                       | 0         | 0           | 0     | 0        | 1
systolic_rise_mmhg                   | network   | ''           | ''                       | 15000     | 1000        | -     | 300      | 4
ideation_emergent_share              | alder     | ''           | ''                       | 40        | 400         | -     | 400      | 1
positive_screens                     | alder     | ''           | ''                       | 300       | -           | -     | 200      | 1
"""  # noqa: E501
CRISIS_LINE = "In crisis? Call 116 123, day & night."


def _figures(table: str) -> str:
    """Fill in the value of counts, shares and means, as the marts give them."""
    header, *lines = [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines()]
    rows = [dict(zip(header, line, strict=True)) for line in lines]
    for row in rows:
        if row["value"] == "-":
            row["value"] = str(
                float(row["numerator"]) / float("1" if row["denominator"] == "-" else row["denominator"])
            )
    return "\n".join(" | ".join(cells) for cells in (header, *(list(row.values()) for row in rows)))


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    coverage = COVERAGE + "alder | escalation | false\n"
    return make_release(tmp_path_factory.mktemp("home"), MEASURES, _figures(FIGURES), coverage=coverage)


@pytest.fixture(scope="module")
def alder(release: Path) -> Grid:
    return Grid(release / "alder" / "index.html")


def _summary(page: Grid, heading: str, section: str = "safety") -> list[str]:
    return next(row for row in page.tables[f"{section}-overall"] if row[0].startswith(heading))


def _ends(cell: str) -> tuple[float, float]:
    found = re.search(r"([\d.]+)%? to ([\d.]+)", cell)
    assert found is not None, cell
    return float(found[1]), float(found[2])


def test_shares_of_safety_have_exact_intervals_widened_for_rounding(alder: Grid) -> None:
    # 3 % of 1,000: from 2.5 % to under 3.5 % of 998 to 1,002 people.
    lowest = min(stats.beta.ppf(0.025, ceil(25 * n / 1000), n - ceil(25 * n / 1000) + 1) for n in range(998, 1003))
    highest = max(stats.beta.ppf(0.975, (35 * n - 1) // 1000 + 1, n - (35 * n - 1) // 1000) for n in range(998, 1003))
    lower, upper = _ends(_summary(alder, "People with a severe event")[1])
    assert lower <= 100 * lowest < lower + 0.1
    assert upper - 0.1 < 100 * highest <= upper


def test_nothing_seen_comes_with_its_one_sided_bound_in_words(alder: Grid) -> None:
    cell = _summary(alder, "People with a serious event")[1]
    # At least 998 people: the 95 % quantile of the exact distribution, rounded up to three digits.
    bound = 100 * stats.beta.ppf(0.95, 1, 998)
    assert cell == "0% none seen; at most 0.300% with 95% confidence of 1,000"
    assert 0.2995 < bound <= 0.300


def test_the_bound_of_a_published_audit(tmp_path: Path) -> None:
    # Japan audit: no event in 1,985 sessions, upper bound 0.15 %. Shown as 1,985, at least 1,983 were treated.
    figures = """
measure             | clinic_id | dimension | category | numerator | denominator | patients | clinics
serious_event_share | network   | ''        | ''       | 0         | 1985        | 1985     | 4
"""
    page = Grid(make_release(tmp_path, MEASURES, figures) / "network" / "index.html")
    found = re.search(r"none seen; at most ([\d.]+)% with 95% confidence", page.words)
    assert found is not None
    assert 0.15 <= 100 * stats.beta.ppf(0.95, 1, 1983) <= float(found[1]) < 0.152


def test_a_share_that_rounds_to_0_is_not_one_of_nothing(release: Path) -> None:
    page = Grid(release / "birch" / "index.html")
    # The count says 15 people; without a count, 0 % of 5,985 may be of nobody or of up to 29.
    for heading in ("People with a serious event", "People with a severe event"):
        cell = _summary(page, heading)[1]
        assert "none seen" not in cell
        lower, upper = _ends(cell)
        assert lower == 0 and upper >= 100 * stats.beta.ppf(0.975, 30, 5983 - 29)


def test_rates_have_the_exact_interval_of_their_count(alder: Grid) -> None:
    cell = _summary(alder, "Events by sessions")[1]
    # 4.2 to the nearest 0.1 of 208 to 212 events: the fewest are the least certain.
    lower, upper = stats.chi2.ppf(0.025, 2 * 208) / 2, stats.chi2.ppf(0.975, 2 * 208 + 2) / 2
    ends = _ends(cell)
    assert ends[0] <= 4.15 * lower / 208 < ends[0] + 0.01
    assert ends[1] - 0.01 < 4.25 * upper / 208 <= ends[1]


def test_a_rate_of_nothing_has_the_bound_of_its_sessions(alder: Grid) -> None:
    cell = _summary(alder, "Serious events by sessions")[1]
    found = re.fullmatch(r"0.0 none seen; at most ([\d.]+) with 95% confidence", cell)
    assert found is not None
    # No event in at least 4,998 sessions: as rare as 1 in 20 at 3 events.
    exact = -100 * log(0.05) / 4998
    assert exact <= float(found[1]) < exact * 1.01


def test_a_rate_of_fewer_clinics_than_its_sessions_has_no_bound(tmp_path: Path) -> None:
    # Of 1,000 people with events 600 are of clinics that say whether an event is serious: their sessions are not shown.
    figures = """
measure                             | clinic_id | dimension | category | numerator | denominator | value | patients | clinics
sessions_with_event_share           | network   | ''        | ''       | 200       | 5000        | 0.04  | 1000     | 4
event_rate_per_100_sessions         | network   | ''        | ''       | 200       | 1000        | 4     | 1000     | 4
serious_event_rate_per_100_sessions | network   | ''        | ''       | 0         | 600         | 0     | 600      | 4
serious_adverse_events              | network   | ''        | ''       | 0         | -           | 0     | 0        | 4
"""  # noqa: E501
    page = Grid(make_release(tmp_path, MEASURES, figures) / "network" / "index.html")
    assert _summary(page, "Serious events by sessions")[1] == "0.0 none seen"


def test_a_figure_that_is_not_there_says_why(release: Path, alder: Grid) -> None:
    # No time was recorded that a rate could be taken over.
    assert _summary(alder, "Events by time")[1] == "not estimable"
    # No blood pressure at all, so that no mean of it is withheld: there is none.
    assert _summary(alder, "Rise of systolic", "session_safety".replace("_", "-"))[1] == "not recorded"
    assert _summary(alder, "Positive screens", "suicidality")[1] == "300"
    cedar = Grid(release / "cedar" / "index.html")
    assert _summary(cedar, "Events by sessions")[1] == "not delivered"


def test_the_clinic_that_delivers_no_escalations_is_not_told_of_shares_of_them(tmp_path: Path) -> None:
    figures = """
measure          | clinic_id | dimension | category | numerator | denominator | patients | clinics
positive_screens | alder     | ''        | ''       | 300       | -           | 200      | 1
escalated_share  | network   | ''        | ''       | 300       | 600         | 400      | 4
"""
    coverage = COVERAGE + "alder | escalation | false\nalder | assessment | true\n"
    page = Grid(make_release(tmp_path, MEASURES, figures, coverage=coverage) / "alder" / "index.html")
    assert _summary(page, "Positive screens", "suicidality")[1] == "300"
    assert _summary(page, "Escalated share", "suicidality")[1] == "not delivered"


def test_figures_stand_under_the_headings_of_the_outline(alder: Grid) -> None:
    headings = [row[0] for row in alder.tables["safety-overall"] if len(row) == 1]
    assert headings == ["People", "Events and sessions", "Rates"]


def test_terms_stand_below_their_system_class(alder: Grid) -> None:
    table = alder.tables["safety-system-class"]
    rows = [row[0] for row in table if row[0] in ("Nervous system disorders", "Psychiatric disorders")]
    names = [row[0] for row in table[2:]]
    # The network's largest first, as everywhere.
    assert rows == ["Nervous system disorders", "Psychiatric disorders"]
    assert [name.partition(" (")[0] for name in names] == [
        *("Nervous system disorders", "Headache", "Dizziness"),
        *("Psychiatric disorders", "Anxiety", "Dissociation"),
    ]
    # What is the same in every row is said once.
    assert alder.row("safety-system-class", "Headache")[1].startswith("7% ")
    assert "of 1,000" not in " ".join(cell for row in table for cell in row)
    assert "taken from about the same number: 1,000 (this clinic), 2,000 (network)." in alder.words


def test_breakdowns_that_the_outline_does_not_name_are_in_the_tables_alone(release: Path, alder: Grid) -> None:
    assert not any("relatedness" in name for name in alder.tables)
    assert "any_event_share/alder/relatedness/possible" in _csv(release / "alder", "safety")
    assert "Figures by relation to treatment are in the table safety.csv beside this page." in alder.words


def test_the_networks_arms_are_not_told_to_a_clinic_without_any(release: Path, alder: Grid) -> None:
    network = Grid(release / "network" / "index.html")
    assert "safety-trial-arm" in network.tables and "safety-trial-arm" not in alder.tables


def test_sessions_without_a_record_are_not_called_safe(alder: Grid) -> None:
    assert "Sessions without any safety record are not safe sessions" in alder.words
    assert alder.row("session-safety-first-table", "Sessions without safety record share")[1].startswith("10%")
    assert all("Sessions without" not in row[0] for row in alder.tables["session-safety-overall"])


def test_intervals_and_bounds_stand_in_the_tables_beside_the_page(release: Path) -> None:
    rows = _csv(release / "alder", "safety")
    none, some = rows["serious_event_share/alder//"], rows["severe_event_share/alder//"]
    # The two-sided interval of nothing goes as far as 2.5 %, the one-sided bound as far as 5 %.
    assert float(none["interval_lower"]) == 0
    assert float(none["interval_upper"]) == pytest.approx(100 * stats.beta.ppf(0.975, 1, 998), abs=0.1)
    assert none["upper_bound"] == "0.3" and some["upper_bound"] == ""
    assert float(some["interval_lower"]) > 0
    assert rows["event_rate_per_100_sessions/alder//"]["interval_upper"]


def test_the_crisis_line_stands_at_the_head_of_suicidality_and_below_every_page(tmp_path: Path) -> None:
    make_release(tmp_path, MEASURES, _figures(FIGURES))
    settings = Settings(home=tmp_path, crisis_line=CRISIS_LINE)
    changed = settings.releases / publish(settings).release_id
    assert changed.name == "2024-03.2"
    for recipient in ("network", "alder"):
        for name in ("index.html", "claims.html", "methods.html"):
            text = (changed / recipient / name).read_text(encoding="utf-8")
            assert CRISIS_LINE.replace("&", "&amp;") in text.partition("<footer>")[2]
            # Claims name the number that a source document gives, and the one that took its place.
            assert name == "claims.html" or "988" not in text
    section = (changed / "alder" / "index.html").read_text(encoding="utf-8").partition('<section id="suicidality"')[2]
    assert CRISIS_LINE.replace("&", "&amp;") in section.partition("<table")[0]
    # The same line again is the same release; the first line gives back the first release.
    assert publish(settings).release_id == "2024-03.2"
    assert publish(Settings(home=tmp_path)).release_id == "2024-03.1"


def test_the_default_crisis_line_names_988_and_the_environment_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CLINIC_OUTCOMES_CRISIS_LINE", raising=False)
    assert "988" in Settings.from_environment(tmp_path).crisis_line
    monkeypatch.setenv("CLINIC_OUTCOMES_CRISIS_LINE", CRISIS_LINE)
    assert Settings.from_environment(tmp_path).crisis_line == CRISIS_LINE
    # A deployment that leaves it empty does not take the line away.
    monkeypatch.setenv("CLINIC_OUTCOMES_CRISIS_LINE", "")
    assert "988" in Settings.from_environment(tmp_path).crisis_line


def test_a_nought_of_25_people_is_shown(tmp_path: Path) -> None:
    figures = """
measure                             | clinic_id | dimension | category    | numerator | denominator | value | patients | clinics
serious_event_share                 | alder     | protocol  | iv_ketamine | 0         | 25          | 0     | 25       | 1
serious_event_rate_per_100_sessions | alder     | protocol  | iv_ketamine | 0         | 25          | 0     | 25       | 1
serious_event_share                 | birch     | protocol  | iv_ketamine | 0         | 24          | 0     | 24       | 1
"""  # noqa: E501
    release = make_release(tmp_path, MEASURES, figures)
    protect(Settings(home=tmp_path))
    shown = _csv(release / "alder", "safety")["serious_event_share/alder/protocol/iv_ketamine"]
    # Shown as 25, at least 23 were treated.
    assert float(shown["upper_bound"]) == pytest.approx(100 * stats.beta.ppf(0.95, 1, 23), abs=0.1)
    rate = _csv(release / "alder", "safety")["serious_event_rate_per_100_sessions/alder/protocol/iv_ketamine"]
    assert (rate["status"], rate["shown_value"], rate["upper_bound"]) == ("shown", "0", "")
    withheld = _csv(release / "birch", "safety")["serious_event_share/birch/protocol/iv_ketamine"]
    assert (withheld["status"], withheld["upper_bound"]) == ("withheld", "")


def _csv(recipient: Path, section: str) -> dict[str, dict[str, str]]:
    with (recipient / "tables" / f"{section}.csv").open(encoding="utf-8", newline="") as stream:
        return {row["figure_id"]: row for row in csv.DictReader(stream)}
