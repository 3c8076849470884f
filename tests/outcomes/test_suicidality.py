"""Item 9 of the PHQ-9, levels of the C-SSRS screener and what was done, by eye."""

# ruff: noqa: E501 - a row of a table that is read by eye stays on one line

from __future__ import annotations

from collections.abc import Iterable

import pytest

from clinic_outcomes.settings import Settings
from tests.support.marts import case_id, cells, check_figure, mart, rows
from tests.support.model_states import read_table

# Answers to item 9 as day:answer, with minutes from the session's start after the day; `.` is an item left out. C-SSRS
# screeners as day:answers of items 1 to 7: items 3 to 5 are asked after a yes to 2 only, and 7 after a yes to 6.
# `no` and `yes` are judgements, `-` what cannot be judged.
PEOPLE = """
    person      | sgb | ketamine | item_9             | c_ssrs                           | baseline | worst | last | emergent | worsened | resolved | level_before | level_after
    resolved    | -   | 10 17    | 5:2 20:1 30:0      | -                                | 2        | 1     | 0    | -        | no       | yes      | -            | -
    emerged     | -   | 10       | 5:0 20:1 30:0      | -                                | 0        | 1     | 0    | yes      | yes      | -        | -            | -
    worse       | -   | 10       | 5:1 20:2 30:1      | -                                | 1        | 2     | 1    | -        | yes      | no       | -            | -
    same        | -   | 10       | 5:1 20:1           | -                                | 1        | 1     | 1    | -        | no       | no       | -            | -
    calm        | -   | 10       | 5:0 20:0           | -                                | 0        | 0     | 0    | no       | no       | -        | -            | -
    before      | -   | 10       | 5:3 10-30:0 20:0   | -                                | 0        | 0     | 0    | no       | no       | -        | -            | -
    unminuted   | -   | 10       | 5:3 10:1 20:1      | -                                | 1        | 1     | 1    | -        | no       | no       | -            | -
    after       | -   | 10       | 5:0 10+180:2       | -                                | 0        | 2     | 2    | yes      | yes      | -        | -            | -
    twice       | -   | 10       | 10-30:1 10+60:2    | -                                | 1        | 2     | 2    | -        | yes      | no       | -            | -
    named       | -   | 10       | 10-30:1 10+60:1    | -                                | 1        | 1     | 1    | -        | no       | no       | -            | -
    gap         | -   | 10       | 5:2 8:. 20:. 25:0  | -                                | 2        | 0     | 0    | -        | no       | yes      | -            | -
    no_baseline | -   | 10       | 20:2               | -                                | -        | 2     | 2    | -        | -        | -        | -            | -
    no_later    | -   | 10       | 5:1                | -                                | 1        | -     | -    | -        | -        | -        | -            | -
    two         | 10  | 40       | 5:0 20:2 50:1      | -                                | 0        | 2     | 1    | yes      | yes      | -        | -            | -
    screened    | -   | 10       | -                  | 5:00...0. 20:111000.             | -        | -     | -    | -        | -        | -        | none         | moderate
    unknown     | -   | 10       | -                  | 5:11.000. 20:10...10             | -        | -     | -    | -        | -        | -        | -            | moderate
    high        | -   | 10       | -                  | 5:10...0. 20:111110. 30:00...11  | -        | -     | -    | -        | -        | -        | low          | high
    gap_high    | -   | 10       | -                  | 20:11.1... 30:00...0.            | -        | -     | -    | -        | -        | -        | -            | high
    untreated   | -   | -        | 5:2                | -                                |          |       |      |          |          |          |              |
    """
# The person of two protocols under each: the answer of day 20 is later than the first and the baseline of the second.
TWO_PROTOCOLS = """
    protocol    | baseline | worst | last | emergent | worsened | resolved
    sgb         | 0        | 2     | 2    | yes      | yes      | -
    iv_ketamine | 2        | 1     | 1    | -        | no       | no
    """
