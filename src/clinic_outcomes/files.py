"""Writing files so that a reader sees the old content or the new, never half of it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml


def canonical_json(value: Any) -> str:
    """JSON text with sorted keys and a final newline: the same value gives the same bytes."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def parse_yaml(text: str) -> Any:
    """Plain data from YAML text, by the parser in C: in Python it would take half a second of every stage."""
    return yaml.load(text, Loader=yaml.CSafeLoader)


Signature = tuple[tuple[str, int, int], ...]


def folder_signature(folder: Path) -> Signature:
    """Name, size and time of change of every file below a folder: while it stays, what was read from them holds."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            state = path.stat()
            found.append((path.relative_to(folder).as_posix(), state.st_size, state.st_mtime_ns))
    return tuple(found)


def sha256_file(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def fingerprint(parts: Iterable[str]) -> str:
    """Hexadecimal SHA-256 of a sequence of strings; the boundaries between them count."""
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(8, "big"))
        digest.update(encoded)
    return digest.hexdigest()


def fingerprint_files(paths: Iterable[Path], base: Path) -> str:
    """Fingerprint of files by their path below ``base`` and their bytes, whatever the order given."""
    ordered = sorted((path.relative_to(base).as_posix(), path) for path in paths)
    return fingerprint(text for name, path in ordered for text in (name, sha256_file(path)))


def _flush_to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def atomic_file(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``target``; on success it is fsynced and takes the target's place."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")
    try:
        yield temporary
        _flush_to_disk(temporary)
        temporary.replace(target)
        _flush_to_disk(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(target: Path, text: str) -> None:
    """Write text atomically."""
    with atomic_file(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(target: Path, value: Any) -> None:
    """Write canonical JSON atomically."""
    write_text(target, canonical_json(value))


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``target``; on success it becomes ``target``, unless that exists already.

    Two workers that make the same folder at once do the same work; the second result is dropped, since a
    folder's name says all that its content depends on.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")
    temporary.mkdir()
    try:
        yield temporary
        for path in sorted(temporary.rglob("*")):
            if path.is_file():
                _flush_to_disk(path)
        try:
            temporary.rename(target)
        except OSError:
            if not target.is_dir():
                raise
        else:
            _flush_to_disk(target.parent)
    finally:
        if temporary.exists():
            shutil.rmtree(temporary)


def point_latest(target: Path) -> None:
    """Make ``latest`` beside ``target`` a relative link to it, in one step."""
    link = target.parent / "latest"
    temporary = target.parent / f".latest.{uuid.uuid4().hex}.tmp"
    temporary.symlink_to(target.name)
    temporary.replace(link)


def latest(folder: Path) -> Path | None:
    """The folder that ``latest`` points at, or None when nothing was made yet."""
    link = folder / "latest"
    return folder / link.readlink() if link.is_symlink() and link.exists() else None
