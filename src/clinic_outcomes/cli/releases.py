"""Commands of the release register: list releases, what each changed, and say that one is final or withdrawn."""

from __future__ import annotations

from typing import Annotated

import typer

from clinic_outcomes.cli.application import AsJson, app

releases = typer.Typer(
    help="List releases: period, status, figures shown and withheld, changed numbers, audit. Never an exact number.",
    invoke_without_command=True,
)
app.add_typer(releases, name="releases")

Number = Annotated[int, typer.Argument(metavar="RELEASE", min=1, help="A release by its number in the register.")]
By = Annotated[str, typer.Option("--by", help="Who says so: initials or role.")]
Reason = Annotated[str, typer.Option("--reason", help="Why. Never anything of a patient.")]


@releases.callback()
def list_all(
    context: typer.Context,
    restatements: Annotated[
        int | None,
        typer.Option("--restatements", min=1, help="Numbers that this release changed: old, new and what caused it."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List releases: period, status, figures shown and withheld, changed numbers, audit. Never an exact number."""
    if context.invoked_subcommand is not None:
        return
    from clinic_outcomes.console import show_table
    from clinic_outcomes.files import canonical_json
    from clinic_outcomes.register import list_releases, list_restatements
    from clinic_outcomes.register.listing import HEADINGS, RESTATEMENT_HEADINGS, release_cells, restatement_cells

    if restatements is not None:
        changed = list_restatements(context.obj, restatements)
        if as_json:
            typer.echo(canonical_json(changed), nl=False)
        else:
            show_table(RESTATEMENT_HEADINGS, [restatement_cells(row) for row in changed])
        return
    listed = list_releases(context.obj)
    if as_json:
        typer.echo(canonical_json(listed), nl=False)
    else:
        show_table(HEADINGS, [release_cells(row) for row in listed])


@releases.command()
def final(context: typer.Context, number: Number, by: By, reason: Reason) -> None:
    """Say that a release is final; kept for good. What later releases change is in their restatements."""
    _say("final", number, by, reason, context)


@releases.command()
def withdraw(context: typer.Context, number: Number, by: By, reason: Reason) -> None:
    """Say that a release is withdrawn; kept for good. Nothing of it is deleted, nor repeated."""
    _say("withdrawn", number, by, reason, context)


def _say(status: str, number: int, by: str, reason: str, context: typer.Context) -> None:
    from clinic_outcomes.register import make_final
    from clinic_outcomes.register import withdraw as withdraw_release

    if not 0 < len(by) <= 100 or not 0 < len(reason) <= 500:
        raise typer.BadParameter("--by takes 1 to 100 characters, --reason 1 to 500")
    kept = (make_final if status == "final" else withdraw_release)(context.obj, number, by=by, reason=reason)
    if kept.word is not None:
        said = status if (kept.word.by, kept.word.reason) == (by, reason) else f"was {status} already"
        typer.echo(f"release {number}: {said} by {kept.word.by}: {kept.word.reason}")
