"""Commands for deliveries and mappings before they come in: generate, try, new-system, contract and prepare."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from clinic_outcomes.cli.application import WORKERS, AsJson, Workers, app, known_clinics, known_systems
from clinic_outcomes.problems import ClinicOutcomesError


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
    held_to = load_clinic(known_clinics([clinic], context.obj)[0], context.obj) if clinic else None
    if system is not None and system not in known_systems(context.obj):
        raise typer.BadParameter(f"no system {system}; known are {', '.join(known_systems(context.obj))}")
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

    (clinic_id,) = known_clinics([clinic], context.obj)
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
