"""Commands of the urgent path: raise alerts, list them, and say that a person has seen one."""

from __future__ import annotations

from typing import Annotated

import typer

from clinic_outcomes.cli.application import AsJson, Clinic, Clinics, Strict, app, known_clinics
from clinic_outcomes.cli.stages import run_clinic_stage


@app.command()
def alert(context: typer.Context, clinics: Clinics = None, strict: Strict = False) -> None:
    """Raise an alert of serious and unexpected events that no earlier alert told of. Sends nothing."""
    run_clinic_stage("alert", clinics, strict, context.obj)


@app.command()
def alerts(
    context: typer.Context,
    clinics: Annotated[
        list[str] | None, typer.Option("--clinic", help="A clinic by id; again for more. All when none is named.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Acknowledged ones too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List open alerts: counts, whether their message left, and what to look at. Keys are in their alert.json."""
    from clinic_outcomes.alert import told_alerts
    from clinic_outcomes.console import show_alerts
    from clinic_outcomes.files import canonical_json

    found = [told for name in known_clinics(clinics, context.obj) for told in told_alerts(name, context.obj, every)]
    typer.echo(canonical_json(found), nl=False) if as_json else show_alerts(found, what_to_do=True)


@app.command()
def acknowledge(
    context: typer.Context,
    clinic: Clinic,
    alert_id: Annotated[str, typer.Argument(metavar="ALERT", help="An alert by id.")],
    by: Annotated[str, typer.Option("--by", help="Who has seen it: initials or role.")],
    note: Annotated[str, typer.Option("--note", help="What came of it. Never anything of a patient.")],
) -> None:
    """Say that a person has seen an alert and what came of it; kept for good."""
    from clinic_outcomes.alert import acknowledge as keep

    if not 0 < len(by) <= 100 or not 0 < len(note) <= 500:
        raise typer.BadParameter("--by takes 1 to 100 characters, --note 1 to 500")
    (clinic_id,) = known_clinics([clinic], context.obj)
    kept = keep(clinic_id, alert_id, by, note, context.obj)
    said = "acknowledged" if (kept.acknowledged_by, kept.note) == (by, note) else "was acknowledged already"
    typer.echo(f"{clinic_id} {alert_id}: {said} by {kept.acknowledged_by}: {kept.note}")
