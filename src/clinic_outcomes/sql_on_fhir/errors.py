"""What goes wrong: a view that is not valid, and data that does not fit a view."""

import re

_IN_DUCKDB = re.compile(r"Invalid Input Error: (ViewDefinition [^\n]+)")


class ViewError(ValueError):
    """A ViewDefinition that cannot be compiled: says where in the view and why, and holds no value of any resource."""

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place}: {problem}" if place else problem)
        self.place = place
        self.problem = problem


def misfit(failure: Exception) -> str | None:
    """What a compiled view says when data does not fit it, from DuckDB's error; nothing if the error is another.

    This text holds the place in the view and no value, while DuckDB's own errors may quote values.
    """
    found = _IN_DUCKDB.match(str(failure))
    return found.group(1) if found else None
