"""A workbook's package, part by part, before a reader of sheets sees it: what is hostile, and what is no cell.

Parts and what they hold go by an allow-list (``excel_package.yml``). What is hostile or ambiguous is refused at once:
macros, links, formulas, entities, cells twice or out of order, more than the limits allow. Everything else that is
allowed nowhere is left over, for the gate to refuse.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from clinic_outcomes.formats.archive import Part, read_parts, unpack
from clinic_outcomes.formats.excel_cells import CellScan, StringScan
from clinic_outcomes.formats.excel_xml import AS_VALUES, PartScan
from clinic_outcomes.formats.leftover import Leftover
from clinic_outcomes.formats.limits import refusal
from clinic_outcomes.settings import Settings

CONTENT_TYPES, RELATIONS = "[Content_Types].xml", "_rels/.rels"
WORKBOOK, WORKBOOK_RELATIONS = "xl/workbook.xml", "xl/_rels/workbook.xml.rels"
STRINGS = "xl/sharedStrings.xml"
_KINDS: Mapping[str, str] = {
    CONTENT_TYPES: "content_types",
    RELATIONS: "relationships",
    WORKBOOK_RELATIONS: "relationships",
    WORKBOOK: "workbook",
    STRINGS: "strings",
    "xl/styles.xml": "styles",
    "docProps/core.xml": "core",
    "docProps/app.xml": "app",
}
_THEME = "xl/theme/theme1.xml"
_THEMES = {
    # Themes have names of their own and many texts; those that the libraries write are known whole.
    "75104b2164c20dab2578383d827deac3a7eec077c3f7c99a4099a551fdebb134": "XlsxWriter",
    "d15e8ebf78ef7b9720839d7ae8fdc81a7df5bc24706d8e137df61a5683c358d9": "openpyxl",
}
_SHEET = re.compile(r"xl/worksheets/sheet\d{1,4}\.xml")
_ACTIVE = re.compile(
    r"vba|macro|activex|ctrlprop|customui|externallink|embeddings|oleobject|connections|querytable|webextension",
    re.IGNORECASE,
)
_COMMENTS = re.compile(r"comment|person|vmldrawing", re.IGNORECASE)


@dataclass(frozen=True)
class Sheet:
    """A sheet of a workbook: its name, the part that it lies in, whether it is hidden."""

    name: str
    part: str
    hidden: bool


@dataclass(frozen=True)
class Package:
    """What a workbook holds: its sheets in order, and everything that is no cell of a sheet."""

    sheets: tuple[Sheet, ...]
    leftovers: tuple[Leftover, ...]

    def unknown_sheets(self, mapped: Iterable[str]) -> tuple[Leftover, ...]:
        """The sheets that are not among the mapped ones, by their place alone."""
        known = set(mapped)
        return tuple(
            Leftover("sheet_unknown", f"sheet {place} of the workbook{', hidden' if sheet.hidden else ''}")
            for place, sheet in enumerate(self.sheets, start=1)
            if sheet.name not in known
        )


def inspect(path: Path, settings: Settings | None = None) -> Package:
    """Look at every byte of a workbook, within the limits of ``settings`` where they are given.

    ``ClinicOutcomesError`` with rule ``encrypted``, ``archive_structure``, ``nested_archive``, ``too_many_parts``,
    ``unpacked_too_large``, ``active_content``, ``formula_present``, ``xml_entity``, ``workbook_structure``,
    ``cell_error``, ``cell_too_large`` or ``workbook_too_large``.
    """
    with path.open("rb") as stream:
        if stream.read(8) == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
            raise refusal(path, "encrypted", "the file is encrypted, or of the older binary format", _AS_XLSX)
    parts = {part.name: part for part in read_parts(path, settings)}
    if not {CONTENT_TYPES, RELATIONS, WORKBOOK, WORKBOOK_RELATIONS} <= set(parts):
        raise refusal(path, "workbook_structure", "the file is no workbook", _AS_XLSX)
    if any(_ACTIVE.search(name) for name in parts):
        raise refusal(path, "active_content", "the workbook has macros, links or embedded objects", AS_VALUES)
    found = [
        Leftover("metadata_present", "a time, a comment or a field in the archive's directory")
        for part in parts.values()
        if part.telling
    ]
    sheets = _read_sheets(path, parts)
    names = frozenset(sheet.name for sheet in sheets)
    strings = StringScan(path, "strings", names, parts, settings)
    if STRINGS in parts:
        strings.read(unpack(path, parts[STRINGS]))
        found += strings.leftovers
    for part in parts.values():
        found += _read_part(path, part, parts, sheets, names, strings, settings)
    if strings.has_unused:
        found.append(Leftover("metadata_present", "texts that no cell shows"))
    return Package(sheets, tuple(dict.fromkeys(found)))


_AS_XLSX = "Deliver the workbook as .xlsx, without a password."


def _read_part(
    path: Path,
    part: Part,
    parts: Mapping[str, Part],
    sheets: tuple[Sheet, ...],
    names: frozenset[str],
    strings: StringScan,
    settings: Settings | None,
) -> tuple[Leftover, ...]:
    """What is left over of a part; a part of no known kind is so as a whole."""
    content = unpack(path, part)
    if part.name == STRINGS:
        return ()
    if part.name in _KINDS:
        scan = PartScan(path, _KINDS[part.name], names, parts, settings)
        scan.read(content)
        return tuple(scan.leftovers)
    if _SHEET.fullmatch(part.name) and part.name in {sheet.part for sheet in sheets}:
        cells = CellScan(path, names, parts, settings, strings)
        cells.read(content)
        return tuple(cells.leftovers)
    digest = hashlib.sha256()
    for piece in content:
        digest.update(piece)
    if part.name == _THEME and digest.hexdigest() in _THEMES:
        return ()
    if _COMMENTS.search(part.name):
        return (Leftover("comment_present", "comments or notes on cells"),)
    return (Leftover("metadata_present", _words(part.name)),)


def _words(part_name: str) -> str:
    """What a part of no known kind is, in words that hold nothing of it."""
    known = {
        r"docProps/custom\.xml": "properties of the workbook's own",
        r"customXml/": "custom XML",
        r"xl/theme/": "a theme of its own",
        r"xl/media/|docProps/thumbnail": "a picture",
        r"xl/drawings/|xl/charts/|xl/diagrams/": "drawings or charts",
        r"xl/pivot|xl/slicer|xl/timeline": "a pivot table, with the values that it was made of",
        r"xl/printerSettings/": "settings of a printer",
        r"xl/tables/": "a table with a name",
        r"xl/worksheets/_rels/": "what a sheet refers to: links, comments, drawings",
        r"xl/(?:worksheets|chartsheets|dialogsheets)/": "a sheet that the workbook does not list",
        r"xl/revisions/|xl/users": "a record of changes",
    }
    return next((words for start, words in known.items() if re.match(start, part_name)), "a part that is no sheet")


def _read_sheets(path: Path, parts: Mapping[str, Part]) -> tuple[Sheet, ...]:
    """The sheets that the workbook lists, each by the part that its relation leads to."""
    relations = PartScan(path, "relationships", frozenset(), parts, None)
    relations.read(unpack(path, parts[WORKBOOK_RELATIONS]))
    targets = {found["Id"]: _target(found["Target"]) for found in relations.relations}
    if relations.has_external:
        raise refusal(path, "active_content", "the workbook has links to other files", AS_VALUES)
    workbook = PartScan(path, "workbook", frozenset(), parts, None)
    workbook.read(unpack(path, parts[WORKBOOK]))
    sheets = []
    for found in workbook.sheets:
        part = targets.get(found.get(f"{_RELATION_NAMESPACE} id", ""), "")
        if part not in parts:
            raise refusal(path, "workbook_structure", "a sheet that the workbook lists is not there")
        sheets.append(Sheet(found.get("name", ""), part, found.get("state", "visible") != "visible"))
    if len({sheet.part for sheet in sheets}) < len(sheets) or len({s.name.casefold() for s in sheets}) < len(sheets):
        raise refusal(path, "workbook_structure", "two sheets of the workbook have one name or one content")
    return tuple(sheets)


_RELATION_NAMESPACE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def _target(target: str) -> str:
    """The part that a relation of the workbook leads to."""
    return target.removeprefix("/") if target.startswith("/") else posixpath.normpath(f"xl/{target}")
