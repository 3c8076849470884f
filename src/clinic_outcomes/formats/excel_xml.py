"""XML of a workbook's parts, read as a stream and held to the allow-list; nothing of it is kept but counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from xml.parsers import expat

from clinic_outcomes.formats import excel_grammar
from clinic_outcomes.formats.excel_grammar import ANY_TEXT, PART_NAME, SHEET_NAME, Element
from clinic_outcomes.formats.leftover import Leftover
from clinic_outcomes.formats.limits import MEGABYTE, refusal
from clinic_outcomes.settings import Settings

LARGEST_TEXT = 1000 * MEGABYTE
"""What one text may have where no settings say less: more than any workbook that was received."""
MOST_LEVELS = 30
AS_VALUES = "Deliver values alone: copy the sheets' values into a new workbook."
_WORDS: Mapping[str, str] = {
    "definedName": "defined names",
    "dataValidations": "rules of what cells may hold",
    "dataValidation": "rules of what cells may hold",
    "headerFooter": "a header or footer",
    "hyperlinks": "hyperlinks",
    "hyperlink": "hyperlinks",
    "drawing": "drawings",
    "legacyDrawing": "drawings or comments",
    "legacyDrawingHF": "pictures in a header or footer",
    "picture": "a picture",
    "rPh": "phonetic text",
    "phoneticPr": "phonetic text",
    "r": "formatted runs of text",
    "sheetProtection": "protection of a sheet",
    "protectedRanges": "protected ranges",
    "fileSharing": "the name of the person who reserved the file",
    "extLst": "extensions",
    "AlternateContent": "extensions, such as the folder that it was saved in",
    "conditionalFormatting": "conditional formats",
    "pivotCaches": "a pivot table",
    "externalReferences": "links to other files",
    "oleObjects": "embedded objects",
    "controls": "controls",
    "tableParts": "a table with a name",
    "customWorkbookViews": "views of persons",
    "customSheetViews": "views of persons",
    "scenarios": "scenarios",
    "pageSetup": "settings of a printer",
    "autoFilter": "a filter",
    "mergeCells": "merged cells",
}
_KIND_WORDS: Mapping[str, str] = {
    "content_types": "the list of parts",
    "relationships": "the list of relations",
    "core": "the properties of the document",
    "app": "the properties of the document",
    "workbook": "the workbook",
    "sheet": "a sheet",
    "strings": "the texts of cells",
    "styles": "the styles",
}


class PartScan:
    """Reading one part: ``leftovers`` is what the allow-list does not have, told once for each kind of thing."""

    def __init__(
        self,
        path: Path,
        kind: str,
        sheet_names: frozenset[str],
        parts: Iterable[str],
        settings: Settings | None,
    ) -> None:
        self.path = path
        self.kind = kind
        self.leftovers: list[Leftover] = []
        self.relations: list[dict[str, str]] = []
        self.sheets: list[dict[str, str]] = []
        self.has_external = False
        self.text_bytes = settings.largest_cell_kb * 1000 if settings else LARGEST_TEXT
        self._sheet_names = sheet_names
        self._parts = {part.casefold() for part in parts}
        self._stack: list[Element] = [excel_grammar.grammar(kind)]
        self._skipped = 0
        self._text: list[str] = []
        self._length = 0

    def read(self, content: Iterable[bytes]) -> None:
        """Read the part. ``ClinicOutcomesError`` where it is no plain XML or breaks a limit."""
        parser = self._parser()
        fed = 0
        try:
            for piece in content:
                fed += len(piece)
                parser.Parse(piece, False)
                # What the parser has not told yet is one tag or text that goes on.
                if fed - max(parser.CurrentByteIndex, 0) > self.text_bytes:
                    raise self.refusal("cell_too_large", "a value is longer than the limit")
            parser.Parse(b"", True)
        except expat.ExpatError:
            raise self.refusal("workbook_structure", f"{_KIND_WORDS[self.kind]} is broken as XML") from None

    def refusal(self, rule: str, message: str, advice: str = "Export the workbook again.") -> Exception:
        """The error of a workbook that no reader may see."""
        return refusal(self.path, rule, message, advice)

    def _parser(self) -> Any:
        # Readers differ in how they take other encodings, so there is one.
        parser = expat.ParserCreate("UTF-8", " ")
        parser.buffer_text = True
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.CharacterDataHandler = self.characters
        parser.XmlDeclHandler = self._declaration
        parser.StartNamespaceDeclHandler = self._namespace
        parser.StartDoctypeDeclHandler = self._entity
        parser.EntityDeclHandler = self._entity
        parser.CommentHandler = self._aside
        parser.ProcessingInstructionHandler = self._aside
        parser.StartCdataSectionHandler = self._aside
        return parser

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins: one that the allow-list does not have is passed over with all that it holds."""
        if self._skipped:
            self._skipped += 1
            self._check_depth()
            return
        found = self._stack[-1].children.get(name)
        if found is None:
            self.left_over(name.rpartition(" ")[2])
            self._skipped = 1
            return
        self._stack.append(found)
        self._check_depth()
        self._text, self._length = [], 0
        for attribute, value in attributes.items():
            kind = found.attributes.get(attribute)
            if kind is None or not self._is(kind, value):
                self.left_over("", attribute=True)
        local = name.rpartition(" ")[2]
        if local == "Relationship":
            self._relation(attributes)
        elif local == "sheet" and self.kind == "workbook":
            self.sheets.append(attributes)

    def end(self, name: str) -> None:
        """An element ends: its text must be of the kind that the allow-list says."""
        if self._skipped:
            self._skipped -= 1
            return
        found = self._stack.pop()
        text = "".join(self._text)
        self._text, self._length = [], 0
        if found.text is None:
            if text.strip():
                self.left_over("", attribute=True)
        elif found.text != ANY_TEXT and not self._is(found.text, text):
            self.left_over("", attribute=True)

    def characters(self, text: str) -> None:
        """Text within an element, perhaps in pieces."""
        if not self._skipped:
            self._text.append(text)
            self._length += len(text)
            if self._length > self.text_bytes:
                raise self.refusal("cell_too_large", "a text is longer than the limit")

    def left_over(self, element: str, attribute: bool = False) -> None:
        """Remember something that the allow-list does not have, in words that hold nothing of it."""
        what = "a value" if attribute else _WORDS.get(element, "something")
        found = Leftover("metadata_present", f"{what} in {_KIND_WORDS[self.kind]} that is no cell")
        if found not in self.leftovers:
            self.leftovers.append(found)

    def _is(self, kind: str, value: str) -> bool:
        if kind == SHEET_NAME:
            # Which sheets there may be is asked once for the workbook.
            return self.kind == "workbook" or value in self._sheet_names
        if kind == PART_NAME:
            return any(f"{start}{value}".removeprefix("/").casefold() in self._parts for start in ("", "xl/"))
        pattern = excel_grammar.KINDS[kind]
        return pattern is None or pattern.fullmatch(value) is not None

    def _relation(self, attributes: dict[str, str]) -> None:
        self.relations.append({"Id": attributes.get("Id", ""), "Target": attributes.get("Target", "")})
        self.has_external = self.has_external or attributes.get("TargetMode", "Internal") != "Internal"

    def _check_depth(self) -> None:
        if len(self._stack) + self._skipped > MOST_LEVELS:
            raise self.refusal("workbook_structure", "elements lie deeper than any workbook's")

    def _declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        if (encoding or "UTF-8").upper() != "UTF-8" or version != "1.0":
            raise self.refusal("encoding", "a part of the workbook is not UTF-8 text")

    def _namespace(self, prefix: str | None, uri: str) -> None:
        if prefix not in excel_grammar.DECLARED_PREFIXES or uri not in excel_grammar.namespaces():
            self.left_over("", attribute=True)

    def _entity(self, *_: object) -> None:
        raise self.refusal("xml_entity", "the workbook defines entities, which no workbook needs", AS_VALUES)

    def _aside(self, *_: object) -> None:
        self.left_over("", attribute=True)
