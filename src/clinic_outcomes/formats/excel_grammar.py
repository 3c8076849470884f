"""The allow-list of what the parts of a workbook may hold, read from ``excel_package.yml``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from clinic_outcomes.files import parse_yaml

ANY_TEXT = "any"
SHEET_NAME = "sheet_name"
PART_NAME = "part"

_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006"
PREFIXES: Mapping[str, str] = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "vt": f"{_OFFICE}/docPropsVTypes",
    "r": f"{_OFFICE}/relationships",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "xml": "http://www.w3.org/XML/1998/namespace",
}
"""Prefix in the allow-list → namespace."""
DECLARED_PREFIXES = {None, "cp", "dcmitype", *PREFIXES}
"""Prefixes that a part may declare; they could be words of any kind."""
OTHER_NAMESPACES = {"http://purl.org/dc/dcmitype/"}

# Words that stand in attributes of a plain workbook: kinds of lines and fills, names of built-in styles.
_WORDS = (
    "variant|lpstr|xl|Calc|visible|none|solid|gray125|minor|major|thin|medium|thick|hair|dashed|dotted|double|left|right"
    "|center|centerContinuous|general|fill|justify|top|bottom|topLeft|topRight|bottomLeft|bottomRight|frozen|split"
    "|frozenSplit|Normal|Comma|Currency|Percent|Heading [1-4]|(?:Table|Pivot)Style(?:Light|Medium|Dark)[0-9]{1,2}"
)
_CONTENT = (
    r"application/xml|application/vnd\.openxmlformats-package\.(?:relationships|core-properties)\+xml"
    r"|application/vnd\.openxmlformats-officedocument\.(?:extended-properties|theme)\+xml"
    r"|application/vnd\.openxmlformats-officedocument\.spreadsheetml\.(?:sheet\.main|worksheet|styles|sharedStrings)\+xml"
)
_RELATIONS = (
    "http://schemas.openxmlformats.org/package/2006/relationships/metadata/core-properties"
    f"|{_OFFICE}/relationships/(?:officeDocument|extended-properties|worksheet|theme|styles|sharedStrings)"
)

KINDS: Mapping[str, re.Pattern[str] | None] = {
    name: re.compile(pattern) if pattern is not None else None
    for name, pattern in {
        # Looked up where the names of sheets and parts are known.
        SHEET_NAME: None,
        PART_NAME: None,
        ANY_TEXT: None,
        "flag": "0|1|true|false",
        "zero": "0",
        "small": r"\d{1,4}",
        "count": r"\d{1,7}",
        "signed": r"-?\d{1,5}",
        "number": r"\d{1,4}(?:\.\d{1,17})?",
        "range": r"[A-Z]{1,3}\d{1,7}(?::[A-Z]{1,3}\d{1,7})?",
        "spans": r"\d{1,5}:\d{1,5}",
        "colour": "[0-9A-Fa-f]{8}",
        "word": _WORDS,
        "font": "Calibri|Calibri Light|Aptos Narrow|Aptos Display|Arial|Cambria|Liberation Sans|Times New Roman",
        "space": "preserve|default",
        "state": "visible|hidden|veryHidden",
        "cell_type": "s|n|b|str|inlineStr|d|e",
        "extension": "xml|rels",
        "content_type": _CONTENT,
        "relation": r"rId\d{1,4}",
        "relation_type": _RELATIONS,
        "w3cdtf": "dcterms:W3CDTF",
        # A time of making a file is a date. This one, the first that an archive can tell, stands for none.
        "no_time": "1980-01-01T00:00:00Z",
        "program": r"Microsoft Excel|LibreOffice|Microsoft Excel Compatible / Openpyxl \d{1,2}(?:\.\d{1,3}){1,3}",
        "version": r"\d{1,3}\.\d{1,4}",
        "worksheets": "Worksheets",
        # Texts within quotes could be anybody's.
        "number_format": r"General|@|[0#?.,%; dmyhsDMYHSE+/:_()*\\-]{1,40}|\[(?:h|hh|m|mm|s|ss)\](?::mm)?(?::ss)?",
    }.items()
}  # fmt: skip


@dataclass(frozen=True)
class Element:
    """An element that a part may have: its attributes and its text by kind of value, and the elements within it.

    Names are as the parser gives them: the namespace, a blank and the name.
    """

    attributes: Mapping[str, str]
    text: str | None
    children: Mapping[str, Element]


@cache
def grammar(part_kind: str) -> Element:
    """What a part of a kind, such as ``sheet``, may hold, as an element without a name around its root."""
    return _element(_parts()[part_kind], _parts()[part_kind]["xmlns"])


@cache
def namespaces() -> frozenset[str]:
    """Namespaces that parts may declare."""
    own = {part["xmlns"] for part in _parts().values()}
    return frozenset(own | set(PREFIXES.values()) | OTHER_NAMESPACES)


@cache
def _parts() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = parse_yaml(
        Path(__file__).with_name("excel_package.yml").read_text(encoding="utf-8")
    )
    return found


def _element(content: Mapping[str, Any], own: str) -> Element:
    names = [name for name in content if name != "xmlns"]
    attributes = {_full(name[1:], ""): str(content[name]) for name in names if name.startswith("@")}
    children = {_full(name, own): _element(content[name], own) for name in names if name[0] not in "@#"}
    return Element(attributes, content.get("#"), children)


def _full(name: str, own: str) -> str:
    prefix, _, local = name.rpartition(":")
    namespace = PREFIXES[prefix] if prefix else own
    return f"{namespace} {local}" if namespace else local
