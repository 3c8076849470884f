"""Limits that every format is held to before a reader sees the file: sizes, compression, depth.

All refuse with ``ClinicOutcomesError``; what they say holds nothing of the file but its name.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from clinic_outcomes.problems import ClinicOutcomesError, Problem
from clinic_outcomes.settings import Settings

MEGABYTE = 1_000_000
CHUNK_BYTES = 1 << 20
_EXPORT_AGAIN = "Export the file again, and in parts where it is large."

_ARCHIVE_STARTS = (
    b"PK\3\4",
    b"PK\5\6",
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ",
    b"\x28\xb5\x2f\xfd",
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!",
)
_OTHER_BYTES = bytes(set(range(256)) - set(b"[]{}"))
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_STRING = re.compile(rb'"(?:[^"\\\n]|\\.)*"')


def refusal(
    path: Path, rule: str, message: str, advice: str = _EXPORT_AGAIN, line: int | None = None
) -> ClinicOutcomesError:
    """The error of a file that a reader may not see."""
    return ClinicOutcomesError([Problem(rule=rule, message=message, advice=advice, file=path.name, line=line)])


def check_size(path: Path, settings: Settings) -> None:
    """Refuse, with rule ``file_too_large``, a file that is larger than the settings allow."""
    if path.stat().st_size > settings.largest_file_mb * MEGABYTE:
        raise refusal(path, "file_too_large", f"the file is over {settings.largest_file_mb} MB")


def check_columns(path: Path, header: Sequence[str], settings: Settings) -> None:
    """Refuse, with rule ``too_many_columns``, a header with more names than the settings allow."""
    if len(header) > settings.most_columns:
        raise refusal(path, "too_many_columns", f"the file has more than {settings.most_columns} columns", line=1)


def is_archive(path: Path) -> bool:
    """Whether a file begins as archives do: zip, gzip, bzip2, xz, Zstandard, 7z, rar or tar."""
    with path.open("rb") as stream:
        start = stream.read(262)
    return start.startswith(_ARCHIVE_STARTS) or start[257:] == b"ustar"


def check_gzip(path: Path, settings: Settings) -> int:
    """Bytes that a gzip file holds, read in pieces and no further than the settings allow.

    Rules: ``unpacked_too_large`` (in all, or for its size), ``nested_archive`` and ``gzip_structure``.
    """
    return sum(len(piece) for piece in gunzip(path, settings))


def gunzip(path: Path, settings: Settings) -> Iterator[bytes]:
    """Content of a gzip file in pieces, refused as ``check_gzip`` says as soon as it breaks a limit."""
    packed, unpacked = path.stat().st_size, 0
    largest = settings.largest_unpacked_mb * MEGABYTE
    try:
        with gzip.open(path, "rb") as stream:
            while piece := stream.read(CHUNK_BYTES):
                if not unpacked and piece.startswith(_ARCHIVE_STARTS):
                    raise refusal(path, "nested_archive", "the file holds another archive")
                unpacked += len(piece)
                if unpacked > largest:
                    raise refusal(path, "unpacked_too_large", f"unpacked it is over {settings.largest_unpacked_mb} MB")
                if unpacked > 10 * MEGABYTE and unpacked > packed * settings.largest_ratio:
                    raise refusal(
                        path, "unpacked_too_large", f"unpacked it is over {settings.largest_ratio} times as large"
                    )
                yield piece
    except (OSError, EOFError, zlib.error):
        raise refusal(path, "gzip_structure", "the file is broken: it cannot be unpacked") from None


def check_json_lines(path: Path, settings: Settings) -> int:
    """Lines of an NDJSON file, plain or gzip, that hold anything; none is too long or too deep.

    Text that is no UTF-8 (rule ``encoding``), longer lines (``line_too_long``) and deeper ones (``json_too_deep``) are
    refused with their line, before a parser of JSON sees them.
    """
    pieces = gunzip(path, settings) if path.suffix.lower() == ".gz" else _pieces(path)
    longest, count, line, rest = settings.largest_line_mb * MEGABYTE, 0, 0, b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for text in lines:
            line += 1
            count += _check_json_line(path, text, line, settings)
        if len(rest) > longest:
            raise refusal(path, "line_too_long", f"a line is over {settings.largest_line_mb} MB", line=line + 1)
    return count + _check_json_line(path, rest, line + 1, settings)


def json_depth(text: bytes, limit: int) -> int:
    """How deep the lists and objects of a JSON text go, by its brackets alone; ``limit + 1`` where deeper than that."""
    brackets = _STRING.sub(b"", text).translate(_ONE_KIND, delete=_OTHER_BYTES)
    depth = 0
    # Each turn cuts away the innermost pairs.
    while brackets and depth <= limit:
        shorter = brackets.replace(b"[]", b"")
        if len(shorter) == len(brackets):
            return min(depth + brackets.count(b"["), limit + 1)
        brackets, depth = shorter, depth + 1
    return depth


def _check_json_line(path: Path, text: bytes, line: int, settings: Settings) -> int:
    if len(text) > settings.largest_line_mb * MEGABYTE:
        raise refusal(path, "line_too_long", f"a line is over {settings.largest_line_mb} MB", line=line)
    if b"\0" in text or not _is_utf_8(text):
        raise refusal(path, "encoding", "the file is not UTF-8 text", "Export the file as UTF-8.", line=line)
    # Most lines have fewer brackets than the limit, however they are nested.
    limit = settings.deepest_json
    if text.count(b"[") + text.count(b"{") > limit and json_depth(text, limit) > limit:
        raise refusal(path, "json_too_deep", f"JSON goes deeper than {limit} levels", line=line)
    return bool(text.strip())


def _is_utf_8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while piece := stream.read(CHUNK_BYTES):
            yield piece
