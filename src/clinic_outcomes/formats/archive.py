"""Zip archives read strictly: what every reader of such a file must agree about, and nothing beside it.

Lenient readers look for the directory at the end, pass over what lies between the parts, and stop inflating where the
directory says: two of them can see different files. Here each byte of the archive belongs to one part, whose size and
checksum hold, or the archive is refused.
"""

from __future__ import annotations

import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from clinic_outcomes.formats.limits import MEGABYTE, refusal
from clinic_outcomes.settings import Settings

CHUNK_BYTES = 1 << 16
NO_TIMES = ((1980, 1, 1, 0, 0, 0), (1980, 1, 31, 0, 0, 0))
"""Times that programs write to tell none: the first that an archive can tell, and one that is as good everywhere."""

_LOCAL = struct.Struct("<4sHHHHHLLLHH")
_END = struct.Struct("<4sHHHHLLH")
_ENCRYPTED, _SIZES_FOLLOW = 0x1, 0x8
_PLAIN_FLAGS = 0x806 | _SIZES_FOLLOW
"""Flags of a part: how well it was packed, that its name is UTF-8, that its sizes follow it."""
_ROOM_FOR_CHANGES = re.compile(rb"\x20\xa2[\x00-\xff]{2}\x28\xa0[\x00-\xff]{2}\x00*")
"""A field of zeros by which one program leaves room to write a part again."""
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_\[\]][A-Za-z0-9_\[\]. -]*(?:/[A-Za-z0-9_\[\]][A-Za-z0-9_\[\]. -]*)*")
_ARCHIVE_NAME = re.compile(r"\.(?:zip|gz|tgz|tar|bz2|xz|7z|rar|zst|xls[xmb]?|doc[xm]?)$", re.IGNORECASE)
_RELATIONS_NAME = re.compile(r"(?:.*/)?_rels/[^/]*\.rels")


@dataclass(frozen=True)
class Part:
    """A file in an archive: where its packed bytes lie, and what comes of them.

    ``telling`` says that the directory holds more of it than that: a comment, a time, an extra field.
    """

    name: str
    start: int
    packed: int
    unpacked: int
    checksum: int
    deflated: bool
    telling: bool


def read_parts(path: Path, settings: Settings | None = None) -> tuple[Part, ...]:
    """Parts of an archive, in their order in it, by its directory alone: nothing is unpacked.

    ``ClinicOutcomesError`` where the archive is not plain, holds an archive, a link or an encrypted part, or by its
    own account comes to more than ``settings`` allow.
    """
    try:
        with zipfile.ZipFile(path) as archive, path.open("rb") as stream:
            found = archive.infolist()
            _check_directory(path, found, settings)
            size = path.stat().st_size
            stream.seek(size - _END.size)
            end = _END.unpack(stream.read(_END.size))
            if end[0] != b"PK\5\6" or end[5] + end[6] + _END.size != size or end[7] or end[1] or end[2]:
                raise refusal(path, "archive_structure", "the archive has more than its parts, or is in pieces")
            parts, position = [], 0
            for info in sorted(found, key=lambda info: info.header_offset):
                part, position = _read_part(path, stream, info, position)
                parts.append(part)
            if position != end[6]:
                raise refusal(path, "archive_structure", "something lies between the parts of the archive")
    except (zipfile.BadZipFile, struct.error, ValueError, NotImplementedError, OverflowError):
        raise refusal(path, "archive_structure", "the archive is broken") from None
    return tuple(parts)


