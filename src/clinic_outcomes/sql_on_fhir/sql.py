"""Pieces of DuckDB SQL that everything else here is built from."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import count

DECIMAL = "DECIMAL(28, 8)"  # FHIRPath's own decimal: 28 digits, 8 of them after the point
LARGEST_DECIMAL = 10**20  # and the first number that is too large for it


def quote_text(text: str) -> str:
    """A text as an SQL literal. A NUL, which SQL text cannot hold, is spliced in."""
    return " || chr(0) || ".join("'" + part.replace("'", "''") + "'" for part in text.split("\0"))


def quote_name(name: str) -> str:
    """A name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def structure(fields: Iterable[str]) -> str:
    """The structure that ``from_json`` takes, not yet quoted: these fields, each left as JSON."""
    return json.dumps(dict.fromkeys(sorted(fields), "JSON"))


def json_field(element: str, name: str) -> str:
    """The child of that name of a JSON element: JSON, or NULL where there is none."""
    return f"struct_extract(from_json({element}, {quote_text(structure([name]))}), {quote_text(name)})"


def json_elements(field: str) -> str:
    """The elements of a JSON field that may hold one element or an array of them; an empty list for none."""
    array = without_nulls(f"""from_json({field}, '["JSON"]')""")
    return f"CASE WHEN starts_with({field}, '[') THEN {array} WHEN {field} IS NULL THEN [] ELSE [{field}] END"


def parsed_elements(field: str, names: Iterable[str]) -> str:
    """The same elements, each parsed to a STRUCT of some of its fields: all in one parse."""
    one = structure(names)
    array = without_nulls(f"from_json({field}, {quote_text(f'[{one}]')})")
    return (
        f"CASE WHEN starts_with({field}, '[') THEN {array}"
        f" WHEN {field} IS NULL THEN [] ELSE [from_json({field}, {quote_text(one)})] END"
    )


def without_nulls(elements: str) -> str:
    """A list without the places that hold nothing."""
    return f"list_filter({elements}, lambda e: e IS NOT NULL)"


def raw(element: str) -> str:
    """JSON as its own text, strings still in quotes."""
    return f"CAST({element} AS VARCHAR)"


def error(place: str, problem: str) -> str:
    """An expression that fails when it is reached, saying where in the view; no value is in its message."""
    return f"error({quote_text(f'ViewDefinition {place}: {problem}')})"


_SHORT = 200


class Names:
    """Names for lambda parameters, each used once, so that nested lambdas cannot hide each other's."""

    def __init__(self) -> None:
        self._numbers: Iterator[int] = count(1)

    def fresh(self) -> str:
        """The next name."""
        return f"x{next(self._numbers)}"

    def each(self, elements: str, body: Callable[[str], str]) -> str:
        """A list with the body applied to each element."""
        name = self.fresh()
        return f"list_transform({elements}, lambda {name}: {body(name)})"

    def keep(self, elements: str, condition: Callable[[str], str]) -> str:
        """The elements for which the condition is true."""
        name = self.fresh()
        return f"list_filter({elements}, lambda {name}: {condition(name)})"

    def given(self, value: str, body: Callable[[str], str]) -> str:
        """The body with the value computed once, however often the body names it."""
        return f"{self.each(f'[{value}]', body)}[1]"

    def once(self, value: str, body: Callable[[str], str]) -> str:
        """The same, but a short value is simply repeated: a comparison with a literal needs no name for it."""
        return body(value) if len(value) <= _SHORT else self.given(value, body)
