"""How long a million answers take from FHIR NDJSON to canonical Parquet, stage by stage.

    .venv/bin/python benchmarks/fhir.py [--answers 1000000] [--gzip]

Writes QuestionnaireResponses of the PCL-5, 20 answers each, as a clinic of the FHIR system delivers them, and runs
receive (every line checked), admit (every element against the list) and harmonise (the views, as canonical rows) on
them. Wall seconds are printed, with the time that DuckDB needs to do no more than count the lines.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import duckdb

from clinic_outcomes.admit import admit
from clinic_outcomes.database import quote_path
from clinic_outcomes.files import sha256_file
from clinic_outcomes.formats import write_file
from clinic_outcomes.harmonise import harmonise
from clinic_outcomes.mapping import System, load_systems
from clinic_outcomes.receive import receive
from clinic_outcomes.receive.manifest import Manifest, ManifestFile, write_manifest
from clinic_outcomes.settings import Settings

CLINIC = "many_answers"
ITEMS = 20
CLINIC_FILE = """\
title: Many answers
system: {system}
legal_basis: {{basis: safe_harbor, reference: 45 CFR 164.514(b)(2), service_period: year}}
"""


def deliver(folder: Path, system: System, answers: int, ending: str) -> Path:
    """Write a delivery with so many answers; the file of them."""
    folder.mkdir(parents=True)
    files = {source.file or "" for source in system.base_sources.values() if source.required}
    paths = [folder / f"{file.replace('*', '_1')}{ending}" for file in sorted(files)]
    counts = dict.fromkeys(paths, 0)
    with duckdb.connect() as connection:
        for path in paths:
            names = [
                n for n, s in system.base_sources.items() if s.required and path.name.startswith((s.file or "")[:-8])
            ]
            write_file(connection, path, system, {name: _rows(system, name, 0) for name in names})
        forms = answers // ITEMS
        path = folder / f"QuestionnaireResponse_1.ndjson{ending}"
        given = {"questionnaires": _rows(system, "questionnaires", forms), "answers": _rows(system, "answers", answers)}
        counts[path] = write_file(connection, path, system, given)
    manifest = Manifest(
        manifest_version=1,
        clinic_id=CLINIC,
        export_sequence=1,
        export_kind="full",
        reporting_period="2025-06",
        files=tuple(ManifestFile(name=p.name, rows=n, sha256=sha256_file(p)) for p, n in counts.items()),
    )
    write_manifest(folder, manifest)
    return path


def _rows(system: System, source: str, count: int) -> str:
    """SQL of rows of a source, numbered ``n``."""
    form = f"n // {ITEMS}" if source == "answers" else "n"
    values = {
        "assessment_id": f"'qst-' || printf('%016x', {form})",
        "patient_id": f"'pat-' || printf('%016x', ({form}) // 8)",
        "status": "'completed'",
        "questionnaire": "'http://loinc.org/q/101697-1'",
        "version": "'standard'",
        "recall": "'past-month'",
        "day": "n % 400",
        "item": f"n % {ITEMS} + 1",
        "answer": "(n * 7) % 5",
    }
    columns = ", ".join(f"({values.get(name, 'NULL')})::VARCHAR AS {name}" for name in system.allowed_columns(source))
    return f"(SELECT {columns} FROM range({count}) AS numbers (n))"


def main() -> None:
    """Deliver, run the stages, print seconds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--answers", type=int, default=1_000_000)
    parser.add_argument("--gzip", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        settings = Settings(home=root / "home", clinics=root / "clinics")
        system = next(s for s in load_systems(settings).values() if s.format == "fhir")
        settings.clinics.mkdir()
        (settings.clinics / f"{CLINIC}.yml").write_text(CLINIC_FILE.format(system=system.name))
        path = deliver(settings.landing / CLINIC / "first", system, options.answers, ".gz" if options.gzip else "")
        print(f"{options.answers} answers in {path.stat().st_size / 1e6:.0f} MB")
        with duckdb.connect(config={"threads": settings.threads}) as connection:
            start = time.perf_counter()
            connection.execute(f"SELECT count(*) FROM read_ndjson_objects({quote_path(path)})").fetchall()
            print(f"{'count the lines':16} {time.perf_counter() - start:6.1f} s")
        for stage in (receive, admit, harmonise):
            start = time.perf_counter()
            records = stage(CLINIC, settings)
            seconds = time.perf_counter() - start
            for record in records:
                for problem in getattr(record, "problems", ()):
                    raise SystemExit(problem.message)
            print(f"{stage.__name__:16} {seconds:6.1f} s")


if __name__ == "__main__":
    main()
