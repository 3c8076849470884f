"""Running the stages in order: the command line and the DAGs are thin over this module."""

from __future__ import annotations

import importlib
import logging
import multiprocessing
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from clinic_outcomes import CLINIC_STAGES, CLINIC_STEPS, NETWORK_STAGES
from clinic_outcomes.files import latest
from clinic_outcomes.problems import ClinicOutcomesError, Problem
from clinic_outcomes.records import (
    AdmitRecord,
    AlertRecord,
    HarmoniseRecord,
    ModelRecord,
    ProtectRecord,
    PublishRecord,
    ReceiveRecord,
    Record,
    ResolveRecord,
    SequenceGap,
    ValidateRecord,
)
from clinic_outcomes.settings import Settings

if TYPE_CHECKING:  # Importing the stage itself would slow every command's start.
    from clinic_outcomes.model.warehouse import Dbt

PACKAGE = Path(__file__).parent
logger = logging.getLogger(__name__)


class UnexpectedError(ClinicOutcomesError):
    """Something that no stage foresees: type and place of the error, never its text, which may hold a value."""


@dataclass(frozen=True)
class StageOutcome:
    """What one stage did for one clinic (or for the network: ``clinic_id`` None).

    ``ids`` are the deliveries, the state, build or release it worked on; ``refusals`` say what was wrong with
    deliveries that it refused or holds, which is an outcome and no failure. ``warnings`` refuse nothing.
    """

    stage: str
    clinic_id: str | None
    ids: tuple[str, ...] = ()
    refusals: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class StageEvent:
    """Progress of a run: a stage began, is done (``outcome``), or failed (``problems``)."""

    state: Literal["started", "done", "failed"]
    stage: str
    clinic_id: str | None = None
    outcome: StageOutcome | None = None
    problems: tuple[Problem, ...] = ()


Report = Callable[[StageEvent], None]


