"""Settings with a clinic system and clinics that a test writes itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from clinic_outcomes.settings import Settings


def own_system(root: Path, name: str, *, system: str, columns: str, codes: str, clinics: Mapping[str, str]) -> Settings:
    """Write the system and its clinics below ``root``, and give settings with a home there.

    The texts are those of the system's three files; ``clinics`` maps ids to what each clinic's file says beside its
    system.
    """
    folder = root / "systems" / name
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in {"system.yml": system, "columns.csv": columns, "codes.csv": codes}.items():
        (folder / file).write_text(text)
    (root / "clinics").mkdir(exist_ok=True)
    for clinic, text in clinics.items():
        (root / "clinics" / f"{clinic}.yml").write_text(f"system: {name}\n{text}")
    return Settings(home=root / "home", systems=root / "systems", clinics=root / "clinics", threads=1)
