"""Charts as plain geometry, drawn inline as SVG: no script, no picture, nothing loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 56, 30, 14, 44


@dataclass(frozen=True)
class Path:
    """A line through points, or with ``closed`` an area; ``style`` is its class in the style sheet."""

    style: str
    d: str


@dataclass(frozen=True)
class Dot:
    """A point of a radius with a label that is read out.

    ``figure_id`` names the figure whose value it is, ``period`` the reporting period of a release. A point of a clinic
    that is not named has neither.
    """

    x: float
    y: float
    label: str
    style: str = "dot"
    size: int = 3
    figure_id: str = ""
    period: str = ""


@dataclass(frozen=True)
class Text:
    """A word or number of an axis; ``anchor`` is start, middle or end."""

    x: float
    y: float
    text: str
    anchor: str = "middle"


@dataclass(frozen=True)
class Chart:
    """A chart with a title and a description that says in words what it shows.

    ``about`` are the figures that the description tells of beside those of its points. ``unnamed`` names the figures of
    clinics whose points have no name, as ``measure/*/dimension/category``.
    """

    kind: ClassVar[str] = "chart"
    identifier: str
    title: str
    description: str
    paths: tuple[Path, ...]
    dots: tuple[Dot, ...]
    texts: tuple[Text, ...]
    width: int = WIDTH
    height: int = HEIGHT
    about: tuple[str, ...] = ()
    unnamed: str = ""


@dataclass(frozen=True)
class Axes:
    """Two linear axes: values from ``x`` and ``y`` onto the chart's area."""

    x: tuple[float, float]
    y: tuple[float, float]

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a point lies on the chart, to a tenth of a unit."""
        across = (x - self.x[0]) / (self.x[1] - self.x[0] or 1)
        up = (y - self.y[0]) / (self.y[1] - self.y[0] or 1)
        return round(LEFT + across * (WIDTH - LEFT - RIGHT), 1), round(
            HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM), 1
        )

    def path(self, style: str, points: Sequence[tuple[float, float]]) -> Path:
        """A line through points given in values."""
        placed = [self.at(x, y) for x, y in points]
        return Path(style, "M" + "L".join(f"{x:g} {y:g}" for x, y in placed))

    def grid(self, y_ticks: Sequence[float]) -> list[Path]:
        """A line across for each tick."""
        return [self.path("grid", [(self.x[0], tick), (self.x[1], tick)]) for tick in y_ticks]

    def labels(
        self,
        x_ticks: Sequence[tuple[float, str]],
        y_ticks: Sequence[tuple[float, str]],
        x_title: str,
    ) -> list[Text]:
        """Numbers of both axes, and what runs across."""
        texts = [Text(self.at(x, self.y[0])[0], HEIGHT - BOTTOM + 16, text) for x, text in x_ticks]
        texts += [Text(LEFT - 8, self.at(self.x[0], y)[1] + 4, text, "end") for y, text in y_ticks]
        return [*texts, Text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, x_title)]


def ticks(lower: float, upper: float, most: int = 6) -> list[float]:
    """Round numbers from ``lower`` to ``upper``, at most about ``most``, in steps of 1, 2 or 5 times a power of ten."""
    span = upper - lower
    if span <= 0:
        return [lower]
    step = next(base * 10**power for power in range(-3, 9) for base in (1, 2, 5) if span / (base * 10**power) <= most)
    first = int(-(-lower // step))
    return [round(step * number, 6) for number in range(first, int(upper // step) + 1)]
