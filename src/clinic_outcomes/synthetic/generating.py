"""Generate deliveries of every clinic, and the truth that was planted in them."""

from __future__ import annotations

import multiprocessing
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np

from clinic_outcomes.database import session
from clinic_outcomes.files import write_json
from clinic_outcomes.mapping import Clinic, load_clinics
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.receive.manifest import MANIFEST_NAME, Manifest, read_manifest
from clinic_outcomes.records import Record
from clinic_outcomes.settings import Settings
from clinic_outcomes.synthetic.deliveries import PERIODS, Exports, Plant, make_exports
from clinic_outcomes.synthetic.identified import Identities, identities
from clinic_outcomes.synthetic.network import Place, draw_network
from clinic_outcomes.synthetic.programme import Population, Programme, Range, load_population, load_programme
from clinic_outcomes.synthetic.shaping import shape
from clinic_outcomes.synthetic.truth import count_truth, write_tables
from clinic_outcomes.synthetic.world import draw_world
from clinic_outcomes.synthetic.writer import write_delivery

FEWEST_PATIENTS_FOR_DEFECTS = 100
PATIENTS_A_DEFECT = 250
TRUTH_FILE = "truth.json"
Report = Callable[[str], None]


class GeneratedClinic(Record):
    """What was written for a clinic: delivery folders, rows of all files, and what was planted on purpose."""

    clinic_id: str
    patients: int
    deliveries: tuple[str, ...]
    rows: int
    answers: int
    planted: dict[str, int]


class GenerateRecord(Record):
    """What ``generate`` wrote. ``skipped`` are clinics whose system has no ``synthetic.yml``."""

    seed: int
    patients: int
    clinics: tuple[GeneratedClinic, ...]
    skipped: tuple[str, ...]


