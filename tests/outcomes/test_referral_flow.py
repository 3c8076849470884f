"""Referral flow of small clinics written by hand: steps, days, losses, flows between clinics, owners through a sale."""

# ruff: noqa: E501 - a row of a table that is read by eye stays on one line

from __future__ import annotations

import pytest

from clinic_outcomes.settings import Settings
from tests.support.marts import case_id, check_figure, rows
from tests.support.model_states import read_table

# A1 takes every step. A2 is treated and nothing else is recorded. A3 was never referred. A4 was treated before the referral.
# A5 is reached by the second referral alone. A6 and A10 are lost. A7 is watched for a day. A8's contact is not recorded.
# A9's contact is later than the consultation. A11's maintenance is recorded, the end of the course before it is not.
# A12 started a course before the referral that goes on after it, and then another.
ALDER = {
    "patient": """
        patient_id | network_token | observed_through_day
        A1         | t1            | 300
        A2         | t2            | 300
        A3         | t3            | 300
        A4         | -             | 150
        A5         | -             | 35
        A6         | -             | 300
        A7         | -             | 1
        A8         | -             | 300
        A9         | -             | 300
        A10        | -             | -
        A11        | -             | 300
        A12        | -             | 300
        """,
    "referral": """
        referral_id | patient_id | source_type | received_day | contacted_day | consulted_day | decided_day | candidacy     | candidacy_reason    | closing_reason
        R1          | A1         | self        | 0            | 1             | 5             | 6           | candidate     | criteria_met        | -
        R2          | A2         | self        | 0            | -             | -             | -           | -             | -                   | -
        R4          | A4         | self        | 100          | -             | -             | -           | -             | -                   | -
        R5          | A5         | self        | 0            | -             | -             | -           | -             | -                   | not_reached
        R5b         | A5         | psychiatry  | 30           | 31            | -             | -           | -             | -                   | -
        R6          | A6         | psychiatry  | 0            | 2             | 9             | -           | -             | -                   | declined
        R7          | A7         | self        | 0            | 1             | -             | -           | -             | -                   | -
        R8          | A8         | self        | 0            | -             | 1             | 1           | deferred      | information_missing | -
        R9          | A9         | self        | 0            | 5             | 3             | -           | -             | -                   | cost
        R10         | A10        | -           | 0            | 4             | 4             | 8           | not_candidate | -                   | not_candidate
        R11         | A11        | psychiatry  | 0            | 3             | 4             | 4           | candidate     | criteria_met        | -
        R12         | A12        | self        | 10           | 10            | 12            | 12          | candidate     | criteria_met        | -
        """,
    "course": """
        course_id | patient_id | protocol    | planned_sessions | phase
        K1        | A1         | iv_ketamine | 2                | induction
        K1m       | A1         | iv_ketamine | 4                | maintenance
        K2        | A2         | iv_ketamine | 3                | induction
        K3        | A3         | iv_ketamine | 1                | induction
        K4        | A4         | iv_ketamine | 1                | induction
        K11       | A11        | iv_ketamine | 6                | induction
        K11m      | A11        | iv_ketamine | 4                | maintenance
        K12       | A12        | iv_ketamine | 2                | induction
        K12b      | A12        | iv_ketamine | 6                | induction
        """,
    "session": """
        session_id | patient_id | course_id | session_day | drug
        S1         | A1         | K1        | 10          | ketamine
        S2         | A1         | K1        | 13          | ketamine
        S3         | A1         | K1m       | 40          | ketamine
        S4         | A2         | K2        | 20          | ketamine
        S5         | A3         | K3        | 0           | ketamine
        S6         | A4         | K4        | 5           | ketamine
        S7         | A11        | K11       | 14          | ketamine
        S8         | A11        | K11m      | 60          | ketamine
        S9         | A12        | K12       | 9           | ketamine
        S10        | A12        | K12       | 11          | ketamine
        S11        | A12        | K12b      | 30          | ketamine
        S12        | A12        | K12b      | 34          | ketamine
        """,
    "disposition": """
        course_id | patient_id | disposition | disposition_day
        K2        | A2         | dropped_out | 25
        K12b      | A12        | completed   | 50
        """,
}
# The clinic is sold in 2024 and closes: B1 and B3 are treated under both owners, the courses of B3 and B4 are cut short.
# B5's one session names no owner. t1 is A1 of alder; t3 is known in three clinics.
BIRCH = {
    "patient": """
        patient_id | network_token | observed_through_day
        B1         | t1            | 90
        B2         | t3            | 90
        B3         | -             | 90
        B4         | t4            | 90
        B5         | t4            | 90
        """,
    "referral": """
        referral_id | patient_id | source_type    | referring_clinic_id | received_day
        R1          | B1         | network_clinic | x                   | 0
        R2          | B2         | network_clinic | -                   | 0
        R3          | B3         | self           | -                   | 0
        R4          | B4         | network_clinic | -                   | 0
        """,
    "organisation": """
        organisation_id | organisation_status
        ORG1            | acquired
        ORG2            | closed
        """,
    "course": """
        course_id | patient_id | protocol    | planned_sessions
        K1        | B1         | iv_ketamine | 6
        K3        | B3         | iv_ketamine | 6
        K4        | B4         | iv_ketamine | 6
        K5        | B5         | iv_ketamine | 6
        """,
    "session": """
        session_id | patient_id | course_id | session_day | drug     | organisation_id | service_period
        S1         | B1         | K1        | 5           | ketamine | ORG1            | 2024
        S2         | B1         | K1        | 8           | ketamine | ORG1            | 2024
        S3         | B1         | K1        | 11          | ketamine | ORG2            | 2025
        S4         | B3         | K3        | 9           | ketamine | ORG1            | 2024
        S5         | B3         | K3        | 12          | ketamine | ORG2            | 2025
        S6         | B4         | K4        | 7           | ketamine | ORG2            | 2025
        S7         | B5         | K5        | 7           | ketamine | -               | 2025
        """,
    "disposition": """
        course_id | patient_id | disposition | disposition_day
        K1        | B1         | dropped_out | 20
        K3        | B3         | site_closed | 13
        K4        | B4         | site_closed | 8
        """,
}
# An owner of the same code as one of birch, who has nothing to do with it.
CEDAR = {
    "patient": """
        patient_id | network_token
        C1         | t2
        C2         | t3
        """,
    "course": "course_id | patient_id | protocol\nK1 | C1 | iv_ketamine",
    "session": """
        session_id | patient_id | course_id | session_day | drug     | organisation_id | service_period
        S1         | C1         | K1        | 0           | ketamine | ORG1            | 2025
        """,
}