def silent(_event: StageEvent) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class RunSummary:
    """Everything that a run did: stages done, and stages that failed with their problems."""

    events: tuple[StageEvent, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether any stage of any clinic, or of the network, failed."""
        return any(event.state == "failed" for event in self.events)

    @property
    def refused(self) -> bool:
        """Whether a delivery was refused."""
        return any(event.outcome and event.outcome.refusals for event in self.events)

    @property
    def release_id(self) -> str | None:
        """The release that was published, if the run came so far."""
        for event in self.events:
            if event.stage == "publish" and event.outcome:
                return event.outcome.ids[0]
        return None


def clinic_ids(settings: Settings | None = None) -> list[str]:
    """Ids of all clinics, sorted. ``ClinicOutcomesError`` where a clinic's or system's mapping is wrong."""
    from clinic_outcomes.mapping import load_clinics

    return sorted(load_clinics(settings or Settings.from_environment()))


def run_stage(
    stage: str,
    clinic_id: str | None = None,
    settings: Settings | None = None,
    build_id: str | None = None,
    prepared: Dbt | None = None,
) -> StageOutcome:
    """Run one stage, for a clinic or for the network, and say what came of it.

    ``build_id`` holds protect and publish to one build of the marts, whatever was built since. ``prepared`` is dbt,
    started early for the stage model.
    A clinic's receipt is written after its last stage, and after one that fails. The step ``alert`` runs like a
    stage, so that its failure is seen: nobody was told then.
    Raises ``ClinicOutcomesError`` as the stage raised it. Any other exception becomes an ``UnexpectedError``
    without the text and the context of the first, unless ``settings.debug`` is set.
    """
    settings = settings or Settings.from_environment()
    try:
        outcome = _run_guarded(stage, clinic_id, settings, build_id, prepared)
    except ClinicOutcomesError:
        if clinic_id is not None:
            _write_receipt(clinic_id, settings)
        raise
    if stage == CLINIC_STAGES[-1] and clinic_id is not None:
        _write_receipt(clinic_id, settings)
    return outcome


def _run_guarded(
    stage: str, clinic_id: str | None, settings: Settings, build_id: str | None, prepared: Dbt | None
) -> StageOutcome:
    arguments = tuple(a for a in (clinic_id, settings, build_id, prepared) if a is not None)
    try:
        stage_function = getattr(importlib.import_module(f"clinic_outcomes.{stage}"), stage)
        return _outcome(stage, clinic_id, stage_function(*arguments))
    except ClinicOutcomesError:
        raise
    except Exception as error:
        if settings.debug:
            raise
        unexpected = _unexpected(error, stage, clinic_id)
    raise unexpected  # Outside the handler: the first exception must not come along as its context.


def _write_receipt(clinic_id: str, settings: Settings) -> None:
    """Write the clinic's receipt, whatever became of the stages: what is wrong with it stops nobody."""
    from clinic_outcomes.receipt import write_receipt

    try:
        write_receipt(clinic_id, settings)
    except Exception as error:
        # Its text may hold a value.
        logger.warning("the receipt of clinic %s could not be written: %s", clinic_id, type(error).__name__)


def run_task(stage: str, clinic_id: str | None = None, build_id: str | None = None) -> list[str]:
    """Run one stage as a task of a DAG: refusals and warnings go to the task's log, and only ids are returned."""
    outcome = run_stage(stage, clinic_id, build_id=build_id)
    for problem in outcome.refusals:
        logger.warning("refused: %s. %s", problem, problem.advice)
    for problem in outcome.warnings:
        logger.warning("%s. %s", problem, problem.advice)
    return list(outcome.ids)


def awaits_model(clinic_id: str, settings: Settings | None = None) -> bool:
    """Whether the clinic's newest state is not in the newest build of the marts yet."""
    settings = settings or Settings.from_environment()
    state, build = latest(settings.state / clinic_id), latest(settings.marts)
    if state is None or build is None:
        return state is not None
    model = ModelRecord.model_validate_json((build / "model.json").read_text(encoding="utf-8"))
    return model.states.get(clinic_id) != state.name


def run_clinic(clinic_id: str, settings: Settings, report: Report = silent) -> tuple[StageEvent, ...]:
    """Take one clinic from receive to validate and raise its alerts; a stage that fails ends it.

    Returns what was reported.
    """
    return run_stages(CLINIC_STEPS, clinic_id, settings, report)


def run(
    settings: Settings, clinics: Sequence[str] | None = None, report: Report = silent, workers: int = 1
) -> RunSummary:
    """Run all stages: each clinic (all by default) by itself, whatever becomes of the others, then the network.

    ``workers`` clinics are worked on at a time, each in a process of its own with its share of threads and memory;
    what a clinic did is then reported when it is done. ``ClinicOutcomesError`` where a mapping is wrong; what goes
    wrong in a stage is in the summary.
    """
    chosen = clinic_ids(settings) if clinics is None else list(clinics)
    workers = min(workers, len(chosen))
    done: dict[str, tuple[StageEvent, ...]] = {}
    with ExitStack() as stack:
        prepared = None
        for clinic_id, events in _run_clinics(chosen, settings, report, workers):
            done[clinic_id] = events
            # The first new state means that there will be a build: dbt can read its project while others work.
            if prepared is None and awaits_model(clinic_id, settings):
                prepared = stack.enter_context(_prepare_model(settings))
        network = run_stages(NETWORK_STAGES, None, settings, report, prepared)
    return RunSummary(tuple(event for events in (*(done[name] for name in chosen), network) for event in events))


def _prepare_model(settings: Settings) -> AbstractContextManager[Dbt]:
    from clinic_outcomes.model import prepare

    return prepare(settings)


def _run_clinics(
    clinics: Sequence[str], settings: Settings, report: Report, workers: int
) -> Iterator[tuple[str, tuple[StageEvent, ...]]]:
    """What was reported of each clinic, as they are done."""
    if workers <= 1:
        for clinic_id in clinics:
            yield clinic_id, run_clinic(clinic_id, settings, report)
        return
    share = settings.model_copy(
        update={
            "threads": max(settings.threads // workers, 1),
            "memory_limit_mb": max(settings.memory_limit_mb // workers, 256),
        }
    )
    # Spawned, not forked: DuckDB's threads do not survive a fork.
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        # The largest first: begun last, it would keep one process at work while the others wait.
        ordered = sorted(clinics, key=lambda clinic_id: _delivered_bytes(clinic_id, settings), reverse=True)
        working = {pool.submit(run_clinic, clinic_id, share): clinic_id for clinic_id in ordered}
        for future in as_completed(working):
            clinic_id = working[future]
            try:
                events = future.result()
            except BrokenProcessPool:
                events = (_lost(clinic_id),)
            for event in events:
                report(event)
            yield clinic_id, events


def _delivered_bytes(clinic_id: str, settings: Settings) -> int:
    return sum(path.stat().st_size for path in (settings.landing / clinic_id).rglob("*") if path.is_file())


def _lost(clinic_id: str) -> StageEvent:
    problem = Problem(
        rule="worker_lost",
        message="a worker process was killed, and with it the work on the clinics that were not done",
        advice="Run again: what was done is kept. Where memory ran out, use --workers 1.",
        clinic=clinic_id,
    )
    return StageEvent("failed", CLINIC_STAGES[0], clinic_id, problems=(problem,))


def run_stages(
    stages: Sequence[str],
    clinic_id: str | None,
    settings: Settings,
    report: Report = silent,
    prepared: Dbt | None = None,
) -> tuple[StageEvent, ...]:
    """Run some stages one after another, up to the first that fails. Returns what was reported."""
    events = []
    for stage in stages:
        report(StageEvent("started", stage, clinic_id))
        for_stage = prepared if stage == "model" else None
        try:
            event = StageEvent("done", stage, clinic_id, run_stage(stage, clinic_id, settings, prepared=for_stage))
        except ClinicOutcomesError as error:
            event = StageEvent("failed", stage, clinic_id, problems=error.problems)
        events.append(event)
        report(event)
        if event.state == "failed":
            break
    return tuple(events)


def _outcome(stage: str, clinic_id: str | None, result: Record | tuple[Record, ...]) -> StageOutcome:
    records = result if isinstance(result, tuple) else (result,)
    ids = tuple(dict.fromkeys(name for record in records if (name := _id_of(record))))
    return StageOutcome(
        stage,
        clinic_id,
        ids,
        refusals=tuple(problem for record in records for problem in refusals(record)),
        warnings=tuple(problem for record in records for problem in warnings(record)),
    )


def _id_of(record: Record) -> str | None:
    match record:
        case ReceiveRecord() | AdmitRecord() | HarmoniseRecord():
            return record.delivery_id
        case ResolveRecord() | ValidateRecord():
            return record.state_id
        case AlertRecord():
            return record.alert_id
        case ModelRecord() | ProtectRecord():
            return record.build_id
        case PublishRecord():
            return record.release_id
    raise TypeError(type(record).__name__)


def refusals(record: Record) -> tuple[Problem, ...]:
    """Why a stage refused or holds a delivery; empty where it did neither."""
    match record:
        case ReceiveRecord(received=False) | AdmitRecord(admitted=False):
            return record.problems
        case ResolveRecord():
            conflicts = tuple(sequence_conflict(record.clinic_id, delivery_id) for delivery_id in record.conflicts)
            return conflicts + tuple(problem for held in record.held for problem in held.problems)
    return ()


def warnings(record: Record) -> tuple[Problem, ...]:
    """What a person should look at although nothing is refused for it."""
    match record:
        case ResolveRecord():
            return tuple(_sequence_gap(record.clinic_id, gap) for gap in record.gaps)
        case AlertRecord():
            return (_raised(record),)
    return ()


def _raised(record: AlertRecord) -> Problem:
    from clinic_outcomes.alert.message import summary

    return Problem(
        rule="safety_alert",
        message=f"alert {record.alert_id}: {summary(record)}",
        advice=f"clinic-outcomes alerts --clinic {record.clinic_id} says what to look at.",
        clinic=record.clinic_id,
    )


def _sequence_gap(clinic_id: str, gap: SequenceGap) -> Problem:
    missing = f"export sequence {gap.first}" if gap.first == gap.last else f"export sequences {gap.first} to {gap.last}"
    return Problem(
        rule="sequence_gap",
        message=f"nothing was received of {missing}; what was delivered before and after is used",
        advice="Ask the clinic whether a delivery was lost; one that comes late takes its place in the sequence.",
        clinic=clinic_id,
    )


def sequence_conflict(clinic_id: str, delivery_id: str) -> Problem:
    """The problem of a delivery whose sequence another one has, with other content."""
    return Problem(
        rule="sequence_conflict",
        message=f"delivery {delivery_id} and another one of the same export sequence differ; neither is used",
        advice="Ask the clinic which of them is right, and for it again under the next export sequence.",
        clinic=clinic_id,
    )


def _unexpected(error: Exception, stage: str, clinic_id: str | None) -> UnexpectedError:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if PACKAGE in Path(frame.filename).parents]
    place = f" at {Path(frames[-1].filename).relative_to(PACKAGE).as_posix()}:{frames[-1].lineno}" if frames else ""
    return UnexpectedError(
        [
            Problem(
                rule="unexpected_error",
                message=f"{type(error).__name__}{place} in stage {stage}",
                advice="The error's text may hold a patient's value: set CLINIC_OUTCOMES_DEBUG=1 to see it.",
                clinic=clinic_id,
            )
        ]
    )
