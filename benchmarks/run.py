"""How long `clinic-outcomes run` takes on a million answers, and how much memory, beside a floor and a peer.

    .venv/bin/python benchmarks/run.py [--answers 1000000] [--runs 3]

- **run**: the whole road, eight stages, as the command does it, from a landing folder to the reports.
- **floor**: hand-written DuckDB that reads the same answers and totals them, with no check of any kind.
- **peer**: the same in pandas.

They take turns, so that a change in the machine's speed hits all. Wall seconds and the most memory that all processes
of a command had resident together are printed, and the ratio of the medians to the floor.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from clinic_outcomes.mapping import load_clinics
from clinic_outcomes.settings import Settings

ANSWERS_PER_PATIENT = 74  # measured on the synthetic programme; only sets how many patients are asked for

FLOOR = """
import duckdb, sys
connection = duckdb.connect()
for path in sys.argv[1:]:
    delimiter = ';' if ';' in open(path).readline() else ','
    rows = f"read_csv('{path}', delim='{delimiter}', all_varchar=true)"
    answers = f"SELECT #1 AS form, TRY_CAST(#4 AS INTEGER) AS answer FROM {rows}"
    connection.execute(f"SELECT form, sum(answer) FROM ({answers}) GROUP BY form").fetchall()
"""
PEER = """
import pandas, sys
for path in sys.argv[1:]:
    delimiter = ';' if ';' in open(path).readline() else ','
    frame = pandas.read_csv(path, sep=delimiter)
    frame.iloc[:, 3].groupby(frame.iloc[:, 0]).sum()
"""


def resident_megabytes(session: int) -> float:
    """Memory resident now of all processes of a session, shared pages counted in each."""
    pages = 0
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                pages += int(fields[21]) if int(fields[3]) == session else 0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def measured(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Wall seconds of a command, which must succeed, and the most memory that its processes had together."""
    start, peak = time.perf_counter(), 0.0
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
    while process.poll() is None:
        peak = max(peak, resident_megabytes(process.pid))
        time.sleep(0.1)
    if process.returncode:
        raise SystemExit("a measured command failed")
    return time.perf_counter() - start, peak


def answer_files(landing: Path) -> list[str]:
    """The four-column files of answers: the largest of each delivery."""
    return [
        str(max(folder.glob("*.csv"), key=lambda path: path.stat().st_size)) for folder in sorted(landing.glob("*/*"))
    ]


def count_rows(paths: list[str]) -> int:
    """Records in some CSV files, their headers left out."""
    total = 0
    for path in paths:
        with Path(path).open(newline="") as stream:
            total += sum(1 for _ in csv.reader(stream)) - 1
    return total


def main() -> None:
    """Generate, measure in turn, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--answers", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    tool = str(Path(sys.executable).with_name("clinic-outcomes"))
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        patients = str(options.answers // ANSWERS_PER_PATIENT)
        # The clinics that export CSV: the floor and the peer read nothing else.
        wanted = [name for name, clinic in load_clinics(Settings(home=home)).items() if clinic.format == "csv"]
        clinics = [part for name in wanted for part in ("--clinic", name)]
        landing = str(home / "landing")
        subprocess.run(
            [tool, "generate", "--out", landing, "--patients", patients, "--seed", "1", *clinics], check=True
        )
        files = answer_files(home / "landing")
        print(f"{count_rows(files):,} answers, {patients} people referred, {os.cpu_count()} processors")
        environment = {**os.environ, "CLINIC_OUTCOMES_HOME": folder}
        # Compiled code is kept, as it is unless somebody forbids it.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        commands = {
            "run": [tool, "run", *wanted],
            "floor": [sys.executable, "-c", FLOOR, *files],
            "peer": [sys.executable, "-c", PEER, *files],
        }
        results: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for _ in range(options.runs):
            for made in set(home.iterdir()) - {home / "landing"}:
                shutil.rmtree(made)
            for name, command in commands.items():
                results[name].append(measured(command, environment))
    floor = statistics.median(seconds for seconds, _ in results["floor"])
    for name, runs in results.items():
        seconds = [run[0] for run in runs]
        print(
            f"{name:6} {min(seconds):6.2f} {statistics.median(seconds):6.2f} {max(seconds):6.2f} s (min, median, max)"
            f"  {max(run[1] for run in runs):7.0f} MB together  {statistics.median(seconds) / floor:6.1f} x floor"
        )


if __name__ == "__main__":
    main()