# Screens are named after the person, p or c, and their number. A record that names none answers all of its day and
# trigger.
ESCALATIONS = """
    escalation_id | patient_id | assessment_id | escalation_trigger | escalation_day | action_minutes | escalation_action    | escalation_status
    E01           | resolved   | resolved_p1   | phq_9_item_9       | 5              | 20             | clinician_review     | closed
    E02           | worse      | -             | phq_9_item_9       | 20             | 75             | safety_plan          | open
    E03           | same       | same_p1       | phq_9_item_9       | 5              | -              | none                 | open
    E04           | calm       | -             | staff_concern      | 21             | 10             | clinician_review     | closed
    E05           | no_later   | -             | phq_9_item_9       | 6              | 15             | clinician_review     | open
    E06           | high       | high_c2       | c_ssrs_screener    | 20             | -              | none                 | open
    E07           | high       | high_c2       | c_ssrs_screener    | 21             | 5              | emergency_department | closed
    E08           | emerged    | -             | c_ssrs_screener    | 20             | 15             | clinician_review     | closed
    E09           | same       | same_p2       | phq_9_item_9       | 20             | -              | crisis_line          | closed
    E10           | untreated  | untreated_p1  | phq_9_item_9       | 5              | -              | unmapped             | -
    E11           | two        | two_p2        | phq_9_item_9       | 20             | 60             | clinician_review     | closed
    E12           | after      | after_p2      | staff_concern      | 10             | 61             | clinician_review     | closed
    E13           | twice      | -             | phq_9_item_9       | 10             | 30             | clinician_review     | closed
    E14           | named      | named_p1      | phq_9_item_9       | 10             | 90             | safety_plan          | closed
    """
SCREENS = """
    screen         | protocol    | escalated | action | minutes | status
    after_p2       | iv_ketamine | true      | true   | 61.00   | closed
    before_p1      | iv_ketamine | false     | false  | -       | -
    emerged_p2     | iv_ketamine | false     | false  | -       | -
    gap_high_c1    | iv_ketamine | false     | false  | -       | -
    gap_p1         | iv_ketamine | false     | false  | -       | -
    high_c2        | iv_ketamine | true      | true   | 5.00    | open
    high_c3        | iv_ketamine | false     | false  | -       | -
    named_p1       | iv_ketamine | true      | true   | 90.00   | closed
    named_p2       | iv_ketamine | false     | false  | -       | -
    no_baseline_p1 | iv_ketamine | false     | false  | -       | -
    no_later_p1    | iv_ketamine | false     | false  | -       | -
    resolved_p1    | iv_ketamine | true      | true   | 20.00   | closed
    resolved_p2    | iv_ketamine | false     | false  | -       | -
    same_p1        | iv_ketamine | true      | false  | -       | open
    same_p2        | iv_ketamine | true      | true   | -       | closed
    screened_c2    | iv_ketamine | false     | false  | -       | -
    twice_p1       | iv_ketamine | true      | true   | 30.00   | closed
    twice_p2       | iv_ketamine | true      | true   | 30.00   | closed
    two_p2         | sgb         | true      | true   | 60.00   | closed
    two_p3         | iv_ketamine | false     | false  | -       | -
    unknown_c2     | iv_ketamine | false     | false  | -       | -
    unminuted_p1   | iv_ketamine | false     | false  | -       | -
    unminuted_p2   | iv_ketamine | false     | false  | -       | -
    unminuted_p3   | iv_ketamine | false     | false  | -       | -
    untreated_p1   | -           | true      | false  | -       | -
    worse_p1       | iv_ketamine | false     | false  | -       | -
    worse_p2       | iv_ketamine | true      | true   | 75.00   | open
    worse_p3       | iv_ketamine | false     | false  | -       | -
    """
