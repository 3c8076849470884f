"""The application, the options that several commands share, and what they ask and tell alike."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from clinic_outcomes.settings import Settings

FAILED, REFUSED = 1, 3
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
Clinic = Annotated[str, typer.Argument(metavar="CLINIC", help="A clinic by id.")]


@app.callback()
def configure(
    context: typer.Context,
    home: Annotated[
        Path | None, typer.Option("--home", help="The data home. Default: $CLINIC_OUTCOMES_HOME, else var/.")
    ] = None,
) -> None:
    """Aggregate outcome and adverse-event reports from the de-identified exports of many clinics."""
    context.obj = Settings.from_environment(home)


def known_clinics(names: list[str] | None, settings: Settings) -> list[str]:
    """The clinics named, or all; a name that no clinic has is wrong usage."""
    from clinic_outcomes.pipeline import clinic_ids

    known = clinic_ids(settings)
    for name in names or ():
        if name not in known:
            raise typer.BadParameter(f"no clinic {name}; known are {', '.join(known) or 'none'}")
    return list(dict.fromkeys(names)) if names else known


def known_systems(settings: Settings) -> list[str]:
    """Names of the systems, whether or not their mapping is right."""
    return sorted(path.name for path in settings.systems.iterdir() if path.is_dir())


def finish(failed: bool, refused: bool) -> None:
    """Exit with the code that tells of a failure or a refused delivery."""
    if failed:
        raise typer.Exit(FAILED)
    if refused:
        raise typer.Exit(REFUSED)
