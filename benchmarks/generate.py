"""Time and memory of the generator: ``python benchmarks/generate.py [PATIENTS [FORMAT]]``.

135,000 people referred to the clinics that export CSV give about ten million answers. The bar: under 60 s of wall time
on two cores, under 4 GB. Other formats have no bar.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

from clinic_outcomes.mapping import load_clinics
from clinic_outcomes.settings import Settings
from clinic_outcomes.synthetic import generate

PATIENTS = 135_000


def main() -> None:
    """Generate into a temporary folder and print what it took."""
    patients = int(sys.argv[1]) if len(sys.argv) > 1 else PATIENTS
    wanted = sys.argv[2] if len(sys.argv) > 2 else "csv"
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        settings = Settings(home=home)
        clinics = [name for name, clinic in load_clinics(settings).items() if clinic.format == wanted]
        began = time.perf_counter()
        record = generate(home / "landing", patients, 1, settings, clinics, print, workers=2)
        seconds = time.perf_counter() - began
        size = sum(path.stat().st_size for path in home.rglob("*") if path.is_file())
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"answers        {sum(clinic.answers for clinic in record.clinics):>14,}")
    print(f"rows           {sum(clinic.rows for clinic in record.clinics):>14,}")
    print(f"bytes written  {size:>14,}")
    print(f"wall seconds   {seconds:>14.1f}")
    print(f"CPU seconds    {used.ru_utime + used.ru_stime:>14.1f}")
    print(f"peak memory MB {used.ru_maxrss / 1024:>14.0f}")


if __name__ == "__main__":
    main()
