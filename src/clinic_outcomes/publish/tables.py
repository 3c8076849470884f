"""The tables of a report as tidy CSV, one figure a line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from clinic_outcomes.contract import load_contract
from clinic_outcomes.publish.parts import Report
from clinic_outcomes.publish.released import Figure, Measure, Released
from clinic_outcomes.publish.view import Release
from clinic_outcomes.publish.wording import category_label

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet takes text that begins with one of these for a formula."""

COLUMNS = {
    "figure_id": "Name of the figure, the same in every release.",
    "measure": "Name of the measure; see its own line of this dictionary.",
    "label": "The measure in words.",
    "clinic_id": "The clinic whose figure it is, or network for all clinics together.",
    "dimension": "What the figure is broken down by; empty for all together.",
    "category": "Code of the group within the dimension.",
    "category_label": "The group in words.",
    "instrument": "Questionnaire of the measure; empty for measures of other things.",
    "time_point": "Time point of a questionnaire's measure.",
    "quantity": "What is measured; the same word for every questionnaire and time point.",
    "figure_type": "count, rate (in percent), mean, life_table_row (in percent) or model_value.",
    "unit": "Unit of shown_value.",
    "status": "shown, or withheld to protect privacy.",
    "shown_value": "The rounded figure; empty where withheld. For a share given in a band, its lower edge.",
    "shown_upper": "For a share given in a band: the share is under this. Otherwise empty.",
    "shown_denominator": "Rounded number that a figure is taken from; empty for counts and where withheld.",
    "as_of": "Reporting period of the release that the figure is repeated from; empty where it is of this release.",
    "interval_lower": "Lower end of the 95 % interval of shown_value, widened for rounding; empty where there is none.",
    "interval_upper": "Upper end of the 95 % interval.",
    "upper_bound": "One-sided 95 % upper bound where nothing was seen, in safety's sections; otherwise empty.",
    "circulation": "Who may read the file, the same in each line.",
}
"""Columns of every section's table, with their meaning."""
UNNAMED_COLUMNS = (
    *("measure", "label", "dimension", "category", "figure_type", "unit", "shown_value", "shown_denominator"),
    "circulation",
)
"""Columns of the table of clinics without names."""
COVERAGE_COLUMNS = ("clinic_id", "title", "reporting_period", "clinic_state", "table_name", "status", "circulation")
DICTIONARY_COLUMNS = ("kind", "name", "figure_type", "unit", "meaning", "circulation")


def section_tables(report: Report, release: Release) -> dict[str, str]:
    """File name → CSV text of each section, of the figures of this report."""
    by_section: dict[str, list[Figure]] = {}
    for figure in report.figures:
        by_section.setdefault(release.released.by_name[figure.measure].section, []).append(figure)
    return {
        f"{section}.csv": _figure_lines(report, release, figures) for section, figures in sorted(by_section.items())
    }


def released_table(report: Report, release: Release) -> str:
    """CSV text of all released figures of this report in one table."""
    return _figure_lines(report, release, report.figures)


def _figure_lines(report: Report, release: Release, figures: Iterable[Figure]) -> str:
    last = _csv_lines([[report.circulation]])
    parts = [_csv_lines([tuple(COLUMNS)])]
    for figure in figures:
        # The network's figures are in every recipient's tables: all of a line but its end is written once.
        if figure.figure_id not in release.csv_lines:
            cells = _cells(release, release.released.by_name[figure.measure], figure)
            release.csv_lines[figure.figure_id] = _csv_lines([cells]).removesuffix("\n")
        parts.append(f"{release.csv_lines[figure.figure_id]},{last}")
    return "".join(parts)


def unnamed_table(report: Report, release: Release) -> str:
    """CSV text: figures of clinics without names, of each figure in the order of what they show."""
    rows = []
    for unnamed in report.unnamed:
        name, measure = unnamed.name, release.released.by_name[unnamed.name.measure]
        about = (name.measure, measure.label, name.dimension, name.category, measure.figure_type, measure.unit)
        for figure in unnamed.figures:
            size = figure.denominator if unnamed.sizes else None
            rows.append((*about, figure.value, size, report.circulation))
    return _csv_lines([UNNAMED_COLUMNS, *rows])


def _cells(release: Release, measure: Measure, figure: Figure) -> tuple[object, ...]:
    """One figure in the order of ``COLUMNS``, but for the last, which is the report's."""
    dimension = release.dimensions.get(figure.dimension)
    interval = release.uncertainty.interval(figure)
    return (
        figure.figure_id,
        figure.measure,
        measure.label,
        figure.clinic_id,
        figure.dimension,
        figure.category,
        category_label(dimension, figure.category) if figure.dimension else "",
        measure.instrument,
        measure.time_point,
        measure.quantity,
        measure.figure_type,
        measure.unit,
        figure.status,
        figure.value,
        figure.upper,
        figure.denominator,
        figure.as_of,
        interval.lower if interval else None,
        interval.upper if interval else None,
        release.uncertainty.upper_bound(figure),
    )


def coverage_table(report: Report, released: Released) -> str:
    """CSV text: which table each clinic of this report delivers."""
    rows = [
        [
            clinic.clinic_id,
            clinic.title,
            clinic.reporting_period,
            "stale" if clinic.is_stale else "up to date",
            table,
            "delivered" if delivered else "not delivered",
            report.circulation,
        ]
        for clinic in report.clinics
        for (clinic_id, table), delivered in sorted(released.coverage.items())
        if clinic_id == clinic.clinic_id
    ]
    return _csv_lines([COVERAGE_COLUMNS, *rows])


def data_dictionary(report: Report, further: Mapping[str, str] | None = None) -> str:
    """CSV text: every column and measure of the other tables, and the canonical tables that figures come from.

    ``further`` columns, with their meaning, stand in place of those of the same name.
    """
    columns = [["column", name, "", "", meaning] for name, meaning in (COLUMNS | dict(further or {})).items()]
    measures = [
        ["measure", measure.measure, measure.figure_type, measure.unit, measure.definition]
        for measure in report.measures
    ]
    sources = [["source table", table.name, "", "", table.description] for table in load_contract().tables.values()]
    return _csv_lines([DICTIONARY_COLUMNS, *([*row, report.circulation] for row in (*columns, *measures, *sources))])


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """CSV text of rows, the header among them: safe in a spreadsheet, the same bytes each time."""
    return _csv_lines(rows)


def _csv_lines(rows: Iterable[Sequence[object]]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows([_safe(cell) for cell in row] for row in rows)
    return stream.getvalue()


def _safe(cell: object) -> str:
    """A cell that no spreadsheet runs as a formula: numbers as they are, text with an apostrophe where it must."""
    if cell is None:
        return ""
    if isinstance(cell, Decimal):
        return f"{cell.normalize():f}"
    text = str(cell)
    return f"'{text}" if isinstance(cell, str) and text.startswith(FORMULA_STARTS) else text