# Counted by eye from the tables above. A `-` is null.
FIGURES = """
measure                          | clinic_id | dimension        | category            | numerator | denominator | value    | patients
patients_referred                | alder     | ''               | ''                  | 11        | -           | 11       | 11
patients_contacted               | alder     | ''               | ''                  | 10        | -           | 10       | 10
contacted_share                  | alder     | ''               | ''                  | 10        | 11          | 0.909091 | 11
contacted_within_target_share    | alder     | ''               | ''                  | 4         | 9           | 0.444444 | 9
patients_consulted               | alder     | ''               | ''                  | 8         | -           | 8        | 8
consulted_of_contacted_share     | alder     | ''               | ''                  | 8         | 10          | 0.8      | 10
patients_decided                 | alder     | ''               | ''                  | 6         | -           | 6        | 6
decided_of_consulted_share       | alder     | ''               | ''                  | 6         | 8           | 0.75     | 8
patients_decided                 | network   | candidacy_reason | criteria_met        | 3         | -           | 3        | 3
patients_decided                 | network   | candidacy_reason | information_missing | 1         | -           | 1        | 1
candidacy_rate                   | alder     | ''               | ''                  | 3         | 5           | 0.6      | 5
decisions_without_criteria_share | alder     | ''               | ''                  | 2         | 5           | 0.4      | 5
patients_referred_treated        | alder     | ''               | ''                  | 4         | -           | 4        | 4
treated_of_decided_share         | alder     | ''               | ''                  | 4         | 6           | 0.666667 | 6
patients_referred_completed      | alder     | ''               | ''                  | 3         | -           | 3        | 3
completed_of_treated_share       | alder     | ''               | ''                  | 3         | 4           | 0.75     | 4
patients_referred_maintenance    | alder     | ''               | ''                  | 2         | -           | 2        | 2
maintenance_of_completed_share   | alder     | ''               | ''                  | 2         | 3           | 0.666667 | 3
days_to_contact                  | alder     | ''               | ''                  | 42        | 7           | 6        | 7
days_contact_to_consult          | alder     | ''               | ''                  | 14        | 5           | 2.8      | 5
days_consult_to_decision         | alder     | ''               | ''                  | 5         | 5           | 1        | 5
days_decision_to_first_session   | alder     | ''               | ''                  | 32        | 3           | 10.666667 | 3
days_first_session_to_completion | alder     | ''               | ''                  | 7         | 2           | 3.5      | 2
days_completion_to_maintenance   | alder     | ''               | ''                  | 27        | 1           | 27       | 1
days_referral_to_first_session   | alder     | ''               | ''                  | 64        | 4           | 16       | 4
days_first_session_to_completion_sd | alder  | ''               | ''                  | -         | 2           | 0.707107 | 2
patients_lost                    | alder     | ''               | ''                  | 3         | -           | 3        | 3
patients_lost                    | network   | closing_reason   | cost                | 1         | -           | 1        | 1
patients_lost                    | network   | furthest_step    | consulted           | 2         | -           | 2        | 2
patients_lost                    | network   | referral_source  | not_recorded        | 1         | -           | 1        | 1
referrals_open                   | alder     | ''               | ''                  | 4         | -           | 4        | 4
referrals_open                   | network   | open_age         | 30_to_89_days       | 1         | -           | 1        | 1
referrals_open                   | network   | open_age         | 90_to_179_days      | 1         | -           | 1        | 1
patients_referred_again          | alder     | ''               | ''                  | 1         | -           | 1        | 1
referral_steps_inferred          | alder     | ''               | ''                  | 5         | -           | 5        | 3
referral_steps_inferred          | network   | inferred_step    | completed           | 1         | -           | 1        | 1
treated_without_referral         | alder     | ''               | ''                  | 1         | -           | 1        | 1
treated_without_referral         | birch     | ''               | ''                  | 1         | -           | 1        | 1
treated_before_referral          | alder     | ''               | ''                  | 1         | -           | 1        | 1
patients_referred                | birch     | ''               | ''                  | 4         | -           | 4        | 4
referred_by_network_clinic       | birch     | ''               | ''                  | 3         | -           | 3        | 3
referred_by_network_clinic       | network   | referring_clinic | alder               | 1         | -           | 1        | 1
referred_by_network_clinic       | network   | referring_clinic | not_known           | 2         | -           | 2        | 2
people_seen_in_two_clinics       | network   | clinics_seen     | two                 | 2         | -           | 2        | 2
people_seen_in_two_clinics       | network   | clinics_seen     | three_or_more       | 1         | -           | 1        | 1
people_treated_by_token          | network   | clinics_seen     | one                 | 2         | -           | 2        | 2
people_treated_by_token          | network   | clinics_seen     | two                 | 2         | -           | 2        | 2
sessions_given                   | birch     | ''               | ''                  | 7         | -           | 7        | 4
sessions_given                   | birch     | organisation     | owner_1             | 3         | -           | 3        | 2
sessions_given                   | birch     | organisation     | owner_2             | 3         | -           | 3        | 3
sessions_given                   | birch     | organisation     | not_recorded        | 1         | -           | 1        | 1
patients_treated                 | birch     | ''               | ''                  | 4         | -           | 4        | 4
patients_treated                 | birch     | organisation     | owner_1             | 2         | -           | 2        | 2
patients_treated                 | birch     | organisation     | owner_2             | 3         | -           | 3        | 3
patients_by_first_owner          | birch     | organisation     | owner_1             | 2         | -           | 2        | 2
patients_by_first_owner          | birch     | organisation     | owner_2             | 1         | -           | 1        | 1
patients_by_first_owner          | birch     | organisation     | not_recorded        | 1         | -           | 1        | 1
patients_of_several_owners       | birch     | ''               | ''                  | 2         | -           | 2        | 2
patients_mid_course_at_closure   | birch     | ''               | ''                  | 2         | -           | 2        | 2
patients_mid_course_at_closure   | birch     | organisation     | owner_1             | 0         | -           | 0        | 0
patients_mid_course_at_closure   | birch     | organisation     | owner_2             | 2         | -           | 2        | 2
sessions_given                   | cedar     | organisation     | owner_1             | 1         | -           | 1        | 1
"""


