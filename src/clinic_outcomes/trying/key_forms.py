"""The form that keys of a column have in common, as a pattern for ``key_patterns``."""

from __future__ import annotations

import re
from dataclasses import dataclass

import duckdb

from clinic_outcomes.database import quote_text
from clinic_outcomes.mapping.key_patterns import form_of

LONGEST_BEGINNING = 5
_DIGITS = ("[0-9]", "[0-9a-f]", "[0-9A-F]")
_LETTERS = ("[0-9a-z]", "[0-9A-Z]", "[0-9A-Za-z]")
_WORD = "[A-Za-z][a-z]{5}"
"""What a word in a value looks like: it is no key, though there may be a number after it."""
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


@dataclass(frozen=True)
class KeyForm:
    """A pattern that every key of a column matches, and the bits that one carries at least."""

    pattern: str
    bits: float


def find_key_form(connection: duckdb.DuckDBPyConnection, values: str, beginning: str) -> KeyForm | None:
    """The closest form of all values; None where they have none in common, or no digit.

    ``values`` is SQL for ``FROM`` with a column ``value``. ``beginning`` is what all values begin with: only letters of
    it, and a dash, become part of the pattern, for they are the system's and no person's.
    """
    fixed = _fixed(beginning)
    patterns = [_UUID, _UUID.replace("a-f", "A-F")]
    for prefix in dict.fromkeys((fixed, "")):
        rest = f"substr(value, {len(prefix) + 1})"
        lengths = connection.execute(
            f"SELECT min(length({rest})), max(length({rest})), min(length(regexp_replace({rest}, '[^0-9]', '', 'g'))), "
            f"bool_or(regexp_matches({rest}, '{_WORD}')) FROM {values} WHERE value IS NOT NULL"
        ).fetchone() or (0, 0, 0, True)
        least, most, digits, has_word = (int(length or 0) for length in lengths)
        if least and digits and most <= 64 and most - least <= 8:
            repeat = f"{{{least}}}" if least == most else f"{{{least},{most}}}"
            patterns += [
                f"{prefix}{characters}{repeat}" for characters in (_DIGITS if has_word else _DIGITS + _LETTERS)
            ]
    fits = ", ".join(f"bool_and(regexp_full_match(value, {quote_text(pattern)}))" for pattern in patterns)
    # Most columns are told by their first values: all of them are looked at only where those have a form.
    some = f"(SELECT value FROM {values} WHERE value IS NOT NULL LIMIT 1000)"
    first = connection.execute(f"SELECT {fits} FROM {some}").fetchone() or ()
    for pattern, fit in zip(patterns, first, strict=True):
        if fit:
            row = connection.execute(
                f"SELECT bool_and(regexp_full_match(value, {quote_text(pattern)})) FROM {values} "
                "WHERE value IS NOT NULL"
            ).fetchone()
            if row and row[0]:
                return KeyForm(pattern, form_of(pattern).bits)
    return None


def _fixed(beginning: str) -> str:
    """Letters that all keys begin with, and the dash after them; hexadecimal letters before digits may be chance."""
    found = re.match(rf"[A-Za-z]{{1,{LONGEST_BEGINNING}}}[-_]?", beginning)
    return found[0] if found else ""
