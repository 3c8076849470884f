"""What the command line shows: progress bars and tables on a terminal, plain lines otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from clinic_outcomes.files import canonical_json
from clinic_outcomes.pipeline import Report, StageEvent
from clinic_outcomes.problems import Problem

if TYPE_CHECKING:  # Importing it would slow every command's start.
    from clinic_outcomes.prepare import Prepared
    from clinic_outcomes.trying import FileTrial, SystemTrial

ROWS_ON_A_TERMINAL = 200


def plain(console: Console, line: str) -> None:
    """Print one line as it is: neither wrapped, nor coloured, nor read as markup, its tabs kept."""
    if console.is_terminal:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    else:
        console.file.write(f"{line}\n")


def show_problems(problems: Iterable[Problem], console: Console | None = None) -> None:
    """Print problems, each with its place and what to do, on standard error."""
    console = console or Console(stderr=True)
    for problem in problems:
        plain(console, f"{problem}" + (f"\n    {problem.advice}" if problem.advice else ""))


@contextmanager
def progress(total: int) -> Iterator[Report]:
    """Yield a receiver of a run's events: a bar over ``total`` stages on a terminal, a line a stage otherwise."""
    console, errors = Console(), Console(stderr=True)
    if not console.is_terminal:
        yield lambda event: _print_event(event, console, errors)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=total)

        def show(event: StageEvent) -> None:
            if event.state == "started":
                bar.update(task, description=escape(_place(event)))
                return
            bar.advance(task)
            # Within a progress bar both streams are the terminal: one console keeps them from overwriting it.
            show_problems(_problems(event), bar.console)

        yield show


def _print_event(event: StageEvent, console: Console, errors: Console) -> None:
    if event.state == "started":
        return
    ids = ", ".join(event.outcome.ids) if event.outcome else "failed"
    plain(console, f"{_place(event)}: {ids or 'nothing to do'}")
    show_problems(_problems(event), errors)


def _place(event: StageEvent) -> str:
    return f"{event.clinic_id or 'network'} {event.stage}"


def _problems(event: StageEvent) -> tuple[Problem, ...]:
    return event.problems + (event.outcome.refusals + event.outcome.warnings if event.outcome else ())


def show_status(found: dict[str, Any]) -> None:
    """Print ``clinic_outcomes.status.status``: deliveries with their rows, clinics, and the newest release."""
    deliveries = [
        [
            entry["clinic"],
            entry["delivery"] or ", ".join(entry["folders"]) or "-",
            entry["state"],
            entry["stage"],
            *(str(sum(table[name] for table in entry["tables"].values())) for name in ("delivered", "current")),
            str(sum(table["quarantined"] for table in entry["tables"].values())),
            str(entry["unmapped"]),
            entry["reason"] or "",
        ]
        for entry in found["deliveries"]
    ]
    headings = ["clinic", "delivery", "state", "stage", "rows", "current", "quarantined", "unmapped", "reason"]
    show_table(headings, deliveries)
    clinics = [
        [
            clinic["clinic"],
            "stale" if clinic["stale"] else clinic["late"] or "up to date" if clinic["state_id"] else "no state",
            clinic["state_id"] or "-",
            clinic["reporting_period"] or "-",
            clinic["period_status"] or "-",
            str(clinic["final_period_restatements"]),
            ", ".join("-".join(str(n) for n in sorted(set(gap.values()))) for gap in clinic["gaps"]) or "-",
        ]
        for clinic in found["clinics"]
    ]
    headings = ["clinic", "reports", "state id", "reporting period", "period is", "restated when final", "gaps"]
    show_table(headings, clinics)
    show_alerts(found["alerts"])
    release = found["release"]
    plain(Console(), f"newest release: {release['release_id'] if release else 'none'}")


def show_alerts(alerts: Sequence[dict[str, Any]], what_to_do: bool = False) -> None:
    """Print ``clinic_outcomes.alert.told_alerts``: a line each, and the text that is sent where ``what_to_do``."""
    rows = [
        [
            alert["clinic"],
            alert["alert"],
            alert["summary"],
            "sent" if alert["sent"] else "not sent",
            f"{alert['acknowledged_by']}: {alert['note']}" if alert["acknowledged_by"] else "open",
        ]
        for alert in alerts
    ]
    show_table(["clinic", "alert", "what happened", "message", "seen by"], rows)
    for alert in alerts if what_to_do else ():
        plain(Console(), f"\n{alert['message']}")


