"""Aggregates that studies published, as the clinical facts of this project have them from the source named."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Feder2021:
    """Feder et al. 2021, NCT02397889: psychiatryonline abstract, classic.clinicaltrials.gov, Mount Sinai release."""

    clinic_id: str = "feder_2021"
    people_an_arm: int = 15
    ketamine_mg_per_kg: str = "0.5"
    midazolam_mg_per_kg: str = "0.045"
    completed: tuple[int, int] = (14, 15)
    mean_age: tuple[float, float] = (39.3, 38.5)
    age_sd: tuple[float, float] = (13.8, 13.0)
    women: tuple[int, int] = (13, 10)
    men: tuple[int, int] = (1, 5)
    caps_5_difference: float = 11.88
    effect_size: float = 1.13
    responders: tuple[int, int] = (10, 3)
    responder_percent: tuple[int, int] = (67, 20)
    median_days_to_loss_of_response: float = 27.5


@dataclass(frozen=True)
class Albott2018:
    """Albott et al. 2018, abstract (psychiatrist.com): decreases with 95 % intervals."""

    clinic_id: str = "albott_2018"
    people: int = 15
    pcl_5_decrease: tuple[float, float, float] = (33.3, 23.0, 43.5)
    madrs_decrease: tuple[float, float, float] = (26.6, 23.0, 30.2)
    depression_response_percent: float = 93.3


@dataclass(frozen=True)
class Ross2019:
    """Ross et al. 2019, abstract (PubMed 31675388): before and after six infusions of an hour."""

    clinic_id: str = "ross_2019"
    people: int = 30
    phq_9: tuple[float, float] = (18.9, 9.5)
    pcl_5: tuple[float, float] = (56.2, 31.3)
    mean_dose_mg_per_kg: float = 1.94
    infusion_minutes: int = 60


@dataclass(frozen=True)
class Osmind:
    """Ketamine infusion therapy for PTSD in the Osmind registry (osmind.org).

    The page gives about 47 before and about 27 after the fourth infusion, and an average decrease of 18.6, which
    cannot come of the same rounded means. The decrease is the figure with a decimal and is what is generated: 46.5
    before, which rounds to 47, and 27.9 after. The page's share with complete scores, 16.5 %, is 16.0 % of its counts.
    """

    clinic_id: str = "osmind_registry"
    treated: int = 8142
    with_complete_pcl_5: int = 1306
    complete_percent: float = 16.0
    pcl_5_before: int = 47
    pcl_5_after_4: int = 27
    decrease_after_4: float = 18.6
    response_percent_after_1: int = 27
    response_percent_by_6: int = 70
    four_within_28_days_percent: int = 82
    women_percent: int = 66
    mean_age: float = 42.3
    depression_percent: int = 90


@dataclass(frozen=True)
class Rodrigues2022:
    """Rodrigues et al. 2022, abstract: people with each side effect, in percent.

    No whole number of 203 people is 56.4 % of them; of 188 all four shares are. The nearest whole numbers of 203 are
    generated.
    """

    clinic_id: str = "rodrigues_2022"
    people: int = 203
    drowsiness_percent: float = 56.4
    dizziness_percent: float = 45.2
    dissociation_percent: float = 35.6
    nausea_percent: float = 13.3


@dataclass(frozen=True)
class KetamineAudit:
    """An audit of 1,985 ketamine sessions without an event of its first tier (Sage), one-sided 95 % upper bounds.

    The page gives no people by route; 265 and 31 are assumed.
    """

    clinic_id: str = "ketamine_audit"
    people: tuple[int, int] = (265, 31)
    sessions: tuple[int, int] = (1779, 206)
    upper_percent_a_session: float = 0.15
    upper_percent_by_route: tuple[float, float] = (0.17, 1.44)
    upper_percent_a_person: float = 1.01


FEDER, ALBOTT, ROSS, OSMIND, RODRIGUES = Feder2021(), Albott2018(), Ross2019(), Osmind(), Rodrigues2022()
AUDIT = KetamineAudit()
