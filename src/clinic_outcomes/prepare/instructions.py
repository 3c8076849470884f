"""``systems/<system>/prepare.yml``: what an identified export has that the mapping of a delivery does not know."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from clinic_outcomes.mapping import System
from clinic_outcomes.mapping.reading import Mistakes, read_yaml
from clinic_outcomes.problems import ClinicOutcomesError

PREPARE_FILE = "prepare.yml"
_NAME_WORDS = re.compile(
    r"(?:^|_)(?:name|names|surname|forename|initials?|first|last|middle|given|family)(?:_|$)", re.I
)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class How(_Part):
    """How a delivered column is made of columns of the same source of the export; one way of these.

    ``from`` names a column of another name; ``born`` and ``at`` the birth date and the date at which an age is taken;
    ``period_of`` the date of which the period of service is taken; ``token`` the columns that identify a person in the
    whole network, as it agreed.
    """

    origin: str | None = Field(default=None, alias="from")
    born: str | None = None
    at: str | None = None
    period_of: str | None = None
    token: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the export that it reads."""
        return tuple(name for name in (self.origin, self.born, self.at, self.period_of, *self.token) if name)

    @model_validator(mode="after")
    def _is_one_way(self) -> Self:
        ways = [self.origin is not None, self.born is not None, self.period_of is not None, bool(self.token)]
        if sum(ways) != 1 or (self.born is None) != (self.at is None):
            raise ValueError("give one of from, born with at, period_of, token")
        if self.token and all(_NAME_WORDS.search(name) for name in self.token):
            raise ValueError("a token is never made of names alone: two people may share one, and names change")
        return self


class Instructions(_Part):
    """What a system's ``prepare.yml`` says.

    ``dates`` are the forms in which the export writes dates; ``day_zero`` the columns, as ``<source>.<column>``, whose
    earliest date is a person's day 0 (by default those of a referral's arrival and of the intake); ``columns`` says how
    further columns are made.
    """

    dates: tuple[str, ...] = ("%Y-%m-%d",)
    day_zero: tuple[str, ...] = ()
    columns: dict[str, How] = {}

    @field_validator("dates")
    @classmethod
    def _are_clear(cls, dates: tuple[str, ...]) -> tuple[str, ...]:
        if not dates or not all(_is_whole(form) for form in dates):
            raise ValueError("each form of dates has %Y, %m (or %b, %B) and %d: two digits do not say which century")
        if any(_swapped(form) in dates for form in dates):
            raise ValueError("day first and month first cannot be told apart; list one of them")
        return dates

    def needs(self, source: str, column: str) -> tuple[str, ...]:
        """Columns that the export must have for a delivered column of a source, as the instructions say."""
        how = self.how(source, column)
        return how.columns if how else ()

    def column_read(self, source: str, column: str) -> str:
        """Name in the export of a delivered column of a source."""
        how = self.how(source, column)
        return how.origin if how and how.origin else column

    def how(self, source: str, column: str) -> How | None:
        """How a delivered column of a source is made, where the instructions say."""
        return self.columns.get(f"{source}.{column}")


def _is_whole(form: str) -> bool:
    return "%Y" in form and "%d" in form and any(month in form for month in ("%m", "%b", "%B"))


def _swapped(form: str) -> str:
    return form.replace("%d", "%%").replace("%m", "%d").replace("%%", "%m")


def load_instructions(system: System) -> Instructions:
    """The instructions in a system's folder; the defaults where it has none. ``ClinicOutcomesError`` lists mistakes."""
    path = system.folder / PREPARE_FILE
    if not path.is_file():
        return Instructions()
    mistakes = Mistakes()
    found = read_yaml(path, Instructions, mistakes)
    if found:
        _check_places(path, found, system, mistakes)
    if mistakes.problems or found is None:
        raise ClinicOutcomesError(mistakes.problems)
    return found


def _check_places(path: Path, found: Instructions, system: System, mistakes: Mistakes) -> None:
    """Every place must be a mapped column of a mapped source."""
    mapped = {f"{m.source}.{name}" for m in system.columns for name in m.source_columns}
    for key, places in (("columns", list(found.columns)), ("day_zero", list(found.day_zero))):
        for place in places:
            if place not in mapped:
                mistakes.add(path, f"columns.csv maps no such column: {place}", column=key)
