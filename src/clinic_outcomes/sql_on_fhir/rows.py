"""The rows of a view: a chain of SELECTs, each made from the rows of the one before.

Every step works row by row, in place, as DuckDB's projection, filter and unnest do: it preserves the order of the
input, within it that of the elements, needs no sort and no join, and never holds more than a batch of rows. So:

- a ``forEach`` unnests a list computed in its row;
- a ``unionAll`` gives each row a copy for each of its branches; the steps of a branch pass the copies of the other
  branches through unchanged (``guard``);
- the elements that a step speaks of are parsed once, into a STRUCT of just the fields that the view uses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from clinic_outcomes.sql_on_fhir.errors import ViewError
from clinic_outcomes.sql_on_fhir.sql import parsed_elements, quote_name, quote_text, structure
from clinic_outcomes.sql_on_fhir.values import Value


class Element:
    """The element of a row that expressions are about. It learns which of its fields they use."""

    def __init__(self, number: int, place: str) -> None:
        self.number = number
        self.place = place
        self.fields: set[str] = set()
        self.needs_itself = False
        self.needs_index = False

    def field(self, name: str) -> str:
        """SQL of a field."""
        if name not in self.fields and name.casefold() in {known.casefold() for known in self.fields}:
            raise ViewError(self.place, "names two elements that differ only by upper and lower case")
        self.fields.add(name)
        return f"parsed{self.number}.{quote_name(name)}"

    def itself(self) -> str:
        """SQL of the whole element, as JSON."""
        self.needs_itself = True
        return f"element{self.number}"

    def index(self) -> str:
        """SQL of its position among its siblings, from zero."""
        self.needs_index = True
        return f"index{self.number}" if self.number else "CAST(0 AS BIGINT)"  # a resource has no siblings

    @property
    def structure(self) -> str:
        """The fields that are used, as ``from_json`` takes them."""
        return structure(self.fields)


@dataclass(frozen=True)
class Stage:
    """One SELECT over the rows before: what it selects, and a condition if it filters."""

    selected: str
    condition: str | None = None

    def written(self, before: str) -> str:
        """The SELECT, from the rows of that name."""
        where = f" WHERE {self.condition}" if self.condition else ""
        return f"SELECT {self.selected} FROM {before}{where}"


Step = Callable[[], Sequence[Stage]]  # called once the whole view is compiled


class Rows:
    """The chain of steps. They are written out last, when all expressions have said what they need."""

    def __init__(self) -> None:
        self._steps: list[Step] = []
        self._numbers = 0

    def number(self) -> int:
        """A number for the columns of one step."""
        self._numbers += 1
        return self._numbers

    def add(self, step: Step) -> None:
        """Append a step."""
        self._steps.append(step)

    def written(self, first: str) -> tuple[list[str], str]:
        """The common table expressions from the first SELECT on, and the name of the last."""
        selects = [first]
        for stage in (stage for step in self._steps for stage in step()):
            selects.append(stage.written(f"rows{len(selects) - 1}"))
        names = [f"rows{number}" for number in range(len(selects))]
        # NOT MATERIALIZED: one stream, of the columns that the caller asks for.
        return [f"{n} AS NOT MATERIALIZED ({s})" for n, s in zip(names, selects, strict=True)], names[-1]


def parse_element(element: Element) -> Step:
    """Parse an element, once."""
    n = element.number
    return lambda: [Stage(f"*, from_json(element{n}, {quote_text(element.structure)}) AS parsed{n}")]


def keep_where(condition: str) -> Step:
    """Keep the rows of which the condition is true."""
    return lambda: [Stage("*", condition)]


def compute(columns: Sequence[tuple[str, str]], guard: str | None) -> Step:
    """Add columns, as pairs of name and SQL; they stay NULL in the rows of other branches."""
    listed = ", ".join(f"{guarded(sql, guard, 'NULL')} AS {name}" for name, sql in columns)
    return lambda: [Stage(f"*, {listed}")]


def branch(number: int, count: int, guard: str | None) -> Step:
    """Give each row a copy for each branch of a ``unionAll``, in their order; ``branch<number>`` says which it is."""
    return lambda: [Stage(f"*, unnest({guarded(f'range({count})', guard, '[NULL]')}) AS branch{number}")]


def unnest(element: Element, source: Value, json_list: str, *, or_null: bool, guard: str | None) -> Step:
    """A row for each element of the source; with ``or_null``, one row without an element if there is none.

    ``json_list`` is the source as a list.
    """
    n = element.number

    def stages() -> list[Stage]:
        at_once = source.shape == "field" and element.fields and not element.needs_itself
        elements = parsed_elements(source.sql, element.fields) if at_once else json_list
        unnested = f"CASE WHEN len(list{n}) = 0 THEN [NULL] ELSE list{n} END" if or_null else f"list{n}"
        index = f", unnest(range(len({unnested}))) AS index{n}" if element.needs_index else ""
        listed = Stage(f"*, {guarded(elements, guard, '[NULL]')} AS list{n}")
        name = f"parsed{n}" if at_once else f"element{n}"
        chain = [listed, Stage(f"* EXCLUDE (list{n}), unnest({unnested}) AS {name}{index}")]
        return [*chain, *parse_element(element)()] if element.fields and not at_once else chain

    return stages


def guarded(sql: str, guard: str | None, otherwise: str) -> str:
    """The SQL in the rows of a branch, something else in other rows."""
    return f"CASE WHEN {guard} THEN {sql} ELSE {otherwise} END" if guard else sql
