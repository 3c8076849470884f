"""The page of methods: every measure of a report in prose, from the definitions that its figures were made with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clinic_outcomes.protect.policy import Policy
from clinic_outcomes.publish.outline import Questionnaires
from clinic_outcomes.publish.page import render
from clinic_outcomes.publish.parts import Report
from clinic_outcomes.publish.released import Measure, Released, Threshold
from clinic_outcomes.publish.view import Release, anchor
from clinic_outcomes.publish.wording import VERIFICATION, plain, steps_text, threshold_text, threshold_value


@dataclass(frozen=True)
class Entry:
    """One measure, or one quantity of all questionnaires; ``given_for`` says of which and when.

    Texts are those of ``example``, the first of the measures, where there are several.
    """

    anchor: str
    label: str
    example: Measure
    figure: str
    thresholds: tuple[str, ...] = ()
    given_for: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chapter:
    """The entries of a section."""

    identifier: str
    title: str
    entries: tuple[Entry, ...]


def render_methods(report: Report, release: Release) -> str:
    """The HTML of the page of methods."""
    return render(
        "methods.html",
        report,
        release,
        chapters=chapters(report.measures, release),
        thresholds=_threshold_rows(report.measures, release.released),
        observed_over_expected=release.released.measure(release.outline.comparison.observed_over_expected),
        dimensions=release.released.dimensions,
        time_points=_time_points(report.measures),
    )


def chapters(measures: Sequence[Measure], release: Release) -> list[Chapter]:
    """The entries of each section in the report's order: a measure each, those of questionnaires folded by quantity."""
    titles = {section.section: section.title for section in release.outline.sections}
    found = {measure.section: titles.get(measure.section, plain(measure.section)) for measure in measures}
    policy = release.released.policy
    result = []
    for section in [*(name for name in titles if name in found), *(name for name in found if name not in titles)]:
        own = [measure for measure in measures if measure.section == section]
        single = [Entry(anchor(m), m.label, m, figure_text(m, policy)) for m in own if not m.instrument]
        folded = _folded([m for m in own if m.instrument], release)
        result.append(Chapter(f"chapter-{section}".replace("_", "-"), found[section], (*single, *folded)))
    return result


def figure_text(measure: Measure, policy: Policy) -> str:
    """What kind of figure it is and how it is rounded."""
    kind, unit = measure.figure_type, measure.unit
    if kind == "count":
        return f"A number of {unit}, to the nearest {policy.counts.rounding_base}."
    if kind == "rate" and measure.contributors == "row":
        return "A share, given in bands."
    names = {"rate": "A share", "life_table_row": "A row of a life table", "mean": "An average"}
    is_percent = kind in ("rate", "life_table_row")
    rounded = steps_text(policy.steps()[kind, "" if is_percent else unit])
    return f"{names.get(kind, 'A value of a model')} ({'percent' if is_percent else unit}), {rounded}."


def _folded(measures: Sequence[Measure], release: Release) -> list[Entry]:
    """One entry a quantity, with the questionnaires and time points it is given for and its thresholds."""
    by_quantity: dict[str, list[Measure]] = {}
    for measure in measures:
        by_quantity.setdefault(measure.quantity, []).append(measure)
    named = _threshold_quantities(release.outline.questionnaires)
    entries = []
    for quantity, ones in sorted(by_quantity.items(), key=lambda item: (item[1][0].sort_order % 100, item[0])):
        first = ones[0]
        label = first.label.partition(": ")[2] or first.label
        entries.append(
            Entry(
                anchor=anchor(first),
                label=label[:1].upper() + label[1:],
                example=first,
                figure=figure_text(first, release.released.policy),
                thresholds=tuple(_thresholds(ones, named.get(quantity, ""), release.released.thresholds)),
                given_for=tuple(_given_for(ones)),
            )
        )
    return entries


def _threshold_quantities(layout: Questionnaires) -> dict[str, str]:
    """Quantity of a measure → quantity of the threshold it is judged by, as the report's layout has it."""
    columns = (*layout.scores, *layout.judgements, *layout.strata)
    pairs = {column.quantity: column.threshold for column in columns if column.threshold}
    return pairs | {column.to: column.threshold for column in columns if column.to and column.threshold}


def _thresholds(measures: Sequence[Measure], quantity: str, thresholds: Sequence[Threshold]) -> list[str]:
    """One line an instrument: the threshold in use, its set, citation and mark."""
    labels = instrument_labels(measures)
    lines = []
    for threshold in thresholds:
        sets = {m.threshold_set for m in measures if m.instrument == threshold.instrument}
        # A set may hold several thresholds; where the layout does not say which, all that are used are named.
        if threshold.is_used and threshold.threshold_set in sets and quantity in ("", threshold.quantity):
            lines.append(f"{labels[threshold.instrument]}: {threshold_text(threshold)}")
    return lines


def _given_for(measures: Sequence[Measure]) -> list[str]:
    """Instruments that share the same time points, together."""
    labels = instrument_labels(measures)
    by_points: dict[tuple[str, ...], list[str]] = {}
    for instrument, label in labels.items():
        points = tuple(m.time_point_label for m in measures if m.instrument == instrument)
        by_points.setdefault(points, []).append(label)
    return [f"{', '.join(names)}: {'; '.join(points)}" for points, names in by_points.items()]


def instrument_labels(measures: Sequence[Measure]) -> dict[str, str]:
    """The names of instruments, as their measures' labels begin, in order."""
    labels: dict[str, str] = {}
    for measure in measures:
        labels.setdefault(measure.instrument, measure.instrument_label)
    return labels


def _time_points(measures: Sequence[Measure]) -> list[tuple[str, str]]:
    """Label and window of each time point of questionnaires, weeks of life tables aside."""
    found = {m.time_point_label: m.time_window for m in measures if m.instrument and m.figure_type != "life_table_row"}
    return list(found.items())


def _threshold_rows(measures: Sequence[Measure], released: Released) -> list[dict[str, str]]:
    """Every threshold of the report's instruments, those in use first, for a table."""
    labels = instrument_labels([measure for measure in measures if measure.instrument])
    rows = []
    for threshold in released.thresholds:
        if threshold.instrument in labels:
            rows.append(
                {
                    "instrument": labels[threshold.instrument],
                    "quantity": plain(threshold.quantity),
                    "value": threshold_value(threshold),
                    "set": threshold.threshold_set,
                    "citation": threshold.citation,
                    "mark": VERIFICATION.get(threshold.verification, threshold.verification),
                    "used": "in use" if threshold.is_used else "not in use",
                }
            )
    return rows
