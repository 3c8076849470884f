"""The command line. Thin: each command calls one function of the package and shows what it returned."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from clinic_outcomes import CLINIC_STAGES, NETWORK_STAGES
from clinic_outcomes.problems import ClinicOutcomesError, Problem
from clinic_outcomes.settings import Settings

FAILED, REFUSED = 1, 3


class SystemFormat(Enum):
    """Formats in which systems export."""

    csv = "csv"
    parquet = "parquet"
    excel = "excel"
    redcap = "redcap"
    fhir = "fhir"


class ExportKind(Enum):
    """Whether an export holds everything or what is new since the last."""

    full = "full"
    delta = "delta"


WORKERS = min(os.cpu_count() or 1, 4)

app = typer.Typer(
    name="clinic-outcomes",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Aggregate outcome and adverse-event reports from the de-identified exports of many clinics.",
    epilog="Exit codes: 0 done, 1 failed, 2 usage, 3 a delivery was refused (with --strict).",
)

Clinics = Annotated[list[str] | None, typer.Argument(metavar="CLINIC", help="Clinics by id; all when none is named.")]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with 3 when a delivery was refused.")]
Workers = Annotated[int, typer.Option("--workers", min=1, help="Clinics worked on at a time, each in its own process.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; the process exits with 0, 1, 2 or 3. No traceback is shown unless debugging."""
    try:
        app(arguments)
    except ClinicOutcomesError as error:
        _fail(error.problems)
    except Exception as error:
        if Settings.from_environment().debug:
            raise
        problem = Problem(
            rule="unexpected_error",
            message=type(error).__name__,
            advice="The error's text may hold a patient's value: set CLINIC_OUTCOMES_DEBUG=1 to see it.",
        )
        _fail([problem])


def _fail(problems: Sequence[Problem]) -> None:
    from clinic_outcomes.console import show_problems

    show_problems(problems)
    sys.exit(FAILED)


@app.callback()
def configure(
    context: typer.Context,
    home: Annotated[
        Path | None, typer.Option("--home", help="The data home. Default: $CLINIC_OUTCOMES_HOME, else var/.")
    ] = None,
) -> None:
    """Aggregate outcome and adverse-event reports from the de-identified exports of many clinics."""
    context.obj = Settings.from_environment(home)


def _known(names: list[str] | None, settings: Settings) -> list[str]:
    """The clinics named, or all; a name that no clinic has is wrong usage."""
    from clinic_outcomes.pipeline import clinic_ids

    known = clinic_ids(settings)
    for name in names or ():
        if name not in known:
            raise typer.BadParameter(f"no clinic {name}; known are {', '.join(known) or 'none'}")
    return list(dict.fromkeys(names)) if names else known


def _systems(settings: Settings) -> list[str]:
    """Names of the systems, whether or not their mapping is right."""
    return sorted(path.name for path in settings.systems.iterdir() if path.is_dir())


def _finish(failed: bool, refused: bool) -> None:
    if failed:
        raise typer.Exit(FAILED)
    if refused:
        raise typer.Exit(REFUSED)


def _run_clinic_stage(stage: str, names: list[str] | None, strict: bool, settings: Settings) -> None:
    from clinic_outcomes import console, pipeline

    clinics = _known(names, settings)
    with console.progress(len(clinics)) as report:
        runs = [pipeline.run_stages([stage], clinic_id, settings, report) for clinic_id in clinics]
    summary = pipeline.RunSummary(tuple(event for events in runs for event in events))
    _finish(summary.failed, strict and summary.refused)


def _run_network_stage(stage: str, settings: Settings) -> None:
    from clinic_outcomes import console, pipeline

    with console.progress(1) as report:
        summary = pipeline.RunSummary(pipeline.run_stages([stage], None, settings, report))
    _finish(summary.failed, refused=False)


@app.command()
def receive(context: typer.Context, clinics: Clinics = None, strict: Strict = False) -> None:
    """Find deliveries in landing, check their manifests and give each its id."""
    _run_clinic_stage("receive", clinics, strict, context.obj)


