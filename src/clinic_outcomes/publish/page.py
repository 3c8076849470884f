"""The pages of a report: HTML files that need nothing else."""

from __future__ import annotations

import functools

from jinja2 import Environment, PackageLoader, StrictUndefined

from clinic_outcomes.contract import load_contract
from clinic_outcomes.publish.parts import Report
from clinic_outcomes.publish.released import Released
from clinic_outcomes.publish.view import Release
from clinic_outcomes.publish.wording import bound_text, draw, plain, steps_text


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("clinic_outcomes.publish"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["bound_text"] = bound_text
    environment.filters["steps_text"] = steps_text
    return environment


def render(template: str, report: Report, release: Release, **parts: object) -> str:
    """The HTML of one page of a report. All text from deliveries and configuration is escaped."""
    released = release.released
    return (
        _environment()
        .get_template(template)
        .render(
            report=report,
            outline=release.outline,
            crisis_line=release.crisis_line,
            policy=released.policy,
            reporting_period=released.reporting_period,
            build_id=released.build_id,
            policy_id=released.policy_id,
            **parts,
        )
    )


def render_page(report: Report, release: Release) -> str:
    """The HTML of a report's main page."""
    tables = [] if report.is_public else [plain(table) for table in _tables_asked_for(report, release.released)]
    return render("page.html", report, release, tables=tables, coverage=_coverage(report, release))


def _tables_asked_for(report: Report, released: Released) -> list[str]:
    """Tables that coverage speaks of, in the contract's order."""
    clinics = {clinic.clinic_id for clinic in report.clinics}
    known = {table for clinic_id, table in released.coverage if clinic_id in clinics}
    ordered = [table for table in load_contract().tables if table in known]
    return [*ordered, *sorted(known - set(ordered))]


def _coverage(report: Report, release: Release) -> list[dict[str, object]]:
    """One line a clinic: which tables it delivers and which not, in plain words, and what was kept out."""
    released = release.released
    kept_out = released.measure(release.outline.rows_kept_out)
    tables = _tables_asked_for(report, released)
    lines: list[dict[str, object]] = []
    for clinic in report.clinics:
        given = [table for table in tables if released.coverage.get((clinic.clinic_id, table))]
        # Of single clinics, a clinic alone is told of its own.
        figure = None if report.is_network else released.figure(release.outline.rows_kept_out, clinic.clinic_id)
        lines.append(
            {
                "clinic": clinic,
                "delivered": given,
                "missing": [plain(table) for table in tables if table not in given],
                "kept_out": draw(kept_out, figure, released.policy) if kept_out and not report.is_network else None,
                "older": clinic.reporting_period not in (None, released.reporting_period),
            }
        )
    return lines
