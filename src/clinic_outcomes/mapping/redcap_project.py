"""A REDCap project as its own exports describe it: its data dictionary, its events, and which forms repeat.

They lie in the system's folder as REDCap writes them: ``data_dictionary.csv``, with the header of the Online Designer
or that of the API; and where the project has them ``instrument_event_mappings.csv`` and
``repeating_instruments_events.csv``, as the API exports both.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from clinic_outcomes.mapping.reading import Mistakes
from clinic_outcomes.mapping.sources import Source
from clinic_outcomes.problems import ClinicOutcomesError

DICTIONARY = "data_dictionary.csv"
EVENTS = "instrument_event_mappings.csv"
REPEATING = "repeating_instruments_events.csv"
FIELD_HEADERS = {
    "field_name": "Variable / Field Name",
    "form_name": "Form Name",
    "field_type": "Field Type",
    "select_choices_or_calculations": "Choices, Calculations, OR Slider Labels",
    "identifier": "Identifier?",
}
"""Columns of a data dictionary that are read: their name in the API → their name in the Online Designer."""
EVENT_HEADERS = {name: name for name in ("arm_num", "unique_event_name", "form")}
REPEATING_HEADERS = {name: name for name in ("event_name", "form_name")}
UNMAPPABLE_TYPES = ("notes", "file", "signature")
"""Types of fields that hold free text or documents."""


@dataclass(frozen=True)
class Field:
    """A field of a form. ``columns`` are those of an export: one, or one a choice of a checkbox; none for mere text.

    ``identifies`` says that the project has marked it as an identifier.
    """

    name: str
    form: str
    field_type: str
    columns: tuple[str, ...]
    identifies: bool = False


@dataclass(frozen=True)
class FormEvent:
    """A form that is filled in at an event of an arm."""

    arm: str
    event: str
    form: str


@dataclass(frozen=True)
class RedcapProject:
    """Fields in the dictionary's order, the first being the record's id.

    ``events`` are empty for a project that is not longitudinal. ``repeating`` are pairs of event and form, where a form
    repeats by itself, or of event and the empty text, where the event repeats with all its forms.
    """

    fields: tuple[Field, ...]
    events: tuple[FormEvent, ...] = ()
    repeating: tuple[tuple[str, str], ...] = ()

    @property
    def record_id(self) -> str:
        """Column of the record's id."""
        return self.fields[0].name

    @cached_property
    def forms(self) -> tuple[str, ...]:
        """Forms in the dictionary's order."""
        return tuple(dict.fromkeys(field.form for field in self.fields))

    @cached_property
    def columns(self) -> Mapping[str, str]:
        """Column of an export → its form, in REDCap's order: timestamp of a survey, fields, status of the form."""
        found: dict[str, str] = {}
        for form in self.forms:
            names = [name for field in self.fields if field.form == form for name in field.columns]
            found |= dict.fromkeys((f"{form}_timestamp", *names, f"{form}_complete"), form)
        del found[self.record_id]
        return found

    def form_of(self, column: str) -> str | None:
        """Form of a column of an export; None where the dictionary does not know the column.

        A choice of a checkbox may be one that the dictionary has lost, or a missing-data code.
        """
        name, separator, _ = column.partition("___")
        return self.columns.get(column) or (self._checkboxes.get(name) if separator else None)

    @cached_property
    def _checkboxes(self) -> Mapping[str, str]:
        return {field.name: field.form for field in self.fields if field.field_type == "checkbox"}


def read_project(folder: Path) -> RedcapProject:
    """The project whose files lie in a system's folder. ``ClinicOutcomesError`` with every mistake in them."""
    mistakes = Mistakes()
    project = _read(folder, mistakes)
    if mistakes.problems:
        raise ClinicOutcomesError(mistakes.problems)
    return project


