"""What lies in landing, and the index that spares fingerprinting it again every hour."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from clinic_outcomes import ledger
from clinic_outcomes.files import fingerprint, write_json
from clinic_outcomes.receive.telling import told_folder
from clinic_outcomes.records import Record
from clinic_outcomes.settings import Settings


@dataclass(frozen=True)
class Entry:
    """Something in a delivery's folder, as it was when looked at; links are not followed."""

    name: str
    path: Path
    size: int
    mtime_ns: int
    is_file: bool


@dataclass(frozen=True)
class Drop:
    """Something in a clinic's landing folder: mostly a folder with files. ``entries`` are in order of name.

    ``name`` is what may be told of the folder's name.
    """

    name: str
    path: Path
    is_folder: bool
    entries: tuple[Entry, ...]

    @property
    def signature(self) -> tuple[tuple[str, int, int], ...]:
        """Name, size and time of change of each entry: while these stay, the content is taken to stay.

        A name is kept as its hash only: nothing is known of a file that the manifest does not list.
        """
        return tuple((fingerprint([entry.name])[:16], entry.size, entry.mtime_ns) for entry in self.entries)


class LandingFolder(Record):
    """Which delivery a landing folder was found to hold, and by which rules (``checked_by``)."""

    folder: str
    files: tuple[tuple[str, int, int], ...]
    checked_by: str
    delivery_id: str


def look(clinic_id: str, settings: Settings) -> tuple[Drop, ...]:
    """Everything in a clinic's landing folder, by name. Names that begin with a dot are still being uploaded."""
    landing = settings.landing / clinic_id
    if not landing.is_dir():
        return ()
    return tuple(_drop(path) for path in sorted(landing.iterdir()) if not path.name.startswith("."))


def readable(name: str) -> str:
    """A file's name as text that can be written, whatever bytes it is made of."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def find_index(clinic_id: str, drop: Drop, settings: Settings) -> LandingFolder | None:
    """What is known of the folder, or None where it was never looked at or has changed since."""
    known = ledger.find(index_path(clinic_id, drop.path, settings), LandingFolder)
    return known if known and known.folder == drop.name and known.files == drop.signature else None


def write_index(clinic_id: str, drop: Drop, checked_by: str, delivery_id: str, settings: Settings) -> None:
    """Remember which delivery the folder holds."""
    index = LandingFolder(folder=drop.name, files=drop.signature, checked_by=checked_by, delivery_id=delivery_id)
    write_json(index_path(clinic_id, drop.path, settings), index.model_dump(mode="json"))


def index_path(clinic_id: str, folder: Path, settings: Settings) -> Path:
    """Where the index of a landing folder lies."""
    return settings.ledger / clinic_id / "_landing" / f"{fingerprint([readable(folder.name)])[:16]}.json"


def _drop(path: Path) -> Drop:
    is_folder = path.is_dir() and not path.is_symlink()
    paths = sorted(path.iterdir()) if is_folder else [path]
    entries = tuple(_entry(item) for item in paths if not item.name.startswith("."))
    return Drop(name=told_folder(readable(path.name)), path=path, is_folder=is_folder, entries=entries)


def _entry(path: Path) -> Entry:
    found = path.lstat()
    return Entry(
        name=readable(path.name),
        path=path,
        size=found.st_size,
        mtime_ns=found.st_mtime_ns,
        is_file=stat.S_ISREG(found.st_mode),
    )