CLINICS = {"alder": ALDER, "birch": BIRCH, "cedar": CEDAR}


@pytest.mark.parametrize("case", read_table(FIGURES), ids=case_id)
def test_figures_are_those_counted_by_eye(by_hand: Settings, case: dict[str, str | None]) -> None:
    check_figure(by_hand, case)


def test_each_person_is_at_one_furthest_step_on_known_days(by_hand: Settings) -> None:
    expected = """
        person | status  | furthest   | contacted | consulted | decided | session | completed | maintenance
        A1     | treated | maintained | 1         | 5         | 6       | 10      | 13        | 40
        A2     | treated | treated    | -         | -         | -       | 20      | -         | -
        A4     | open    | referred   | -         | -         | -       | -       | -         | -
        A5     | open    | contacted  | 31        | -         | -       | -       | -         | -
        A6     | lost    | consulted  | 2         | 9         | -       | -       | -         | -
        A7     | open    | contacted  | 1         | -         | -       | -       | -         | -
        A8     | open    | decided    | -         | 1         | 1       | -       | -         | -
        A9     | lost    | consulted  | -         | 3         | -       | -       | -         | -
        A10    | lost    | decided    | 4         | 4         | 8       | -       | -         | -
        A11    | treated | maintained | 3         | 4         | 4       | 14      | -         | 60
        A12    | treated | completed  | 10        | 12        | 12      | 30      | 34        | -
        """
    query = """
        SELECT split_part(patient_key, '/', 2), status, furthest_step, contacted_day::VARCHAR, consulted_day::VARCHAR,
            decided_day::VARCHAR, first_session_day::VARCHAR, completed_day::VARCHAR, maintenance_day::VARCHAR
        FROM {fct_referral_flow} WHERE clinic_id = 'alder'
        """
    assert sorted(rows(by_hand, query)) == sorted(tuple(row.values()) for row in read_table(expected))


