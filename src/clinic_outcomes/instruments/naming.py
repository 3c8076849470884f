"""What the contract takes from the instruments: their codes, their versions, and the names that mean one of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from clinic_outcomes.instruments.loading import read_instruments


class InstrumentNames(NamedTuple):
    """``labels`` and ``versions``: code → label. ``names``: reduced name or LOINC code → code of the instrument.

    ``refused``: code → why the instrument is refused.
    """

    labels: Mapping[str, str]
    versions: Mapping[str, str]
    names: Mapping[str, str]
    refused: Mapping[str, str]


def name_instruments(folder: Path) -> InstrumentNames:
    """Codes and names of a folder's instruments. ``ClinicOutcomesError`` lists mistakes in its files."""
    instruments = read_instruments(folder)
    return InstrumentNames(
        labels={name: each.file.label for name, each in instruments.items()},
        versions={version: form.label for each in instruments.values() for version, form in each.file.versions.items()},
        names={text: name for name, each in instruments.items() for text in each.names},
        refused={name: each.file.refused.reason for name, each in instruments.items() if each.file.refused},
    )
