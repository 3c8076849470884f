"""A clinic: which system it uses, on what legal basis it delivers, and what it does differently."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from clinic_outcomes.contract import load_contract
from clinic_outcomes.files import fingerprint, sha256_file
from clinic_outcomes.mapping.reading import IDENTIFIER, Mistakes, read_yaml
from clinic_outcomes.mapping.systems import KeyPattern, System, allowed_codes, load_systems
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.settings import Settings


class LegalBasis(BaseModel):
    """On what basis the clinic may deliver, and what that allows (45 CFR 164.514)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    basis: Literal["safe_harbor", "expert_determination", "limited_data_set"] = "safe_harbor"
    reference: str = ""
    service_period: Literal["year", "quarter"] = "year"


class _Overrides(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    key_patterns: dict[str, KeyPattern] = {}
    codes: dict[str, dict[str, str]] = {}


class ShortKeys(BaseModel):
    """Study numbers too short to be random, of which the clinic says why they tell of nobody: columns → patterns."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: str = Field(min_length=1)
    key_patterns: dict[str, KeyPattern] = Field(min_length=1)


class Threshold(BaseModel):
    """A threshold of a check that the clinic has differently from the network, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: int
    reason: str = Field(min_length=1)


class _ClinicFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    system: str
    format: str | None = None
    legal_basis: LegalBasis = LegalBasis()
    short_keys: ShortKeys | None = None
    thresholds: dict[str, Threshold] = {}
    overrides: _Overrides = _Overrides()


@dataclass(frozen=True)
class Clinic:
    """One clinic with its system, the overrides applied. ``fingerprint`` covers both files' content.

    ``format`` is the one of its system's formats in which the clinic exports. ``thresholds`` are those it has
    differently from ``expectations/thresholds.yml``.
    """

    clinic_id: str
    title: str
    system: System
    format: str
    legal_basis: LegalBasis
    short_keys: ShortKeys | None
    thresholds: Mapping[str, Threshold]
    fingerprint: str


def load_clinics(settings: Settings) -> dict[str, Clinic]:
    """Every clinic below ``settings.clinics``, by id. ``ClinicOutcomesError`` lists all mistakes of all of them."""
    systems = load_systems(settings)
    mistakes = Mistakes()
    found = {}
    for path in sorted(settings.clinics.glob("*.yml")):
        clinic = _read_clinic(path, systems, mistakes)
        if clinic:
            found[clinic.clinic_id] = clinic
    if mistakes.problems:
        raise ClinicOutcomesError(mistakes.problems)
    return found


def load_clinic(clinic_id: str, settings: Settings) -> Clinic:
    """One clinic by id. ``ClinicOutcomesError`` where there is none of that name, or a mapping is wrong."""
    clinics = load_clinics(settings)
    if clinic_id not in clinics:
        raise ClinicOutcomesError(f"no clinic {clinic_id}; known are {', '.join(clinics) or 'none'}")
    return clinics[clinic_id]


def _read_clinic(path: Path, systems: Mapping[str, System], mistakes: Mistakes) -> Clinic | None:
    if not IDENTIFIER.fullmatch(path.stem):
        mistakes.add(path, "a clinic's file is named with lower-case letters, digits and _")
    if path.stem == "network":
        mistakes.add(path, "the name network is taken: it is the recipient of the network's report")
    content = read_yaml(path, _ClinicFile, mistakes)
    if content is None:
        return None
    if content.system not in systems:
        mistakes.add(path, "no such system", column="system")
        return None
    system = systems[content.system]
    codes = {name: dict(lines) for name, lines in system.codes.items()}
    for name, lines in sorted(content.overrides.codes.items()):
        place = f"overrides.codes.{name}"
        if name not in codes:
            mistakes.add(path, "overrides a code set that its system does not have", column=place)
            continue
        allowed = allowed_codes(system.columns, name, load_contract())
        if allowed is not None and not set(lines.values()) <= allowed:
            mistakes.add(path, "code is not in the column's code list", column=place)
        codes[name] |= lines
    return Clinic(
        clinic_id=path.stem,
        title=content.title,
        format=content.format or system.format,
        short_keys=content.short_keys,
        thresholds=content.thresholds,
        system=replace(system, codes=codes, key_patterns={**system.key_patterns, **content.overrides.key_patterns}),
        legal_basis=content.legal_basis,
        fingerprint=fingerprint([system.fingerprint, sha256_file(path)]),
    )
