"""Charts of a figure over the releases of earlier periods, and this one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from clinic_outcomes.publish.charts import Axes, Chart, Dot, ticks
from clinic_outcomes.publish.parts import Block, Note, Subheading
from clinic_outcomes.publish.released import Figure, Measure
from clinic_outcomes.publish.view import View
from clinic_outcomes.publish.wording import decimal_text
from clinic_outcomes.statistics.control_chart import FEWEST_POINTS, control_chart

History = Mapping[str, Mapping[str, Decimal]]
"""Reporting period → figure id → the value that the last release of that period showed; periods in order."""


def over_releases(view: View, history: History) -> list[Block]:
    """A control chart for each of the outline's figures, where there are releases enough."""
    blocks: list[Block] = []
    missing: list[str] = []
    for name in view.outline.comparison.over_releases:
        measure = view.released.measure(name.measure)
        figure = view.figure(name.measure, view.scope, name.dimension, name.category)
        if measure is None or figure is None or figure.value is None:
            continue
        title = name.label or measure.label
        told = [(period, values[figure.figure_id]) for period, values in history.items() if figure.figure_id in values]
        told.append((view.released.reporting_period, figure.value))
        if len(told) < FEWEST_POINTS:
            missing.append(f"{title} ({len(told)})")
        else:
            blocks.append(_chart(view, measure, figure, title, told))
    if missing:
        text = f"Too few releases yet for a chart over releases, which needs {FEWEST_POINTS}: {'; '.join(missing)}."
        blocks.append(Note(text))
    if blocks:
        introduction = view.outline.comparison.over_releases_note
        blocks.insert(0, Subheading("over-releases", "From release to release", introduction))
    return blocks


def _chart(view: View, measure: Measure, figure: Figure, title: str, told: Sequence[tuple[str, Decimal]]) -> Chart:
    values = [float(value) for _, value in told]
    chart = control_chart(values)
    step = view.release.uncertainty.step(figure)
    ends = [*values, *(end for end in (chart.lower, chart.upper) if end is not None)]
    margin = max(float(step), 0.1 * (max(ends) - min(ends)))
    axes = Axes((0, len(values) - 1), (min(ends) - margin, max(ends) + margin))
    across = ticks(*axes.y)
    paths = axes.grid(across)
    for end, style in ((chart.centre, "centre"), (chart.lower, "limit"), (chart.upper, "limit")):
        if end is not None:
            paths.append(axes.path(style, [(0, end), (len(values) - 1, end)]))
    paths.append(axes.path("step", list(enumerate(values))))
    signals = {signal.point: signal.rule.value for signal in chart.signals}
    dots = [
        Dot(
            *axes.at(i, value),
            f"{period}: {value:g}{f', {signals[i]}' if i in signals else ''}",
            "dot signal" if i in signals else "dot",
            figure_id=figure.figure_id,
            period=period,
        )
        for i, ((period, _), value) in enumerate(zip(told, values, strict=True))
    ]
    every = -(-len(told) // 8)
    x_ticks = [(float(i), period) for i, (period, _) in enumerate(told) if i % every == 0]
    named = "; ".join(f"{told[point][0]} ({rule})" for point, rule in sorted(signals.items()))
    unit = "%" if measure.figure_type == "rate" else ""
    return Chart(
        identifier=f"over-releases-{measure.measure}".replace("_", "-"),
        title=f"{title}, release after release",
        description=(
            f"Control chart of {len(told)} releases from {told[0][0]} to {told[-1][0]}: first {values[0]:g}{unit}, "
            f"last {values[-1]:g}{unit}. Signals: {named or 'none'}."
        ),
        paths=tuple(paths),
        dots=tuple(dots),
        texts=tuple(
            axes.labels(
                x_ticks,
                [(y, f"{decimal_text(Decimal(str(y)), Decimal(str(y)))}{unit}") for y in across],
                "Reporting period",
            )
        ),
    )
