"""False alarms: clean deliveries of the generator, from every clinic in its own format, are not refused.

By default a few of each system are judged. ``CLEAN_DELIVERIES=1000`` judges as many, which takes minutes; the last
measurement is in docs/deidentification.md.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from clinic_outcomes.admit.scanning import scan_delivery
from clinic_outcomes.database import session
from clinic_outcomes.mapping import load_clinics
from clinic_outcomes.receive.manifest import MANIFEST_NAME
from clinic_outcomes.settings import Settings
from clinic_outcomes.synthetic import Plant, generate

WANTED = int(os.environ.get("CLEAN_DELIVERIES", "15"))
MOST_REFUSED = 0.005
PATIENTS_OF_A_CLINIC = 4


def test_clean_deliveries_are_not_refused(tmp_path: Path) -> None:
    """Every tenth round all clinics; between, those of flat files, which are quick to write."""
    settings = Settings(home=tmp_path, threads=1)
    clinics = load_clinics(settings)
    quick = [name for name, clinic in clinics.items() if clinic.format in ("csv", "parquet")]
    judged, refused, seed = 0, list[tuple[int, str, str]](), 0
    while judged < WANTED:
        chosen = list(clinics) if seed % 10 == 0 else quick
        out = tmp_path / f"landing_{seed}"
        plant = Plant(refused_delivery=False)
        generate(out, PATIENTS_OF_A_CLINIC * len(chosen), seed, settings, chosen, plant=plant, truth=tmp_path / "truth")
        for folder in sorted(path for path in out.glob("*/*") if (path / MANIFEST_NAME).is_file()):
            files = {path.name: path for path in sorted(folder.iterdir()) if path.name != MANIFEST_NAME}
            with session(settings, spill=False) as connection:
                problems = scan_delivery(connection, files, clinics[folder.parent.name])
            judged += 1
            refused += [(seed, folder.parent.name, problem.rule) for problem in problems]
        shutil.rmtree(out)
        shutil.rmtree(tmp_path / "truth")
        seed += 1
    assert len({place[:2] for place in refused}) <= MOST_REFUSED * judged, refused
