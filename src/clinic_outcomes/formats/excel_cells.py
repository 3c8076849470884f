"""The texts and the cells of a workbook, counted and held to their limits before a reader of sheets takes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from clinic_outcomes.formats.excel_rows import blocks, plain_length, read_plain
from clinic_outcomes.formats.excel_xml import AS_VALUES, LARGEST_TEXT, PartScan
from clinic_outcomes.formats.limits import MEGABYTE
from clinic_outcomes.settings import Settings

LAST_ROW, LAST_COLUMN = 1_048_576, 16_384
_CELL = re.compile(r"([A-Z]{1,3})([1-9]\d{0,6})")
_BEGIN, _END, _ROW_END = b"<sheetData>", b"</sheetData>", b"</row>"
_LONGEST_ROW_BYTES = 4 * MEGABYTE
_ROWS_LEVEL = 3
"""Elements open between rows: none, the sheet, its rows."""


class StringScan(PartScan):
    """Reading the texts that cells share: how long each is, and which of them a cell shows."""

    def __init__(
        self, path: Path, kind: str, sheet_names: frozenset[str], parts: Iterable[str], settings: Settings | None
    ) -> None:
        super().__init__(path, kind, sheet_names, parts, settings)
        self.lengths: list[int] = []
        self.used: np.ndarray[tuple[int], np.dtype[np.bool_]] = np.zeros(0, dtype=bool)
        self._texts = 0
        self._most = settings.most_cells * 4 if settings else LARGEST_TEXT

    @property
    def has_unused(self) -> bool:
        """Whether a text is there that no cell shows."""
        return not self.used.all()

    def read(self, content: Iterable[bytes]) -> None:
        """As of any part; until a sheet is read, no text is shown."""
        super().read(content)
        self.used = np.zeros(len(self.lengths), dtype=bool)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """As of any part; a text of several pieces hides some of them from a reader."""
        super().start(name, attributes)
        local = name.rpartition(" ")[2]
        if local == "si":
            self._texts = 0
            self.lengths.append(0)
            if len(self.lengths) > self._most:
                raise self.refusal("workbook_too_large", "there are more texts than cells may be")
        elif local == "t":
            self._texts += 1
            if self._texts > 1:
                self.left_over("r")

    def characters(self, text: str) -> None:
        """As of any part, counted."""
        super().characters(text)
        if self.lengths:
            self.lengths[-1] += len(text)


class CellScan(PartScan):
    """Reading a sheet: each cell has a place of its own, in order, one value at most and no formula."""

    def __init__(
        self,
        path: Path,
        sheet_names: frozenset[str],
        parts: Iterable[str],
        settings: Settings | None,
        strings: StringScan,
    ) -> None:
        super().__init__(path, "sheet", sheet_names, parts, settings)
        self._strings = strings
        self._most_cells = settings.most_cells if settings else LARGEST_TEXT
        self._most_columns = settings.most_columns if settings else LAST_COLUMN
        self._most_text = settings.largest_workbook_mb * MEGABYTE if settings else LARGEST_TEXT
        self._row = self._column = self._widest = self._expanded = 0
        self._values = 0
        self._type = ""
        self._lengths = np.array(strings.lengths, dtype=np.int64)
        self._used = np.zeros(len(strings.lengths), dtype=bool)
        self._columns: dict[str, int] = {}
        space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main "
        self._names = {f"{space}{local}": local for local in ("row", "c", "v", "f", "is", "t")}

    def read(self, content: Iterable[bytes]) -> None:
        """As of any part; rows in the form that programs write them do not reach the parser."""
        super().read(self._beyond_plain_rows(blocks(iter(content))))
        self._strings.used |= self._used

    def _beyond_plain_rows(self, content: Iterator[bytes]) -> Iterator[bytes]:
        """What the parser must see: each piece ends where a row ends, and it knows that it is between rows."""
        buffer = next(content, b"")
        begin = buffer.find(_BEGIN) + len(_BEGIN)
        if begin >= len(_BEGIN):
            yield buffer[:begin]
            buffer = buffer[begin:]
            rows = self._stack[-1]
            while self._stack[-1] is rows and not self._skipped and len(self._stack) == _ROWS_LEVEL:
                length = plain_length(buffer)
                self._plain(buffer[:length])
                buffer = buffer[length:]
                end = buffer.find(_ROW_END) + len(_ROW_END)
                if buffer.startswith(_END):
                    break
                if end >= len(_ROW_END):
                    yield buffer[:end]
                    buffer = buffer[end:]
                    continue
                more = next(content, b"") if len(buffer) < _LONGEST_ROW_BYTES else b""
                if not more:
                    break
                buffer += more
        yield buffer
        yield from content

    def _plain(self, content: bytes) -> None:
        """Count plain rows as the parser's events would be."""
        if not content:
            return
        try:
            found = read_plain(content)
        except UnicodeDecodeError:
            raise self.refusal("encoding", "a part of the workbook is not UTF-8 text") from None
        if not found.are_in_order or found.rows[0] <= self._row or found.rows[-1] > LAST_ROW:
            raise self.refusal("workbook_structure", "the rows or cells of a sheet are not in order")
        self._row = int(found.rows[-1])
        self._widest = max(self._widest, int(found.columns.max()))
        self._check_area()
        if len(found.shared):
            if found.shared.max() >= len(self._lengths):
                raise self.refusal("workbook_structure", "a cell refers to a text that is not there")
            self._used[found.shared] = True
            self._expand(int(self._lengths[found.shared].sum()))

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """As of any part; rows and cells are counted by their places."""
        super().start(name, attributes)
        local = self._names.get(name)
        if local == "c":
            self._cell(attributes)
        elif local == "row":
            self._next_row(attributes)
        elif local in ("v", "is"):
            self._values += 1
            if self._values > 1:
                raise self.refusal("workbook_structure", "a cell has two values")
        elif local == "f":
            raise self.refusal("formula_present", f"a cell has a formula (row {self._row} of a sheet)", AS_VALUES)

    def end(self, name: str) -> None:
        """As of any part; a cell that refers to a shared text shows it."""
        if self._names.get(name) == "v" and self._type == "s" and not self._skipped:
            self._show("".join(self._text))
        super().end(name)

    def _next_row(self, attributes: dict[str, str]) -> None:
        number = attributes.get("r")
        row = int(number) if number and number.isdecimal() and len(number) < 8 else self._row + 1
        if not self._row < row <= LAST_ROW:
            raise self.refusal("workbook_structure", "the rows of a sheet are not in order")
        self._row, self._column = row, 0
        self._check_area()

    def _cell(self, attributes: dict[str, str]) -> None:
        place, column = attributes.get("r"), self._column + 1
        if place:
            found = _CELL.fullmatch(place)
            if not found or int(found[2]) != self._row:
                raise self.refusal("workbook_structure", "a cell of a sheet is not where it says")
            column = self._columns.get(found[1]) or self._columns.setdefault(found[1], _column_number(found[1]))
        if not self._column < column <= LAST_COLUMN:
            raise self.refusal("workbook_structure", "the cells of a row are not in order")
        self._column, self._values = column, 0
        self._type = attributes.get("t", "n")
        if self._type == "e":
            raise self.refusal(
                "cell_error",
                f"a cell holds an error such as #N/A (row {self._row} of a sheet)",
                "Correct it, or leave the cell empty.",
            )
        if column > self._widest:
            self._widest = column
            self._check_area()

    def _check_area(self) -> None:
        """Readers hold every place up to the last row and column, however few of them have a cell."""
        if self._widest > self._most_columns or self._row * self._widest > self._most_cells:
            raise self.refusal(
                "workbook_too_large", "a sheet has more cells or columns than the limits allow, empty ones counted"
            )

    def _show(self, text: str) -> None:
        """A text is shared in the file and a copy for each cell when read."""
        index = int(text) if text.isdecimal() and len(text) < 10 else len(self._lengths)
        if index >= len(self._lengths):
            raise self.refusal("workbook_structure", "a cell refers to a text that is not there")
        self._used[index] = True
        self._expand(int(self._lengths[index]))

    def _expand(self, characters: int) -> None:
        self._expanded += characters
        if self._expanded > self._most_text:
            raise self.refusal("workbook_too_large", "the texts of a sheet together are longer than the limit")


def _column_number(letters: str) -> int:
    """Number of a column from 1: A, B … Z, AA."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number
