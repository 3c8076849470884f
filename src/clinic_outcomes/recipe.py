"""The recipe: a short hash of everything that turns a delivery into canonical rows, except the delivery."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from clinic_outcomes.contract import load_contract
from clinic_outcomes.files import fingerprint, fingerprint_files
from clinic_outcomes.mapping import Clinic
from clinic_outcomes.salt import load_salt
from clinic_outcomes.settings import Settings

PACKAGE = Path(__file__).parent
DECIDING_FILES = (".py", ".csv", ".yml", ".sql")
DERIVING_ROOMS = ("mapping", "formats", "admit", "harmonise", "sql_on_fhir")


def code_fingerprint(rooms: Iterable[str]) -> str:
    """Fingerprint of code and data files of some packages: a corrected rule must re-derive what it decides."""
    files = [path for room in rooms for path in (PACKAGE / room).rglob("*") if path.suffix in DECIDING_FILES]
    return fingerprint_files(files, PACKAGE)


def recipe(clinic: Clinic, settings: Settings) -> str:
    """Recipe of a clinic: 16 hex digits over its mapping, the contract, the salt and the code that applies them."""
    parts = [clinic.fingerprint, load_contract().fingerprint, load_salt(settings).salt_id]
    return fingerprint([*parts, code_fingerprint(DERIVING_ROOMS)])[:16]
