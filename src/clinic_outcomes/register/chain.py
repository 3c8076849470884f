"""The chain of entries on disk: read and verified as a whole, and added to at its end alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import ValidationError

from clinic_outcomes.files import atomic_folder, sha256_file
from clinic_outcomes.problems import ClinicOutcomesError, Problem
from clinic_outcomes.register.entries import ENTRY, NOTHING_BEFORE, Entry
from clinic_outcomes.settings import Settings

NUMBER = re.compile(r"[0-9]{6}")
ADVICE = (
    "Nothing is released before the register is whole again: restore its folder from a copy. The hash of an entry is "
    "in the manifest of its release."
)


def entry_folder(number: int, settings: Settings) -> Path:
    """Where an entry lies."""
    return settings.register / f"{number:06d}"


def read_register(settings: Settings) -> tuple[Entry, ...]:
    """All entries in order, once the whole chain and every file of it has been verified.

    ``ClinicOutcomesError`` (rule ``register``) names the entry that is missing, changed by as little as a byte, out of
    its place, of another chain, or holds a file that it does not list. Entries cut off at the end cannot be missed from
    here: compare the last hash with the one that the newest release's manifest names.
    """
    entries: list[Entry] = []
    for number, folder in enumerate(_folders(settings), start=1):
        if folder.name != f"{number:06d}":
            raise _broken(f"{number:06d}", "is missing")
        entries.append(_read_entry(folder, entries[-1].hash if entries else NOTHING_BEFORE))
        word = entries[-1].word
        if word is not None and (word.about >= number or entries[word.about - 1].release is None):
            raise _broken(folder.name, "speaks of an entry that is no release before it")
    return tuple(entries)


def add_entry(
    settings: Settings, entries: Sequence[Entry], make: Callable[[int, str, Path], Entry]
) -> tuple[Entry, bool]:
    """Add an entry after ``entries``, and say whether it is there: not where another worker took its number.

    ``make`` gets the number, the hash of the entry before and the folder to write the entry's files to. The folder
    takes its place by one rename: a process killed before it has added nothing.
    """
    number = len(entries) + 1
    target = entry_folder(number, settings)
    with atomic_folder(target) as folder:
        entry = make(number, entries[-1].hash if entries else NOTHING_BEFORE, folder).sealed()
        (folder / ENTRY).write_text(entry.text(), encoding="utf-8")
    # Another worker's folder may be there instead. Where it holds the same, both have added it.
    return entry, (target / ENTRY).read_text(encoding="utf-8") == entry.text()


def _folders(settings: Settings) -> list[Path]:
    """Folders of entries by number. What a killed process left has a name that begins with a dot."""
    if not settings.register.is_dir():
        return []
    found = sorted(path for path in settings.register.iterdir() if not path.name.startswith("."))
    for path in found:
        if not NUMBER.fullmatch(path.name) or not path.is_dir():
            raise _broken(path.name, "is no folder with a number in six digits")
    return found


def _read_entry(folder: Path, previous: str) -> Entry:
    path = folder / ENTRY
    if not path.is_file():
        raise _broken(folder.name, f"has no {ENTRY}")
    try:
        text = path.read_text(encoding="utf-8")
        entry = Entry.model_validate_json(text)
    except (ValidationError, UnicodeDecodeError):
        raise _broken(folder.name, f"has an {ENTRY} that cannot be read") from None
    if entry.hash != entry.own_hash() or text != entry.text():
        raise _broken(folder.name, f"has an {ENTRY} that was changed")
    if entry.folder_name != folder.name:
        raise _broken(folder.name, "has the number of another")
    if entry.previous != previous:
        raise _broken(folder.name, "does not follow the entry before it: one of the two is of another chain")
    present = {path.name for path in folder.iterdir()} - {ENTRY}
    if present != set(entry.files):
        raise _broken(folder.name, "lacks a file, or holds one that it does not list")
    for name, sha256 in sorted(entry.files.items()):
        if sha256_file(folder / name) != sha256:
            raise _broken(folder.name, f"has another {name} than it was entered with")
    return entry


def _broken(name: str, what: str) -> ClinicOutcomesError:
    return ClinicOutcomesError([Problem(rule="register", message=f"entry {name} {what}", advice=ADVICE)])
