"""A person's word on a release: it is final, or it is withdrawn."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from clinic_outcomes.problems import ClinicOutcomesError, Problem
from clinic_outcomes.register.chain import add_entry, read_register
from clinic_outcomes.register.entries import Entry, Word
from clinic_outcomes.register.opening import releases, withdrawn_numbers
from clinic_outcomes.settings import Settings


def make_final(settings: Settings, number: int, *, by: str, reason: str) -> Entry:
    """Enter that a release is final, and return the entry that says so: the first one, where it was said before.

    ``ClinicOutcomesError`` where there is no such release, or it was withdrawn. A final release may still be followed
    by others of its period; what they change is in their restatements.
    """
    return _say(settings, "final", Word(about=number, by=by, reason=reason))


def withdraw(settings: Settings, number: int, *, by: str, reason: str) -> Entry:
    """Enter that a release, final or not, is withdrawn; the first word where it was before.

    Nothing of it is deleted, and nobody forgets it: its numbers stay among those that later ones must not come near to.
    What it showed is not repeated. ``ClinicOutcomesError`` where there is no such release.
    """
    return _say(settings, "withdrawn", Word(about=number, by=by, reason=reason))


def _say(settings: Settings, status: Literal["final", "withdrawn"], word: Word) -> Entry:
    while True:
        entries = read_register(settings)
        if word.about not in {entry.number for entry in releases(entries)}:
            raise _refused(word.about, "the register has no release of this number")
        for entry in entries:
            if entry.status == status and entry.word is not None and entry.word.about == word.about:
                return entry
        if status == "final" and word.about in withdrawn_numbers(entries):
            raise _refused(word.about, "the release was withdrawn")

        def make(number: int, previous: str, folder: Path) -> Entry:
            return Entry(number=number, previous=previous, status=status, word=word)

        entry, added = add_entry(settings, entries, make)
        if added:
            return entry


def _refused(number: int, message: str) -> ClinicOutcomesError:
    advice = "clinic-outcomes releases shows which there are."
    return ClinicOutcomesError([Problem(rule="register", message=f"release {number}: {message}", advice=advice)])
