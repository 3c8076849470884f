"""Item 9 of the PHQ-9, levels of the C-SSRS screener and what was done: a network against pandas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
import pytest

from clinic_outcomes.settings import Settings
from tests.outcomes.recomputed import accepted_table
from tests.support.marts import rows
from tests.support.outcome_network import outcome_network

__all__ = ["outcome_network"]

Person = tuple[str, str]


def c_ssrs_level(answers: dict[int, float]) -> str | None:
    """Level of a screener by the triage guideline; None where an answer is missing that could raise it."""

    def yes(*items: int) -> bool:
        return any(answers.get(item) == 1 for item in items)

    if yes(4, 5, 7):
        return "high"
    asked = {1, 2, 6} | ({3, 4, 5} if answers.get(2) != 0 else set()) | ({7} if answers.get(6) != 0 else set())
    if not asked <= set(answers):
        return None
    return "moderate" if yes(3, 6) else "low" if yes(1, 2) else "none"


@pytest.fixture(scope="module")
def screens(outcome_network: Settings) -> pd.DataFrame:
    """Every known answer to item 9 and every known level, in time."""
    forms = accepted_table(outcome_network, "assessment",
        ["assessment_id", "patient_id", "instrument", "assessed_day", "minutes_from_session_start"])  # fmt: skip
    forms = forms[forms.instrument.isin(("phq_9", "c_ssrs_screener"))]
    answers = accepted_table(outcome_network, "assessment_item", ["assessment_id", "item_number", "item_value"])
    answers = answers[answers.item_value.notna()].merge(forms, on=["clinic_id", "assessment_id"])
    key = ["clinic_id", "assessment_id"]
    item_9 = answers[(answers.instrument == "phq_9") & (answers.item_number == 9) & answers.item_value.between(0, 3)]
    forms = forms.merge(item_9[[*key, "item_value"]].rename(columns={"item_value": "item_9"}), on=key, how="left")
    of_c_ssrs = answers[(answers.instrument == "c_ssrs_screener") & answers.item_value.isin((0, 1))]
    levels = {
        name: c_ssrs_level(dict(zip(own.item_number, own.item_value, strict=True)))
        for name, own in of_c_ssrs.groupby(key)
    }
    forms["level"] = [levels.get(name) for name in zip(forms.clinic_id, forms.assessment_id, strict=True)]
    forms["after_start"] = (forms.minutes_from_session_start.astype(float) > 0).astype(int)
    known = forms[forms.item_9.notna() | forms.level.notna()]
    order = ["assessed_day", "after_start", "minutes_from_session_start", "assessment_id"]
    return known.sort_values(order, na_position="first").reset_index(drop=True)


@dataclass(frozen=True)
class Session:
    """A session as far as it decides what an answer counts for."""

    day: int
    protocol: str | None

    def begun_before(self, screen: Any) -> bool:
        """On an earlier day, or on that day and the screen after its start."""
        return self.day < screen.assessed_day or (self.day == screen.assessed_day and screen.after_start == 1)


@pytest.fixture(scope="module")
def sessions(outcome_network: Settings) -> dict[Person, list[Session]]:
    """Sessions of each person in their order."""
    columns = ["session_id", "patient_id", "course_id", "session_day", "sequence_number"]
    given = accepted_table(outcome_network, "session", columns)
    courses = accepted_table(outcome_network, "course", ["course_id", "protocol"])
    given = given.merge(courses, on=["clinic_id", "course_id"], how="left")
    found: dict[Person, list[Session]] = {}
    for row in given.sort_values(["session_day", "sequence_number", "session_id"]).itertuples():
        protocol = None if pd.isna(row.protocol) else row.protocol
        found.setdefault((row.clinic_id, row.patient_id), []).append(Session(row.session_day, protocol))
    return found


def protocol_at(own: list[Session], screen: Any) -> str | None:
    """Protocol of the last session begun before; of the first, where none was."""
    before = [session for session in own if session.begun_before(screen)]
    return (before or own[:1] or [Session(0, None)])[-1].protocol


@pytest.fixture(scope="module")
def people(screens: pd.DataFrame, sessions: dict[Person, list[Session]]) -> pd.DataFrame:
    """A row a treated person, over all treatment (protocol '') and under each protocol."""
    by_person: dict[Person, list[Any]] = {}
    for screen in screens.itertuples():
        by_person.setdefault((screen.clinic_id, screen.patient_id), []).append(screen)
    found = []
    for person, own in sessions.items():
        for protocol in sorted({"", *(session.protocol for session in own if session.protocol)}):
            start = next(session for session in own if protocol in ("", session.protocol))
            answers = by_person.get(person, [])
            before = [screen for screen in answers if not start.begun_before(screen)]
            later = [screen for screen in answers if start.begun_before(screen)]
            later = [screen for screen in later if protocol in ("", protocol_at(own, screen))]
            found.append({"clinic_id": person[0], "protocol": protocol, **compared(before, later)})
    return pd.DataFrame(found)


def compared(before: list[Any], later: list[Any]) -> dict[str, object]:
    """Baseline, worst and last, each None where there is none."""
    first = [screen.item_9 for screen in before if pd.notna(screen.item_9)]
    after = [screen.item_9 for screen in later if pd.notna(screen.item_9)]
    level, levels = ([screen.level for screen in own if pd.notna(screen.level)] for own in (before, later))
    return {
        "baseline": first[-1] if first else None,
        "worst": max(after, default=None),
        "last": after[-1] if after else None,
        "level_before": level[-1] if level else None,
        "level_after": next((name for name in ("high", "moderate", "low", "none") if name in levels), None),
    }


def with_network(table: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([table, table.assign(clinic_id="network")])


def shown(settings: Settings, measure: str) -> dict[tuple[str, str, str], list[float | None]]:
    """Figures of a measure that anybody has a part in."""
    found = rows(
        settings,
        f"""
        SELECT clinic_id, dimension, category, numerator::DOUBLE, denominator FROM {{agg_figures}}
        WHERE measure = '{measure}' AND coalesce(denominator, numerator) > 0
        """,
    )
    return {(clinic, dimension, category): parts for clinic, dimension, category, *parts in found}


def counted(
    table: pd.DataFrame, numerator: pd.Series, denominator: pd.Series
) -> dict[tuple[str, str, str], list[float]]:
    """The same from rows with clinic_id and protocol: sums by clinic, network and protocol."""
    sums = with_network(table.assign(n=numerator.astype(float), d=denominator.astype(int)))
    sums = sums.groupby(["clinic_id", "protocol"])[["n", "d"]].sum()
    return {
        (clinic, "protocol" if protocol else "", protocol): [row.n, row.d]
        for (clinic, protocol), row in sums.iterrows()
        if row.d > 0
    }


def test_ideation_as_recomputed(outcome_network: Settings, people: pd.DataFrame, screens: pd.DataFrame) -> None:
    told = people[people.clinic_id.isin(screens[screens.item_9.notna()].clinic_id)].astype({"baseline": float})
    both = told.baseline.notna() & told.worst.notna()
    without, having = both & (told.baseline == 0), both & (told.baseline > 0)
    expected = {
        "ideation_assessed_share": (both, told.clinic_id.notna()),
        "ideation_baseline_share": (told.baseline > 0, told.baseline.notna()),
        "ideation_emergent_share": (without & (told.worst > 0), without),
        "ideation_worsened_share": (both & (told.worst > told.baseline), both),
        "ideation_resolved_share": (having & (told["last"] == 0), having),
    }
    for measure, parts in expected.items():
        assert shown(outcome_network, measure) == counted(told, *parts), measure
    over_all = told[told.protocol == ""]
    assert len(over_all) > 1500
    assert (over_all.worst > over_all.baseline).sum() > 50
    assert set(people.clinic_id) - set(told.clinic_id), "no clinic without item 9"


def test_levels_as_recomputed(outcome_network: Settings, people: pd.DataFrame, screens: pd.DataFrame) -> None:
    over_all = people[people.clinic_id.isin(screens[screens.level.notna()].clinic_id) & (people.protocol == "")]
    checked = 0
    for measure, column in (("risk_level_baseline_share", "level_before"), ("risk_level_share", "level_after")):
        expected = {}
        for clinic_id, own in with_network(over_all).groupby("clinic_id"):
            known = own[column].dropna()
            for level in ("none", "low", "moderate", "high"):
                if len(known):
                    expected[clinic_id, "risk_level", level] = [(known == level).sum(), len(known)]
        assert shown(outcome_network, measure) == expected
        checked += sum(int(number) for number, _ in expected.values())
    assert checked > 200


def test_positive_screens_as_recomputed(
    outcome_network: Settings, screens: pd.DataFrame, sessions: dict[Person, list[Session]]
) -> None:
    positive = screens[(screens.item_9 > 0) | screens.level.isin(("moderate", "high"))].copy()
    positive["protocol"] = [
        protocol_at(sessions.get((screen.clinic_id, screen.patient_id), []), screen) for screen in positive.itertuples()
    ]
    escalations = accepted_table(
        outcome_network,
        "escalation",
        [
            "escalation_id",
            "patient_id",
            "assessment_id",
            "escalation_trigger",
            "escalation_day",
            "escalation_action",
            "escalation_status",
            "action_minutes",
        ],
    )
    trigger = {"phq_9": "phq_9_item_9", "c_ssrs_screener": "c_ssrs_screener"}
    answered: dict[tuple[str, str], list[tuple[str, float]]] = {}
    by_day = {
        (s.clinic_id, s.patient_id, trigger[s.instrument], s.assessed_day): s.assessment_id
        for s in positive.itertuples()
    }
    assert len(by_day) == len(positive), "two screens of a person on a day: the recount below is too simple"
    for e in escalations.itertuples():
        unnamed = by_day.get((e.clinic_id, e.patient_id, e.escalation_trigger, e.escalation_day))
        key = (e.clinic_id, unnamed if pd.isna(e.assessment_id) else e.assessment_id)
        answered.setdefault(key, []).append((e.escalation_action, float(e.action_minutes)))
    named = list(zip(positive.clinic_id, positive.assessment_id, strict=True))
    without = sum(len(records) for key, records in answered.items() if key not in set(named))
    taken = [
        [minutes for action, minutes in answered.get(key, []) if action not in (None, "none", "unmapped")]
        for key in named
    ]
    positive["minutes"] = [min((m for m in own if pd.notna(m)), default=float("nan")) for own in taken]
    positive["escalated"] = [key in answered for key in named]
    delivering = set(escalations.clinic_id)
    parts = pd.concat([positive.assign(protocol=""), positive[positive.protocol.notna()]])
    of_all = counted(parts, parts.clinic_id.notna(), parts.clinic_id.notna())
    assert shown(outcome_network, "positive_screens") == {key: [number, None] for key, (number, _) in of_all.items()}
    told = parts[parts.clinic_id.isin(delivering)]
    every = told.clinic_id.notna()
    assert shown(outcome_network, "escalated_share") == counted(told, told.escalated, every)
    minutes = counted(told, told.minutes.fillna(0), told.minutes.notna())
    assert shown(outcome_network, "action_minutes_mean") == minutes
    assert shown(outcome_network, "action_within_60_minutes_share") == counted(told, told.minutes <= 60, every)
    network = ("network", "", "")
    assert shown(outcome_network, "escalations_without_screen").get(network, (0,))[0] == without
    still_open = (escalations.escalation_status == "open").sum()
    assert shown(outcome_network, "escalations_open")[network][0] == still_open
    assert len(positive) > 3000
    assert still_open > 30