def generate(
    out: Path,
    patients: int,
    seed: int,
    settings: Settings,
    clinics: Sequence[str] | None = None,
    report: Report | None = None,
    *,
    plant: Plant | None = None,
    truth: Path | None = None,
    workers: int = 1,
    identified: bool = False,
) -> GenerateRecord:
    """Write deliveries of each clinic to ``out/<clinic>/<delivery>/`` and the truth to ``truth`` (beside ``out``).

    ``patients`` people are referred, in all clinics together. The same arguments give the same bytes; a folder that
    holds another delivery already is left alone and ``ClinicOutcomesError`` raised. Clinics of a system take turns in
    having two deliveries or one; the first that exports CSV also drops one with calendar dates, which must be refused;
    the first other one of two deliveries has a cluster of serious events in the second. ``truth.json`` holds the counts
    a clinic and what was planted; ``<clinic>/<table>.parquet`` the rows in force. ``workers`` clinics are written at a
    time, each in a process of its own. ``identified`` writes, of the same world, what the clinics' own systems would
    export, with names, numbers and calendar dates: what ``prepare`` starts from.
    """
    plant, truth = plant or Plant(), truth or out.parent / "truth"
    known = load_clinics(settings)
    chosen, skipped, programmes = _choose(known, settings, clinics, report or _silent)
    shares = _shares(patients, len(chosen))
    # One stream a clinic, and one for people who are seen in two clinics.
    streams = [np.random.Generator(np.random.PCG64(s)) for s in np.random.SeedSequence(seed).spawn(len(chosen) + 1)]
    numbers = [1 + list(known).index(clinic.clinic_id) for clinic in chosen]
    seen_before = load_population().seen_in_two_clinics_share
    places = draw_network(streams[-1], [clinic.system for clinic in chosen], numbers, shares, seen_before)
    refused = next((clinic for clinic in chosen if clinic.format == "csv"), chosen[0])
    systems = [clinic.system.name for clinic in chosen]
    has_delta = [systems[:place].count(name) % 2 == 0 for place, name in enumerate(systems)]
    twice = [clinic for clinic, delta in zip(chosen, has_delta, strict=True) if delta]
    has_cluster = next((clinic for clinic in twice if clinic is not refused), refused)
    jobs = [
        _Job(
            stream=streams[place],
            clinic=clinic,
            programme=programmes[clinic.system.name],
            has_delta=has_delta[place],
            is_refused=clinic is refused,
            has_cluster=plant.serious_cluster and clinic is has_cluster,
            patients=shares[place],
            place=places[place],
            plant=plant,
            mistakes=1 + shares[place] // PATIENTS_A_DEFECT if patients >= FEWEST_PATIENTS_FOR_DEFECTS else 0,
            out=out / clinic.clinic_id,
            truth=truth / clinic.clinic_id,
            identified=identified,
            settings=settings.model_copy(update={"threads": max(settings.threads // workers, 1)}),
        )
        for place, clinic in enumerate(chosen)
    ]
    made, truths = [], {}
    for record, told in _generate_all(jobs, workers):
        made.append(record)
        truths[record.clinic_id] = told
        (report or _silent)(f"{record.clinic_id}: {len(record.deliveries)} deliveries, {record.rows} rows")
    write_json(truth / TRUTH_FILE, {"truth_version": 1, "seed": seed, "patients": patients, "clinics": truths})
    return GenerateRecord(seed=seed, patients=patients, clinics=tuple(made), skipped=tuple(skipped))


@dataclass(frozen=True)
class _Job:
    """All that one clinic's deliveries depend on; clinics share nothing else, so their order does not matter."""

    stream: np.random.Generator
    clinic: Clinic
    programme: Programme
    has_delta: bool
    is_refused: bool
    has_cluster: bool
    patients: int
    place: Place
    plant: Plant
    mistakes: int
    out: Path
    truth: Path
    identified: bool
    settings: Settings


def _generate_all(jobs: Sequence[_Job], workers: int) -> Iterator[tuple[GeneratedClinic, dict[str, object]]]:
    if workers == 1:
        yield from map(_generate_clinic, jobs)
        return
    # Spawned, not forked: DuckDB's threads do not survive a fork.
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(_generate_clinic, jobs)


def _generate_clinic(job: _Job) -> tuple[GeneratedClinic, dict[str, object]]:
    """Write one clinic's deliveries and truth; what was written, and the clinic's part of ``truth.json``."""
    exports, known = _exports(job)
    with session(job.settings) as connection:
        manifests = _write_deliveries(connection, job.out, job.clinic, exports, known if job.identified else None)
        write_tables(connection, job.truth, job.clinic.system, exports.in_force)
        counts = count_truth(connection, job.truth)
    return _clinic_record(job.clinic, job.patients, exports, manifests), counts | _planted(exports)


def _silent(line: str) -> None:
    """Report nothing."""


def _choose(
    known: Mapping[str, Clinic], settings: Settings, wanted: Sequence[str] | None, report: Report
) -> tuple[list[Clinic], list[str], dict[str, Programme]]:
    unknown = sorted(set(wanted or ()) - set(known))
    if unknown:
        raise ClinicOutcomesError(f"no clinic {', '.join(unknown)}; known are {', '.join(known) or 'none'}")
    chosen, skipped = [], []
    programmes: dict[str, Programme] = {}
    for clinic in known.values():
        if wanted is not None and clinic.clinic_id not in wanted:
            continue
        name = clinic.system.name
        programme = programmes.get(name) or load_programme(settings.systems / name)
        if programme is None:
            skipped.append(clinic.clinic_id)
            report(f"{clinic.clinic_id}: skipped, its system {name} has no synthetic.yml")
            continue
        chosen.append(clinic)
        programmes[name] = programme
    if not chosen:
        raise ClinicOutcomesError("no clinic to generate: none has a system with a synthetic.yml")
    return chosen, skipped, programmes


def _shares(patients: int, clinics: int) -> list[int]:
    """Patients of each clinic, by largest remainder: as 1, 6/7, 6/8, 6/9, 6/10 … of the first."""
    if patients < clinics:
        raise ClinicOutcomesError(f"{patients} patients are too few for {clinics} clinics")
    weights = [6 / (6 + place) for place in range(clinics)]
    exact = [(patients - clinics) * weight / sum(weights) for weight in weights]
    shares = [1 + int(share) for share in exact]
    largest = sorted(range(clinics), key=lambda place: int(exact[place]) - exact[place])
    for place in largest[: patients - sum(shares)]:
        shares[place] += 1
    return shares


def _exports(job: _Job) -> tuple[Exports, Identities]:
    """What the clinic exports, and who is in it."""
    population: Population = load_population()
    system, last_day = job.clinic.system, PERIODS[-1].last_day
    world = draw_world(
        job.stream,
        system,
        job.programme,
        population,
        job.patients,
        last_day,
        job.place,
        job.clinic.clinic_id,
        Range(minimum=PERIODS[0].last_day + 1, maximum=last_day) if job.has_cluster else None,
    )
    shape(world, system)
    known = identities(world)
    exports = make_exports(
        job.stream,
        world,
        system,
        job.programme,
        periods=PERIODS if job.has_delta else PERIODS[-1:],
        mistakes=job.mistakes,
        plant=job.plant,
        refused=job.plant.refused_delivery and job.is_refused,
    )
    return exports, known


def _write_deliveries(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    clinic: Clinic,
    exports: Exports,
    known: Identities | None,
) -> list[Manifest]:
    """Write each delivery to a temporary folder and move it to its name, so that none is ever seen half written."""
    manifests = []
    for delivery in exports.deliveries:
        target = folder / f"{delivery.sequence:06d}-{delivery.kind}"
        # Beside the clinic's folder: receive would take one inside for a delivery.
        temporary = folder.parent / f".{clinic.clinic_id}.{uuid.uuid4().hex}.tmp"
        temporary.mkdir(parents=True)
        try:
            manifest = write_delivery(connection, temporary, clinic, delivery, known)
            _move(temporary, target, manifest)
        finally:
            if temporary.exists():
                shutil.rmtree(temporary)
        manifests.append(manifest)
    return manifests


def _move(temporary: Path, target: Path, manifest: Manifest) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        temporary.rename(target)
    except OSError:
        if not (target / MANIFEST_NAME).is_file() or read_manifest(target / MANIFEST_NAME) != manifest:
            raise ClinicOutcomesError(
                f"{target.parent.name}/{target.name} holds another delivery; generate into an empty folder"
            ) from None


def _clinic_record(clinic: Clinic, patients: int, exports: Exports, manifests: list[Manifest]) -> GeneratedClinic:
    planted: dict[str, int] = {}
    for delivery in exports.deliveries:
        for kind, count in delivery.planted.items():
            planted[kind] = planted.get(kind, 0) + count
    answers = [d.tables["assessment_item"] for d in exports.deliveries if "assessment_item" in d.tables]
    return GeneratedClinic(
        clinic_id=clinic.clinic_id,
        patients=patients,
        deliveries=tuple(f"{delivery.sequence:06d}-{delivery.kind}" for delivery in exports.deliveries),
        rows=sum(file.rows for manifest in manifests for file in manifest.files),
        answers=sum(len(rows["_row"]) for rows in answers),
        planted=planted,
    )


def _planted(exports: Exports) -> dict[str, object]:
    """What was planted in each delivery, and the row account of the usable ones."""
    fields = {"file", "delivery_id"}
    return {
        "deliveries": [
            {
                "sequence": delivery.sequence,
                "kind": delivery.kind,
                "reporting_period": delivery.reporting_period,
                "refused": delivery.dates is not None,
                "planted": delivery.planted,
                "account": [
                    row.model_dump(mode="json", exclude=fields)
                    for row in exports.account
                    if row.delivery_id == f"{delivery.sequence:06d}-{delivery.kind}" and delivery.dates is None
                ],
            }
            for delivery in exports.deliveries
        ]
    }