def show_receipt(found: dict[str, Any]) -> None:
    """Print ``clinic_outcomes.receipt.receipt``: each delivery, then what was wrong with it."""
    console = Console()
    for name in found["not_yet_received"]:
        plain(console, f"{found['clinic']} folder {name}: not yet received")
    for delivery in found["deliveries"]:
        findings = delivery["findings"]
        plain(
            console,
            f"{found['clinic']} {delivery['delivery']}: {delivery['state']} at {delivery['stage']}, "
            f"findings: {len(findings)}",
        )
        told = findings[:ROWS_ON_A_TERMINAL] if console.is_terminal else findings
        rows = [
            [
                *(str(finding[name]) if finding[name] is not None else "-" for name in ("file", "line")),
                ".".join(finding[name] for name in ("table", "column") if finding[name]) or "-",
                finding["rule"],
                finding["message"] + (f" ({finding['rows']} rows)" if (finding["rows"] or 1) > 1 else ""),
                finding["advice"],
            ]
            for finding in told
        ]
        show_table(["file", "line", "table.column", "rule", "what is wrong", "what to do"], rows)
        if len(findings) > len(told):
            plain(console, f"and {len(findings) - len(told)} more: add --json, or send the output into a file")


def show_explanation(found: dict[str, Any]) -> None:
    """Print ``clinic_outcomes.admit.explain``: the legal basis, and each delivery with what it was refused for."""
    console, basis = Console(), found["legal_basis"]
    plain(
        console,
        f"{found['clinic']}: {basis['basis']}, time of service by {basis['service_period']}, "
        f"{basis['shortest_cadence_days']} days or more between deliveries",
    )
    for delivery in found["deliveries"]:
        plain(console, f"{delivery['delivery']}: {'admitted' if delivery['admitted'] else 'refused'}")
        names = ("file", "column", "rule", "rows", "line", "message", "advice")
        rows = [["-" if p[name] is None else str(p[name]) for name in names] for p in delivery["problems"]]
        show_table(["file", "column", "rule", "rows", "first line", "what is wrong", "what to do"], rows)


def show_prepared(prepared: Prepared) -> None:
    """Print what ``clinic_outcomes.prepare.prepare`` changed, column by column, and what it left out."""
    rows = [
        [
            f"{change.source}.{change.column}",
            change.action,
            "-" if change.values is None else str(change.values),
            str(change.delivered),
            "-" if change.values is None else str(max(change.values - change.delivered, 0)),
        ]
        for change in prepared.changes
    ]
    show_table(["column", "what was done", "values", "delivered", "left out"], rows)
    show_table(["left out of the delivery"], [[f"{source}.{column}"] for source, column in prepared.dropped])
    console = Console()
    if prepared.people_without_day_zero:
        what = "their rows are left out" if prepared.rows_left_out else "their days are empty"
        plain(console, f"people without a date to count from: {prepared.people_without_day_zero}; {what}")
    if prepared.files_not_read:
        plain(
            console, f"files of the export's folder that are of no source, and were not read: {prepared.files_not_read}"
        )
    for source, count in prepared.rows_left_out:
        plain(console, f"rows of {source} left out: {count}")
    if prepared.people_with_day_zero_kept:
        people = prepared.people_with_day_zero_kept
        plain(console, f"people with another beginning than the register has: {people}; their day 0 stays")
    plain(console, f"the gate admits it; deliver: {prepared.folder}")


def show_file_trials(trials: Sequence[FileTrial], as_json: bool) -> None:
    """Print ``clinic_outcomes.trying.try_files``: what each file holds, and the mapping proposed for it."""
    from clinic_outcomes.trying.report import export_data, export_lines

    console = Console()
    if as_json:
        console.file.write(canonical_json([export_data(trial.export, trial.parts) for trial in trials]))
        return
    for trial in trials:
        for line in export_lines(trial.export, trial.parts):
            plain(console, line)


def show_system_trial(trial: SystemTrial, as_json: bool) -> None:
    """Print ``clinic_outcomes.trying.try_system``: what a system takes, lacks and refuses, with what to do."""
    from clinic_outcomes.trying.report import trial_data, trial_lines

    console = Console()
    if as_json:
        console.file.write(canonical_json(trial_data(trial)))
        return
    for line in trial_lines(trial):
        plain(console, line)
    show_problems(trial.problems, console)


def show_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: drawn on a terminal, tab-separated lines with the headings otherwise; nothing without rows."""
    console = Console()
    if not rows:
        return
    if not console.is_terminal:
        for row in (headings, *rows):
            plain(console, "\t".join(row))
        return
    table = Table(*headings)
    for row in rows:
        table.add_row(*map(escape, row))
    console.print(table)