def check_project(
    folder: Path, sources: Mapping[str, Source], carried: Iterable[tuple[int, str]], mistakes: Mistakes
) -> None:
    """Mistakes in the project's files, sources of forms that it does not have, and fields that may not be carried.

    ``carried`` are line and source column of ``columns.csv`` for what goes to a table.
    """
    project = _read(folder, mistakes)
    for name, source in sources.items():
        if project.fields and source.form and source.form not in project.forms:
            mistakes.add(folder / "system.yml", f"no such form in {DICTIONARY}", column=f"sources.{name}.form")
    refused = {field.name for field in project.fields if field.identifies or field.field_type in UNMAPPABLE_TYPES}
    for line, column in carried:
        if column in refused:
            message = "the field is marked as an identifier, or holds free text or a document: nothing may carry it"
            mistakes.add(folder / "columns.csv", message, line=line, column="source_column")


def _read(folder: Path, mistakes: Mistakes) -> RedcapProject:
    if not (folder / DICTIONARY).is_file():
        mistakes.add(folder / DICTIONARY, "file is missing; REDCap exports it as the project's data dictionary")
        return RedcapProject(())
    fields: dict[str, Field] = {}
    for line, row in _rows(folder / DICTIONARY, FIELD_HEADERS, mistakes):
        name, form, kind = row["field_name"], row["form_name"], row["field_type"]
        if not re.fullmatch(r"[a-z]\w*", name) or not re.fullmatch(r"[a-z]\w*", form):
            mistakes.add(folder / DICTIONARY, "a field and its form have names of a-z, 0-9 and _", line=line)
        if name in fields:
            mistakes.add(folder / DICTIONARY, "the field is there twice", line=line)
        columns = _columns(name, kind, row["select_choices_or_calculations"])
        fields[name] = Field(name, form, kind, columns, row["identifier"].lower() == "y")
    if not fields:
        mistakes.add(folder / DICTIONARY, "the dictionary has no field")
    project = RedcapProject(
        tuple(fields.values()),
        tuple(
            FormEvent(row["arm_num"], row["unique_event_name"], row["form"])
            for _, row in _optional(folder / EVENTS, EVENT_HEADERS, mistakes)
        ),
        tuple(
            (row["event_name"], row["form_name"])
            for _, row in _optional(folder / REPEATING, REPEATING_HEADERS, mistakes)
        ),
    )
    for path, forms in (
        (folder / EVENTS, [item.form for item in project.events]),
        (folder / REPEATING, [form for _, form in project.repeating if form]),
    ):
        for form in sorted(set(forms) - set(project.forms)):
            mistakes.add(path, f"no such form in {DICTIONARY}: {form}")
    return project


def _columns(name: str, kind: str, choices: str) -> tuple[str, ...]:
    """Columns of an export. The minus of a choice's code is written as an underscore."""
    if kind == "descriptive":
        return ()
    if kind != "checkbox":
        return (name,)
    codes = [choice.partition(",")[0].strip().lower() for choice in choices.split("|")]
    return tuple(f"{name}___{re.sub('[^0-9a-z_]', '_', code)}" for code in codes if code)


def _optional(path: Path, headers: Mapping[str, str], mistakes: Mistakes) -> Iterable[tuple[int, dict[str, str]]]:
    return _rows(path, headers, mistakes) if path.is_file() else []


def _rows(path: Path, headers: Mapping[str, str], mistakes: Mistakes) -> list[tuple[int, dict[str, str]]]:
    """Line and cells of each row, under the API's names, whichever of the two the header uses."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream)
        try:
            header = next(reader, [])
            places = {
                name: next((header.index(text) for text in (name, other) if text in header), None)
                for name, other in headers.items()
            }
            lines = [(reader.line_num, cells) for cells in reader if cells]
        except (csv.Error, UnicodeDecodeError):
            mistakes.add(path, "not readable as CSV in UTF-8")
            return []
    lacking = sorted(name for name, place in places.items() if place is None)
    if lacking:
        mistakes.add(path, f"the header lacks {', '.join(lacking)}", line=1)
        return []
    return [
        (
            line,
            {
                name: cells[place].strip() if place < len(cells) else ""
                for name, place in places.items()
                if place is not None
            },
        )
        for line, cells in lines
    ]