def test_flows_between_clinics(by_hand: Settings) -> None:
    expected = """
        from  | to    | known | treated | referred | referred_and_treated
        alder | birch | 2     | 1       | 1        | 1
        birch | alder | 2     | 1       | 0        | 0
        alder | cedar | 2     | 1       | 0        | 0
        cedar | alder | 2     | 1       | 0        | 0
        birch | cedar | 1     | 0       | 0        | 0
        cedar | birch | 1     | 0       | 0        | 0
        -     | birch | 0     | 0       | 2        | 1
        """
    query = """
        SELECT from_clinic_id, to_clinic_id, people_known_in_both::VARCHAR, people_treated_in_both::VARCHAR,
            people_referred::VARCHAR, people_referred_and_treated::VARCHAR
        FROM {agg_flows_between_clinics}
        """
    assert sorted(rows(by_hand, query), key=str) == sorted((tuple(r.values()) for r in read_table(expected)), key=str)


def test_owners_of_two_clinics_are_never_told_as_one(by_hand: Settings) -> None:
    assert rows(by_hand, "SELECT 1 FROM {agg_figures} WHERE clinic_id = 'network' AND dimension = 'organisation'") == []
    owners = rows(by_hand, "SELECT organisation_key, sessions FROM {agg_owners} ORDER BY 1 NULLS LAST")
    assert ("birch/ORG1", 3) in owners
    assert ("cedar/ORG1", 1) in owners


def test_the_target_of_contact_is_in_the_words(by_hand: Settings) -> None:
    words = rows(
        by_hand,
        "SELECT definition, numerator_definition, denominator_definition FROM {dim_measures} "
        "WHERE measure = 'contacted_within_target_share'",
    )[0]
    assert all("2 days" in text for text in words)
    assert "{" not in "".join(words)


def test_a_clinic_without_referrals_has_no_funnel(by_hand: Settings) -> None:
    measures = {m for (m,) in rows(by_hand, "SELECT measure FROM {agg_figures} WHERE clinic_id = 'cedar'")}
    assert "patients_treated" in measures
    assert measures.isdisjoint({"patients_referred", "treated_without_referral", "referrals_open", "days_to_contact"})
