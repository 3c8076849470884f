"""Commands that run stages."""

from __future__ import annotations

from typing import Annotated

import typer

from clinic_outcomes import CLINIC_STEPS, NETWORK_STAGES
from clinic_outcomes.cli.application import (
    WORKERS,
    AsJson,
    Clinics,
    Strict,
    Workers,
    app,
    finish,
    known_clinics,
)
from clinic_outcomes.settings import Settings


def run_clinic_stage(stage: str, names: list[str] | None, strict: bool, settings: Settings) -> None:
    """Run one stage, or the step ``alert``, for the clinics named."""
    from clinic_outcomes import console, pipeline

    clinics = known_clinics(names, settings)
    with console.progress(len(clinics)) as report:
        runs = [pipeline.run_stages([stage], clinic_id, settings, report) for clinic_id in clinics]
    summary = pipeline.RunSummary(tuple(event for events in runs for event in events))
    finish(summary.failed, strict and summary.refused)


def _run_network_stage(stage: str, settings: Settings) -> None:
    from clinic_outcomes import console, pipeline

    with console.progress(1) as report:
        summary = pipeline.RunSummary(pipeline.run_stages([stage], None, settings, report))
    finish(summary.failed, refused=False)


@app.command()
def receive(context: typer.Context, clinics: Clinics = None, strict: Strict = False) -> None:
    """Find deliveries in landing, check their manifests and give each its id."""
    run_clinic_stage("receive", clinics, strict, context.obj)


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
        run_clinic_stage("admit", clinics, strict, context.obj)


def _explain(names: list[str], as_json: bool, settings: Settings) -> None:
    from clinic_outcomes.admit import explain
    from clinic_outcomes.console import show_explanation
    from clinic_outcomes.files import canonical_json

    if not 1 <= len(names) <= 2:
        raise typer.BadParameter("--explain takes a clinic and, if wanted, one of its deliveries")
    (clinic_id,) = known_clinics(names[:1], settings)
    found = explain(clinic_id, names[1] if len(names) > 1 else None, settings)
    typer.echo(canonical_json(found), nl=False) if as_json else show_explanation(found)


@app.command()
def harmonise(context: typer.Context, clinics: Clinics = None, strict: Strict = False) -> None:
    """Translate admitted deliveries into the contract's tables, units and codes."""
    run_clinic_stage("harmonise", clinics, strict, context.obj)


@app.command()
def resolve(context: typer.Context, clinics: Clinics = None, strict: Strict = False) -> None:
    """Work out each clinic's current state from all its deliveries, in the order of their export sequence."""
    run_clinic_stage("resolve", clinics, strict, context.obj)


@app.command()
def validate(context: typer.Context, clinics: Clinics = None, strict: Strict = False) -> None:
    """Check the rules of expectations/ and quarantine the rows that break one."""
    run_clinic_stage("validate", clinics, strict, context.obj)


@app.command()
def model(context: typer.Context) -> None:
    """Build the marts from the accepted rows of all clinics with dbt."""
    _run_network_stage("model", context.obj)


@app.command()
def protect(
    context: typer.Context,
    explain: Annotated[
        str | None,
        typer.Option("--explain", metavar="CELL", help="Say why a figure, or those of a count, is withheld or shown."),
    ] = None,
    exact: Annotated[bool, typer.Option("--exact", help="With --explain: exact counts. Never in a log.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --explain: print JSON.")] = False,
) -> None:
    """Withhold and round the figures of the newest build, so that they may leave."""
    if explain is not None:
        _explain_figure(explain, exact, as_json, context.obj)
    elif exact or as_json:
        raise typer.BadParameter("--exact and --json go with --explain")
    else:
        _run_network_stage("protect", context.obj)


def _explain_figure(name: str, exact: bool, as_json: bool, settings: Settings) -> None:
    from dataclasses import asdict

    from clinic_outcomes.files import canonical_json
    from clinic_outcomes.protect.explaining import explain

    found = explain(settings, name, exact=exact)
    if as_json:
        typer.echo(canonical_json([asdict(one) for one in found]), nl=False)
        return
    for one in found:
        typer.echo("\n".join(one.lines()))


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
    chosen = known_clinics(clinics, settings)
    with console.progress(len(chosen) * len(CLINIC_STEPS) + len(NETWORK_STAGES)) as report:
        summary = pipeline.run(settings, chosen, report, workers)
    if summary.release_id:
        typer.echo(f"report: {settings.releases / 'latest' / 'network' / 'index.html'}")
    finish(summary.failed, strict and summary.refused)


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
    (clinic_id,) = known_clinics([clinic], context.obj)
    accept_delivery(clinic_id, delivery, by, reason, context.obj)
    typer.echo(f"{clinic_id} {delivery}: accepted; run again to use it")
