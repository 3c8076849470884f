"""A clinic: which system it uses, on what legal basis it delivers, and what it does differently."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from clinic_outcomes.contract import load_contract
from clinic_outcomes.contract.loader import INSTRUMENT_LIST
from clinic_outcomes.files import fingerprint, sha256_file
from clinic_outcomes.mapping.instruments import mistaken_instrument
from clinic_outcomes.mapping.key_patterns import RANDOM_BITS, form_of
from clinic_outcomes.mapping.legal_basis import LegalBasis
from clinic_outcomes.mapping.lines import allowed_codes
from clinic_outcomes.mapping.reading import IDENTIFIER, Mistakes, read_yaml
from clinic_outcomes.mapping.systems import KeyPattern, System, load_system, load_systems
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.settings import Settings

KEYS_OF_CLINICS = ("referring_clinic_id",)
"""Keys by which the network knows a clinic."""
RECIPIENTS = ("internal", "latest", "network", "public")
"""Names that no clinic can have: folders of a release have them."""


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
        clinic = _read_clinic(path, systems.get, mistakes)
        if clinic:
            found[clinic.clinic_id] = clinic
    if mistakes.problems:
        raise ClinicOutcomesError(mistakes.problems)
    return found


def load_clinic(clinic_id: str, settings: Settings) -> Clinic:
    """One clinic by id. ``ClinicOutcomesError`` where there is none of that name, or its own mapping is wrong."""
    path = settings.clinics / f"{clinic_id}.yml"
    if not path.is_file():
        known = sorted(found.stem for found in settings.clinics.glob("*.yml"))
        raise ClinicOutcomesError(f"no clinic {clinic_id}; known are {', '.join(known) or 'none'}")

    def system_of(name: str) -> System | None:
        return load_system(name, settings) if (settings.systems / name).is_dir() else None

    mistakes = Mistakes()
    clinic = _read_clinic(path, system_of, mistakes)
    if mistakes.problems or clinic is None:
        raise ClinicOutcomesError(mistakes.problems)
    return clinic


def _read_clinic(path: Path, system_of: Callable[[str], System | None], mistakes: Mistakes) -> Clinic | None:
    if not IDENTIFIER.fullmatch(path.stem):
        mistakes.add(path, "a clinic's file is named with lower-case letters, digits and _")
    if path.stem in RECIPIENTS:
        mistakes.add(path, f"the name {path.stem} is taken: it is a recipient of reports")
    content = read_yaml(path, _ClinicFile, mistakes)
    if content is None:
        return None
    system = system_of(content.system)
    if system is None:
        mistakes.add(path, "no such system", column="system")
        return None
    codes = _codes(path, content, system, mistakes)
    system = replace(system, codes=codes, key_patterns=_key_patterns(path, content, system, mistakes))
    if content.legal_basis.service_period not in content.legal_basis.allowance.service_periods:
        mistakes.add(path, "the legal basis does not allow so fine a period", column="legal_basis.service_period")
    return Clinic(
        clinic_id=path.stem,
        title=content.title,
        format=content.format or system.format,
        short_keys=content.short_keys,
        thresholds=content.thresholds,
        system=system,
        legal_basis=content.legal_basis,
        fingerprint=fingerprint([system.fingerprint, sha256_file(path)]),
    )


def _codes(path: Path, content: _ClinicFile, system: System, mistakes: Mistakes) -> dict[str, dict[str, str]]:
    """Code sets of the clinic: the system's, with its own overrides."""
    contract = load_contract()
    codes = {name: dict(lines) for name, lines in system.codes.items()}
    of_instruments = {m.codes for m in system.columns if m.target and m.target.code_list == INSTRUMENT_LIST}
    for name, lines in sorted(content.overrides.codes.items()):
        place = f"overrides.codes.{name}"
        if name not in codes:
            mistakes.add(path, "overrides a code set that its system does not have", column=place)
            continue
        allowed = allowed_codes(system.columns, name, contract)
        if allowed is not None and not set(lines.values()) <= allowed:
            mistakes.add(path, "code is not in the column's code list", column=place)
        for source_code, code in sorted(lines.items()) if name in of_instruments else ():
            wrong = mistaken_instrument([source_code], code, contract)
            if wrong:
                mistakes.add(path, wrong, column=place)
        codes[name] |= lines
    return codes


def _key_patterns(path: Path, content: _ClinicFile, system: System, mistakes: Mistakes) -> dict[str, str]:
    """Patterns of the clinic's keys: the system's, with its own, those of short keys last."""
    short = content.short_keys.key_patterns if content.short_keys else {}
    for place, names in (("short_keys", short), ("overrides", content.overrides.key_patterns)):
        for name in sorted(set(names) - set(system.key_patterns)):
            mistakes.add(path, "the system has no such key", column=f"{place}.key_patterns.{name}")
    patterns = {**system.key_patterns, **content.overrides.key_patterns, **short}
    for name in sorted(_keys_of_people(system) - set(short)):
        bits = form_of(patterns[name]).bits
        if bits < RANDOM_BITS:
            mistakes.add(
                path,
                f"keys carry {bits:.0f} random bits at least, where {RANDOM_BITS} are needed: correct the pattern in "
                "system.yml, or declare short_keys with a reason in the clinic's file",
                column=f"key_patterns.{name}",
            )
    return patterns


def _keys_of_people(system: System) -> set[str]:
    """Names under which ``key_patterns`` holds keys of people and their records.

    That is all but those of lookup tables and of clinics: a network has few clinics, and their ids tell of nobody.
    """
    contract = load_contract()
    found = set()
    for mapping in system.columns:
        target = mapping.target
        if target is None or not target.is_key or target.name in KEYS_OF_CLINICS:
            continue
        home, name = target.references or (target.table, target.name)
        if any(column.name == "patient_id" for column in contract.tables[home].columns):
            found.add(target.name if target.name in system.key_patterns else name)
    return found & set(system.key_patterns)