@app.command()
def admit(
    context: typer.Context,
    clinics: Clinics = None,
    strict: Strict = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say why: admit --explain CLINIC [DELIVERY]. Never a value.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Refuse deliveries that could identify a person: only mapped columns, no dates, names or contact data."""
    if explain:
        _explain(clinics or [], as_json, context.obj)
    else:
        _run_clinic_stage("admit", clinics, strict, context.obj)


def _explain(names: list[str], as_json: bool, settings: Settings) -> None:
    from clinic_outcomes.admit import explain
    from clinic_outcomes.console import show_explanation
    from clinic_outcomes.files import canonical_json

    if not 1 <= len(names) <= 2:
        raise typer.BadParameter("--explain takes a clinic and, if wanted, one of its deliveries")
    (clinic_id,) = _known(names[:1], settings)
    found = explain(clinic_id, names[1] if len(names) > 1 else None, settings)
    typer.echo(canonical_json(found), nl=False) if as_json else show_explanation(found)


@app.command()
def harmonise(context: typer.Context, clinics: Clinics = None, strict: Strict = False) -> None:
    """Translate admitted deliveries into the contract's tables, units and codes."""
    _run_clinic_stage("harmonise", clinics, strict, context.obj)


@app.command()
def resolve(context: typer.Context, clinics: Clinics = None, strict: Strict = False) -> None:
    """Work out each clinic's current state from all its deliveries, in the order of their export sequence."""
    _run_clinic_stage("resolve", clinics, strict, context.obj)


@app.command()
def validate(context: typer.Context, clinics: Clinics = None, strict: Strict = False) -> None:
    """Check the rules of expectations/ and quarantine the rows that break one."""
    _run_clinic_stage("validate", clinics, strict, context.obj)


@app.command()
def model(context: typer.Context) -> None:
    """Build the marts from the accepted rows of all clinics with dbt."""
    _run_network_stage("model", context.obj)


@app.command()
def protect(context: typer.Context) -> None:
    """Withhold and round the figures of the newest build, so that they may leave."""
    _run_network_stage("protect", context.obj)


@app.command()
def publish(context: typer.Context) -> None:
    """Write the reports of the released figures, for the network and for each clinic."""
    _run_network_stage("publish", context.obj)


@app.command()
def run(
    context: typer.Context,
    clinics: Clinics = None,
    strict: Strict = False,
    workers: Workers = WORKERS,
) -> None:
    """Run all stages without Airflow: each clinic by itself, whatever becomes of the others, then the network."""
    from clinic_outcomes import console, pipeline

    settings: Settings = context.obj
    chosen = _known(clinics, settings)
    with console.progress(len(chosen) * len(CLINIC_STAGES) + len(NETWORK_STAGES)) as report:
        summary = pipeline.run(settings, chosen, report, workers)
    if summary.release_id:
        typer.echo(f"report: {settings.releases / 'latest' / 'network' / 'index.html'}")
    _finish(summary.failed, strict and summary.refused)


@app.command()
def generate(
    context: typer.Context,
    out: Annotated[Path, typer.Option("--out", help="Folder to write into; landing/ of a data home for a run.")],
    patients: Annotated[int, typer.Option("--patients", min=1, help="Patients of all clinics together.")] = 400,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same bytes.")] = 1,
    workers: Workers = WORKERS,
    clinics: Annotated[list[str] | None, typer.Option("--clinic", help="A clinic by id; again for more. All.")] = None,
    identified: Annotated[
        bool, typer.Option("--identified", help="What clinics would export before prepare: names and dates, invented.")
    ] = False,
) -> None:
    """Generate realistic, wholly synthetic deliveries of every clinic, and the truth planted in them."""
    from clinic_outcomes.synthetic import generate as generate_deliveries

    generate_deliveries(
        out, patients, seed, context.obj, clinics, report=typer.echo, workers=workers, identified=identified
    )


@app.command("try")
def try_export(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files of one export.")],
    system: Annotated[
        str | None, typer.Option("--system", help="Say what this system takes of them, and refuses.")
    ] = None,
    clinic: Annotated[str | None, typer.Option("--clinic", help="A clinic by id: its system and legal basis.")] = None,
    show_names: Annotated[
        bool, typer.Option("--show-names", help="Show names of columns in words unknown here.")
    ] = False,
    show_codes: Annotated[
        bool, typer.Option("--show-codes", help="Show delivered codes that recur and are short.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Profile an export without storing anything, and propose a mapping; or hold it to a system's mapping."""
    from clinic_outcomes.console import show_file_trials, show_system_trial
    from clinic_outcomes.mapping import load_clinic, load_system
    from clinic_outcomes.trying import try_files, try_system

    if system is None and clinic is None:
        show_file_trials(try_files(files, context.obj, show_names=show_names, show_codes=show_codes), as_json)
        return
    held_to = load_clinic(_known([clinic], context.obj)[0], context.obj) if clinic else None
    if system is not None and system not in _systems(context.obj):
        raise typer.BadParameter(f"no system {system}; known are {', '.join(_systems(context.obj))}")
    if held_to and system not in (None, held_to.system.name):
        raise typer.BadParameter(f"clinic {clinic} is of another system")
    found = held_to.system if held_to else load_system(system or "", context.obj)
    show_system_trial(try_system(files, found, held_to, context.obj), as_json)


@app.command("new-system")
def new_system(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The system's id: lower-case letters, digits, _.")],
    format_name: Annotated[SystemFormat, typer.Option("--format", help="What the system exports.")] = SystemFormat.csv,
    files: Annotated[
        list[Path] | None,
        typer.Option("--from", metavar="FILE", help="A file of an export, or a folder of them; may be given again."),
    ] = None,
    show_codes: Annotated[
        bool, typer.Option("--show-codes", help="Write delivered codes that recur and are short.")
    ] = False,
) -> None:
    """Write a mapping to fill in for a new clinic system, of the contract or of an export, into systems/NAME/."""
    from clinic_outcomes.console import show_problems
    from clinic_outcomes.contract.new_system import new_system as write_new_system
    from clinic_outcomes.mapping import load_system

    folder = write_new_system(name, context.obj, format_name.value, files or (), show_codes=show_codes)
    typer.echo(f"{folder}: fill in {', '.join(sorted(path.name for path in folder.iterdir()))}")
    try:
        load_system(name, context.obj)
    except ClinicOutcomesError as error:
        typer.echo(f"to be decided before it loads: {len(error.problems)}")
        show_problems(error.problems if files else ())


@app.command()
def contract() -> None:
    """Generate again what follows from the contract: data dictionary, dbt sources and base expectations."""
    from clinic_outcomes.contract.generate import write_generated

    for path in write_generated():
        typer.echo(f"changed: {path}")


@app.command()
def accept(
    context: typer.Context,
    clinic: Annotated[str, typer.Argument(metavar="CLINIC", help="A clinic by id.")],
    delivery: Annotated[str, typer.Argument(metavar="DELIVERY", help="A held delivery by id.")],
    by: Annotated[str, typer.Option("--by", help="Who accepts it: initials or role.")],
    reason: Annotated[str, typer.Option("--reason", help="Why it is right. Never anything of a patient.")],
) -> None:
    """Accept a delivery that is held because it lost many records; the next run uses it."""
    from clinic_outcomes.resolve import accept as accept_delivery

    if not 0 < len(by) <= 100 or not 0 < len(reason) <= 500:
        raise typer.BadParameter("--by takes 1 to 100 characters, --reason 1 to 500")
    (clinic_id,) = _known([clinic], context.obj)
    accept_delivery(clinic_id, delivery, by, reason, context.obj)
    typer.echo(f"{clinic_id} {delivery}: accepted; run again to use it")


@app.command()
def prepare(
    context: typer.Context,
    export: Annotated[Path, typer.Argument(metavar="EXPORT", help="Folder with the identified export.")],
    clinic: Annotated[str, typer.Option("--clinic", help="The clinic's id.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write the delivery into; it must not exist.")],
    clinic_key: Annotated[Path, typer.Option("--clinic-key", help="File with the clinic's secret, 64 hex digits.")],
    exported_on: Annotated[
        datetime, typer.Option("--exported-on", formats=["%Y-%m-%d"], help="Day on which the export was made.")
    ],
    sequence: Annotated[int, typer.Option("--sequence", min=1, help="Number of this export, one more than the last.")],
    period: Annotated[str, typer.Option("--period", help="Month that the export reports on, YYYY-MM.")],
    network_key: Annotated[
        Path | None, typer.Option("--network-key", help="File with the secret that the network's clinics share.")
    ] = None,
    register: Annotated[
        Path | None,
        typer.Option("--register", help="The clinic's own file of day zeros; a full export begins it, deltas need it."),
    ] = None,
    kind: Annotated[ExportKind, typer.Option("--kind", help="Everything, or what is new.")] = ExportKind.full,
    final: Annotated[bool, typer.Option("--final", help="The period is not expected to change any more.")] = False,
) -> None:
    """De-identify a clinic's own export, on the clinic's premises: dates to days, keys to codes, the rest dropped."""
    from clinic_outcomes.console import show_prepared
    from clinic_outcomes.prepare import Order
    from clinic_outcomes.prepare import prepare as prepare_delivery

    (clinic_id,) = _known([clinic], context.obj)
    order = Order(
        clinic_id=clinic_id,
        export=export,
        out=out,
        clinic_key=clinic_key,
        network_key=network_key,
        exported_on=exported_on.date(),
        export_sequence=sequence,
        export_kind=kind.value,
        reporting_period=period,
        period_status="final" if final else "provisional",
        register=register,
    )
    show_prepared(prepare_delivery(order, context.obj))


@app.command()
def status(context: typer.Context, as_json: AsJson = False) -> None:
    """Show what has become of every delivery, row for row, and which clinics are stale."""
    from clinic_outcomes.console import show_status
    from clinic_outcomes.files import canonical_json
    from clinic_outcomes.status import status as read_status

    found = read_status(context.obj)
    typer.echo(canonical_json(found), nl=False) if as_json else show_status(found)


@app.command()
def scorecard(context: typer.Context, clinics: Clinics = None, as_json: AsJson = False) -> None:
    """Show how each table of each clinic stands: pass, pass with failures, fail, not applicable or error."""
    from dataclasses import asdict

    from clinic_outcomes.console import show_table
    from clinic_outcomes.files import canonical_json
    from clinic_outcomes.receipt import scorecard as read_scorecard

    scores = [score for clinic_id in _known(clinics, context.obj) for score in read_scorecard(clinic_id, context.obj)]
    if as_json:
        typer.echo(canonical_json([asdict(score) for score in scores]), nl=False)
        return
    headings = ("clinic", "table", "result", "rules held", "broken", "nothing to check", "rows", "quarantined")
    show_table(headings, [[str(value) for value in asdict(score).values()] for score in scores])


@app.command()
def receipt(
    context: typer.Context,
    clinic: Annotated[str, typer.Argument(metavar="CLINIC", help="A clinic by id.")],
    as_json: AsJson = False,
) -> None:
    """Show what was wrong with a clinic's deliveries, and write it as page and list for the clinic's own staff."""
    from clinic_outcomes.console import show_receipt
    from clinic_outcomes.files import canonical_json
    from clinic_outcomes.receipt import receipt as read_receipt
    from clinic_outcomes.receipt import write_receipt

    (clinic_id,) = _known([clinic], context.obj)
    folder = write_receipt(clinic_id, context.obj)
    found = read_receipt(clinic_id, context.obj)
    if as_json:
        typer.echo(canonical_json(found), nl=False)
        return
    show_receipt(found)
    typer.echo(f"for the clinic: {folder}")
