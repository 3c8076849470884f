"""Other names of the contract's tables and columns (``synonyms.yml``), and the words that may be told of a name."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clinic_outcomes.admit.columns import COMMON_WORDS, words_of_contract, words_of_names
from clinic_outcomes.files import parse_yaml


@dataclass(frozen=True)
class Synonyms:
    """Other names by table and by column, endings of names by unit, and texts that mean that nothing was entered."""

    tables: Mapping[str, tuple[str, ...]]
    columns: Mapping[str, tuple[str, ...]]
    units: Mapping[str, tuple[str, ...]]
    record_action: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def known_words(self) -> frozenset[str]:
        """Words that may be told of a delivered name: the contract's, their synonyms, and what columns are made of."""
        names = [
            name for group in (self.tables, self.columns, self.units) for names in group.values() for name in names
        ]
        redcap = ("record", "redcap", "event", "repeat", "instrument", "instance", "complete", "form", "survey", "data")
        return COMMON_WORDS | words_of_contract() | words_of_names([*names, *self.record_action, *redcap])


@functools.cache
def load_synonyms() -> Synonyms:
    """The names that lie beside this module."""
    found = parse_yaml(Path(__file__).with_name("synonyms.yml").read_text(encoding="utf-8"))
    groups = {
        key: {name: tuple(map(str, others)) for name, others in found[key].items()}
        for key in ("tables", "columns", "units")
    }
    return Synonyms(**groups, record_action=tuple(found["record_action"]), missing=tuple(found["missing"]))
