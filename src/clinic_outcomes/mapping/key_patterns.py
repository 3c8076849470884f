"""Forms of keys and codes: regular expressions of which every match can be counted.

Only literals, classes of characters, alternatives and bounded repeats are allowed. What those describe is a closed
form; ``.*`` would let a name pass for a key, and DuckDB's expressions (RE2) have no look-around.
"""

from __future__ import annotations

import importlib
import math
import re
import string
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

RANDOM_BITS = 64
"""What each key of a person or of a person's record must carry at least."""
LONGEST_KEY = 256
LONGEST_NEW_CODE = 12
MOST_NEW_CODES = 10_000
MANY = 2.0**512
"""From here on, matches are not counted further."""

# The standard library's own parser of regular expressions, which it offers to no typed caller.
_parser: Any = importlib.import_module("re._parser")
_CATEGORIES = {"CATEGORY_DIGIT": string.digits, "CATEGORY_WORD": string.ascii_letters + string.digits + "_"}


@dataclass(frozen=True)
class Form:
    """What a regular expression describes.

    ``bits`` is the base-2 logarithm of the number of its shortest matches: the fewest bits that a key of it may
    carry. ``matches`` bounds the number of all its matches; ``longest`` is the length of the longest; ``varying`` are
    the characters of its classes.
    """

    bits: float = 0.0
    matches: float = 1.0
    longest: int = 0
    varying: frozenset[str] = frozenset()


def form_of(pattern: str) -> Form:
    """What a pattern describes. ``ValueError`` where it is no regular expression, or no closed form."""
    try:
        parsed = _parser.parse(pattern)
    except re.error:
        raise ValueError("not a regular expression") from None
    if parsed.state.flags & ~re.UNICODE:
        raise ValueError("flags are not allowed in a pattern")
    form = _sequence(parsed)
    if not 0 < form.longest <= LONGEST_KEY:
        raise ValueError(f"the pattern must describe 1 to {LONGEST_KEY} characters")
    return form


def check_new_codes(pattern: str) -> str:
    """The pattern of new codes, where it is too narrow to hold a name or a number of a person; else ``ValueError``."""
    form = form_of(pattern)
    if form.varying - set(string.digits):
        raise ValueError("only digits may vary in the form of new codes: letters could spell a name")
    if form.longest > LONGEST_NEW_CODE or form.matches > MOST_NEW_CODES:
        raise ValueError(f"the form of new codes has over {LONGEST_NEW_CODE} characters or {MOST_NEW_CODES} codes")
    return pattern


def _sequence(parsed: Iterable[tuple[Any, Any]]) -> Form:
    found = Form()
    for operator, argument in parsed:
        part = _part(str(operator), argument)
        found = Form(
            found.bits + part.bits,
            min(found.matches * part.matches, MANY),
            found.longest + part.longest,
            found.varying | part.varying,
        )
    return found


def _part(operator: str, argument: Any) -> Form:
    if operator == "LITERAL":
        return Form(longest=1)
    if operator == "IN":
        characters = frozenset(character for item in argument for character in _characters(*item))
        return Form(math.log2(len(characters)), len(characters), 1, characters)
    if operator in ("MAX_REPEAT", "MIN_REPEAT"):
        return _repeat(*argument)
    if operator == "SUBPATTERN":
        _, added, removed, inner = argument
        if added or removed:
            raise ValueError("flags are not allowed in a pattern")
        return _sequence(inner)
    if operator == "BRANCH":
        parts = [_sequence(inner) for inner in argument[1]]
        return Form(
            min(part.bits for part in parts),
            sum(part.matches for part in parts),
            max(part.longest for part in parts),
            frozenset[str]().union(*(part.varying for part in parts)),
        )
    if operator == "AT" and str(argument) in ("AT_BEGINNING", "AT_END"):
        return Form()
    raise ValueError("only characters, classes, alternatives and bounded repeats are allowed in a pattern")


def _repeat(least: int, most: int, inner: Iterable[tuple[Any, Any]]) -> Form:
    if most > LONGEST_KEY:
        raise ValueError(f"a repeat in a pattern must be bounded, by {LONGEST_KEY} at most")
    form = _sequence(inner)
    matches = (most - least + 1) * 2.0 ** min(most * math.log2(form.matches), 500)
    return Form(least * form.bits, matches, most * form.longest, form.varying if most else frozenset())


def _characters(operator: Any, argument: Any) -> Iterable[str]:
    kind = str(operator)
    if kind == "LITERAL":
        return chr(argument)
    if kind == "RANGE":
        return map(chr, range(argument[0], argument[1] + 1))
    if kind == "CATEGORY" and str(argument) in _CATEGORIES:
        return _CATEGORIES[str(argument)]
    raise ValueError("a class of characters in a pattern must list them: [0-9a-f], not [^ ] or \\s")


def hex_key(pattern: str) -> tuple[str, int] | None:
    """Prefix and number of hex digits of a pattern such as ``P[0-9a-f]{16}``; None where it is of another form."""
    found = re.fullmatch(r"([A-Za-z0-9_-]*)\[0-9a-f\]\{(\d+)\}", pattern)
    return (found[1], int(found[2])) if found and 4 * int(found[2]) >= RANDOM_BITS and int(found[2]) <= 64 else None
