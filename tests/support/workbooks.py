"""Workbooks made by another library than the pipeline's, and packages with a part changed by hand."""

import io
import zipfile
from collections.abc import Mapping, Sequence

from openpyxl import Workbook

NO_PROPERTIES = (
    '<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties"/>'
)
Sheets = Mapping[str, Sequence[Sequence[object]]]


def book(sheets: Sheets) -> Workbook:
    """A workbook of some sheets with their rows; None is no cell."""
    made = Workbook()
    made.remove(made.worksheets[0])
    for name, rows in sheets.items():
        sheet = made.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    return made


def saved(made: Workbook, keep_properties: bool = False) -> bytes:
    """The workbook's bytes; without its author and times unless they are kept."""
    stream = io.BytesIO()
    made.save(stream)
    edits = {} if keep_properties else {"docProps/core.xml": NO_PROPERTIES}
    return edited(stream.getvalue(), edits)


def edited(content: bytes, parts: Mapping[str, str | bytes | None]) -> bytes:
    """A package with some parts replaced, added, or left out where None; all without times."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        held: dict[str, str | bytes | None] = {name: archive.read(name) for name in archive.namelist()}
    return packed({name: text for name, text in (held | dict(parts)).items() if text is not None})


def packed(parts: Mapping[str, str | bytes | None]) -> bytes:
    """A package of some parts."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(zipfile.ZipInfo(name), text or "", zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def part(content: bytes, name: str) -> str:
    """One part of a package as text."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(name).decode()