# Eighteen treated in aspen, one in hazel; hazel delivers neither the C-SSRS nor escalations.
FIGURES = """
    measure                        | clinic_id | dimension  | category    | numerator | denominator | patients
    ideation_assessed_share        | aspen     | ''         | ''          | 12        | 18          | 18
    ideation_baseline_share        | aspen     | ''         | ''          | 8         | 13          | 13
    ideation_emergent_share        | aspen     | ''         | ''          | 3         | 5           | 5
    ideation_worsened_share        | aspen     | ''         | ''          | 5         | 12          | 12
    ideation_resolved_share        | aspen     | ''         | ''          | 2         | 7           | 7
    ideation_assessed_share        | aspen     | protocol   | iv_ketamine | 12        | 18          | 18
    ideation_baseline_share        | aspen     | protocol   | iv_ketamine | 9         | 13          | 13
    ideation_emergent_share        | aspen     | protocol   | iv_ketamine | 2         | 4           | 4
    ideation_worsened_share        | aspen     | protocol   | iv_ketamine | 4         | 12          | 12
    ideation_resolved_share        | aspen     | protocol   | iv_ketamine | 2         | 8           | 8
    ideation_emergent_share        | aspen     | protocol   | sgb         | 1         | 1           | 1
    ideation_resolved_share        | aspen     | protocol   | sgb         | 0         | 0           | 0
    ideation_assessed_share        | network   | ''         | ''          | 13        | 19          | 19
    risk_level_assessed_share      | network   | ''         | ''          | 4         | 18          | 18
    risk_level_baseline_share      | aspen     | risk_level | none        | 1         | 2           | 2
    risk_level_baseline_share      | aspen     | risk_level | low         | 1         | 2           | 2
    risk_level_baseline_share      | aspen     | risk_level | moderate    | 0         | 2           | 2
    risk_level_baseline_share      | aspen     | risk_level | high        | 0         | 2           | 2
    risk_level_share               | aspen     | risk_level | none        | 0         | 4           | 4
    risk_level_share               | aspen     | risk_level | low         | 0         | 4           | 4
    risk_level_share               | aspen     | risk_level | moderate    | 2         | 4           | 4
    risk_level_share               | network   | risk_level | high        | 2         | 4           | 4
    positive_screens               | aspen     | ''         | ''          | 28        | -           | 18
    positive_screens               | aspen     | protocol   | iv_ketamine | 26        | -           | 17
    positive_screens               | aspen     | protocol   | sgb         | 1         | -           | 1
    positive_screens               | network   | ''         | ''          | 29        | -           | 19
    escalated_share                | aspen     | ''         | ''          | 11        | 28          | 18
    escalated_share                | aspen     | protocol   | iv_ketamine | 9         | 26          | 17
    escalated_share                | network   | ''         | ''          | 11        | 28          | 18
    action_minutes_mean            | aspen     | ''         | ''          | 371       | 8           | 7
    action_minutes_mean            | aspen     | protocol   | sgb         | 60        | 1           | 1
    action_within_60_minutes_share | aspen     | ''         | ''          | 5         | 28          | 18
    action_within_60_minutes_share | aspen     | protocol   | iv_ketamine | 4         | 26          | 17
    escalations_open               | aspen     | ''         | ''          | 4         | -           | 4
    escalations_open               | aspen     | protocol   | sgb         | 0         | -           | 0
    escalations_open               | beech     | ''         | ''          | 1         | -           | 1
    escalations_open               | network   | ''         | ''          | 5         | -           | 5
    escalations_without_screen     | aspen     | ''         | ''          | 3         | -           | 3
    escalations_without_screen     | beech     | ''         | ''          | 1         | -           | 1
    """
# beech: one PHQ-9 with a total alone, one without item 9; nobody there is known to have or to lack ideation.
BEECH = {
    "patient": "patient_id\nB1\nB2",
    "session": "session_id | patient_id | course_id | session_day | drug\nS1 | B1 | K1 | 10 | ketamine\nS2 | B2 | K2 | 10 | ketamine",
    "assessment": """
        assessment_id | patient_id | instrument | assessed_day | delivered_total
        Q1            | B1         | phq_9      | 5            | 20
        Q2            | B1         | phq_9      | 20           | 3
        Q3            | B2         | phq_9      | 5            | -
        """,
    "assessment_item": "assessment_id | patient_id | answers\nQ3 | B2 | 33333333.",
    "escalation": """
        escalation_id | patient_id | assessment_id | escalation_trigger | escalation_day | escalation_status
        E1            | B1         | Q1            | phq_9_item_9       | 5              | open
        """,
}
HAZEL = {
    "patient": "patient_id\nC1",
    "session": "session_id | patient_id | course_id | session_day | drug\nS1 | C1 | K1 | 10 | ketamine",
    "assessment": """
        assessment_id | patient_id | instrument | assessed_day
        Q1            | C1         | phq_9      | 5
        Q2            | C1         | phq_9      | 20
        """,
    "assessment_item": "assessment_id | patient_id | answers\nQ1 | C1 | 000000001\nQ2 | C1 | 000000000",
}
JUDGEMENTS = {"emergent": "is_emergent", "worsened": "is_worsened", "resolved": "is_resolved"}
ANSWERS = {"baseline": "baseline_item_9", "worst": "worst_item_9", "last": "last_item_9"}
LEVELS = {"level_before": "baseline_risk_level", "level_after": "worst_risk_level"}


def aspen() -> dict[str, str]:
    """Canonical tables of the people above."""
    lines = {
        "patient": ["patient_id"],
        "course": ["course_id | patient_id | protocol"],
        "session": ["session_id | patient_id | course_id | session_day | drug"],
        "assessment": ["assessment_id | patient_id | instrument | assessed_day | minutes_from_session_start"],
        "assessment_item": ["assessment_id | patient_id | answers"],
    }
    for row in read_table(PEOPLE):
        name = row["person"]
        lines["patient"].append(f"{name}")
        for column, protocol in (("sgb", "sgb"), ("ketamine", "iv_ketamine")):
            if row[column]:
                lines["course"].append(f"{name}_{column} | {name} | {protocol}")
            for day in (row[column] or "").split():
                lines["session"].append(f"{name}_{day} | {name} | {name}_{column} | {day} | ketamine")
        for column, short, instrument, first in (
            *(("item_9", "p", "phq_9", "00000000"), ("c_ssrs", "c", "c_ssrs_screener", "")),
        ):
            for number, screen in enumerate((row[column] or "").split(), start=1):
                time, answers = screen.split(":")
                day = time.replace("-", " ").replace("+", " ").split()[0]
                minutes = time.removeprefix(day).removeprefix("+") or "-"
                lines["assessment"].append(f"{name}_{short}{number} | {name} | {instrument} | {day} | {minutes}")
                lines["assessment_item"].append(f"{name}_{short}{number} | {name} | {first}{answers}")
    return {table: "\n".join(own) for table, own in lines.items()} | {"escalation": ESCALATIONS}


