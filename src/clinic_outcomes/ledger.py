"""The ledger: one immutable JSON record a delivery and stage, as plain files."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import TypeVar

from clinic_outcomes.files import canonical_json
from clinic_outcomes.records import AdmitRecord, HarmoniseRecord, ReceiveRecord, Record
from clinic_outcomes.settings import Settings

Kept = TypeVar("Kept", bound=Record)


def keep(target: Path, record: Kept) -> Kept:
    """Write ``record`` to ``target`` unless a record is there already; return the one that is kept.

    The first of two workers wins, without a lock: a finished file is linked to its name, which fails when taken.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as stream:
            stream.write(canonical_json(record.model_dump(mode="json")))
            stream.flush()
            os.fsync(stream.fileno())
        os.link(temporary, target)
    except FileExistsError:
        return read(target, type(record))
    finally:
        temporary.unlink(missing_ok=True)
    return record


def read(path: Path, kind: type[Kept]) -> Kept:
    """A record of the given kind from its file."""
    return kind.model_validate_json(path.read_text(encoding="utf-8"))


def find(path: Path, kind: type[Kept]) -> Kept | None:
    """A record of the given kind, or None where the file is not there."""
    return read(path, kind) if path.is_file() else None


def receive_path(clinic_id: str, delivery_id: str, settings: Settings) -> Path:
    """Where a delivery's receive record lies."""
    return settings.ledger / clinic_id / delivery_id / "receive.json"


def admit_path(clinic_id: str, delivery_id: str, recipe: str, settings: Settings) -> Path:
    """Where a delivery's admit record under a recipe lies."""
    return settings.ledger / clinic_id / delivery_id / f"admit.{recipe}.json"


def harmonise_path(clinic_id: str, delivery_id: str, recipe: str, settings: Settings) -> Path:
    """Where a delivery's harmonise record under a recipe lies."""
    return settings.ledger / clinic_id / delivery_id / f"harmonise.{recipe}.json"


def accept_path(clinic_id: str, delivery_id: str, settings: Settings) -> Path:
    """Where a person's acceptance of a held delivery lies."""
    return settings.ledger / clinic_id / delivery_id / "accept.json"


def replace_path(clinic_id: str, delivery_id: str, before: str, settings: Settings) -> Path:
    """Where it lies what a full export replaces; ``before`` names the deliveries used before it."""
    return settings.ledger / clinic_id / delivery_id / f"resolve.{before}.json"


def receive_records(clinic_id: str, settings: Settings) -> tuple[ReceiveRecord, ...]:
    """All receive records of a clinic, by delivery id."""
    paths = sorted((settings.ledger / clinic_id).glob("*/receive.json"))
    return tuple(read(path, ReceiveRecord) for path in paths)


def accepted_deliveries(clinic_id: str, settings: Settings) -> frozenset[str]:
    """Ids of the clinic's held deliveries that a person accepted."""
    return frozenset(path.parent.name for path in (settings.ledger / clinic_id).glob("*/accept.json"))


def admit_records(clinic_id: str, recipe: str, settings: Settings) -> tuple[AdmitRecord, ...]:
    """All admit records of a clinic under a recipe, by delivery id."""
    paths = sorted((settings.ledger / clinic_id).glob(f"*/admit.{recipe}.json"))
    return tuple(read(path, AdmitRecord) for path in paths)


def harmonise_records(clinic_id: str, recipe: str, settings: Settings) -> tuple[HarmoniseRecord, ...]:
    """All harmonise records of a clinic under a recipe, by delivery id (which begins with the sequence)."""
    paths = sorted((settings.ledger / clinic_id).glob(f"*/harmonise.{recipe}.json"))
    return tuple(read(path, HarmoniseRecord) for path in paths)
