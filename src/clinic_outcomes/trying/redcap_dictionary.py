"""Forms of a REDCap project as its data dictionary describes them: fields, types, and the choices of coded ones.

A dictionary holds no data of anyone, so its names and choices may be told.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from clinic_outcomes.formats.redcap_writing import EVENT, INSTANCE
from clinic_outcomes.mapping.redcap_project import DICTIONARY, FIELD_HEADERS, UNMAPPABLE_TYPES, read_project
from clinic_outcomes.trying.exports import Export, Part
from clinic_outcomes.trying.profiling import CODES, DATE, DECIMAL, EMPTY, FREE_TEXT, WHOLE, ColumnProfile, PartProfile

VALIDATION_HEADERS = ("text_validation_type_or_show_slider_number", "Text Validation Type OR Show Slider Number")
_BY_VALIDATION = {"integer": WHOLE, "number": DECIMAL, "date": DATE, "datetime": DATE}
_CODED = ("radio", "dropdown", "yesno", "truefalse")
_FIXED_CHOICES = {"yesno": "1, Yes | 0, No", "truefalse": "1, Yes | 0, No"}


def dictionary_profiles(folder: Path, export: Export) -> tuple[PartProfile, ...]:
    """A profile a form of the project whose files lie in ``folder``; the record's id and the row's event among them."""
    project = read_project(folder)
    rows = _rows(folder / DICTIONARY)
    beside = [*([EVENT] if project.events else []), *([INSTANCE] if project.repeating else [])]
    found = []
    for form in project.forms:
        columns = [project.record_id, *beside]
        for field in project.fields:
            if field.form == form and field.name != project.record_id:
                columns += field.columns
        columns.append(f"{form}_complete")
        profiles = tuple(
            _profile(position, name, rows, project.record_id) for position, name in enumerate(columns, start=1)
        )
        part = Part(form, form, form, 0, tuple(columns), {}, (project.record_id, *beside))
        found.append(PartProfile(export, part, True, profiles))
    return tuple(found)


def _rows(path: Path) -> dict[str, dict[str, str]]:
    """Field → what the dictionary says of it, under the names of REDCap's API."""
    names = {shown: name for name, shown in FIELD_HEADERS.items()} | {VALIDATION_HEADERS[1]: VALIDATION_HEADERS[0]}
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = [
            {names.get(key, key): value or "" for key, value in row.items() if key} for row in csv.DictReader(stream)
        ]
    return {row["field_name"]: row for row in rows}


def _profile(position: int, name: str, rows: Mapping[str, Mapping[str, str]], record_id: str) -> ColumnProfile:
    row = rows.get(name, {})
    kind, codes = _kind(name, row, record_id)
    identifies = row.get("identifier", "").strip().lower() == "y" or kind == FREE_TEXT
    return ColumnProfile(
        position=position,
        name=name,
        tellable=True,
        kind=kind,
        form="",
        missing="",
        distinct="",
        identifies=identifies,
        codes=tuple(codes),
        labels=tuple(codes.values()),
    )


def _kind(name: str, row: Mapping[str, str], record_id: str) -> tuple[str, dict[str, str]]:
    """Kind of values, and choices with their labels."""
    field_type = row.get("field_type", "")
    if field_type in UNMAPPABLE_TYPES:
        return FREE_TEXT, {}
    if field_type in _CODED:
        text = _FIXED_CHOICES.get(field_type) or row.get("select_choices_or_calculations", "")
        pairs = [choice.partition(",") for choice in text.split("|")]
        return CODES, {code.strip(): label.strip() for code, _, label in pairs if code.strip()}
    if not row or name == record_id:
        # A tick, a status or a column of the row: nothing of the contract is like it, or it is the record's key.
        return (EMPTY if name == record_id else WHOLE), {}
    validation = row.get(VALIDATION_HEADERS[0], "")
    known = next((kind for start, kind in _BY_VALIDATION.items() if validation.startswith(start)), None)
    return known or (DECIMAL if field_type in ("calc", "slider") else EMPTY), {}
