"""The page of a report: one HTML file that needs nothing else."""

from __future__ import annotations

import functools

from jinja2 import Environment, PackageLoader, StrictUndefined

from clinic_outcomes.contract import load_contract
from clinic_outcomes.publish.outline import Outline
from clinic_outcomes.publish.released import Released
from clinic_outcomes.publish.report import Report
from clinic_outcomes.publish.wording import draw, plain


@functools.cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("clinic_outcomes.publish"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render_page(report: Report, released: Released, outline: Outline) -> str:
    """The HTML of a report. All text from deliveries and configuration is escaped."""
    return (
        _environment()
        .get_template("page.html")
        .render(
            report=report,
            outline=outline,
            policy=released.policy,
            reporting_period=released.reporting_period,
            build_id=released.build_id,
            policy_id=released.policy_id,
            coverage=_coverage(report, released, outline),
        )
    )


def _coverage(report: Report, released: Released, outline: Outline) -> list[dict[str, object]]:
    """One line a clinic: which tables it delivers and which not, in the contract's order, and what was kept out."""
    kept_out = released.measure(outline.rows_kept_out)
    lines = []
    for clinic in report.clinics:
        status = {
            table: given for (clinic_id, table), given in released.coverage.items() if clinic_id == clinic.clinic_id
        }
        ordered = [table for table in load_contract().tables if table in status]
        ordered += sorted(set(status) - set(ordered))
        period = clinic.reporting_period
        lines.append(
            {
                "clinic": clinic,
                "delivered": [plain(table) for table in ordered if status[table]],
                "missing": [plain(table) for table in ordered if not status[table]],
                "tables": len(status),
                "kept_out": kept_out
                and draw(kept_out, released.figure(kept_out.measure, clinic.clinic_id), released.policy),
                "older": bool(period) and period != released.reporting_period,
            }
        )
    return lines
