"""Reading ``instruments/*.yml``, and which threshold sets are in use."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from clinic_outcomes.contract.loader import UNMAPPED, load_contract, reduced
from clinic_outcomes.files import Signature, folder_signature, parse_yaml
from clinic_outcomes.instruments.entries import InstrumentFile, Threshold, mistakes_in
from clinic_outcomes.mapping.reading import IDENTIFIER, Mistakes, read_yaml
from clinic_outcomes.problems import ClinicOutcomesError, Problem
from clinic_outcomes.settings import Settings

RECALL_WINDOWS = Path(__file__).parent / "recall_windows.yml"
THRESHOLD_SETTING = "CLINIC_OUTCOMES_THRESHOLD_SETS"


@dataclass(frozen=True)
class Instrument:
    """A questionnaire by its code in the contract, and what its file says of it."""

    name: str
    file: InstrumentFile

    @property
    def names(self) -> tuple[str, ...]:
        """What means this instrument in a delivery: names, reduced, and LOINC codes of the whole or of its total."""
        loinc = {code.code for code in self.file.loinc if code.part in ("panel", "total")}
        texts = (self.name, self.file.label, self.file.title, *self.file.also_named)
        return tuple(sorted(loinc | {reduced(text) for text in texts}))

    def sets_of(self, quantity: str) -> tuple[Threshold, ...]:
        """All thresholds there are for a quantity: those of the file in its order, then those that are computed."""
        return tuple(t for t in self.file.thresholds if t.quantity == quantity)


@dataclass(frozen=True)
class RecallWindow:
    """A period that questions ask about. ``days`` is None where it has no fixed length."""

    name: str
    label: str
    days: int | None
    allows_same_day: bool


def load_instruments(settings: Settings) -> Mapping[str, Instrument]:
    """Every instrument by its code, in the order that reports list them.

    ``ClinicOutcomesError`` lists all mistakes of all files, each with file and field.
    """
    return read_instruments(settings.instruments)


def read_instruments(folder: Path) -> Mapping[str, Instrument]:
    """Every instrument of a folder, as :func:`load_instruments` has those of the settings."""
    if not folder.is_dir():
        raise ClinicOutcomesError([_problem("there is no folder of instruments", f"{folder.name}/")])
    return _remembered(folder, folder_signature(folder))


@functools.lru_cache(maxsize=16)
def _remembered(folder: Path, _signature: Signature) -> Mapping[str, Instrument]:
    mistakes = Mistakes()
    windows = _told_windows()
    found: dict[str, Instrument] = {}
    for path in sorted(folder.glob("*.yml")):
        if not IDENTIFIER.fullmatch(path.stem) or path.stem == UNMAPPED:
            mistakes.add(path, "an instrument's file is named with lower-case letters, digits and _")
        file = read_yaml(path, InstrumentFile, mistakes)
        if file is None:
            continue
        for field, message in mistakes_in(file):
            mistakes.add(path, message, column=field)
        for name, version in file.versions.items():
            if version.recall_window not in windows:
                mistakes.add(path, "the contract has no such recall window", column=f"versions.{name}.recall_window")
        found[path.stem] = Instrument(path.stem, file)
    _check_together(folder, found, mistakes)
    if mistakes.problems:
        raise ClinicOutcomesError(mistakes.problems)
    ordered = sorted(found.values(), key=lambda instrument: (instrument.file.sort_order, instrument.name))
    return MappingProxyType({instrument.name: instrument for instrument in ordered})


def _check_together(folder: Path, found: Mapping[str, Instrument], mistakes: Mistakes) -> None:
    """What files must agree on with each other."""
    orders = Counter(instrument.file.sort_order for instrument in found.values())
    labels: dict[str, str] = {}
    names: dict[str, str] = {}
    for name, instrument in found.items():
        path, file = folder / f"{name}.yml", instrument.file
        if orders[file.sort_order] > 1:
            mistakes.add(path, "another instrument has the same place in the order", column="sort_order")
        for version, form in file.versions.items():
            if not IDENTIFIER.fullmatch(version) or version == UNMAPPED:
                mistakes.add(
                    path, "a version is named with lower-case letters, digits and _", column=f"versions.{version}"
                )
            if labels.setdefault(version, form.label) != form.label:
                mistakes.add(
                    path, "another instrument labels this version differently", column=f"versions.{version}.label"
                )
        for text in (*instrument.names, *(code.code for code in file.loinc)):
            if names.setdefault(text, name) != name:
                mistakes.add(
                    path, f"{names[text]} has the same name or LOINC code: {text}", column="also_named or loinc"
                )
        if file.refused and file.refused.instead_of not in found:
            mistakes.add(path, "there is no such instrument", column="refused.instead_of")


def chosen_thresholds(instruments: Mapping[str, Instrument], settings: Settings) -> Mapping[tuple[str, str], Threshold]:
    """Instrument and quantity → the threshold in use: what the files say, and what the setting says instead.

    ``ClinicOutcomesError`` lists every choice that names no instrument, quantity or set that there is.
    """
    chosen = {
        (name, str(quantity)): threshold
        for name, instrument in instruments.items()
        for quantity, set_name in instrument.file.use.items()
        for threshold in instrument.sets_of(quantity)
        if threshold.set == set_name
    }
    problems = []
    for place, set_name in settings.threshold_sets:
        name, _, quantity = place.partition(".")
        known = instruments[name].sets_of(quantity) if name in instruments else ()
        sets = {threshold.set: threshold for threshold in known}
        if name not in instruments:
            problems.append(_problem(f"there is no instrument {name}", None))
        elif not sets:
            problems.append(_problem(f"{name} has no threshold set for {quantity}", f"instruments/{name}.yml"))
        elif set_name not in sets:
            message = f"{place} has no set {set_name}; it has {', '.join(sorted(sets))}"
            problems.append(_problem(message, f"instruments/{name}.yml"))
        else:
            chosen[name, quantity] = sets[set_name]
    if problems:
        raise ClinicOutcomesError(problems)
    return MappingProxyType(dict(sorted(chosen.items())))


def _problem(message: str, file: str | None) -> Problem:
    return Problem(
        rule="instruments", message=message, file=file, advice=f"Correct {THRESHOLD_SETTING} or the instrument's file."
    )


def _told_windows() -> Mapping[str, Any]:
    told: Mapping[str, Any] = parse_yaml(RECALL_WINDOWS.read_text(encoding="utf-8"))
    return told


def recall_windows() -> tuple[RecallWindow, ...]:
    """The recall windows of the contract. ``ValueError`` where one has no length said, or one too many has."""
    labels = load_contract().code_lists["recall_window"]
    told = _told_windows()
    if set(told) != set(labels):
        raise ValueError(f"{RECALL_WINDOWS.name}: must list the contract's recall windows, each once")
    return tuple(
        RecallWindow(name, label, told[name]["days"], told[name]["allows_same_day"]) for name, label in labels.items()
    )
