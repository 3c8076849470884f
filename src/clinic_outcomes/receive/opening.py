"""Finding a delivery in landing again, and being sure that it is the one that was received."""

from __future__ import annotations

from pathlib import Path

from clinic_outcomes.formats import content_sha256
from clinic_outcomes.problems import ClinicOutcomesError, Problem
from clinic_outcomes.receive.landing import find_index, index_path, look
from clinic_outcomes.receive.manifest import MANIFEST_NAME
from clinic_outcomes.records import ReceiveRecord
from clinic_outcomes.settings import Settings


def landing_folders(clinic_id: str, settings: Settings) -> dict[str, tuple[Path, ...]]:
    """Delivery id → the folders now in landing that hold it, as ``receive`` last found and nothing changed since."""
    found: dict[str, list[Path]] = {}
    for drop in look(clinic_id, settings):
        known = find_index(clinic_id, drop, settings)
        if known:
            found.setdefault(known.delivery_id, []).append(drop.path)
    return {delivery_id: tuple(paths) for delivery_id, paths in sorted(found.items())}


def delivery_files(record: ReceiveRecord, settings: Settings) -> dict[str, Path]:
    """Each file of a received delivery, by the name its record gives it, as a path in landing.

    All lie in one folder and have the SHA-256 of the record; a copy delivered under other names will do.
    ``ClinicOutcomesError``, rule ``landing_changed``, where landing holds no such folder any more.
    """
    for folder in landing_folders(record.clinic_id, settings).get(record.delivery_id, ()):
        paths = _match(folder, record)
        if paths is not None:
            return paths
        # The folder looks unchanged and is not: forget what is known of it, so that receive reads it again.
        index_path(record.clinic_id, folder, settings).unlink(missing_ok=True)
    raise ClinicOutcomesError([_changed(record, "landing no longer holds this delivery as it was received")])


def _match(folder: Path, record: ReceiveRecord) -> dict[str, Path] | None:
    """Files of the folder by the names of the record; None unless each content is there."""
    held: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.is_symlink() and path.name != MANIFEST_NAME:
            held.setdefault(content_sha256(path), []).append(path)
    found = {}
    for file in record.files:
        paths = held.get(file.sha256, [])
        if not paths:
            return None
        found[file.name] = paths.pop(next((i for i, path in enumerate(paths) if path.name == file.name), 0))
    return found


def _changed(record: ReceiveRecord, message: str) -> Problem:
    return Problem(
        rule="landing_changed",
        message=f"{message}: {record.delivery_id}",
        advice="Never edit landing. Run receive again; deliver again what is missing.",
        clinic=record.clinic_id,
    )
