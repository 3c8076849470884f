"""Receive: what lies in a clinic's landing folder, as delivery records. Nothing in landing is ever changed."""

from clinic_outcomes.receive.manifest import MANIFEST_NAME, Manifest, ManifestFile, write_manifest
from clinic_outcomes.receive.opening import delivery_files, landing_folders
from clinic_outcomes.receive.receiving import receive
from clinic_outcomes.receive.standing import is_stale, standing_deliveries

__all__ = [
    "MANIFEST_NAME",
    "Manifest",
    "ManifestFile",
    "delivery_files",
    "is_stale",
    "landing_folders",
    "receive",
    "standing_deliveries",
    "write_manifest",
]
