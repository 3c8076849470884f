"""Thresholds of checks: the network's in ``expectations/thresholds.yml``, and what a clinic has differently."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, RootModel

from clinic_outcomes.mapping.clinics import Clinic
from clinic_outcomes.mapping.reading import Mistakes, read_yaml
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.settings import Settings

THRESHOLDS = "thresholds.yml"


class _NetworkThreshold(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    value: int
    unit: str = Field(min_length=1)
    description: str = Field(min_length=1)


class _Thresholds(RootModel[dict[str, _NetworkThreshold]]):
    pass


def network_thresholds(settings: Settings) -> Mapping[str, int]:
    """Name → value of every threshold of the network. ``ClinicOutcomesError`` where the file has mistakes."""
    mistakes = Mistakes()
    network = read_yaml(settings.expectations / THRESHOLDS, _Thresholds, mistakes)
    if network is None:
        raise ClinicOutcomesError(mistakes.problems)
    return {name: threshold.value for name, threshold in network.root.items()}


def load_thresholds(clinic: Clinic, settings: Settings) -> Mapping[str, int]:
    """Name → value of every threshold as it holds for a clinic.

    ``ClinicOutcomesError`` where the file has mistakes, or the clinic names a threshold that it does not have.
    """
    network = network_thresholds(settings)
    mistakes = Mistakes()
    for name in sorted(set(clinic.thresholds) - set(network)):
        mistakes.add(settings.clinics / f"{clinic.clinic_id}.yml", "no such threshold", column=f"thresholds.{name}")
    if mistakes.problems:
        raise ClinicOutcomesError(mistakes.problems)
    return {**network, **{name: threshold.value for name, threshold in clinic.thresholds.items()}}
