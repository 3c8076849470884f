"""Views and the list of elements of a new system that exports FHIR, made of the elements that its files have.

Elements that identify people or hold texts are in neither: a delivery must not have them. Every other element that
holds a value becomes a line of ``elements.csv`` and, unless it only says which code system is meant, of the view.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clinic_outcomes.admit.header import plain_name
from clinic_outcomes.mapping.fhir import ELEMENTS_HEADER
from clinic_outcomes.trying.profiling import DATE, DECIMAL, KEY, WHOLE, ColumnProfile, PartProfile
from clinic_outcomes.trying.proposing import Line, Proposal, csv_line, propose, table_named

IDENTIFYING = frozenset(
    re.findall(
        r"\w+",
        "text name telecom address photo contact identifier contained meta birthDate deceasedDateTime deceasedBoolean "
        "note description comment display title maritalStatus communication contactPoint valueString valueAttachment "
        "implicitRules language userSelected",
    )
)
"""Names of elements that a delivery has nowhere: what is in them identifies people, or could."""
CODE_ELEMENTS = ("status", "intent", "actuality", "code")
"""Elements that FHIR closes by codes: what recurs in another could be a name, and is not written down."""
_CHOICES = (
    "value",
    "effective",
    "performed",
    "onset",
    "abatement",
    "occurrence",
    "scheduled",
    "medication",
    "reported",
)
_PRIMITIVES = {
    name.lower(): name
    for name in ("boolean", "integer", "string", "decimal", "uri", "url", "code", "date", "dateTime", "time", "instant")
}


@dataclass(frozen=True)
class Skeleton:
    """A view of one type of resource, its lines of ``elements.csv``, the profile of its columns, and its proposal."""

    name: str
    view: dict[str, Any]
    elements: tuple[tuple[str, str, str, str], ...]
    profile: PartProfile
    proposal: Proposal


def skeleton(profile: PartProfile) -> Skeleton:
    """What the elements of one type of resource would need."""
    resource = profile.part.place or ""
    kept = [column for column in profile.columns if not is_identifying(column.name)]
    left_out = tuple(column for column in profile.columns if is_identifying(column.name))
    shown = [column for column in kept if not column.name.endswith(("system", "extension.url", ".use", ".mode"))]
    names = _names(shown, resource)
    renamed = tuple(replace(column, name=names[column.name], tellable=True) for column in shown)
    own = replace(profile, columns=renamed, part=replace(profile.part, columns=tuple(names.values())))
    proposal = replace(propose(own, profile.part.name), left_out=left_out)
    lines = {line.source_column: line for line in proposal.lines}
    elements = tuple(_element(resource, column, lines.get(names.get(column.name, ""))) for column in kept)
    return Skeleton(profile.part.name, _view(resource, profile.part.name, shown, names), elements, own, proposal)


def write_skeletons(folder: Path, skeletons: Iterable[Skeleton]) -> None:
    """Write ``views/<name>.json`` and ``elements.csv``."""
    (folder / "views").mkdir()
    lines = [csv_line(ELEMENTS_HEADER)]
    for made in skeletons:
        text = json.dumps(made.view, indent=2, ensure_ascii=False) + "\n"
        (folder / "views" / f"{made.name}.json").write_text(text, encoding="utf-8")
        lines += [csv_line(cells) for cells in made.elements]
    (folder / "elements.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def is_identifying(path: str) -> bool:
    """Whether an element lies in one that a delivery must not have."""
    return bool(IDENTIFYING.intersection(name.removeprefix("_") for name in path.split(".")))


def _names(columns: Iterable[ColumnProfile], resource: str) -> dict[str, str]:
    """Element → name of its column, short where that is unique."""
    found: dict[str, str] = {}
    for column in columns:
        if column.name == "id":
            name = _key_name(resource)
        elif column.references:
            name = _key_name(column.references[0])
        else:
            words = [word for word in column.name.split(".") if word not in ("coding", "code", "extension")]
            name = plain_name("_".join(words or column.name.split(".")))
        name = name if name not in found.values() else plain_name(column.name.replace(".", "_"))
        while name in found.values():
            name += "_more"
        found[column.name] = name
    return found


def _key_name(resource: str) -> str:
    """What the key of a type of resource is called: as that of the table which the type resembles."""
    table = table_named(plain_name(resource))
    return table.primary_key[0] if table else f"{plain_name(resource)}_id"


def _view(resource: str, name: str, columns: Iterable[ColumnProfile], names: dict[str, str]) -> dict[str, Any]:
    return {
        "resourceType": "ViewDefinition",
        "resource": resource,
        "name": name,
        "status": "active",
        "select": [{"column": [{"name": names[column.name], "path": _fhirpath(column)} for column in columns]}],
    }


def _fhirpath(column: ColumnProfile) -> str:
    """An element as FHIRPath: types of choices as ``ofType``, references as keys."""
    steps: list[str] = []
    words = column.name.split(".")
    for place, word in enumerate(words):
        plain = word.removeprefix("_")
        if plain == "reference" and place == len(words) - 1:
            steps.append(f"getReferenceKey({', '.join(column.references[:1])})")
            continue
        choice = re.fullmatch(rf"({'|'.join(_CHOICES)})([A-Z]\w+)", plain)
        if choice:
            steps += [choice[1], f"ofType({_PRIMITIVES.get(choice[2].lower(), choice[2])})"]
        else:
            steps.append(plain)
    return ".".join(steps)


def _element(resource: str, column: ColumnProfile, line: Line | None) -> tuple[str, str, str, str]:
    """A line of ``elements.csv``; ``allowed`` is empty where a person must say what is allowed."""
    holds, allowed = _holding(column, line)
    return (resource, f"{resource}.{column.name}", holds, allowed)


def _holding(column: ColumnProfile, line: Line | None) -> tuple[str, str]:
    target = line.target if line else None
    if column.name.endswith(".reference"):
        return "reference", " ".join(f"{kind}/{_key(line)}" for kind in column.references if _key(line))
    if column.name == "id" or column.kind == KEY:
        return "key", _key(line)
    if target and target.code_list:
        return "codes", line.codes if line else ""
    if target and target.unit == "day" and column.kind == WHOLE:
        return "day", ""
    if column.kind == DATE or (target and target.name == "service_period"):
        return "year", ""
    if column.kind in (WHOLE, DECIMAL):
        return ("integer" if column.kind == WHOLE else "number"), "0..9999"
    is_code = column.name.rpartition(".")[2] in CODE_ELEMENTS
    return "constant", " ".join(column.codes) if is_code else ""


def _key(line: Line | None) -> str:
    """Name under which ``key_patterns`` has the key of a line."""
    target = line.target if line else None
    if target is None or not target.is_key:
        return ""
    return target.references[1] if target.references else target.name