CLINICS = {"aspen": aspen(), "beech": BEECH, "hazel": HAZEL}


def judged(settings: Settings, names: Iterable[str], where: str) -> list[dict[str, str | None]]:
    """Rows of people with columns as the tables above name and write them."""
    yes_or_no = {name: f"CASE WHEN {it} THEN 'yes' WHEN NOT {it} THEN 'no' END" for name, it in JUDGEMENTS.items()}
    columns = {"person": "split_part(patient_key, '/', 2)", "protocol": "protocol"} | ANSWERS | LEVELS | yes_or_no
    selected = ", ".join(f"{columns[name]} AS {name}" for name in names)
    return cells(settings, f"SELECT {selected} FROM {{fct_suicidality}} WHERE {where}")


def test_people_are_judged_as_by_eye(by_hand: Settings) -> None:
    names = ("person", *ANSWERS, *JUDGEMENTS, *LEVELS)
    expected = [{name: row[name] for name in names} for row in read_table(PEOPLE) if row["person"] != "untreated"]
    found = judged(by_hand, names, "clinic_id = 'aspen' AND protocol = ''")
    assert sorted(found, key=lambda row: str(row["person"])) == sorted(expected, key=lambda row: str(row["person"]))


def test_under_a_protocol_its_first_session_begins_the_baseline(by_hand: Settings) -> None:
    names = ("protocol", *ANSWERS, *JUDGEMENTS)
    found = judged(by_hand, names, "patient_key = 'aspen/two' AND protocol <> ''")
    assert sorted(found, key=str, reverse=True) == sorted(read_table(TWO_PROTOCOLS), key=str, reverse=True)


def test_screens_are_answered_as_by_eye(by_hand: Settings) -> None:
    query = """
        SELECT split_part(assessment_key, '/', 2) AS screen, protocol, is_escalated::VARCHAR AS escalated,
            is_action_taken::VARCHAR AS action, action_minutes AS minutes, escalation_status AS status
        FROM {fct_positive_screens} WHERE clinic_id = 'aspen' ORDER BY 1
        """
    assert cells(by_hand, query) == read_table(SCREENS)


@pytest.mark.parametrize("case", read_table(FIGURES), ids=case_id)
def test_figures_are_those_counted_by_eye(by_hand: Settings, case: dict[str, str | None]) -> None:
    check_figure(by_hand, case)


def test_what_is_not_delivered_is_absent_and_not_zero(by_hand: Settings) -> None:
    told = rows(
        by_hand,
        """
        SELECT clinic_id, measure FROM {agg_figures} JOIN {dim_measures} USING (measure)
        WHERE section = 'suicidality' GROUP BY ALL
        """,
    )
    of_clinic = {clinic: {measure for by, measure in told if by == clinic} for clinic, _ in told}
    assert len(of_clinic["aspen"]) == 14
    assert of_clinic["beech"] == {"escalations_open", "escalations_without_screen"}
    lacking = {"escalated_share", "action_minutes_mean", "action_within_60_minutes_share", *of_clinic["beech"]}
    of_c_ssrs = {measure for measure in of_clinic["aspen"] if measure.startswith("risk_level")}
    assert of_clinic["hazel"] == of_clinic["aspen"] - lacking - of_c_ssrs
    unknown = rows(
        by_hand, "SELECT is_escalated, is_action_taken FROM {fct_positive_screens} WHERE clinic_id = 'hazel'"
    )
    assert unknown == [(None, None)]
    query = "SELECT DISTINCT is_assessed, worst_item_9, is_worsened FROM {fct_suicidality} WHERE clinic_id = 'beech'"
    assert rows(by_hand, query) == [(False, None, None)]


def test_every_figure_of_the_section_says_how_many_are_known(by_hand: Settings) -> None:
    measures = mart(by_hand, "dim_measures").set_index("measure")
    compared_ones = [name for name in measures.index if name.startswith("ideation_")]
    of_others = set(measures.completeness_measure[compared_ones]) - {""}
    assert of_others == {"ideation_assessed_share"}
