"""The clinic's register of day zeros: one small file, kept on its premises, that makes days the same in every export.

A delta does not tell when a person began: the referral was delivered long ago. The register remembers it. It holds
nothing but, of each person, a keyed hash (another than the delivered key, so that the two files do not meet), the date
of day 0 and the number of the export that told it. The first line says whose register it is, up to which export, and
how many people it must hold.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import duckdb

from clinic_outcomes.database import quote_path, quote_text
from clinic_outcomes.files import atomic_file, fingerprint
from clinic_outcomes.prepare.refusing import refusal

REGISTERED = "registered"
"""Temporary table of a session: ``key``, ``day``, ``export`` of everybody whom earlier exports told."""
_TITLE = "clinic-outcomes register 1"
_HEAD = re.compile(rf"{_TITLE},([A-Za-z0-9_-]+),([0-9a-f]{{8}}),([0-9]{{1,9}}),([0-9]{{1,9}})")
_COLUMNS = "{'key': 'VARCHAR', 'day_zero': 'VARCHAR', 'export': 'VARCHAR'}"
_IS_ROW = (
    "regexp_full_match(key, '[0-9a-f]{32}') AND regexp_full_match(day_zero, '[0-9]{4}-[0-9]{2}-[0-9]{2}') "
    "AND TRY_CAST(day_zero AS DATE) IS NOT NULL AND regexp_full_match(export, '[0-9]{1,9}')"
)


@dataclass(frozen=True)
class Register:
    """Where the register of a clinic lies, and the export that it is read and written for.

    ``key_id`` tells the clinic's key from another, and nothing about it.
    """

    path: Path
    clinic_id: str
    key_id: str
    export_sequence: int


def key_id(secret: bytes) -> str:
    """Eight hex digits of a hash of the clinic's key."""
    return fingerprint(["clinic key id", secret.hex()])[:8]


def read_register(connection: duckdb.DuckDBPyConnection, register: Register | None, is_delta: bool) -> None:
    """Make the table ``registered``: whom earlier exports told. Empty where a full export begins.

    What this very export has told before is not taken, so that it can be prepared again. ``ClinicOutcomesError``, rule
    ``register_missing``, ``register_unreadable``, ``register_foreign``, ``register_ahead`` or ``register_gap``.
    """
    connection.execute(f"CREATE TEMP TABLE {REGISTERED} (key VARCHAR, day DATE, export BIGINT)")
    if register is None or not register.path.is_file():
        if is_delta:
            raise refusal(
                "register_missing",
                "a delta does not tell when people began: without the register of day zeros their days would be wrong",
                "Give --register with the file that the last export wrote, or prepare a full export, which begins one.",
            )
        return
    last, people = _read_head(register)
    if last > register.export_sequence:
        raise refusal(
            "register_ahead",
            f"the register was written by export {last}, later than this one",
            "Prepare exports in their order; --sequence is the number of this export.",
        )
    if is_delta and last < register.export_sequence - 1:
        raise refusal(
            "register_gap",
            f"the register was last written by export {last}: who began in an export between is not in it",
            "Prepare the exports between first, or prepare a full export.",
        )
    rows = f"read_csv({quote_path(register.path)}, columns = {_COLUMNS}, auto_detect = false, header = true, skip = 1)"
    try:
        found = connection.execute(
            f"SELECT count(*), count(*) FILTER ({_IS_ROW}), count(DISTINCT key) FROM {rows}"
        ).fetchone()
        if found != (people, people, people):
            raise _unreadable()
        connection.execute(
            f"INSERT INTO {REGISTERED} SELECT key, day_zero::DATE, export::BIGINT FROM {rows} WHERE export::BIGINT < ?",
            [register.export_sequence],
        )
    except duckdb.Error:
        raise _unreadable() from None


def write_register(connection: duckdb.DuckDBPyConnection, register: Register, known: str) -> None:
    """Write the register: everybody whom earlier exports told, and whom this one tells.

    ``known`` is SQL for ``FROM`` with ``key`` and ``day`` of everybody whose day 0 is known now.
    """
    rows = (
        f"SELECT key, day, export FROM {REGISTERED} UNION ALL "
        f"SELECT key, day, {register.export_sequence} FROM {known} AS known ANTI JOIN {REGISTERED} USING (key)"
    )
    people = connection.execute(f"SELECT count(*) FROM ({rows})").fetchone() or (0,)
    head = f"{_TITLE},{register.clinic_id},{register.key_id},{register.export_sequence},{people[0]}"
    lines = (
        f"SELECT 0 AS part, '' AS key, {quote_text(head)} AS line UNION ALL SELECT 1, '', 'key,day_zero,export' "
        f"UNION ALL SELECT 2, key, concat_ws(',', key, day, export) FROM ({rows})"
    )
    options = "FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\x01', USE_TMP_FILE false"
    with atomic_file(register.path) as temporary:
        # For its owner alone, from the first byte on.
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        connection.execute(
            f"COPY (SELECT line FROM ({lines}) ORDER BY part, key) TO {quote_text(temporary)} ({options})"
        )


def _read_head(register: Register) -> tuple[int, int]:
    """The export that wrote the register last, and the number of people in it."""
    with register.path.open(encoding="ascii", errors="replace") as stream:
        found = _HEAD.fullmatch(stream.readline(200).rstrip("\r\n"))
    if found is None:
        raise _unreadable()
    if (found[1], found[2]) != (register.clinic_id, register.key_id):
        raise refusal(
            "register_foreign",
            "the register is of another clinic, or was made with another key of this one",
            "Give the clinic's own register and the key that it was made with.",
        )
    return int(found[3]), int(found[4])


def _unreadable() -> Exception:
    return refusal(
        "register_unreadable",
        "the register of day zeros is damaged, or no register",
        "Restore it from the clinic's backup, or prepare a full export with a new --register.",
    )
