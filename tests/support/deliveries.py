"""Putting deliveries into a landing folder, with manifests, without the code under test."""

import csv
import hashlib
import json
from pathlib import Path


def deliver(
    folder: Path,
    files: dict[str, bytes | str],
    clinic_id: str,
    sequence: int = 1,
    kind: str = "full",
    period: str = "2026-08",
    rows: dict[str, int] | None = None,
) -> Path:
    """Write files and their manifest into ``folder``; row counts are those of Python's own CSV reader."""
    folder.mkdir(parents=True)
    entries = []
    for name, content in files.items():
        data = content.encode() if isinstance(content, str) else content
        (folder / name).write_bytes(data)
        counted = max(sum(1 for row in csv.reader(data.decode("utf-8", "replace").splitlines()) if row) - 1, 0)
        entries.append(
            {"name": name, "rows": (rows or {}).get(name, counted), "sha256": hashlib.sha256(data).hexdigest()}
        )
    manifest = {
        "manifest_version": 1,
        "clinic_id": clinic_id,
        "export_sequence": sequence,
        "export_kind": kind,
        "reporting_period": period,
        "files": entries,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2))
    return folder
