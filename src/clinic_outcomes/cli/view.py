"""Commands that show what has become of deliveries."""

from __future__ import annotations

import typer

from clinic_outcomes.cli.application import AsJson, Clinic, Clinics, app, known_clinics


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

    scores = [
        score for clinic_id in known_clinics(clinics, context.obj) for score in read_scorecard(clinic_id, context.obj)
    ]
    if as_json:
        typer.echo(canonical_json([asdict(score) for score in scores]), nl=False)
        return
    headings = ("clinic", "table", "result", "rules held", "broken", "nothing to check", "rows", "quarantined")
    show_table(headings, [[str(value) for value in asdict(score).values()] for score in scores])


@app.command()
def receipt(
    context: typer.Context,
    clinic: Clinic,
    as_json: AsJson = False,
) -> None:
    """Show what was wrong with a clinic's deliveries, and write it as page and list for the clinic's own staff."""
    from clinic_outcomes.console import show_receipt
    from clinic_outcomes.files import canonical_json
    from clinic_outcomes.receipt import receipt as read_receipt
    from clinic_outcomes.receipt import write_receipt

    (clinic_id,) = known_clinics([clinic], context.obj)
    folder = write_receipt(clinic_id, context.obj)
    found = read_receipt(clinic_id, context.obj)
    if as_json:
        typer.echo(canonical_json(found), nl=False)
        return
    show_receipt(found)
    typer.echo(f"for the clinic: {folder}")
