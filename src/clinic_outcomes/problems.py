"""What went wrong, in words for people, without any patient's value."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict


class Problem(BaseModel):
    """One thing wrong with a delivery or a mapping.

    ``message`` says what is wrong and ``advice`` what to do. Neither may ever hold a delivered value;
    ``line`` counts the header as line 1. ``rows`` is how many rows are concerned.
    """

    model_config = ConfigDict(frozen=True)

    rule: str
    message: str
    advice: str = ""
    clinic: str | None = None
    file: str | None = None
    table: str | None = None
    column: str | None = None
    line: int | None = None
    rows: int | None = None

    def __str__(self) -> str:
        place = ", ".join(
            f"{name} {value}"
            for name, value in (
                ("clinic", self.clinic),
                ("file", self.file),
                ("table", self.table),
                ("column", self.column),
                ("line", self.line),
            )
            if value is not None
        )
        text = f"{self.rule}: {self.message}"
        return f"{text} [{place}]" if place else text


class ClinicOutcomesError(Exception):
    """The work cannot go on. Carries every problem found, not only the first."""

    def __init__(self, problems: Sequence[Problem] | str) -> None:
        if isinstance(problems, str):
            problems = [Problem(rule="error", message=problems)]
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))