def unpack(path: Path, part: Part) -> Iterator[bytes]:
    """Content of a part, a piece at a time; never more than its size says.

    ``ClinicOutcomesError`` where it is not of that size and checksum.
    """
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    checksum, left, packed = 0, part.unpacked, part.packed
    try:
        with path.open("rb") as stream:
            stream.seek(part.start)
            pending = b""
            while packed or pending:
                if not pending:
                    pending = stream.read(min(CHUNK_BYTES, packed))
                    packed -= len(pending)
                    if not pending:
                        break
                # One byte more than is left is enough to know that the part is larger than it says.
                piece = inflate.decompress(pending, min(left + 1, CHUNK_BYTES)) if part.deflated else pending
                pending = inflate.unconsumed_tail if part.deflated else b""
                left -= len(piece)
                checksum = zlib.crc32(piece, checksum)
                if left < 0:
                    break
                if piece:
                    yield piece
    except zlib.error:
        raise refusal(path, "archive_structure", "a part of the archive is broken") from None
    ended = not part.deflated or (inflate.eof and not inflate.unused_data)
    if left or not ended or checksum != part.checksum:
        raise refusal(path, "archive_structure", "a part of the archive is not of the size and checksum that it says")


def _read_part(path: Path, stream: BinaryIO, info: zipfile.ZipInfo, position: int) -> tuple[Part, int]:
    """A part by its own head, which must say the same as the directory; and where the next one begins."""
    stream.seek(info.header_offset)
    head = _LOCAL.unpack(stream.read(_LOCAL.size))
    name, extra = stream.read(head[9]), stream.read(head[10])
    same = head[0] == b"PK\3\4" and name == info.filename.encode("ascii", "replace") and head[3] == info.compress_type
    if info.header_offset != position or not same or head[2] & ~_PLAIN_FLAGS:
        raise refusal(path, "archive_structure", "the parts of the archive are not one after another, as it says")
    start = stream.tell()
    end = start + info.compress_size
    if head[2] & _SIZES_FOLLOW:
        stream.seek(end)
        end += 16 if stream.read(4) == b"PK\7\10" else 12
    elif head[6:9] != (info.CRC, info.compress_size, info.file_size):
        raise refusal(path, "archive_structure", "a part of the archive is not of the size that the archive says")
    telling = bool(info.comment or info.extra) or info.date_time not in NO_TIMES
    telling = telling or (bool(extra) and not _ROOM_FOR_CHANGES.fullmatch(extra))
    deflated = info.compress_type == zipfile.ZIP_DEFLATED
    return Part(info.filename, start, info.compress_size, info.file_size, info.CRC, deflated, telling), end


def _check_directory(path: Path, found: list[zipfile.ZipInfo], settings: Settings | None) -> None:
    for info in found:
        if info.flag_bits & _ENCRYPTED:
            raise refusal(path, "encrypted", "the file is encrypted", "Deliver it without a password.")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise refusal(path, "archive_structure", "a part of the archive is packed by a method that is not read")
        if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG) or info.is_dir():
            raise refusal(path, "archive_structure", "the archive holds a link, a folder or a device")
        plain = _PLAIN_NAME.fullmatch(info.filename) or _RELATIONS_NAME.fullmatch(info.filename)
        if not plain or ".." in info.filename or info.filename != info.orig_filename:
            raise refusal(path, "archive_structure", "a part of the archive has a name that leads elsewhere")
        if _ARCHIVE_NAME.search(info.filename):
            raise refusal(path, "nested_archive", "the archive holds another archive or document")
    if len({info.filename.casefold() for info in found}) < len(found):
        raise refusal(path, "archive_structure", "two parts of the archive have one name")
    if settings:
        _check_sizes(path, found, settings)


def _check_sizes(path: Path, found: list[zipfile.ZipInfo], settings: Settings) -> None:
    unpacked = sum(info.file_size for info in found)
    if len(found) > settings.most_archive_parts:
        raise refusal(path, "too_many_parts", f"the archive has more than {settings.most_archive_parts} parts")
    if unpacked > settings.largest_workbook_mb * MEGABYTE:
        raise refusal(path, "unpacked_too_large", f"unpacked it is over {settings.largest_workbook_mb} MB")
    packed = sum(info.compress_size for info in found)
    if unpacked > MEGABYTE and unpacked > packed * settings.largest_ratio:
        raise refusal(path, "unpacked_too_large", f"unpacked it is over {settings.largest_ratio} times as large")
