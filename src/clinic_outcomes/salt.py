"""The network's secret salt, with which harmonise re-keys every key, so that no clinic's own key goes further."""

from __future__ import annotations

import os
import re
import secrets
import uuid
from dataclasses import dataclass, field

from clinic_outcomes.files import fingerprint
from clinic_outcomes.problems import ClinicOutcomesError, Problem
from clinic_outcomes.settings import Settings

SALT_BYTES = 32


@dataclass(frozen=True)
class Salt:
    """A secret of 32 bytes. ``salt_id`` tells two of them apart and nothing about either."""

    secret: bytes = field(repr=False)

    @property
    def salt_id(self) -> str:
        """Eight hex digits of a hash of the secret."""
        return fingerprint(["salt id", self.secret.hex()])[:8]


def load_salt(settings: Settings) -> Salt:
    """The salt of ``settings.salt_file``: 64 hex digits. Made where it is missing and nothing was re-keyed yet.

    ``ClinicOutcomesError``, rule ``salt_missing``, where the file is missing though the lake holds rows (another salt
    would give every person another key), or ``salt_unreadable``, where it holds something else.
    """
    path = settings.salt_file
    # The lake first: another worker may make the salt, and then write to the lake, while this one looks.
    rekeyed_before = settings.lake.is_dir() and any(settings.lake.iterdir())
    if not path.is_file():
        if rekeyed_before:
            raise ClinicOutcomesError([_missing()])
        _make(settings)
    text = path.read_text(encoding="ascii", errors="replace").strip()
    if not re.fullmatch(rf"[0-9a-f]{{{2 * SALT_BYTES}}}", text):
        raise ClinicOutcomesError([_unreadable()])
    return Salt(bytes.fromhex(text))


def _make(settings: Settings) -> None:
    """Write a new salt, readable to its owner alone; of two workers the first one's stays."""
    path = settings.salt_file
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
            stream.write(secrets.token_hex(SALT_BYTES) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink(missing_ok=True)


def _missing() -> Problem:
    return Problem(
        rule="salt_missing",
        message="the secret salt is not where it was, though rows were re-keyed with it",
        advice="Restore it (CLINIC_OUTCOMES_SALT_FILE), or empty the lake on purpose to begin with a new one.",
    )


def _unreadable() -> Problem:
    return Problem(
        rule="salt_unreadable",
        message="the file of the secret salt does not hold 64 hex digits",
        advice="Restore the salt that was used before; see docs/runbook.md.",
    )
