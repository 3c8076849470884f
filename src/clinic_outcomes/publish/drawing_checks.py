"""Charts, read back: labels of points are released figures, and points and lines lie where their labels say."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

from clinic_outcomes.publish.allowed import Allowed, RuleBrokenError
from clinic_outcomes.publish.page_reader import NUMBER, Drawing, Place, numbers_in, parse_number

LABEL = re.compile(
    rf"(?:(?P<what>[^:]+): )(?P<value>{NUMBER})%?(?: of (?P<of>{NUMBER}))?(?:, [a-z][a-z -]*)?", re.ASCII | re.DOTALL
)
CLOSE = 0.2
"""Points are placed to a tenth of a unit of the drawing; twice that is the same place."""
SAID_OF_LIMITS = {"95", "99.8", "100", "0"}
"""Numbers of every description: the limits, and where a curve begins."""
OFFSET = 4
"""Labels of the axis stand this much lower than the lines they are of."""


def check_drawing(drawing: Drawing, allowed: Allowed) -> None:
    """``RuleBrokenError`` where a point, line or word of a chart says more than was released."""
    scale = _scale(drawing)
    heights: list[float] = []
    values: list[Decimal] = []
    said = set(SAID_OF_LIMITS)
    unnamed: list[tuple[Decimal, int | None]] = []
    for point in drawing.points:
        if not point.key and not drawing.unnamed:
            raise RuleBrokenError("clinics_beside_each_other")
        label = point.words
        found = LABEL.fullmatch(label)
        value = parse_number(found["value"]) if found else None
        if found is None or value is None:
            raise RuleBrokenError("label_does_not_round_trip", point.key)
        said.update(numbers_in(label))
        of = parse_number(found["of"]) if found["of"] else None
        size = int(of) if of is not None else None
        if point.key:
            _check_point(point, value, size, allowed)
        else:
            unnamed.append((value, size))
        height = float(point.attributes.get("cy", "nan"))
        # A comparison with a position that cannot be read is false: such a point is refused.
        if not abs(height - scale[0] - scale[1] * float(value)) <= CLOSE:
            raise RuleBrokenError("point_is_not_where_its_label_says", point.key)
        heights.append(height)
        values.append(value)
    if unnamed or drawing.unnamed:
        _check_unnamed_points(drawing, unnamed, allowed)
    centres = [figure.value for figure in map(allowed.figure, drawing.about) if figure.value is not None]
    if values:
        centres.append(sum(values, Decimal(0)) / len(values))
    _check_lines(drawing, "step", [*heights, scale[0] + 100 * scale[1]])
    _check_lines(drawing, "centre", [scale[0] + scale[1] * float(centre) for centre in centres])
    _check_description(drawing, said, allowed)


def check_bars(places: Sequence[Place], allowed: Allowed) -> None:
    """Bars of a table are as long as their counts are, of the longest in it."""
    tables: dict[str, list[Place]] = {}
    for place in places:
        if place.kind == "bar":
            tables.setdefault(place.table, []).append(place)
    for bars in tables.values():
        values = [allowed.figure(bar.key).value for bar in bars]
        if any(value is None for value in values):
            raise RuleBrokenError("withheld_figure_has_a_number", bars[values.index(None)].key)
        longest = max((value for value in values if value is not None), default=Decimal(0))
        for bar, value in zip(bars, values, strict=True):
            if value is None or bar.attributes.get("width") != str(int(100 * value / longest) if longest else 0):
                raise RuleBrokenError("bar_is_not_as_long_as_its_count", bar.key)


def _scale(drawing: Drawing) -> tuple[float, float]:
    """Height at 0 and height of one unit, read from the numbers beside the chart."""
    ticks = []
    for text in drawing.texts:
        value = parse_number(text.words.removesuffix("%"))
        if text.attributes.get("text-anchor") == "end" and value is not None:
            ticks.append((float(value), float(text.attributes["y"]) - OFFSET))
    if len({value for value, _ in ticks}) < 2:
        raise RuleBrokenError("chart_without_a_scale")
    (low, low_y), (high, high_y) = min(ticks), max(ticks)
    unit = (high_y - low_y) / (high - low)
    return low_y - unit * low, unit


def _check_point(point: Place, value: Decimal, size: int | None, allowed: Allowed) -> None:
    """A point of a figure: of this release, or as an earlier one showed it."""
    figure = allowed.figure(point.key)
    period = point.attributes.get("data-period", "")
    if period and period != allowed.released.reporting_period:
        if allowed.history.get(period, {}).get(point.key) != value:
            raise RuleBrokenError("not_what_an_earlier_release_showed", point.key)
        return
    allowed.check_value(figure, value)
    if size is not None:
        allowed.check_denominator(figure, size)


def _check_unnamed_points(drawing: Drawing, pairs: Sequence[tuple[Decimal, int | None]], allowed: Allowed) -> None:
    """Points without names are released figures of clinics, from left to right, and nothing says whose."""
    if Counter(pairs) - Counter(allowed.unnamed(drawing.unnamed)):
        raise RuleBrokenError("not_the_released_value", drawing.unnamed)
    if list(pairs) != sorted(pairs, key=lambda pair: (pair[1] or 0, pair[0])):
        raise RuleBrokenError("order_tells_who_it_is", drawing.unnamed)
    labels = [point.words.partition(":")[0] for point in drawing.points]
    if labels != [f"Point {number}" for number in range(1, len(labels) + 1)]:
        raise RuleBrokenError("point_has_a_name", drawing.unnamed)


def _check_lines(drawing: Drawing, kind: str, heights: Sequence[float]) -> None:
    """Lines of a kind turn at these heights alone: of points, where a curve begins, or of the average."""
    for style, path in drawing.paths:
        if style.startswith(kind):
            for found in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", path):
                if not any(abs(float(found[1]) - height) <= CLOSE for height in heights):
                    raise RuleBrokenError("line_without_a_point")


def _check_description(drawing: Drawing, said: set[str], allowed: Allowed) -> None:
    """Numbers of a description stand in labels of the chart, or are those of the figures it is about."""
    known = said | {str(len(drawing.points))}
    for figure_id in drawing.about:
        figure = allowed.figure(figure_id)
        known |= {f"{figure.value.normalize():f}"} if figure.value is not None else set()
    for number in numbers_in(" ".join(drawing.description)):
        if number not in known:
            raise RuleBrokenError("description_says_more_than_the_chart")
