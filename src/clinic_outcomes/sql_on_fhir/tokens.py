"""From the text of a FHIRPath expression to its tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TIME = r"\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?"
_DATE_TIME = rf"\d{{4}}(?:-\d\d(?:-\d\d)?)?(?:T(?:{_TIME}(?:Z|[+-]\d\d:\d\d)?)?)?"
_TOKEN = re.compile(
    rf"""
      (?P<blank>\s+|//[^\n]*)
    | (?P<date>@(?:{_DATE_TIME}|T{_TIME}))
    | (?P<number>\d+\.\d+)
    | (?P<integer>\d+)
    | (?P<text>'(?:[^'\\]|\\.)*')
    | (?P<variable>%(?:[A-Za-z_]\w*|`[^`\\]+`))
    | (?P<this>\$this\b)
    | (?P<quoted_name>`[^`\\]+`)
    | (?P<name>[A-Za-z_]\w*)
    | (?P<symbol><=|>=|!=|[.,()\[\]{{}}=<>+\-*/&])
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPED = {"'": "'", '"': '"', "`": "`", "\\": "\\", "/": "/", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class PathError(ValueError):
    """An expression that is not of the supported FHIRPath; holds the problem, not the place in the view."""


@dataclass(frozen=True)
class Token:
    """A piece of an expression: its kind (a group of the pattern above, or ``end``) and its text, unescaped."""

    kind: str
    text: str


def tokens_of(expression: str) -> list[Token]:
    """All tokens of an expression, closed by an ``end``.

    Raises:
        PathError: a character that begins no token, or an escape that FHIRPath does not have.

    """
    tokens, position = [], 0
    while position < len(expression):
        found = _TOKEN.match(expression, position)
        if found is None or found.lastgroup is None:
            raise PathError(f"character {position + 1} is not understood")
        if found.lastgroup != "blank":
            tokens.append(_token(found.lastgroup, found.group()))
        position = found.end()
    return [*tokens, Token("end", "")]


def _token(kind: str, text: str) -> Token:
    if kind == "text":
        return Token(kind, _ESCAPE.sub(_unescaped, text[1:-1]))
    if kind == "quoted_name":
        return Token("name", text[1:-1])
    if kind == "variable":
        return Token(kind, text[1:].strip("`"))
    if kind == "date":
        return Token("text", text[1:].removeprefix("T"))
    return Token(kind, text)


def _unescaped(found: re.Match[str]) -> str:
    escape = found.group(1)
    if len(escape) == 5:
        return chr(int(escape[1:], 16))
    if escape not in _ESCAPED:
        raise PathError(f"there is no escape \\{escape} in FHIRPath")
    return _ESCAPED[escape]
