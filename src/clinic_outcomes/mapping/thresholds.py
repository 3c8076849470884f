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


def load_thresholds(clinic: Clinic, settings: Settings) -> Mapping[str, int]:
    """Name → value of every threshold as it holds for a clinic.

    ``ClinicOutcomesError`` where the file has mistakes, or the clinic names a threshold that it does not have.
    """
    path = settings.expectations / THRESHOLDS
    mistakes = Mistakes()
    network = read_yaml(path, _Thresholds, mistakes)
    for name in sorted(set(clinic.thresholds) - set(network.root if network else ())):
        mistakes.add(settings.clinics / f"{clinic.clinic_id}.yml", "no such threshold", column=f"thresholds.{name}")
    if mistakes.problems or network is None:
        raise ClinicOutcomesError(mistakes.problems)
    values = {name: threshold.value for name, threshold in network.root.items()}
    return values | {name: threshold.value for name, threshold in clinic.thresholds.items()}
